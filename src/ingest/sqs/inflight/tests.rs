use std::rc::Rc;

use proptest::prelude::*;

use super::*;

const VISIBILITY: Duration = Duration::from_secs(60);

/// Each permit is a clone of one `Rc`, so its count says how many are held.
struct Fixture {
    tracker: InFlight<Rc<()>>,
    permits: Rc<()>,
    now: Instant,
}

impl Fixture {
    fn new() -> Self {
        Self { tracker: InFlight::new(VISIBILITY), permits: Rc::new(()), now: Instant::now() }
    }

    fn holding(ids: &[&str]) -> Self {
        let mut fixture = Self::new();
        for id in ids {
            assert!(fixture.admit(id, "1"));
        }
        fixture
    }

    fn admit(&mut self, id: &str, handle: &str) -> bool {
        self.tracker.admit(id, Handle(handle.into()), Rc::clone(&self.permits), self.now)
    }

    fn after(&mut self, pause: Duration) -> &mut Self {
        self.now += pause;
        self
    }

    fn extend(&mut self) -> Vec<String> {
        ids(self.tracker.next_extension(self.now))
    }

    fn delete(&mut self) -> Vec<String> {
        ids(self.tracker.next_delete(self.now, false))
    }

    fn permits(&self) -> usize {
        Rc::strong_count(&self.permits) - 1
    }

    /// What must be true whatever happened.
    fn check(&self) {
        let tracker = &self.tracker;
        let extensions: BTreeSet<_> = tracker.held.iter().map(|(id, held)| (held.extend_at, id.clone())).collect();
        assert_eq!(tracker.extensions, extensions, "each message has its one extension entry, and there are no others");
        let deletable = tracker.held.iter().filter_map(|(id, held)| match held.state {
            State::Deletable { ready_at, .. } => Some((ready_at, id.clone())),
            _ => None,
        });
        assert_eq!(tracker.deletable, deletable.collect(), "exactly the deletable messages wait for a delete");
        assert_eq!(self.permits(), tracker.len(), "a permit is held for each message and for nothing else");
    }
}

fn ids(batch: Vec<(String, Handle)>) -> Vec<String> {
    batch.into_iter().map(|(id, _)| id).collect()
}

fn again() -> Result<(), Refusal> {
    Err(Refusal::Again("InternalError".into()))
}

const GONE: Result<(), Refusal> = Err(Refusal::Gone);

#[test]
fn extension_is_due_before_half_of_the_visibility_is_gone_and_the_most_urgent_come_first() {
    let mut fixture = Fixture::holding(&["b"]);
    fixture.after(Duration::from_secs(1)).admit("a", "1");
    assert!(fixture.extend().is_empty());
    assert!(fixture.tracker.wake_at().unwrap() < fixture.now + VISIBILITY / 2);
    fixture.after(VISIBILITY / EXTEND_AFTER);
    assert_eq!(fixture.extend(), ["b", "a"]);
    assert!(fixture.extend().is_empty(), "their answers are awaited");
    fixture.after(VISIBILITY / EXTEND_AGAIN_AFTER);
    assert_eq!(fixture.extend(), ["a", "b"], "an answer that never came is not awaited to the end");
    fixture.check();
}

#[test]
fn an_extension_call_takes_ten_messages() {
    let all: Vec<String> = (0..13).map(|n| format!("{n:02}")).collect();
    let mut fixture = Fixture::holding(&all.iter().map(String::as_str).collect::<Vec<_>>());
    fixture.after(VISIBILITY / 2);
    assert_eq!((fixture.extend().len(), fixture.extend().len(), fixture.extend().len()), (10, 3, 0));
}

#[test]
fn an_extension_counts_from_when_it_was_sent() {
    let mut fixture = Fixture::holding(&["a"]);
    let sent = fixture.after(VISIBILITY / 2).now;
    assert_eq!(fixture.extend(), ["a"]);
    fixture.tracker.extended("a", &Ok(()), sent);
    assert_eq!(fixture.tracker.wake_at(), Some(sent + VISIBILITY / EXTEND_AFTER));
    assert_eq!(fixture.tracker.held["a"].deadline, sent + VISIBILITY);
    fixture.check();
}

#[test]
fn a_failed_extension_is_repeated_until_the_deadline_and_then_forgets_the_message() {
    let mut fixture = Fixture::holding(&["a"]);
    let deadline = fixture.now + VISIBILITY;
    fixture.after(VISIBILITY / EXTEND_AFTER);
    while fixture.now < deadline {
        assert_eq!(fixture.extend(), ["a"]);
        fixture.tracker.extended("a", &again(), fixture.now);
        assert_eq!(fixture.tracker.wake_at(), Some(fixture.now + EXTEND_RETRY_PAUSE));
        fixture.check();
        fixture.after(EXTEND_RETRY_PAUSE);
    }
    assert_eq!(fixture.extend(), ["a"], "even at the deadline it may still be ours");
    fixture.tracker.extended("a", &again(), fixture.now);
    assert_eq!((fixture.tracker.len(), fixture.permits(), fixture.tracker.wake_at()), (0, 0, None));
}

#[test]
fn a_message_that_is_gone_is_forgotten_at_once() {
    let mut fixture = Fixture::holding(&["extended", "deleted", "other"]);
    fixture.tracker.extended("extended", &GONE, fixture.now);
    fixture.tracker.landed("deleted", fixture.now);
    fixture.after(DELETE_LINGER);
    assert_eq!(fixture.delete(), ["deleted"]);
    assert!(!fixture.tracker.deleted("deleted", &GONE, fixture.now), "it was not deleted by us");
    assert_eq!((fixture.tracker.len(), fixture.permits()), (1, 1));
    fixture.check();
}

#[test]
fn a_redelivery_replaces_only_the_handle() {
    let mut fixture = Fixture::holding(&["a"]);
    fixture.tracker.landed("a", fixture.now);
    fixture.after(VISIBILITY);
    assert!(!fixture.admit("a", "2"), "the work on it goes on");
    fixture.check();
    assert!(fixture.extend().is_empty(), "its visibility is new");
    let taken = fixture.tracker.next_delete(fixture.now, false);
    assert_eq!(taken, [("a".to_owned(), Handle("2".into()))], "it is still landed");
    assert!(!fixture.admit("a", "3"));
    assert!(fixture.tracker.deleted("a", &Ok(()), fixture.now), "and its delete still under way");
    fixture.check();
}

#[test]
fn deletes_go_out_in_full_batches_at_once_and_in_small_ones_after_a_moment() {
    let all: Vec<String> = (0..13).map(|n| format!("{n:02}")).collect();
    let mut fixture = Fixture::holding(&all.iter().map(String::as_str).collect::<Vec<_>>());
    for id in &all[..9] {
        fixture.tracker.landed(id, fixture.now);
    }
    assert!(fixture.delete().is_empty(), "nine wait for company");
    fixture.after(Duration::from_millis(1));
    for id in &all[9..] {
        fixture.tracker.landed(id, fixture.now);
    }
    assert_eq!(fixture.delete(), all[..10], "ten do not, and those who waited go first");
    assert!(fixture.delete().is_empty());
    assert_eq!(fixture.tracker.wake_at(), Some(fixture.now + DELETE_LINGER));
    fixture.after(DELETE_LINGER);
    assert_eq!(fixture.delete(), all[10..]);
    fixture.check();
}

#[test]
fn at_the_end_a_delete_waits_for_nobody() {
    let mut fixture = Fixture::holding(&["a", "working"]);
    fixture.tracker.landed("a", fixture.now);
    assert_eq!(ids(fixture.tracker.next_delete(fixture.now, true)), ["a"]);
}

#[test]
fn refused_deletes_are_repeated_with_growing_pauses_until_patience_ends() {
    let mut fixture = Fixture::holding(&["a"]);
    fixture.tracker.landed("a", fixture.now);
    let mut pauses = Vec::new();
    for _ in 0..MAX_DELETE_TRIES {
        let due = fixture.tracker.wake_at().unwrap();
        pauses.push(due - fixture.now);
        fixture.now = due - Duration::from_millis(1);
        assert!(fixture.delete().is_empty());
        fixture.now = due;
        assert_eq!(fixture.delete(), ["a"]);
        assert!(!fixture.tracker.deleted("a", &again(), fixture.now));
        fixture.check();
        // Its visibility is not what this is about.
        fixture.tracker.extended("a", &Ok(()), fixture.now);
    }
    let expected = (0..MAX_DELETE_TRIES).map(|n| match n {
        0 => DELETE_LINGER,
        n => DELETE_RETRY_PAUSE * 2u32.pow(n - 1) + DELETE_LINGER,
    });
    assert_eq!(pauses, expected.collect::<Vec<_>>());
    assert_eq!((fixture.tracker.len(), fixture.permits()), (0, 0), "it is left to come back");
}

#[test]
fn a_message_that_came_back_while_an_earlier_delivery_landed_is_deleted_once() {
    let mut fixture = Fixture::holding(&["a"]);
    fixture.tracker.landed("a", fixture.now);
    fixture.tracker.extended("a", &GONE, fixture.now);
    assert!(fixture.admit("a", "2"));
    fixture.tracker.landed("a", fixture.now);
    fixture.after(DELETE_LINGER);
    assert_eq!(fixture.delete(), ["a"]);
    fixture.tracker.landed("a", fixture.now);
    fixture.after(DELETE_LINGER);
    assert!(fixture.delete().is_empty(), "the second landing says nothing new");
    fixture.check();
}

#[test]
fn late_answers_and_acks_for_forgotten_messages_change_nothing() {
    let mut fixture = Fixture::holding(&["a"]);
    fixture.tracker.landed("a", fixture.now);
    fixture.after(DELETE_LINGER).delete();
    let (handle, permit) = fixture.tracker.forget("a").unwrap();
    assert_eq!((handle, fixture.permits()), (Handle("1".into()), 1), "the caller has the permit");
    drop(permit);
    fixture.tracker.landed("a", fixture.now);
    fixture.tracker.extended("a", &Ok(()), fixture.now);
    assert!(!fixture.tracker.deleted("a", &Ok(()), fixture.now));
    assert_eq!((fixture.tracker.len(), fixture.tracker.wake_at()), (0, None));
    assert!(fixture.admit("a", "2"));
    assert!(!fixture.tracker.deleted("a", &Ok(()), fixture.now), "that delete was for an earlier delivery");
    fixture.check();
}

#[test]
fn giving_up_returns_everything_whatever_its_state() {
    let mut fixture = Fixture::holding(&["working", "deletable", "deleting"]);
    fixture.tracker.landed("deleting", fixture.now);
    fixture.after(DELETE_LINGER).delete();
    fixture.tracker.landed("deletable", fixture.now);
    assert_eq!(fixture.tracker.give_up().len(), 3);
    assert_eq!((fixture.tracker.len(), fixture.permits(), fixture.tracker.wake_at()), (0, 0, None));
    fixture.check();
}

/// The same promises in the plainest words: a list of messages that is searched from end to end.
#[derive(Default)]
struct Oracle(Vec<Message>);

struct Message {
    id: String,
    handle: Handle,
    deadline: Instant,
    extend_at: Instant,
    stage: Stage,
}

#[derive(PartialEq, Clone, Copy)]
enum Stage {
    Working,
    Deletable(Instant, u32),
    Deleting(u32),
}

impl Oracle {
    fn find(&mut self, id: &str) -> Option<&mut Message> {
        self.0.iter_mut().find(|message| message.id == id)
    }

    fn forget(&mut self, id: &str) {
        self.0.retain(|message| message.id != id);
    }

    fn admit(&mut self, id: &str, handle: Handle, now: Instant) -> bool {
        let (deadline, extend_at) = (now + VISIBILITY, now + VISIBILITY / 3);
        match self.find(id) {
            Some(message) => {
                message.handle = handle;
                message.deadline = deadline;
                message.extend_at = extend_at;
                false
            }
            None => {
                self.0.push(Message { id: id.into(), handle, deadline, extend_at, stage: Stage::Working });
                true
            }
        }
    }

    fn landed(&mut self, id: &str, now: Instant) {
        if let Some(message) = self.find(id).filter(|message| message.stage == Stage::Working) {
            message.stage = Stage::Deletable(now, 0);
        }
    }

    fn extend(&mut self, now: Instant) -> Vec<(String, Handle)> {
        self.0.sort_by_key(|message| (message.extend_at, message.id.clone()));
        let due = self.0.iter_mut().filter(|message| message.extend_at <= now).take(10);
        due.map(|message| {
            message.extend_at = now + VISIBILITY / 4;
            (message.id.clone(), message.handle.clone())
        })
        .collect()
    }

    fn extended(&mut self, id: &str, result: &Result<(), Refusal>, sent: Instant) {
        let Some(message) = self.find(id) else { return };
        match result {
            Ok(()) => {
                message.deadline = sent + VISIBILITY;
                message.extend_at = sent + VISIBILITY / 3;
            }
            Err(Refusal::Again(_)) if message.deadline > sent => message.extend_at = sent + Duration::from_secs(1),
            Err(_) => self.forget(id),
        }
    }

    fn ready(&self) -> Vec<(Instant, String)> {
        let ready = self.0.iter().filter_map(|message| match message.stage {
            Stage::Deletable(at, _) => Some((at, message.id.clone())),
            _ => None,
        });
        let mut ready: Vec<_> = ready.collect();
        ready.sort();
        ready
    }

    /// When the next delete is due: ten are ready, or the first of them has waited for 20 ms.
    fn delete_at(&self) -> Option<Instant> {
        let ready = self.ready();
        let full = ready.get(9).map(|(at, _)| *at);
        let waited = ready.first().map(|(at, _)| *at + Duration::from_millis(20));
        full.into_iter().chain(waited).min()
    }

    fn delete(&mut self, now: Instant, all: bool) -> Vec<(String, Handle)> {
        if !all && self.delete_at().is_none_or(|at| now < at) {
            return Vec::new();
        }
        let ready = self.ready().into_iter().filter(|(at, _)| *at <= now).take(10);
        let mut batch = Vec::new();
        for (_, id) in ready {
            let message = self.find(&id).unwrap();
            if let Stage::Deletable(_, tries) = message.stage {
                message.stage = Stage::Deleting(tries + 1);
            }
            batch.push((id, message.handle.clone()));
        }
        batch
    }

    fn deleted(&mut self, id: &str, result: &Result<(), Refusal>, now: Instant) -> bool {
        let Some(message) = self.find(id) else { return false };
        let Stage::Deleting(tries) = message.stage else { return false };
        match result {
            Err(Refusal::Again(_)) if tries < 8 => {
                message.stage = Stage::Deletable(now + Duration::from_millis(100 << tries), tries);
            }
            _ => self.forget(id),
        }
        result.is_ok()
    }

    fn wake_at(&self) -> Option<Instant> {
        self.0.iter().map(|message| message.extend_at).chain(self.delete_at()).min()
    }
}

#[derive(Debug, Clone)]
enum Step {
    Admit(u8),
    Landed(u8),
    Forget(u8),
    Extend,
    Delete {
        all: bool,
    },
    /// The answer to one of the calls under way: which call, and for each message how it went.
    ExtendAnswer(usize, Vec<u8>),
    DeleteAnswer(usize, Vec<u8>),
    Wait(u64),
    Sleep,
}

fn step() -> impl Strategy<Value = Step> {
    let answers = || (any::<usize>(), prop::collection::vec(0u8..6, BATCH));
    prop_oneof![
        6 => (0u8..30).prop_map(Step::Admit),
        6 => (0u8..30).prop_map(Step::Landed),
        1 => (0u8..30).prop_map(Step::Forget),
        3 => Just(Step::Extend),
        4 => any::<bool>().prop_map(|all| Step::Delete { all }),
        3 => answers().prop_map(|(call, how)| Step::ExtendAnswer(call, how)),
        4 => answers().prop_map(|(call, how)| Step::DeleteAnswer(call, how)),
        3 => prop_oneof![0u64..50, 0u64..30_000].prop_map(Step::Wait),
        3 => Just(Step::Sleep),
    ]
}

fn result(how: u8) -> Result<(), Refusal> {
    match how {
        0 => GONE,
        1 | 2 => again(),
        _ => Ok(()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Answers come late, out of order or never, messages come back at any time: the tracker does as the oracle says.
    #[test]
    fn the_tracker_agrees_with_a_plain_list(steps in prop::collection::vec(step(), 1..300)) {
        let mut fixture = Fixture::new();
        let mut oracle = Oracle::default();
        let (mut extensions, mut deletes) = (Vec::new(), Vec::new());
        for (number, step) in steps.into_iter().enumerate() {
            let now = fixture.now;
            match step {
                Step::Admit(id) => {
                    let (id, handle) = (id.to_string(), number.to_string());
                    prop_assert_eq!(fixture.admit(&id, &handle), oracle.admit(&id, Handle(handle.clone()), now));
                }
                Step::Landed(id) => {
                    fixture.tracker.landed(&id.to_string(), now);
                    oracle.landed(&id.to_string(), now);
                }
                Step::Forget(id) => {
                    fixture.tracker.forget(&id.to_string());
                    oracle.forget(&id.to_string());
                }
                Step::Extend => {
                    let batch = fixture.tracker.next_extension(now);
                    prop_assert_eq!(&batch, &oracle.extend(now));
                    extensions.push((ids(batch), now));
                }
                Step::Delete { all } => {
                    let batch = fixture.tracker.next_delete(now, all);
                    prop_assert_eq!(&batch, &oracle.delete(now, all));
                    deletes.push(ids(batch));
                }
                Step::ExtendAnswer(call, how) if !extensions.is_empty() => {
                    let (ids, sent) = extensions.swap_remove(call % extensions.len());
                    for (id, how) in ids.iter().zip(how) {
                        fixture.tracker.extended(id, &result(how), sent);
                        oracle.extended(id, &result(how), sent);
                    }
                }
                Step::DeleteAnswer(call, how) if !deletes.is_empty() => {
                    let ids = deletes.swap_remove(call % deletes.len());
                    for (id, how) in ids.iter().zip(how) {
                        let result = result(how);
                        prop_assert_eq!(fixture.tracker.deleted(id, &result, now), oracle.deleted(id, &result, now));
                    }
                }
                Step::ExtendAnswer(..) | Step::DeleteAnswer(..) => {}
                Step::Wait(ms) => fixture.now += Duration::from_millis(ms),
                Step::Sleep => fixture.now = fixture.tracker.wake_at().unwrap_or(now).max(now),
            }
            fixture.check();
            prop_assert_eq!(fixture.tracker.len(), oracle.0.len());
            prop_assert_eq!(fixture.tracker.wake_at(), oracle.wake_at());
        }
        prop_assert_eq!(fixture.tracker.give_up().len(), oracle.0.len());
        fixture.check();
    }
}
