//! Reads the end of an output partition, to learn what a previous owner published after its last commit.

use std::ops::Range;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

use super::{Found, PublishError, SourceId, Topics};
use crate::error::Class;
use crate::kafka::{Cluster, Context, watermarks};

/// Records first looked at: half of the default batch, so one look mostly suffices; doubled until it does.
const FIRST_LOOK: i64 = 1_000;

/// A look that gets nothing new for so long is given up, and tried again from the start.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the end of a partition must stand still. What a process that was just killed had sent becomes visible when
/// the followers have it, which takes a few milliseconds.
const STANDSTILL: Duration = Duration::from_millis(250);

/// Every output of these topics in the partition whose landing offset is at least `from`, as far as it was written by the
/// owners of the partition, or by that reprocessing. What one of them writes to a topic is in the order of its landing
/// offsets, so looking back ends at the first older one. All topics are looked at together: each by
/// itself would cost the best part of a second, in which nothing is published.
pub fn scan_tails(
    cluster: &Cluster,
    topics: &Topics,
    partition: i32,
    from: u64,
    reprocessing: Option<&str>,
    stopped: &dyn Fn() -> bool,
) -> Result<Found, PublishError> {
    let consumer = cluster.reader("recovery").map_err(|error| unreadable("the output", partition, error))?;
    let scan = Scan { consumer, partition, from, reprocessing, stopped };
    let mut tails = scan.settled(&topics.of_classes().collect::<Vec<_>>())?;
    let mut found = Found::default();
    while !tails.is_empty() {
        scan.look(&mut tails).map_err(|error| unreadable("the output", partition, error))?;
        for tail in tails.extract_if(.., |tail| tail.is_enough()) {
            if let Some(class) = topics.class_of(tail.topic) {
                tail.outputs.into_iter().for_each(|source| found.add(class, source));
            }
        }
        tails.iter_mut().for_each(Tail::look_further_back);
    }
    Ok(found)
}

fn unreadable(topic: &str, partition: i32, error: KafkaError) -> PublishError {
    PublishError {
        what: format!("the end of {topic}/{partition} cannot be read"),
        class: Class::Retry,
        source: Some(Box::new(error)),
    }
}

struct Scan<'s> {
    consumer: BaseConsumer<Context>,
    partition: i32,
    from: u64,
    reprocessing: Option<&'s str>,
    stopped: &'s dyn Fn() -> bool,
}

/// The end of one topic.
struct Tail<'t> {
    topic: &'t str,
    /// What the partition holds.
    range: Range<i64>,
    /// Where the look at it begins, and how far it is.
    start: i64,
    position: i64,
    outputs: Vec<SourceId>,
    /// Something from before was met, so nothing further back matters.
    met_older: bool,
}

impl<'t> Tail<'t> {
    fn new(topic: &'t str, range: Range<i64>) -> Self {
        let start = range.start.max(range.end - FIRST_LOOK);
        Self { topic, range, start, position: start, outputs: Vec::new(), met_older: false }
    }

    fn is_read(&self) -> bool {
        self.position >= self.range.end
    }

    fn is_enough(&self) -> bool {
        self.met_older || self.start == self.range.start
    }

    fn look_further_back(&mut self) {
        let look_back = (self.range.end - self.start) * 2;
        self.start = self.range.start.max(self.range.end - look_back);
        self.position = self.start;
        self.outputs.clear();
    }
}

impl Scan<'_> {
    /// The ends of the topics, once they stand still.
    fn settled<'t>(&self, topics: &[&'t str]) -> Result<Vec<Tail<'t>>, PublishError> {
        let mut ranges = Vec::new();
        loop {
            let before = std::mem::take(&mut ranges);
            for topic in topics {
                let marks = watermarks(&self.consumer, topic, self.partition);
                let (low, high) = marks.map_err(|error| unreadable(topic, self.partition, error))?;
                ranges.push(low..high);
            }
            if ranges == before {
                return Ok(topics.iter().zip(ranges).map(|(topic, range)| Tail::new(topic, range)).collect());
            }
            std::thread::sleep(STANDSTILL);
        }
    }

    /// Reads every tail from its start to its end.
    fn look(&self, tails: &mut [Tail<'_>]) -> Result<(), KafkaError> {
        let mut assignment = TopicPartitionList::new();
        for tail in tails.iter().filter(|tail| !tail.is_read()) {
            assignment.add_partition_offset(tail.topic, self.partition, Offset::Offset(tail.start))?;
        }
        self.consumer.assign(&assignment)?;
        let mut last_news = Instant::now();
        while !tails.iter().all(Tail::is_read) {
            if (self.stopped)() || last_news.elapsed() > PATIENCE {
                return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut));
            }
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    last_news = Instant::now();
                    if let Some(tail) = tails.iter_mut().find(|tail| tail.topic == message.topic()) {
                        self.take(&message, tail);
                    }
                }
                // A broker that is away comes back; patience is what ends this.
                Some(Err(error)) => tracing::debug!(%error, "recovery waits"),
                // Control records are passed over silently; only the position shows it.
                None => self.pass_over(tails),
            }
        }
        Ok(())
    }

    fn take(&self, message: &BorrowedMessage<'_>, tail: &mut Tail<'_>) {
        tail.position = message.offset() + 1;
        if header(message, "reprocess") != self.reprocessing {
            return;
        }
        match header(message, "landing").and_then(|text| text.parse::<SourceId>().ok()) {
            Some(id) if id.offset >= self.from => tail.outputs.push(id),
            Some(_) => tail.met_older = true,
            None => {}
        }
    }

    fn pass_over(&self, tails: &mut [Tail<'_>]) {
        let Ok(positions) = self.consumer.position() else { return };
        for tail in tails {
            let entry = positions.find_partition(tail.topic, self.partition);
            if let Some(Offset::Offset(offset)) = entry.map(|entry| entry.offset()) {
                tail.position = tail.position.max(offset);
            }
        }
    }
}

fn header<'m>(message: &'m BorrowedMessage<'_>, name: &str) -> Option<&'m str> {
    let headers = message.headers()?;
    let found = headers.iter().find(|header| header.key == name)?;
    std::str::from_utf8(found.value?).ok()
}
