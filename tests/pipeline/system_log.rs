//! Stream, poll and backfill together: what the one does not bring the others do, each event comes out once, and the ledger
//! says so.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::{Bench, LOGS, Logged, NO_LIMITS, Org, Running, Worker, broker, stack, stream_alone, until};

const MINUTE_MS: i64 = 60_000;

/// All of the past that the org has, and what it has logged up to an hour ago.
const SINCE: [&str; 4] = ["--since", "6d", "--parallel", "1"];

/// An org whose log goes back five days, and whose stream sends some events twice and some late.
fn org(bus: &str, queue: &str) -> Org {
    let past = ["--history-days", "5", "--history-per-day", "400", "--limits", NO_LIMITS, "--latency-ms", "200"];
    let day = ["--events", "900", "--events-per-second", "20", "--seed", "11"];
    let stream = ["--event-bus", bus, "--queue-url", queue, "--duplicates", "0.1", "--late", "0.05", "--poison", "0"];
    Org::start(&[past.as_slice(), &day, &stream].concat())
}

fn minute_of(ms: i64) -> i64 {
    ms.div_euclid(MINUTE_MS) * MINUTE_MS
}

/// Something happens, and the stream brings the most of it, or what had happened before.
fn until_more_is_streamed(org: &Org) {
    let before = org.state()["streamed"].as_u64().unwrap();
    org.emit("user.session.start", 200);
    until("the stream goes on", || (org.state()["streamed"].as_u64()? > before + 100).then_some(()));
}

/// Kills the worker as a machine does that loses its power, and starts it again.
fn replace(bench: &Bench, worker: &mut Worker) {
    worker.kill();
    *worker = bench.worker("worker");
}

/// Loses the stream's events, its whole stream, and the processes that read what is left, while the org's day goes on; gives
/// how the backfill ended.
fn have_a_bad_day(org: &Org, bench: &Bench, worker: &mut Worker) -> Value {
    org.lose(0.05);
    until_more_is_streamed(org);
    replace(bench, worker);
    until_more_is_streamed(org);

    // Minutes later Okta gives the stream up. What it had lost before is of the same gap.
    org.advance(120);
    org.switch_stream(false);
    worker.until_logged("a super admin must activate it");
    org.emit("user.session.start", 100);
    worker.kill();
    org.emit("user.session.start", 100);
    // What is older than an hour is the backfill's as well. It is killed, too, and called again.
    org.advance(3_700);
    let died = bench.backfill(&SINCE, Some("backfill_page_landed:3")).end();
    assert_eq!(died.status, None, "{}", died.said);
    let calls = org.answered(LOGS, 200);
    let mut backfill: Running = bench.backfill(&SINCE, None);
    *worker = bench.worker("worker");
    org.emit("user.session.start", 100);
    // More than the worker's calls alone.
    org.until_answered(LOGS, calls + 10);
    worker.kill();
    assert!(backfill.is_running(), "the worker is killed in the middle of a backfill");
    *worker = bench.worker("worker");
    let ended = backfill.end();
    assert_eq!(ended.status, Some(0), "{}", ended.said);

    org.switch_stream(true);
    org.emit("zone.update", 100);
    until("the day is over", || (org.state()["phase"] == "done").then_some(()));
    org.lose(0.0);
    ended.org("acme").clone()
}

/// Minutes pass in which the stream brings everything, until that is noticed.
fn until_healed(org: &Org, worker: &Worker) {
    until("the gap is closed", || {
        org.emit("zone.update", 2);
        org.advance(61);
        org.until_answered(LOGS, org.answered(LOGS, 200) + 2);
        worker.log().contains("the log stream brings everything again").then_some(())
    });
    until("all is streamed", || (org.state()["phase"] == "done").then_some(()));
}

/// What there is to compare with: the org's own account.
struct Truth {
    /// Of the past and of the day.
    events: Vec<Logged>,
    /// When the first event of the day happened.
    begun: i64,
}

impl Truth {
    fn of(org: &Org) -> Self {
        let logged = org.log();
        let past = org.history().into_iter();
        let past = past.map(|(uuid, _, published)| Logged { uuid, published, streamed: false });
        let begun = logged.iter().map(|event| event.published).min().unwrap();
        Self { events: past.chain(logged).collect(), begun }
    }

    fn count(&self, is: impl Fn(&Logged) -> bool) -> u64 {
        self.events.iter().filter(|event| is(event)).count() as u64
    }

    /// When the events of the day happened that the stream did not bring.
    fn lost(&self) -> Vec<i64> {
        let lost = self.events.iter().filter(|event| event.published >= self.begun && !event.streamed);
        lost.map(|event| event.published).collect()
    }

    /// The minute behind the last event.
    fn end(&self) -> i64 {
        minute_of(self.events.iter().map(|event| event.published).max().unwrap()) + MINUTE_MS
    }
}

/// Asserts that a backfill says what there was for it, and that this overlaps the day.
fn assert_backfilled(backfilled: &Value, truth: &Truth) -> (i64, i64) {
    let span = (backfilled["since"].as_i64().unwrap(), backfilled["until"].as_i64().unwrap());
    let within = truth.count(|event| (span.0..span.1).contains(&event.published));
    let slices = &backfilled["slices"];
    let told = ["outcome", "events", "read", "same", "refused"].map(|name| &backfilled[name]);
    assert_eq!(told, [&json!("read"), &json!(within), slices, slices, &json!(0)], "{backfilled:#}");
    let overlap = truth.count(|event| (truth.begun..span.1).contains(&event.published));
    assert!(overlap > 500, "the backfill overlaps {overlap} events of the day");
    span
}

/// Asserts that the ledger has what the org says, minute by minute, and each minute as complete.
fn assert_ledger(bench: &Bench, org: &Org, truth: &Truth, (since, read_to): (i64, i64)) {
    let (begin, end) = (minute_of(since) + MINUTE_MS, truth.end());
    let [from, until] = [begin, end].map(|ms| Timestamp::from_millisecond(ms).unwrap().to_string());
    let ledger = bench.status("worker", &["--ledger", "--since", &from, "--until", &until]);
    let minutes = ledger["minutes"].as_array().unwrap();
    assert_eq!(minutes.len() as i64, (end - begin) / MINUTE_MS);
    let mut by_minute: BTreeMap<i64, Vec<&Logged>> = BTreeMap::new();
    truth.events.iter().for_each(|event| by_minute.entry(minute_of(event.published)).or_default().push(event));
    for (minute, at) in minutes.iter().zip((begin..).step_by(MINUTE_MS as usize)) {
        let of_minute = by_minute.get(&at).map_or(&[][..], Vec::as_slice);
        let events = of_minute.len();
        let streamed = of_minute.iter().filter(|event| event.streamed).count();
        let read = of_minute.iter().filter(|event| event.published < read_to).count();
        // What happened shortly before the first poll is in its window, too.
        let polled = if at >= minute_of(truth.begun) { json!(events) } else { minute["poll"].clone() };
        let expected = json!({
            "at": at, "events": events, "stream": streamed, "poll": polled, "history": read, "complete": true,
        });
        assert_eq!(*minute, expected);
    }
    let sum = |way: &str| minutes.iter().map(|minute| minute[way].as_u64().unwrap()).sum::<u64>();
    let day = org.state();
    let (logged, streamed) = (day["logged"].as_u64().unwrap(), day["streamed"].as_u64().unwrap());
    assert_eq!(sum("events"), truth.events.len() as u64);
    assert_eq!((sum("stream"), sum("stream") + truth.lost().len() as u64), (streamed, logged), "{day}");
    assert_eq!(sum("history"), truth.count(|event| event.published < read_to));
    assert!(sum("poll") >= logged, "{} by the poll of {logged}", sum("poll"));
    assert!(day["duplicates"].as_u64().unwrap() > 20 && day["late"].as_u64().unwrap() > 10, "{day}");
}

/// Asserts that there was one gap, from the first event that the stream did not bring to the last one, that it is told with
/// all of them, and that it was told once that the stream was off.
fn assert_one_gap(bench: &Bench, lost: &[i64]) {
    assert!(lost.len() > 300, "the stream lost {} events", lost.len());
    let (from, until) = (minute_of(*lost.iter().min().unwrap()), minute_of(*lost.iter().max().unwrap()) + MINUTE_MS);
    let standing = &bench.status("worker", &[])["log"];
    assert_eq!(standing["gaps"], json!([[from, until, lost.len()]]));
    assert_eq!((&standing["alarm"], &standing["lost"]), (&Value::Null, &json!([])));
    let notices = bench.tail(&["application_error"]).into_iter().map(|record| record["value"].clone());
    let notices: Vec<Value> = notices.collect();
    let of = |code: &str| notices.iter().filter(|notice| notice["status_code"] == code).collect::<Vec<_>>();
    assert_eq!(of("log_stream_deactivated").len(), 1, "{notices:#?}");
    let [healed] = of("log_stream_healed")[..] else { panic!("not one healed gap: {notices:#?}") };
    let told = ["start_time", "end_time", "count"].map(|name| &healed[name]);
    assert_eq!(told, [&json!(from), &json!(until), &json!(lost.len())]);
}

#[test]
fn a_lossy_cut_stream_a_poll_and_a_backfill_give_each_event_once_over_kills_of_all_and_the_ledger_proves_it() {
    let _broker = broker();
    let _stream = stream_alone();
    let (queue, bus) = (stack("STACK_QUEUE_URL"), stack("STACK_EVENT_BUS"));
    let org = org(&bus, &queue);
    let log = "[org.snapshot]\ninterval_hours = 0\n[org.log]\nevery_seconds = 1\nstream_grace_seconds = 30";
    let bench = Bench::new("log").on_queue(queue).reads(&org, log);
    let mut worker = bench.worker("worker");
    until("a first place is noted", || bench.status("worker", &[])["log"]["read_to"].as_i64());
    // The stream is watched from the next minute on. What waits for its turn until then must not be lost unwatched.
    let watched = org.now_ms();
    org.advance(65);
    until("what nobody watches is streamed", || {
        org.log().iter().all(|event| event.streamed || event.published > watched).then_some(())
    });

    let backfilled = have_a_bad_day(&org, &bench, &mut worker);
    until_healed(&org, &worker);
    let truth = Truth::of(&org);
    bench.assert_published_once(&truth.events.iter().map(|event| event.uuid.clone()).collect());
    let span = assert_backfilled(&backfilled, &truth);

    // All of the time is proven once the poll has passed it by ten minutes.
    org.advance(1_200);
    until("the last minute is complete", || {
        let read_to = bench.status("worker", &[])["log"]["read_to"].as_i64()?;
        (read_to >= truth.end() + 10 * MINUTE_MS).then_some(())
    });
    assert_ledger(&bench, &org, &truth, span);
    assert_one_gap(&bench, &truth.lost());
    assert!(bench.tail(&["quarantine"]).is_empty());
    assert_eq!(worker.stop(), 0);
}
