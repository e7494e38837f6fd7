//! Every metric, typed in one place. Elsewhere the raw macros are forbidden by lint, so that a name exists once, is
//! described once, and always has the same labels.

#![allow(clippy::disallowed_macros)] // the one place where they are allowed

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// A level.
    Gauge,
    /// A distribution, in seconds.
    Histogram,
}

/// One metric: name, kind, labels and meaning.
pub struct Description(pub &'static str, pub Kind, pub &'static [&'static str], pub &'static str);

const BUILD: &str = "okta_ocsf_build_info";
const SQS_RECEIVED: &str = "okta_ocsf_sqs_received_total";
const SQS_DELETED: &str = "okta_ocsf_sqs_deleted_total";
const SQS_DELETE_FAILED: &str = "okta_ocsf_sqs_delete_failed_total";
const SQS_EXTENDED: &str = "okta_ocsf_sqs_extended_total";
const SQS_RELEASED: &str = "okta_ocsf_sqs_released_total";
const SQS_ERRORS: &str = "okta_ocsf_sqs_errors_total";
const SQS_IN_FLIGHT: &str = "okta_ocsf_sqs_in_flight";
const SQS_IN_FLIGHT_BYTES: &str = "okta_ocsf_sqs_in_flight_bytes";
const LANDED: &str = "okta_ocsf_landed_total";
const LANDING_SECONDS: &str = "okta_ocsf_landing_seconds";
const LANDING_FAILED: &str = "okta_ocsf_landing_failed_total";
const QUARANTINED: &str = "okta_ocsf_quarantined_total";
const FOLDED: &str = "okta_ocsf_folded_total";
const PUBLISHED: &str = "okta_ocsf_published_total";
const VALIDATED: &str = "okta_ocsf_validated_total";
const UNLISTED: &str = "okta_ocsf_unlisted_event_types_total";
const SUPPRESSED: &str = "okta_ocsf_suppressed_total";
const COMMIT_SECONDS: &str = "okta_ocsf_commit_seconds";
const EVENT_AGE_SECONDS: &str = "okta_ocsf_event_age_seconds";
const PARTITIONS: &str = "okta_ocsf_partitions_owned";
const PARTITION_OFFSET: &str = "okta_ocsf_partition_next_offset";
const PARTITION_RESTARTS: &str = "okta_ocsf_partition_restarts_total";
const OKTA_CALLS: &str = "okta_ocsf_okta_calls_total";
const OKTA_REFUSED: &str = "okta_ocsf_okta_refused_total";
const OKTA_LIMIT: &str = "okta_ocsf_okta_limit";
const OKTA_REMAINING: &str = "okta_ocsf_okta_remaining";
const OKTA_WAIT_SECONDS: &str = "okta_ocsf_okta_wait_seconds";
const KAFKA_QUEUE: &str = "okta_ocsf_kafka_queue_messages";
const KAFKA_QUEUE_BYTES: &str = "okta_ocsf_kafka_queue_bytes";
const KAFKA_RTT: &str = "okta_ocsf_kafka_broker_rtt_p99_seconds";
const KAFKA_TX: &str = "okta_ocsf_kafka_transmitted_bytes_total";
const KAFKA_RX: &str = "okta_ocsf_kafka_received_bytes_total";
const KAFKA_TX_ERRORS: &str = "okta_ocsf_kafka_transmit_errors_total";

const VERDICT: &str = "okta_ocsf_collection_verdict";
const LOG_READ_TO: &str = "okta_ocsf_log_read_to_timestamp_seconds";
const LOG_COMPLETE_TO: &str = "okta_ocsf_log_complete_to_timestamp_seconds";
const LOG_DAY: &str = "okta_ocsf_log_day_events";
const LOG_STREAM: &str = "okta_ocsf_log_stream_alarm";
const LOG_STREAM_NEWEST: &str = "okta_ocsf_log_stream_newest_timestamp_seconds";
const LOG_GAP_RECOVERED: &str = "okta_ocsf_log_gap_recovered_events";
const LOG_GAP_HEALED: &str = "okta_ocsf_log_gap_healed_timestamp_seconds";

const OBJECTS: &str = "okta_ocsf_collection_objects";
const LAST_COMPLETE: &str = "okta_ocsf_collection_last_complete_timestamp_seconds";

const INVENTORY: &str = "okta_ocsf_inventory_objects";
const STALENESS: &str = "okta_ocsf_inventory_staleness_seconds";
const WAITING: &str = "okta_ocsf_inventory_waiting";
const DRIFT: &str = "okta_ocsf_inventory_drift_total";
const ALERTS: &str = "okta_ocsf_inventory_alerts_total";

/// Every metric that exists; `docs/metrics.md` shows the same list.
#[rustfmt::skip]
pub const ALL: &[Description] = &[
    Description(BUILD, Kind::Gauge, &["version"], "Always 1; the label says which version runs."),
    Description(SQS_RECEIVED, Kind::Counter, &["queue"], "Messages received, redeliveries included."),
    Description(SQS_DELETED, Kind::Counter, &["queue"], "Messages deleted after everything in them was landed or quarantined."),
    Description(SQS_DELETE_FAILED, Kind::Counter, &["queue"], "Deletes that SQS refused for single messages; they are tried again."),
    Description(SQS_EXTENDED, Kind::Counter, &["queue"], "Visibility extensions of messages still worked on."),
    Description(SQS_RELEASED, Kind::Counter, &["queue"], "Messages given back unfinished when the worker stopped."),
    Description(SQS_ERRORS, Kind::Counter, &["queue", "operation"], "Failed calls; each is tried again after a pause."),
    Description(SQS_IN_FLIGHT, Kind::Gauge, &["queue"], "Messages received and not yet deleted."),
    Description(SQS_IN_FLIGHT_BYTES, Kind::Gauge, &["queue"], "Bytes of such messages."),
    Description(LANDED, Kind::Counter, &["org", "origin"], "Records acknowledged by the landing log."),
    Description(LANDING_SECONDS, Kind::Histogram, &[], "From receiving a message to the acknowledgement of its landing records."),
    Description(LANDING_FAILED, Kind::Counter, &["queue"], "Messages whose landing failed; they are received again."),
    Description(QUARANTINED, Kind::Counter, &["stage", "reason"], "Inputs that can never succeed, written to quarantine."),
    Description(FOLDED, Kind::Counter, &["verdict"], "Landing records folded: events that are fresh or duplicate, what is noted in the state, what is malformed."),
    Description(PUBLISHED, Kind::Counter, &["class"], "OCSF records acknowledged by the output."),
    Description(VALIDATED, Kind::Counter, &[], "OCSF records checked against the schema before they were published."),
    Description(UNLISTED, Kind::Counter, &["event_type"], "Events of a type that the table does not list, by name; beyond 100 names `other`."),
    Description(SUPPRESSED, Kind::Counter, &[], "OCSF records found in the output already, after a crash or a new owner."),
    Description(VERDICT, Kind::Gauge, &["org", "collection", "verdict"], "1 for how the collection was last read, 0 for all else: complete, forbidden, feature_off, partial, failed."),
    Description(OBJECTS, Kind::Gauge, &["org", "collection"], "Objects that were observed when it was last read."),
    Description(LAST_COMPLETE, Kind::Gauge, &["org", "collection"], "When the last complete reading of it began, by Okta's clock."),
    Description(INVENTORY, Kind::Gauge, &["org", "collection", "standing"], "What is known of it: `live` or `gone`; of a collection of lists, how many lists."),
    Description(STALENESS, Kind::Gauge, &["org", "collection", "quantile"], "How long ago what is there was last seen to be so: 0.5, 0.99 and 1 of it are no staler."),
    Description(WAITING, Kind::Gauge, &["org"], "Users who wait to be published, as their groups changed with those of many others."),
    Description(DRIFT, Kind::Counter, &["org", "collection", "way"], "Changes that no event announced: `changed`, `appeared`, `vanished`."),
    Description(ALERTS, Kind::Counter, &["org", "collection", "kind"], "Alerts about the inventory: `braked`, `no_canary`, `unconfirmable`; see docs/inventory.md."),
    Description(LOG_READ_TO, Kind::Gauge, &["org"], "Everything that Okta had persisted by then was polled, by Okta's clock."),
    Description(LOG_COMPLETE_TO, Kind::Gauge, &["org"], "Events published before then, back to the last hole of the ledger, are all here."),
    Description(LOG_DAY, Kind::Gauge, &["org", "way"], "Events of the last 24 hours: all, and those that came by stream, poll and history."),
    Description(LOG_STREAM, Kind::Gauge, &["org", "reason"], "1 while the log stream does not bring every event, by why: deactivated, silent, losing; else 0."),
    Description(LOG_STREAM_NEWEST, Kind::Gauge, &["org"], "When the newest event was published that came by the log stream."),
    Description(LOG_GAP_RECOVERED, Kind::Gauge, &["org"], "Events of the last healed gap of the log stream that came by other ways."),
    Description(LOG_GAP_HEALED, Kind::Gauge, &["org"], "When the last gap of the log stream was healed."),
    Description(COMMIT_SECONDS, Kind::Histogram, &[], "Committing the state and offset of one batch."),
    Description(EVENT_AGE_SECONDS, Kind::Histogram, &[], "From an event's published time to the acknowledgement of its OCSF record."),
    Description(PARTITIONS, Kind::Gauge, &[], "Landing partitions that this process owns."),
    Description(PARTITION_OFFSET, Kind::Gauge, &["partition"], "The next landing offset to fold."),
    Description(PARTITION_RESTARTS, Kind::Counter, &["partition"], "Times that a partition was reopened after an error that may pass."),
    Description(OKTA_CALLS, Kind::Counter, &["org", "bucket"], "Calls to an org's API, by rate limit bucket; what brought no answer included."),
    Description(OKTA_REFUSED, Kind::Counter, &["org", "bucket"], "Calls that Okta refused with 429: the bucket was used up; `concurrency`: too many under way in the org."),
    Description(OKTA_LIMIT, Kind::Gauge, &["org", "bucket"], "Calls a minute that Okta's answers show as the limit."),
    Description(OKTA_REMAINING, Kind::Gauge, &["org", "bucket"], "Calls of them that were left by the last answer."),
    Description(OKTA_WAIT_SECONDS, Kind::Histogram, &["priority"], "How long calls have waited for their turn in the quota."),
    Description(KAFKA_QUEUE, Kind::Gauge, &["client"], "Messages in librdkafka's queues."),
    Description(KAFKA_QUEUE_BYTES, Kind::Gauge, &["client"], "Bytes in librdkafka's queues."),
    Description(KAFKA_RTT, Kind::Gauge, &["client", "broker"], "99th percentile of the request round trip."),
    Description(KAFKA_TX, Kind::Counter, &["client"], "Bytes sent to brokers."),
    Description(KAFKA_RX, Kind::Counter, &["client"], "Bytes received from brokers."),
    Description(KAFKA_TX_ERRORS, Kind::Counter, &["client", "broker"], "Requests that could not be sent."),
];

/// Renders what was recorded.
#[derive(Clone)]
pub struct Recorder(PrometheusHandle);

impl Recorder {
    /// The Prometheus text exposition.
    pub fn render(&self) -> String {
        self.0.run_upkeep();
        self.0.render()
    }
}

/// Starts recording. Once a process.
///
/// # Errors
/// When recording was started before.
pub fn install() -> Result<Recorder, BuildError> {
    // From a local commit (under a ms) to an outage (hours): about three buckets a decade.
    let seconds =
        [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 600.0, 3600.0];
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &seconds)?
        .install_recorder()?;
    for Description(name, kind, _, meaning) in ALL {
        match kind {
            Kind::Counter => describe_counter!(*name, *meaning),
            Kind::Gauge => describe_gauge!(*name, *meaning),
            Kind::Histogram => describe_histogram!(*name, *meaning),
        }
    }
    gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(Recorder(handle))
}

#[allow(missing_docs)] // each is described in ALL
mod record {
    use super::*;

    pub fn sqs_received(queue: &str, messages: usize) {
        counter!(SQS_RECEIVED, "queue" => queue.to_owned()).increment(messages as u64);
    }
    pub fn sqs_deleted(queue: &str, messages: usize) {
        counter!(SQS_DELETED, "queue" => queue.to_owned()).increment(messages as u64);
    }
    pub fn sqs_delete_failed(queue: &str, messages: usize) {
        counter!(SQS_DELETE_FAILED, "queue" => queue.to_owned()).increment(messages as u64);
    }
    pub fn sqs_extended(queue: &str, messages: usize) {
        counter!(SQS_EXTENDED, "queue" => queue.to_owned()).increment(messages as u64);
    }
    pub fn sqs_released(queue: &str, messages: usize) {
        counter!(SQS_RELEASED, "queue" => queue.to_owned()).increment(messages as u64);
    }
    pub fn sqs_error(queue: &str, operation: &'static str) {
        counter!(SQS_ERRORS, "queue" => queue.to_owned(), "operation" => operation).increment(1);
    }
    pub fn sqs_in_flight(queue: &str, messages: usize, bytes: usize) {
        gauge!(SQS_IN_FLIGHT, "queue" => queue.to_owned()).set(messages as f64);
        gauge!(SQS_IN_FLIGHT_BYTES, "queue" => queue.to_owned()).set(bytes as f64);
    }
    pub fn landed(org: &str, origin: &'static str, elapsed: Duration) {
        counter!(LANDED, "org" => org.to_owned(), "origin" => origin).increment(1);
        histogram!(LANDING_SECONDS).record(elapsed);
    }
    pub fn landing_failed(queue: &str) {
        counter!(LANDING_FAILED, "queue" => queue.to_owned()).increment(1);
    }
    pub fn quarantined(stage: &'static str, reason: &'static str) {
        counter!(QUARANTINED, "stage" => stage, "reason" => reason).increment(1);
    }
    pub fn folded(verdict: &'static str, records: u64) {
        counter!(FOLDED, "verdict" => verdict).increment(records);
    }
    pub fn published(class: &'static str, records: u64) {
        counter!(PUBLISHED, "class" => class).increment(records);
    }
    pub fn validated() {
        counter!(VALIDATED).increment(1);
    }
    pub fn unlisted_event_type(event_type: &str) {
        counter!(UNLISTED, "event_type" => event_type.to_owned()).increment(1);
    }
    pub fn suppressed(records: u64) {
        counter!(SUPPRESSED).increment(records);
    }
    pub fn commit(elapsed: Duration) {
        histogram!(COMMIT_SECONDS).record(elapsed);
    }
    pub fn event_age(age: Duration) {
        histogram!(EVENT_AGE_SECONDS).record(age);
    }
    pub fn partitions_owned(partitions: usize) {
        gauge!(PARTITIONS).set(partitions as f64);
    }
    pub fn partition_offset(partition: i32, next: u64) {
        gauge!(PARTITION_OFFSET, "partition" => partition.to_string()).set(next as f64);
    }
    pub fn partition_restarted(partition: i32) {
        counter!(PARTITION_RESTARTS, "partition" => partition.to_string()).increment(1);
    }

    /// How a collection was last read; `words` are all that a verdict can be.
    pub fn collection(org: &str, collection: &'static str, verdict: &str, words: &[&'static str], objects: u64) {
        let org = || org.to_owned();
        for word in words {
            let level = if *word == verdict { 1.0 } else { 0.0 };
            gauge!(VERDICT, "org" => org(), "collection" => collection, "verdict" => *word).set(level);
        }
        gauge!(OBJECTS, "org" => org(), "collection" => collection).set(objects as f64);
    }
    pub fn collection_complete(org: &str, collection: &'static str, epoch_ms: i64) {
        gauge!(LAST_COMPLETE, "org" => org.to_owned(), "collection" => collection).set(epoch_ms as f64 / 1e3);
    }

    /// How many of a collection are there and gone.
    pub fn inventory(org: &str, collection: &'static str, live: u64, gone: u64) {
        for (standing, count) in [("live", live), ("gone", gone)] {
            gauge!(INVENTORY, "org" => org.to_owned(), "collection" => collection, "standing" => standing)
                .set(count as f64);
        }
    }
    /// How stale it is, by quantile.
    pub fn staleness(org: &str, collection: &'static str, ages_ms: [(&'static str, i64); 3]) {
        for (quantile, age_ms) in ages_ms {
            gauge!(STALENESS, "org" => org.to_owned(), "collection" => collection, "quantile" => quantile)
                .set(age_ms as f64 / 1e3);
        }
    }
    pub fn inventory_waiting(org: &str, users: u64) {
        gauge!(WAITING, "org" => org.to_owned()).set(users as f64);
    }
    pub fn drift(org: &str, collection: &'static str, way: &'static str) {
        counter!(DRIFT, "org" => org.to_owned(), "collection" => collection, "way" => way).increment(1);
    }
    pub fn inventory_alert(org: &str, collection: &'static str, kind: &'static str) {
        counter!(ALERTS, "org" => org.to_owned(), "collection" => collection, "kind" => kind).increment(1);
    }

    /// Up to where the System Log was read.
    pub fn log_read_to(org: &str, at_ms: i64) {
        gauge!(LOG_READ_TO, "org" => org.to_owned()).set(at_ms as f64 / 1e3);
    }
    pub fn log_complete_to(org: &str, at_ms: i64) {
        gauge!(LOG_COMPLETE_TO, "org" => org.to_owned()).set(at_ms as f64 / 1e3);
    }
    pub fn log_day(org: &str, ways: [(&'static str, u64); 4]) {
        for (way, events) in ways {
            gauge!(LOG_DAY, "org" => org.to_owned(), "way" => way).set(events as f64);
        }
    }
    pub fn log_stream(org: &str, alarm: Option<&str>, reasons: &[&'static str]) {
        for reason in reasons {
            let level = if alarm == Some(*reason) { 1.0 } else { 0.0 };
            gauge!(LOG_STREAM, "org" => org.to_owned(), "reason" => *reason).set(level);
        }
    }
    pub fn log_stream_newest(org: &str, at_ms: i64) {
        gauge!(LOG_STREAM_NEWEST, "org" => org.to_owned()).set(at_ms as f64 / 1e3);
    }
    pub fn log_gap(org: &str, recovered: u64, healed_ms: i64) {
        gauge!(LOG_GAP_RECOVERED, "org" => org.to_owned()).set(recovered as f64);
        gauge!(LOG_GAP_HEALED, "org" => org.to_owned()).set(healed_ms as f64 / 1e3);
    }

    pub fn okta_called(org: &str, bucket: &str) {
        counter!(OKTA_CALLS, "org" => org.to_owned(), "bucket" => bucket.to_owned()).increment(1);
    }
    pub fn okta_refused(org: &str, bucket: &str) {
        counter!(OKTA_REFUSED, "org" => org.to_owned(), "bucket" => bucket.to_owned()).increment(1);
    }
    pub fn okta_quota(org: &str, bucket: &str, limit: u32, remaining: u32) {
        gauge!(OKTA_LIMIT, "org" => org.to_owned(), "bucket" => bucket.to_owned()).set(f64::from(limit));
        gauge!(OKTA_REMAINING, "org" => org.to_owned(), "bucket" => bucket.to_owned()).set(f64::from(remaining));
    }
    pub fn okta_waited(priority: &'static str, waited: Duration) {
        histogram!(OKTA_WAIT_SECONDS, "priority" => priority).record(waited);
    }

    /// librdkafka's own statistics, as it reports them at an interval.
    pub fn kafka_statistics(client: &'static str, statistics: &rdkafka::Statistics) {
        gauge!(KAFKA_QUEUE, "client" => client).set(statistics.msg_cnt as f64);
        gauge!(KAFKA_QUEUE_BYTES, "client" => client).set(statistics.msg_size as f64);
        counter!(KAFKA_TX, "client" => client).absolute(statistics.tx_bytes.max(0).cast_unsigned());
        counter!(KAFKA_RX, "client" => client).absolute(statistics.rx_bytes.max(0).cast_unsigned());
        // Bootstrap addresses have a negative id and only matter until the real brokers are known.
        for broker in statistics.brokers.values().filter(|broker| broker.nodeid >= 0) {
            let id = broker.nodeid.to_string();
            if let Some(rtt) = &broker.rtt {
                // librdkafka counts microseconds.
                gauge!(KAFKA_RTT, "client" => client, "broker" => id.clone()).set(rtt.p99 as f64 / 1e6);
            }
            counter!(KAFKA_TX_ERRORS, "client" => client, "broker" => id).absolute(broker.txerrs);
        }
    }
}
pub use record::*;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_metrics_are_the_ones_that_exist() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
        let documented = std::fs::read_to_string(path).unwrap();
        for Description(name, kind, labels, meaning) in ALL {
            let labels = labels.join(", ");
            let row = format!("| `{name}` | {} | {labels} | {meaning} |", format!("{kind:?}").to_lowercase());
            assert!(documented.contains(&row), "docs/metrics.md lacks this row:\n{row}");
        }
        assert_eq!(documented.matches("| `okta_ocsf_").count(), ALL.len(), "docs/metrics.md has a row too many");
    }
}
