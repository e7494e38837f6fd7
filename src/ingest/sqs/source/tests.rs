//! The source over a queue in memory, in tokio's paused time: hours pass in milliseconds, and always the same way.

mod ends;
mod kill;
mod stop;

use tokio::task::JoinHandle;
use tokio::time::sleep;

use self::ends::{End, Mode};
use super::*;
use crate::ack::NotDelivered;
use crate::config::{OrgConfig, QueueConfig};
use crate::ingest::sqs::memory::{Call, Fault, MemoryQueue, Op};
use crate::ingest::{QueueOrgs, decode};
use crate::landing::LandingLog;
use crate::publish::{Limit, Sink};
use crate::telemetry::Health;

const VISIBILITY: Duration = Duration::from_secs(60);
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
const SOON: Mode = Mode::After(Duration::from_millis(5));

/// A queue, the ends behind it, and what is needed to run sources between them.
struct World {
    queue: MemoryQueue,
    log: Arc<End>,
    sink: Arc<End>,
    config: QueueConfig,
    limit: Arc<Limit>,
    health: Health,
    stop: CancellationToken,
}

impl World {
    fn new() -> Self {
        Self::with(|_| ())
    }

    fn with(change: impl FnOnce(&mut QueueConfig)) -> Self {
        let mut config = QueueConfig {
            orgs: vec!["acme".into()],
            wait_seconds: 1,
            max_in_flight: 50,
            max_body_bytes: 2_000,
            max_in_flight_bytes: 100_000,
            ..QueueConfig::default()
        };
        change(&mut config);
        let (log, sink) = (Arc::new(End::new(SOON)), Arc::new(End::new(SOON)));
        let visibility = Duration::from_secs(config.visibility_seconds.into());
        let wait = Duration::from_secs(config.wait_seconds.into());
        let may_delete = {
            let (orgs, log, sink) = (orgs(&config), Arc::clone(&log), Arc::clone(&sink));
            move |body: &str| {
                decode(body.as_bytes(), &orgs).into_iter().all(|one| match one {
                    Ok(arrived) => log.times(&arrived.uuid.to_string()) > 0,
                    Err(poison) => sink.times(&String::from_utf8_lossy(&poison.bytes)) > 0,
                })
            }
        };
        Self {
            queue: MemoryQueue::new(visibility, wait, may_delete),
            log,
            sink,
            config,
            limit: Arc::new(Limit::new(100, 90)),
            health: Health::default(),
            stop: CancellationToken::new(),
        }
    }

    fn source(&self) -> Source<MemoryQueue> {
        Source::new(Parts {
            queue: self.queue.clone(),
            name: "events".into(),
            config: self.config.clone(),
            orgs: orgs(&self.config),
            landing: Arc::clone(&self.log) as Arc<dyn LandingLog>,
            sink: Arc::clone(&self.sink) as Arc<dyn Sink>,
            limit: Arc::clone(&self.limit),
            health: self.health.component("queue"),
        })
    }

    fn start(&self) -> JoinHandle<Result<(), Fatal>> {
        tokio::spawn(self.source().run(self.stop.clone(), STOP_TIMEOUT))
    }

    /// Stops a source that has nothing left to do.
    async fn stop(&self, run: JoinHandle<Result<(), Fatal>>) {
        self.stop.cancel();
        end(run).await.0.unwrap();
    }

    fn deletes(&self) -> usize {
        self.queue.calls(Op::Delete).len()
    }
}

impl Drop for World {
    /// The first promise, at the end of every test.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.queue.wrongly_deleted(), Vec::<String>::new(), "deleted but not durable");
        }
    }
}

fn orgs(config: &QueueConfig) -> QueueOrgs {
    QueueOrgs::new(config, &[OrgConfig { id: "acme".into(), event_source: None, ..OrgConfig::default() }])
}

fn uuid(number: usize) -> String {
    uuid::Uuid::from_u128(number as u128).to_string()
}

fn event(number: usize) -> String {
    serde_json::json!({ "uuid": uuid(number), "published": "2024-08-13T15:58:20.353Z" }).to_string()
}

fn batch(numbers: &[usize]) -> String {
    let events: Vec<_> = numbers.iter().map(|number| event(*number)).collect();
    format!(r#"{{"data":{{"events":[{}]}}}}"#, events.join(","))
}

fn seconds(seconds: u64) -> tokio::time::Sleep {
    sleep(Duration::from_secs(seconds))
}

/// Waits until a source ends by itself; says how it ended and how long that took.
async fn end(run: JoinHandle<Result<(), Fatal>>) -> (Result<(), Fatal>, Duration) {
    let start = tokio::time::Instant::now();
    let ended = tokio::time::timeout(Duration::from_secs(3600), run).await;
    (ended.expect("it ends within an hour").unwrap(), start.elapsed())
}

fn failed() -> Result<(), NotDelivered> {
    Err(NotDelivered::Failed("timed out".into()))
}

fn pauses(calls: &[Call]) -> Vec<Duration> {
    calls.windows(2).map(|pair| pair[1].at - pair[0].at).collect()
}

#[tokio::test(start_paused = true)]
async fn nothing_is_deleted_before_its_landing_is_acknowledged() {
    let world = World::new();
    world.log.set(Mode::Hold);
    for number in 0..3 {
        world.queue.send(event(number));
    }
    let _run = world.start();
    seconds(10).await;
    assert_eq!((world.log.held(), world.deletes()), (3, 0));
    world.log.release(2, &Ok(()));
    seconds(1).await;
    assert_eq!((world.queue.len(), world.deletes()), (1, 1), "two share a call, and the third is not touched");
    world.log.release(1, &Ok(()));
    seconds(1).await;
    assert_eq!(world.queue.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_landing_failed_comes_back_after_a_pause() {
    let world = World::new();
    world.log.set(Mode::Fail);
    let id = world.queue.send(event(1));
    let _run = world.start();
    seconds(1).await;
    world.log.set(SOON);
    seconds(1).await;
    assert_eq!((world.queue.len(), world.queue.deliveries(&id)), (1, 1), "not at once");
    seconds(5).await;
    assert_eq!((world.queue.len(), world.queue.deliveries(&id), world.log.times(&uuid(1))), (0, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_deleted_only_when_all_its_events_are_durable() {
    let world = World::new();
    world.log.set(Mode::Hold);
    world.queue.send(batch(&[1, 2, 3]));
    let _run = world.start();
    seconds(1).await;
    world.log.release(2, &Ok(()));
    seconds(10).await;
    assert_eq!((world.log.held(), world.deletes()), (1, 0));
    world.log.release(1, &failed());
    seconds(10).await;
    assert_eq!((world.log.held(), world.deletes()), (3, 0), "one failure brings the whole batch back");
    world.log.release(3, &Ok(()));
    seconds(1).await;
    assert_eq!(world.queue.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_message_without_content_is_deleted() {
    let world = World::new();
    world.queue.send(batch(&[]));
    let _run = world.start();
    seconds(1).await;
    assert_eq!(world.queue.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn poison_is_deleted_only_when_its_quarantine_is_acknowledged() {
    let world = World::new();
    world.sink.set(Mode::Refuse);
    world.queue.send("poison");
    let _run = world.start();
    seconds(100).await;
    assert_eq!((world.sink.held(), world.deletes()), (0, 0), "a busy sink is waited for");
    world.sink.set(Mode::Hold);
    seconds(10).await;
    assert_eq!((world.sink.held(), world.deletes()), (1, 0));
    world.sink.release(1, &Ok(()));
    seconds(1).await;
    assert_eq!(world.queue.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn while_landing_is_slow_each_extension_comes_before_half_of_the_visibility_is_gone() {
    let world = World::new();
    world.log.set(Mode::Hold);
    let ids: Vec<_> = (0..25).map(|number| world.queue.send(event(number))).collect();
    let _run = world.start();
    seconds(600).await;
    world.log.release(25, &Ok(()));
    seconds(1).await;
    assert_eq!(world.queue.len(), 0);
    for id in &ids {
        assert_eq!(world.queue.deliveries(id), 1);
        let mut hidden = world.queue.calls(Op::Receive);
        hidden.extend(world.queue.calls(Op::ChangeVisibility));
        hidden.retain(|call| call.ids.contains(id));
        assert!(hidden.len() > 20, "10 minutes take many extensions");
        assert!(hidden.iter().all(|call| call.timeout == VISIBILITY));
        assert!(pauses(&hidden).iter().all(|pause| *pause < VISIBILITY / 2), "{:?}", pauses(&hidden));
    }
}

#[tokio::test(start_paused = true)]
async fn extensions_that_fail_are_repeated_and_a_message_that_is_gone_is_let_go() {
    let world = World::new();
    world.log.set(Mode::Hold);
    let ids = [world.queue.send(event(1)), world.queue.send(event(2))];
    let run = world.start();
    seconds(1).await;
    world.queue.steal(&ids[1]);
    world.queue.fail(Op::ChangeVisibility, [Fault::Throttled, Fault::Refuses(10), Fault::Refuses(1)]);
    seconds(50).await;
    world.log.release(2, &Ok(()));
    seconds(1).await;
    let deleted: Vec<_> = world.queue.calls(Op::Delete).into_iter().flat_map(|call| call.ids).collect();
    assert_eq!((deleted, world.queue.deliveries(&ids[0])), (vec![ids[0].clone()], 1));
    world.stop(run).await;
    assert_eq!(world.queue.visible(), 0, "it is somebody else's, and not ours to give back");
}

#[tokio::test(start_paused = true)]
async fn failed_deletes_are_repeated_whether_one_message_or_the_whole_call_failed() {
    let world = World::new();
    world.queue.fail(Op::Delete, [Fault::Refuses(2), Fault::Throttled, Fault::Refuses(1)]);
    for number in 0..5 {
        world.queue.send(event(number));
    }
    let _run = world.start();
    seconds(5).await;
    let sizes: Vec<_> = world.queue.calls(Op::Delete).iter().map(|call| call.ids.len()).collect();
    assert_eq!((sizes, world.queue.len()), (vec![5, 2, 2, 1], 0), "only what was not served is sent again");
    let pauses = pauses(&world.queue.calls(Op::Delete));
    assert!(pauses.windows(2).all(|pair| pair[1] > pair[0]), "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stale_handle_is_forgotten_and_a_redelivered_message_is_deleted_by_its_newest() {
    let world = World::new();
    world.log.set(Mode::Hold);
    let (stolen, redelivered) = (world.queue.send(event(1)), world.queue.send(event(2)));
    let run = world.start();
    seconds(1).await;
    world.queue.steal(&stolen);
    world.queue.redeliver(&redelivered);
    seconds(1).await;
    assert_eq!((world.queue.deliveries(&redelivered), world.log.held()), (2, 2), "it is not landed twice");
    world.log.release(2, &Ok(()));
    seconds(10).await;
    assert_eq!((world.queue.len(), world.deletes()), (1, 1), "there is no use in trying the stale one again");
    world.stop(run).await;
}

#[tokio::test(start_paused = true)]
async fn a_throttled_receive_backs_off_and_recovers() {
    let world = World::with(|config| config.receivers = 1);
    world.queue.fail(Op::Receive, [Fault::Throttled; 10]);
    world.queue.send(event(1));
    let _run = world.start();
    seconds(60).await;
    assert!(world.health.report().1.to_string().contains("RequestThrottled"));
    assert!(!world.health.report().0);
    seconds(60).await;
    assert!(world.health.report().0);
    assert_eq!(world.queue.len(), 0);
    let pauses = pauses(&world.queue.calls(Op::Receive)[..10]);
    let expected = [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000].map(Duration::from_millis);
    assert_eq!(pauses, expected);
}

#[tokio::test(start_paused = true)]
async fn a_denied_receive_says_so_and_is_tried_until_a_person_has_helped() {
    let world = World::new();
    world.queue.keep_failing(Op::Receive, Some(Fault::Denied));
    world.queue.send(event(1));
    let run = world.start();
    seconds(3600).await;
    assert!(!run.is_finished());
    assert!(!world.health.report().0);
    assert!(world.health.report().1.to_string().contains("AccessDenied"));
    assert!(world.queue.calls(Op::Receive).len() < 500, "twice in 20 seconds");
    world.queue.keep_failing(Op::Receive, None);
    seconds(21).await;
    assert!(world.health.report().0);
    assert_eq!(world.queue.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_takes_nothing_stops_the_receiving_and_loses_nothing() {
    let world = World::new();
    for number in 0..300 {
        world.queue.send(event(number));
    }
    world.log.set(Mode::Refuse);
    let _run = world.start();
    seconds(5).await;
    let receives = world.queue.calls(Op::Receive).len();
    seconds(600).await;
    assert_eq!(world.queue.calls(Op::Receive).len(), receives, "receiving has paused");
    world.log.set(SOON);
    seconds(10).await;
    assert_eq!((world.queue.len(), world.log.len(), world.queue.most_in_flight().0), (0, 300, 50));
    assert!((0..300).all(|number| world.log.times(&uuid(number)) == 1), "and nothing came twice");
}

#[tokio::test(start_paused = true)]
async fn the_bytes_in_hand_are_bounded_too() {
    let world = World::with(|config| {
        (config.max_in_flight, config.max_in_flight_bytes) = (1_000, 50_000);
    });
    let filler = "x".repeat(1_500);
    for number in 0..100 {
        world.queue.send(event(number).replace('{', &format!(r#"{{"filler":"{filler}","#)));
    }
    world.log.set(Mode::Hold);
    let _run = world.start();
    seconds(100).await;
    assert_eq!(world.queue.most_in_flight().0, 20, "a third receive might not fit");
    world.log.set(SOON);
    world.log.release(20, &Ok(()));
    seconds(10).await;
    assert_eq!((world.queue.len(), world.log.len()), (0, 100));
    assert!(world.queue.most_in_flight().1 <= 50_000);
}

#[tokio::test(start_paused = true)]
async fn messages_that_we_lost_hold_on_to_take_room_until_they_are_settled() {
    let world = World::with(|config| config.visibility_seconds = 10);
    for number in 0..300 {
        world.queue.send(event(number));
    }
    world.log.set(Mode::Hold);
    world.queue.keep_failing(Op::ChangeVisibility, Some(Fault::Throttled));
    let _run = world.start();
    seconds(3600).await;
    assert_eq!(world.log.held(), 50, "although the queue offers them again and again");
    world.queue.keep_failing(Op::ChangeVisibility, None);
    world.log.set(SOON);
    world.log.release(50, &Ok(()));
    seconds(60).await;
    assert_eq!((world.queue.len(), world.log.len()), (0, 300));
}

#[tokio::test(start_paused = true)]
async fn when_everything_fails_to_land_the_returns_share_calls_and_do_not_pile_up() {
    let world = World::new();
    for number in 0..300 {
        world.queue.send(event(number));
    }
    world.log.set(Mode::Fail);
    world.queue.keep_failing(Op::ChangeVisibility, Some(Fault::Slow(Duration::from_secs(17))));
    let _run = world.start();
    seconds(15).await;
    assert_eq!(world.queue.most_in_flight().0, 50, "room is free again only when a message has gone back");
    assert!(world.queue.calls(Op::ChangeVisibility).len() <= 8);
    world.queue.keep_failing(Op::ChangeVisibility, None);
    world.log.set(SOON);
    seconds(120).await;
    assert_eq!((world.queue.len(), world.log.len()), (0, 300));
}

#[tokio::test(start_paused = true)]
async fn calls_that_hang_are_few_and_are_waited_for_without_haste() {
    let world = World::with(|config| (config.max_in_flight, config.max_in_flight_bytes) = (200, 1 << 20));
    for number in 0..200 {
        world.queue.send(event(number));
    }
    world.queue.fail(Op::Delete, [Fault::Slow(Duration::from_secs(15)); 8]);
    let _run = world.start();
    // A loop that spins on what is due but has no call free would keep the paused clock from ever getting here.
    seconds(10).await;
    assert_eq!(world.deletes(), 8);
    seconds(10).await;
    assert_eq!(world.queue.len(), 0);
}
