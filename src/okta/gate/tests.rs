//! The gate before a model of Okta's windows, in virtual time: nothing here waits or depends on the machine.

use std::collections::HashMap;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::*;
use crate::okta::quota::tests::model::{Bucket, Nature, Opens, Rounding};

const LOGS: &str = "/api/v1/logs";
const USERS: &str = "/api/v1/users";
const GROUPS: &str = "/api/v1/groups";

/// When every run begins: the gate must not care.
const START: i64 = 1_790_000_000_123;

/// From sending a call until its answer, in ms of the org's time.
const LATENCY_MS: u64 = 300;

/// Okta's side, and a gate before it.
#[derive(Clone)]
struct World {
    gate: Gate,
    okta: Arc<Mutex<HashMap<&'static str, Bucket>>>,
}

impl World {
    fn new(policy: Policy, rate: f64, limits: &[(&'static str, u32)]) -> Self {
        let nature = Nature {
            limit: 0,
            principal: None,
            others_part: 0.5,
            rounding: Rounding::Nearest,
            opens: Opens::WithACall,
            ahead: 7_300,
            drift_ppm: 0,
        };
        let bucket = |&(path, limit)| (path, Bucket::new(Nature { limit, ..nature }));
        let gate = Gate::new("acme", policy, Pace::times(rate).begun_at(START));
        Self { gate, okta: Arc::new(Mutex::new(limits.iter().map(bucket).collect())) }
    }

    async fn call(&self, priority: Priority, path: &'static str) {
        let meter = self.gate.at(priority);
        let pass = meter.before(path).await;
        self.answer(&meter, pass, path).await;
    }

    async fn answer(&self, meter: &GateAt, pass: Pass, path: &'static str) {
        let pace = self.gate.pace();
        let half = Duration::from_millis(LATENCY_MS / 2);
        pace.sleep(half).await;
        let headers = self.okta.lock().unwrap().get_mut(path).unwrap().call(pace.steady_ms());
        pace.sleep(half).await;
        meter.after(pass, &Seen { path, headers: Some(headers), elapsed: half * 2 });
    }

    /// Always more work of one kind, done by so many at once.
    fn keep_busy(&self, workers: usize, priority: Priority, path: &'static str) {
        for _ in 0..workers {
            let world = self.clone();
            tokio::spawn(async move {
                loop {
                    world.call(priority, path).await;
                }
            });
        }
    }

    /// Uses up what is permitted of a bucket's window.
    async fn use_up(&self, path: &'static str, permitted: usize) {
        for _ in 0..permitted {
            // Of all priorities only these find the reserve.
            self.call(Priority::Fetch, path).await;
        }
    }

    /// Each window's calls of ours.
    fn windows(&self, path: &str) -> Vec<u32> {
        self.okta.lock().unwrap()[path].windows.iter().map(|window| window.ours).collect()
    }

    /// Calls that Okta refused.
    fn refused(&self) -> u32 {
        self.okta.lock().unwrap().values().map(Bucket::refused).sum()
    }
}

/// Lets one future do what it can do now.
fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Lets all tasks do what they can do now, without time going on.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

async fn uses_what_is_permitted_and_no_more(rate: f64) {
    let world = World::new(Policy::default(), rate, &[(USERS, 600), (GROUPS, 500)]);
    world.keep_busy(40, Priority::Snapshot, USERS);
    world.keep_busy(40, Priority::Audit, GROUPS);
    world.gate.pace().sleep(Duration::from_secs(8 * 60)).await;
    assert_eq!(world.refused(), 0);
    assert_eq!((world.gate.spent().crowded, world.gate.spent().refused.len()), (0, 0));
    for (path, permitted) in [(USERS, 300), (GROUPS, 250)] {
        let windows = world.windows(path);
        assert!(windows.iter().all(|ours| *ours <= permitted), "{path}: {windows:?}");
        let okta = world.okta.lock().unwrap();
        // Between whole windows, so that the time in which none was open counts.
        let opened = |at: usize| okta[path].windows[at].opened;
        let (first, last) = (1, windows.len() - 1);
        let minutes = (opened(last) - opened(first)) as f64 / 60_000.0;
        let used = f64::from(windows[first..last].iter().sum::<u32>()) / (f64::from(permitted) * minutes);
        println!("{path} at {rate} times: {used:.4} of the permitted calls, {windows:?}");
        assert!(used >= 0.98, "{path}: {used} of the permitted calls, {windows:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_permitted_is_used_and_no_more() {
    uses_what_is_permitted_and_no_more(1.0).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_permitted_is_used_in_a_time_that_goes_faster() {
    uses_what_is_permitted_and_no_more(60.0).await;
}

/// Who got through, in order, of those who came in this order to a bucket that was used up.
async fn order_of(comers: &[Priority]) -> Vec<(usize, Priority)> {
    let world = World::new(Policy::default(), 1.0, &[(LOGS, 120)]);
    world.use_up(LOGS, 60).await;
    let order = Arc::<Mutex<Vec<_>>>::default();
    for (at, priority) in comers.iter().copied().enumerate() {
        let (world, order) = (world.clone(), order.clone());
        tokio::spawn(async move {
            let meter = world.gate.at(priority);
            let pass = meter.before(LOGS).await;
            order.lock().unwrap().push((at, priority));
            world.answer(&meter, pass, LOGS).await;
        });
        settle().await;
    }
    assert_eq!((order.lock().unwrap().len(), world.gate.spent().waiting), (0, comers.len()));
    world.gate.pace().sleep(Duration::from_secs(90)).await;
    assert_eq!((world.refused(), world.gate.spent().waiting), (0, 0));
    let order = order.lock().unwrap().clone();
    assert_eq!(order.len(), comers.len());
    order
}

#[tokio::test(start_paused = true)]
async fn higher_priorities_go_first_and_equals_in_the_order_in_which_they_came() {
    use Priority::{Audit, Fetch, Poll, Snapshot};
    let order = order_of(&[Audit, Snapshot, Fetch, Poll, Snapshot, Audit, Poll, Fetch]).await;
    let mut expected = order.clone();
    expected.sort_by_key(|(at, priority)| (*priority, *at));
    assert_eq!(order, expected);
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_for_the_same_go_in_the_order_in_which_they_came() {
    let order = order_of(&[Priority::Snapshot; 50]).await;
    assert!(order.iter().map(|(at, _)| *at).eq(0..50), "{order:?}");
}

#[tokio::test(start_paused = true)]
async fn equals_of_different_kinds_take_turns_when_slots_are_few() {
    let policy = Policy { concurrency_start: 1, concurrency_max: 1, ..Policy::default() };
    let world = World::new(policy, 1.0, &[(USERS, 600), (GROUPS, 500)]);
    let order = Arc::<Mutex<Vec<_>>>::default();
    for path in [USERS, USERS, USERS, GROUPS, USERS, GROUPS] {
        let (world, order) = (world.clone(), order.clone());
        tokio::spawn(async move {
            let meter = world.gate.at(Priority::Snapshot);
            let pass = meter.before(path).await;
            order.lock().unwrap().push(path);
            world.answer(&meter, pass, path).await;
        });
        settle().await;
    }
    world.gate.pace().sleep(Duration::from_secs(10)).await;
    assert_eq!(*order.lock().unwrap(), [USERS, USERS, USERS, GROUPS, USERS, GROUPS]);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_is_used_up_holds_back_no_other() {
    let world = World::new(Policy::default(), 1.0, &[(LOGS, 120), (USERS, 600)]);
    world.use_up(LOGS, 60).await;
    world.keep_busy(300, Priority::Fetch, LOGS);
    settle().await;
    assert_eq!(world.gate.spent().waiting, 300);
    let audit = world.gate.at(Priority::Audit);
    let mut before = pin!(audit.before(USERS));
    assert!(poll(before.as_mut()).is_ready());
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_loses_nothing_for_the_others() {
    let policy = Policy { concurrency_start: 1, concurrency_max: 1, ..Policy::default() };
    let world = World::new(policy, 1.0, &[(USERS, 600)]);
    let meter = world.gate.at(Priority::Snapshot);
    let first = meter.before(USERS).await;
    let mut waiting: Vec<_> = (0..5).map(|_| Box::pin(meter.before(USERS))).collect();
    assert!(waiting.iter_mut().all(|before| poll(before.as_mut()).is_pending()));
    // The first of the line, which watches the time, one in the middle, and one that was never looked at.
    drop(waiting.remove(0));
    drop(waiting.remove(1));
    drop(meter.before(USERS));
    assert_eq!(world.gate.spent().waiting, 3);
    // This lets the next one go, which gives up without having noticed; so the one behind it goes.
    world.answer(&meter, first, USERS).await;
    drop(waiting.remove(0));
    let Poll::Ready(second) = poll(waiting[0].as_mut()) else { panic!("the slot is lost") };
    assert!(poll(waiting[1].as_mut()).is_pending());
    world.answer(&meter, second, USERS).await;
    let Poll::Ready(third) = poll(waiting[1].as_mut()) else { panic!("the slot is lost") };
    world.answer(&meter, third, USERS).await;
    let spent = world.gate.spent();
    assert_eq!((spent.calls, spent.lost, spent.waiting), (3, 0, 0));
    assert_eq!(world.gate.outlook()[0].used_by_us, 3, "what was not called is not counted");
}

#[tokio::test(start_paused = true)]
async fn a_crowd_that_comes_and_goes_leaves_all_of_the_quota() {
    let world = World::new(Policy::default(), 1.0, &[(USERS, 600)]);
    world.keep_busy(30, Priority::Snapshot, USERS);
    for round in 0..480 {
        let meter = world.gate.at(Priority::Snapshot);
        let comer = async |meter: GateAt| meter.before(USERS).await;
        let crowd: Vec<_> = (0..5).map(|_| tokio::spawn(comer(meter.clone()))).collect();
        world.gate.pace().sleep(Duration::from_millis(500 + round % 7)).await;
        // A pass that somebody got and drops counts as a lost call: these are let go before they get one.
        crowd.iter().filter(|task| !task.is_finished()).for_each(tokio::task::JoinHandle::abort);
    }
    let windows = world.windows(USERS);
    assert_eq!(world.refused(), 0);
    assert!(windows.iter().all(|ours| *ours <= 300), "{windows:?}");
    let lost = world.gate.spent().lost as u32;
    let used: u32 = windows[..windows.len() - 1].iter().sum();
    assert!(used + lost >= 294 * (windows.len() as u32 - 1), "{windows:?} and {lost} lost");
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_is_dropped_is_a_lost_call() {
    let world = World::new(Policy::default(), 1.0, &[(USERS, 600)]);
    let meter = world.gate.at(Priority::Snapshot);
    world.call(Priority::Snapshot, USERS).await;
    drop(meter.before(USERS).await);
    let spent = world.gate.spent();
    assert_eq!((spent.calls, spent.lost), (2, 1));
    assert_eq!(world.gate.outlook()[0].used_by_us, 2, "it may have been counted");
}

#[tokio::test(start_paused = true)]
async fn a_larger_share_lets_those_go_who_wait() {
    let world = World::new(Policy::default(), 1.0, &[(LOGS, 120)]);
    world.use_up(LOGS, 60).await;
    let meter = world.gate.at(Priority::Fetch);
    let mut before = pin!(meter.before(LOGS));
    assert!(poll(before.as_mut()).is_pending());
    world.gate.set_share(1.0);
    assert!(poll(before.as_mut()).is_ready());
    assert_eq!(world.gate.outlook()[0].permitted_per_minute, 120);
}

#[tokio::test(start_paused = true)]
async fn refusals_are_counted_by_what_refused() {
    let gate = Gate::new("acme", Policy::default(), Pace::real().begun_at(START));
    let meter = gate.at(Priority::Snapshot);
    let answer = async |path, limit, remaining| {
        let pass = meter.before(path).await;
        let headers = Headers { status: 429, limit: Some(limit), remaining: Some(remaining), ..Headers::default() };
        meter.after(pass, &Seen { path, headers: Some(headers), elapsed: Duration::ZERO });
    };
    answer(USERS, 600, 0).await;
    answer("/api/v1/users/00u1/factors", 0, 0).await;
    let spent = gate.spent();
    assert_eq!((spent.calls, spent.crowded), (2, 1));
    assert_eq!(spent.refused, [("users".to_owned(), 1)].into());
}

#[tokio::test(start_paused = true)]
async fn the_time_that_was_waited_is_known() {
    let world = World::new(Policy::default(), 60.0, &[(LOGS, 120)]);
    world.use_up(LOGS, 60).await;
    let before = world.gate.spent().waited;
    let since = world.gate.pace().steady_ms();
    world.call(Priority::Fetch, LOGS).await;
    let most = Duration::from_millis((world.gate.pace().steady_ms() - since) as u64);
    let waited = world.gate.spent().waited - before;
    assert!(!waited.is_zero() && waited < most, "{waited:?} of {most:?}");
}
