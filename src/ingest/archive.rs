//! Replays of EventBridge archives: the bus sends its past once more through the rule into the queue, where whoever
//! receives there lands it. Nothing passes through this process; it starts, and looks how far it is.

use aws_config::SdkConfig;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::config::retry::RetryConfig;
use aws_sdk_eventbridge::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::{ArchiveState, ReplayDestination, ReplayState};
use jiff::Timestamp;

use crate::error::{ExitStatus, Fatal};

/// An archive, as far as a replay is concerned with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// Its ARN.
    pub arn: String,
    /// The ARN of the bus that it archives, which is the only one that it can be replayed to.
    pub bus_arn: String,
    /// When it was made, ms since the Unix epoch; nothing in it is older.
    pub created: i64,
    /// How many events it holds; EventBridge counts them a day late.
    pub events: i64,
    /// Their bytes.
    pub bytes: i64,
    /// Why it cannot be replayed now, if it cannot.
    pub unfit: Option<String>,
}

/// How a replay stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Its name, which no other replay of the account and region has.
    pub name: String,
    /// The archive.
    pub archive_arn: String,
    /// Whether it goes on, and how it ended.
    pub state: State,
    /// Why, in EventBridge's words.
    pub reason: Option<String>,
    /// Which events are replayed: of this time, ms since the Unix epoch.
    pub since: i64,
    /// And before this one.
    pub until: i64,
    /// The time of the last event that was replayed; the time goes on in minutes.
    pub reached: Option<i64>,
}

/// Where a replay is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Starting or running.
    Runs,
    /// Somebody cancels it.
    Cancelling,
    /// All was sent.
    Completed,
    /// Somebody cancelled it.
    Cancelled,
    /// EventBridge gave it up.
    Failed,
}

/// A replay to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its name.
    pub name: String,
    /// What is replayed.
    pub archive: Archive,
    /// From when on, ms since the Unix epoch.
    pub since: i64,
    /// Until when.
    pub until: i64,
    /// The ARNs of the rules that get the events; all rules of the bus if there is none.
    pub rules: Vec<String>,
}

impl Replay {
    /// How much of the time is replayed, 0 to 1.
    pub fn done(&self) -> f64 {
        if self.state == State::Completed {
            return 1.0;
        }
        let (span, gone) = (self.until - self.since, self.reached.unwrap_or(self.since) - self.since);
        if span > 0 { (gone as f64 / span as f64).clamp(0.0, 1.0) } else { 0.0 }
    }
}

/// EventBridge, as far as replays are concerned.
pub struct Replays(Client);

impl Replays {
    /// With the given AWS settings; makes no call yet.
    pub fn new(aws: &SdkConfig) -> Self {
        // Followed for hours: a call that fails now and then must not end that.
        let retry = RetryConfig::standard().with_max_attempts(5);
        Self(Client::from_conf(aws_sdk_eventbridge::config::Builder::from(aws).retry_config(retry).build()))
    }

    /// The archive of this name.
    ///
    /// # Errors
    /// When there is none, or we may not see it.
    pub async fn archive(&self, name: &str) -> Result<Archive, Fatal> {
        let answer = self.0.describe_archive().archive_name(name).send().await;
        let answer = answer.map_err(|error| refused("DescribeArchive", &format!("archive {name}"), &error))?;
        let state = answer.state().cloned().unwrap_or(ArchiveState::Enabled);
        let fit = matches!(
            state,
            ArchiveState::Enabled | ArchiveState::Updating | ArchiveState::UpdateFailed | ArchiveState::Disabled
        );
        let said = answer.state_reason().map_or(String::new(), |reason| format!(": {reason}"));
        Ok(Archive {
            arn: answer.archive_arn().unwrap_or_default().to_owned(),
            bus_arn: answer.event_source_arn().unwrap_or_default().to_owned(),
            created: answer.creation_time().map_or(0, to_ms),
            events: answer.event_count(),
            bytes: answer.size_bytes(),
            unfit: (!fit).then(|| format!("{}{said}", state.as_str())),
        })
    }

    /// The ARN of a rule of the bus.
    ///
    /// # Errors
    /// When there is none, it is disabled, or we may not see it.
    pub async fn rule(&self, bus: &str, rule: &str) -> Result<String, Fatal> {
        let answer = self.0.describe_rule().event_bus_name(bus).name(rule).send().await;
        let answer =
            answer.map_err(|error| refused("DescribeRule", &format!("rule {rule} of the bus {bus}"), &error))?;
        let state = answer.state().map_or("ENABLED", |state| state.as_str());
        if state.starts_with("DISABLED") {
            return Err(Fatal::new(ExitStatus::Unavailable, format!("the rule {rule} of the bus {bus} is disabled"))
                .hint("enable it: a replay through a disabled rule reaches nobody"));
        }
        Ok(answer.arn().unwrap_or_default().to_owned())
    }

    /// A replay by its name, if there is or was one.
    ///
    /// # Errors
    /// When we may not see it.
    pub async fn replay(&self, name: &str) -> Result<Option<Replay>, Fatal> {
        let answer = match self.0.describe_replay().replay_name(name).send().await {
            Ok(answer) => answer,
            Err(error) if code(&error) == "ResourceNotFoundException" => return Ok(None),
            Err(error) => return Err(refused("DescribeReplay", &format!("replay {name}"), &error)),
        };
        Ok(Some(Replay {
            name: name.to_owned(),
            archive_arn: answer.event_source_arn().unwrap_or_default().to_owned(),
            state: answer.state().map_or(State::Runs, state),
            reason: answer.state_reason().map(str::to_owned),
            since: answer.event_start_time().map_or(0, to_ms),
            until: answer.event_end_time().map_or(0, to_ms),
            reached: answer.event_last_replayed_time().map(to_ms),
        }))
    }

    /// The replay of the archive that runs, if one does: EventBridge runs one at a time of each.
    ///
    /// # Errors
    /// When we may not see them.
    pub async fn running(&self, archive: &Archive) -> Result<Option<Replay>, Fatal> {
        let mut token = None;
        loop {
            let asked = self.0.list_replays().event_source_arn(&archive.arn).set_next_token(token).send().await;
            let page = asked.map_err(|error| refused("ListReplays", &format!("replays of {}", archive.arn), &error))?;
            let runs = |found: &&aws_sdk_eventbridge::types::Replay| {
                found.state().is_some_and(|found| matches!(state(found), State::Runs | State::Cancelling))
            };
            if let Some(name) = page.replays().iter().find(runs).and_then(|found| found.replay_name()) {
                return self.replay(name).await;
            }
            token = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
            if token.is_none() {
                return Ok(None);
            }
        }
    }

    /// Starts a replay; false when there was one of this name already, perhaps from a call whose answer was lost.
    ///
    /// # Errors
    /// When EventBridge refuses.
    pub async fn start(&self, order: &Order) -> Result<bool, Fatal> {
        let rules = (!order.rules.is_empty()).then(|| order.rules.clone());
        let destination = ReplayDestination::builder().arn(&order.archive.bus_arn).set_filter_arns(rules).build();
        let destination = destination
            .map_err(|error| Fatal::new(ExitStatus::Software, "the replay has no destination").because(error))?;
        let asked = self
            .0
            .start_replay()
            .replay_name(&order.name)
            .description("okta-ocsf backfill --from-archive")
            .event_source_arn(&order.archive.arn)
            .event_start_time(DateTime::from_millis(order.since))
            .event_end_time(DateTime::from_millis(order.until))
            .destination(destination)
            .send()
            .await;
        match asked {
            Ok(_) => Ok(true),
            Err(error) if code(&error) == "ResourceAlreadyExistsException" => Ok(false),
            Err(error) => Err(refused("StartReplay", &format!("replay {}", order.name), &error)),
        }
    }
}

fn state(state: &ReplayState) -> State {
    match state {
        ReplayState::Completed => State::Completed,
        ReplayState::Cancelled => State::Cancelled,
        ReplayState::Cancelling => State::Cancelling,
        ReplayState::Failed => State::Failed,
        // Starting and running, and what EventBridge may call otherwise one day while it goes on.
        _ => State::Runs,
    }
}

fn to_ms(time: &DateTime) -> i64 {
    time.to_millis().unwrap_or(0)
}

/// A time as EventBridge is asked for it and shows it.
pub fn when(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |time| format!("{time:.0}"))
}

fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> &str {
    error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default()
}

/// What a refused call means, and what to do.
fn refused<E, R>(action: &str, what: &str, error: &SdkError<E, R>) -> Fatal
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let code = code(error).to_owned();
    let text = DisplayErrorContext(error).to_string();
    let no_credentials = code.is_empty() && text.contains("redentials");
    let said = error.as_service_error().and_then(ProvideErrorMetadata::message).map(str::to_owned);
    let cause = match (code.as_str(), said) {
        ("", _) => text,
        (code, Some(said)) => format!("{code}: {said}"),
        (code, None) => code.to_owned(),
    };
    let fatal = |status, hint: String| {
        Fatal::new(status, format!("EventBridge refuses {action} of the {what}")).hint(hint).because(cause.clone())
    };
    match code.as_str() {
        "AccessDeniedException"
        | "AccessDenied"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "ExpiredTokenException" => fatal(
            ExitStatus::NoPermission,
            format!("allow events:{action}; the stack's output ReplayPolicyArn is a policy with all that is needed"),
        ),
        "ResourceNotFoundException" => {
            fatal(ExitStatus::Unavailable, "check the name, and the account and region of the AWS settings".into())
        }
        "InvalidEventPatternException" | "ValidationException" => {
            fatal(ExitStatus::Config, "check --since, --until and --replay-name".into())
        }
        "LimitExceededException" => {
            fatal(ExitStatus::Unavailable, "wait until another replay has ended: an account may run ten".into())
        }
        _ if no_credentials => fatal(
            ExitStatus::NoPermission,
            "give AWS credentials: environment, profile or instance role, or [aws] profile".into(),
        ),
        _ => fatal(ExitStatus::Unavailable, "run it again: a replay that runs is followed, not started anew".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replay(state: State, reached: Option<i64>) -> Replay {
        Replay { name: "r".into(), archive_arn: "a".into(), state, reason: None, since: 1_000, until: 2_000, reached }
    }

    #[test]
    fn how_far_a_replay_is_stays_within_its_time() {
        let done = |state, reached| replay(state, reached).done();
        assert_eq!(done(State::Runs, None), 0.0);
        assert_eq!(done(State::Runs, Some(1_250)), 0.25);
        assert_eq!(done(State::Runs, Some(9_000)), 1.0);
        assert_eq!(done(State::Runs, Some(0)), 0.0);
        assert_eq!(done(State::Completed, Some(1_250)), 1.0, "the last minutes may be empty");
        assert_eq!(Replay { until: 1_000, ..replay(State::Runs, None) }.done(), 0.0);
    }

    #[test]
    fn every_state_is_known_and_a_new_one_goes_on() {
        let words = ["STARTING", "RUNNING", "CANCELLING", "COMPLETED", "CANCELLED", "FAILED", "PAUSING"];
        let states = words.map(|word| state(&ReplayState::from(word)));
        let runs = State::Runs;
        assert_eq!(states, [runs, runs, State::Cancelling, State::Completed, State::Cancelled, State::Failed, runs]);
    }

    #[test]
    fn times_are_told_to_the_second() {
        assert_eq!(when(1_793_491_200_000), "2026-11-01T00:00:00Z");
    }
}
