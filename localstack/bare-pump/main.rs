//! What the worker is measured against: the same SQS and Kafka calls without looking at anything.
//!
//! Receives, produces each body as it is, and deletes after the acknowledgement; as many batches at the same time as
//! there is room for. Runs until it is killed.

use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use okta_ocsf::ack::Tally;
use okta_ocsf::config::{AwsConfig, KafkaConfig, QueueConfig, TopicsConfig};
use okta_ocsf::ingest::sqs::{Delivered, Queue, SqsQueue};
use okta_ocsf::kafka::{Cluster, Outgoing, Producer, TopicSpec, ensure_topics};
use okta_ocsf::telemetry::Health;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Batches in hand, as the worker's default of 2,000 messages.
const BATCHES: usize = 200;

#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    queue_url: String,
    #[arg(long)]
    brokers: String,
    #[arg(long)]
    topic: String,
    #[arg(long, default_value_t = 2)]
    receivers: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let aws = okta_ocsf::aws::settings(&AwsConfig::default()).await;
    let topics = TopicsConfig { create: true, partitions: 3, replication_factor: 1, min_insync_replicas: 1 };
    let kafka = KafkaConfig { brokers: arguments.brokers, topics: topics.clone(), ..KafkaConfig::default() };
    let cluster = Cluster::new(&kafka, "bare-pump", &aws).await?;
    let topic = TopicSpec {
        name: arguments.topic.clone(),
        min_partitions: None,
        retention_ms: None,
        compacted: false,
        settings: &[],
    };
    let health = Health::default().component("kafka");
    ensure_topics(&cluster, &topics, &[topic], &health, &CancellationToken::new()).await?;
    let producer = Producer::start(&cluster)?;
    let config = QueueConfig { url: arguments.queue_url, visibility_seconds: 600, ..QueueConfig::default() };
    let queue = Arc::new(SqsQueue::new(&aws, &config));
    println!("ready");

    let room = Arc::new(Semaphore::new(BATCHES));
    let topic: Arc<str> = arguments.topic.into();
    let mut receivers = JoinSet::new();
    for _ in 0..arguments.receivers {
        receivers.spawn(receive(Arc::clone(&queue), producer.clone(), Arc::clone(&topic), Arc::clone(&room)));
    }
    while let Some(ended) = receivers.join_next().await {
        ended??;
    }
    Ok(())
}

async fn receive(
    queue: Arc<SqsQueue>,
    producer: Producer,
    topic: Arc<str>,
    room: Arc<Semaphore>,
) -> anyhow::Result<()> {
    let mut batches: JoinSet<anyhow::Result<()>> = JoinSet::new();
    loop {
        let permit = Arc::clone(&room).acquire_owned().await?;
        let batch = queue.receive().await?;
        while let Some(done) = batches.try_join_next() {
            done??;
        }
        let (queue, producer, topic) = (Arc::clone(&queue), producer.clone(), Arc::clone(&topic));
        batches.spawn(async move {
            let done = pump(&queue, &producer, &topic, batch).await;
            drop(permit);
            done
        });
    }
}

async fn pump(queue: &SqsQueue, producer: &Producer, topic: &str, batch: Vec<Delivered>) -> anyhow::Result<()> {
    let tally = Tally::default();
    for message in &batch {
        let outgoing = Outgoing {
            topic,
            partition: None,
            key: b"acme",
            headers: &[],
            payload: Some(message.body.as_bytes()),
            timestamp: None,
        };
        anyhow::ensure!(producer.send(outgoing, tally.ack()).is_ok(), "the producer is full");
    }
    while tally.wait(Duration::ZERO).is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let results = queue.delete(batch.into_iter().map(|message| message.handle).collect()).await?;
    anyhow::ensure!(results.iter().all(Result::is_ok), "a delete was refused");
    Ok(())
}
