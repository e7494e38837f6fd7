use aws_config::SdkConfig;
use aws_sdk_eventbridge::error::DisplayErrorContext;

use super::report::Finding;
use crate::config::QueueConfig;
use crate::error::Chain;
use crate::ingest::sqs::SqsQueue;

/// The queue, and the rule that feeds it where one is named.
pub async fn check(aws: &SdkConfig, queue: &QueueConfig) -> Vec<Finding> {
    let what = format!("queue {}", queue.url.rsplit('/').next().unwrap_or_default());
    let arn = SqsQueue::new(aws, queue).probe().await;
    let mut findings = vec![match &arn {
        Ok(arn) => Finding::ok(what, arn),
        Err(error) => Finding::fail(what, Chain(error).to_string()),
    }];
    if let Some(rule) = &queue.event_rule {
        findings.push(event_rule(aws, rule, arn.ok().as_deref(), queue).await);
    }
    findings
}

/// The rule must be enabled and lead to the queue; a disabled rule is silence that looks like a quiet night.
async fn event_rule(aws: &SdkConfig, rule: &str, queue_arn: Option<&str>, queue: &QueueConfig) -> Finding {
    let what = format!("event rule {rule}");
    let Some((bus, name)) = rule.rsplit_once('/') else {
        return Finding::fail(what, "queue.event_rule must be BUS/RULE");
    };
    let client = aws_sdk_eventbridge::Client::new(aws);
    let described = match client.describe_rule().event_bus_name(bus).name(name).send().await {
        Ok(described) => described,
        Err(error) => return Finding::fail(what, DisplayErrorContext(error).to_string()),
    };
    let targets = match client.list_targets_by_rule().event_bus_name(bus).rule(name).send().await {
        Ok(targets) => targets,
        Err(error) => return Finding::fail(what, DisplayErrorContext(error).to_string()),
    };
    let state = described.state().map_or("unknown", |state| state.as_str());
    if state != "ENABLED" {
        return Finding::fail(what, format!("the rule is {state}"));
    }
    let targeted = targets.targets().iter().any(|target| Some(target.arn()) == queue_arn);
    if targeted {
        Finding::ok(what, "enabled, targets the queue")
    } else {
        Finding::fail(what, format!("does not target {}", queue.url))
    }
}
