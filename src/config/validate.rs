//! What cannot work although every value has the right type. Everything is said at once.

use std::collections::HashSet;

use super::{Config, LandingKind, Role, SaslMechanism, SecurityConfig, enrichment, log, okta, snapshot};

/// All problems, each starting with the key at fault.
pub fn problems(config: &Config) -> Vec<String> {
    let mut problems = Vec::new();
    let mut check = |fine: bool, problem: &dyn Fn() -> String| {
        if !fine {
            problems.push(problem());
        }
    };
    check(!config.worker.roles.is_empty(), &|| "worker.roles: name at least one role".into());
    check(!config.has_role(Role::Collect) || config.has_role(Role::Normalize), &|| {
        "worker.roles: collect needs normalize beside it: an org is read by whoever owns its partition".into()
    });
    check(!config.orgs.is_empty(), &|| "org: describe at least one org with [[org]]".into());
    orgs(config, &mut check);
    queues(config, &mut check);
    kafka(config, &mut check);
    limits(config, &mut check);
    let personal = enrichment::problems(&config.enrichment, &config.privacy, config.publish.raw_data);
    personal.into_iter().for_each(|problem| check(false, &|| problem.clone()));
    problems
}

type Check<'c> = dyn FnMut(bool, &dyn Fn() -> String) + 'c;

fn orgs(config: &Config, check: &mut Check<'_>) {
    let (mut ids, mut sources) = (HashSet::new(), HashSet::new());
    for org in &config.orgs {
        let id = &org.id;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        check(!id.is_empty() && id.len() <= 100 && id.chars().all(plain), &|| {
            format!("org.id: {id:?} must be 1 to 100 letters, digits, '.', '_' or '-'")
        });
        check(ids.insert(id), &|| format!("org.id: {id:?} is there twice"));
        if let Some(source) = &org.event_source {
            check(!source.is_empty() && !source.ends_with('/'), &|| {
                format!("org.event_source: {source:?} must be a source without a slash at the end")
            });
            check(sources.insert(source), &|| format!("org.event_source: {source:?} belongs to two orgs"));
        }
        let api = org.api.iter().flat_map(|api| okta::problems(id, api));
        let quota = okta::quota_problems(id, &org.quota);
        let snapshot = snapshot::problems(id, &org.snapshot);
        let log = log::problems(id, &org.log, org.api.is_some());
        api.chain(quota).chain(snapshot).chain(log).for_each(|problem| check(false, &|| problem.clone()));
    }
}

fn queues(config: &Config, check: &mut Check<'_>) {
    check(!config.queues.is_empty() || !config.has_role(Role::Ingest), &|| {
        "queue: the role ingest needs at least one [[queue]]".into()
    });
    for queue in &config.queues {
        let url = &queue.url;
        check(url.starts_with("https://") || url.starts_with("http://"), &|| {
            format!("queue.url: {url:?} must be the URL of a queue")
        });
        check(!queue.orgs.is_empty(), &|| format!("queue.orgs: name the orgs of the queue {url:?}"));
        for id in &queue.orgs {
            let org = config.orgs.iter().find(|org| org.id == *id);
            check(org.is_some(), &|| format!("queue.orgs: there is no [[org]] with id {id:?}"));
            let needs_source = queue.orgs.len() > 1 && org.is_some_and(|org| org.event_source.is_none());
            check(!needs_source, &|| {
                format!("org.event_source: {id:?} shares a queue, so it needs a source to be told apart by")
            });
        }
        check((1..=20).contains(&queue.wait_seconds), &|| "queue.wait_seconds: 1 to 20".into());
        check((2..=43_200).contains(&queue.visibility_seconds), &|| "queue.visibility_seconds: 2 to 43200".into());
        check((1..=64).contains(&queue.receivers), &|| "queue.receivers: 1 to 64".into());
        check((10..=100_000).contains(&queue.max_in_flight), &|| "queue.max_in_flight: 10 to 100000".into());
        check(queue.max_in_flight_bytes >= 10 * queue.max_body_bytes, &|| {
            "queue.max_in_flight_bytes: must hold one receive, 10 times queue.max_body_bytes".into()
        });
        check((1..=2 << 20).contains(&queue.max_body_bytes), &|| "queue.max_body_bytes: 1 to 2097152".into());
    }
}

fn kafka(config: &Config, check: &mut Check<'_>) {
    let Some(kafka) = &config.kafka else {
        check(config.landing_kind() == LandingKind::Local, &|| "landing.kind: kafka needs a [kafka] table".into());
        let lands = config.has_role(Role::Ingest) || config.has_role(Role::Collect);
        check(lands && config.has_role(Role::Normalize), &|| {
            "worker.roles: a local landing log is one file, so what lands (ingest, collect) and normalize must be the same process".into()
        });
        return;
    };
    check(!kafka.brokers.is_empty(), &|| "kafka.brokers: name at least one host:port".into());
    check(config.landing_kind() == LandingKind::Kafka, &|| {
        "landing.kind: with a [kafka] table the landing log is a topic; leave the table out for local files".into()
    });
    let topics = &kafka.topics;
    check((1..=1_000).contains(&topics.partitions), &|| "kafka.topics.partitions: 1 to 1000".into());
    check(topics.min_insync_replicas >= 1 && topics.min_insync_replicas <= topics.replication_factor, &|| {
        "kafka.topics.min_insync_replicas: 1 to replication_factor".into()
    });
    check(config.publish.directory.is_none(), &|| "publish.directory: only without a [kafka] table".into());
    security(&kafka.security, check);
}

fn security(security: &SecurityConfig, check: &mut Check<'_>) {
    let sasl = security.protocol.uses_sasl();
    check(sasl == security.mechanism.is_some(), &|| {
        "kafka.security.mechanism: goes together with a protocol that starts with sasl_".into()
    });
    check(security.certificate_file.is_some() == security.key_file.is_some(), &|| {
        "kafka.security: certificate_file and key_file go together".into()
    });
    let oauth = &security.oauth;
    let endpoint = oauth.token_endpoint.is_some() && oauth.client_id.is_some() && oauth.client_secret.is_some();
    match security.mechanism {
        Some(SaslMechanism::Plain | SaslMechanism::ScramSha256 | SaslMechanism::ScramSha512) => {
            check(security.username.is_some() && security.password.is_some(), &|| {
                "kafka.security: the mechanism needs username and password".into()
            });
        }
        Some(SaslMechanism::OauthBearer) => check(oauth.token_file.is_some() != endpoint, &|| {
            "kafka.security.oauth: give either token_file, or token_endpoint, client_id and client_secret".into()
        }),
        Some(SaslMechanism::AwsMskIam) | None => {}
    }
    if let Some(url) = &oauth.token_endpoint {
        let local = url.starts_with("http://127.0.0.1:") || url.starts_with("http://localhost:");
        check(url.starts_with("https://") || local, &|| "kafka.security.oauth.token_endpoint: must be https".into());
    }
}

fn limits(config: &Config, check: &mut Check<'_>) {
    check((1..=3_650).contains(&config.merge.dedupe_window_days), &|| "merge.dedupe_window_days: 1 to 3650".into());
    check((1..=87_600).contains(&config.landing.retention_hours), &|| "landing.retention_hours: 1 to 87600".into());
    check((1..=100_000).contains(&config.merge.batch_records), &|| "merge.batch_records: 1 to 100000".into());
    check(config.merge.batch_bytes >= 1 << 20, &|| "merge.batch_bytes: at least 1048576".into());
    check((1..=100).contains(&config.quarantine.stop_percent), &|| "quarantine.stop_percent: 1 to 100".into());
    check((10..=1_000_000).contains(&config.quarantine.window), &|| "quarantine.window: 10 to 1000000".into());
    check(config.worker.stop_timeout_seconds >= 2, &|| "worker.stop_timeout_seconds: at least 2".into());
    let changelog = config.changelog_topic();
    check(changelog.as_ref() != Some(&config.landing.topic), &|| {
        "merge.changelog_topic: must be a topic of its own, as it is compacted".into()
    });
    for (key, name) in [
        ("landing.topic", &config.landing.topic),
        ("merge.changelog_topic", changelog.as_ref().unwrap_or(&config.landing.topic)),
        ("publish.topic_prefix", &config.publish.topic_prefix),
        ("quarantine.topic", &config.quarantine.topic),
    ] {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        // Kafka allows 249 characters; the prefix leaves room for the class name.
        check(!name.is_empty() && name.len() <= 200 && name.chars().all(plain), &|| {
            format!("{key}: {name:?} must be 1 to 200 letters, digits, '.', '_' or '-'")
        });
    }
}
