//! Which offsets a partition holds.

use std::ops::Range;

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};

use super::QUESTION_TIMEOUT;

/// The first offset that a partition holds, and the one behind its last.
///
/// librdkafka remembers for minutes that nobody led a partition, as while a broker comes back, and answers out of its
/// memory that it does not know the partition. So whoever gets that answer has also made it ask anew, and may try again.
///
/// # Errors
/// When the cluster does not answer within [`QUESTION_TIMEOUT`], or nobody leads the partition.
pub fn watermarks<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partition: i32,
) -> KafkaResult<(i64, i64)> {
    consumer.fetch_watermarks(topic, partition, QUESTION_TIMEOUT).inspect_err(|error| {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::UnknownPartition) {
            let _ = consumer.fetch_metadata(Some(topic), QUESTION_TIMEOUT);
        }
    })
}

/// As [`watermarks`], for those who count offsets from 0.
///
/// # Errors
/// As there.
pub fn held<C: ConsumerContext>(consumer: &BaseConsumer<C>, topic: &str, partition: i32) -> KafkaResult<Range<u64>> {
    let (low, high) = watermarks(consumer, topic, partition)?;
    Ok(u64::try_from(low).unwrap_or(0)..u64::try_from(high).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use rdkafka::ClientConfig;
    use rdkafka::mocking::MockCluster;

    use super::*;

    #[test]
    fn a_partition_that_is_led_again_is_known_again() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("events", 2, 1).unwrap();
        cluster.partition_leader("events", 1, None).unwrap();
        let consumer: BaseConsumer =
            ClientConfig::new().set("bootstrap.servers", cluster.bootstrap_servers()).create().unwrap();
        // What it learns when it asks for everything it keeps, and does not look again by itself.
        consumer.fetch_metadata(None, QUESTION_TIMEOUT).unwrap();
        let unknown = |error: rdkafka::error::KafkaError| error.rdkafka_error_code();
        let by_memory = || consumer.fetch_watermarks("events", 1, QUESTION_TIMEOUT).map_err(unknown);
        assert_eq!(by_memory(), Err(Some(RDKafkaErrorCode::UnknownPartition)));
        cluster.partition_leader("events", 1, Some(1)).unwrap();
        std::thread::sleep(std::time::Duration::from_secs(2));
        assert_eq!(by_memory(), Err(Some(RDKafkaErrorCode::UnknownPartition)));
        assert!(watermarks(&consumer, "events", 1).is_err());
        assert_eq!(watermarks(&consumer, "events", 1).unwrap(), (0, 0));
    }
}
