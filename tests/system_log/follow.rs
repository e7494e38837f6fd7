//! A log that grows, and is followed.

use okta_ocsf::landing::{Content, LandingRecord, Origin};

use crate::bench::{Bench, LOGS, org};
use crate::support::until;

const MINUTE: i64 = 60_000;

#[test]
fn all_that_is_logged_is_published_once_and_the_minutes_are_complete_after_the_margin() {
    let org = org(&[]);
    let bench = Bench::new(&org);
    // Events of the minutes before the first poll are within its window.
    org.emit("user.session.start", 5);
    let mut worker = bench.run();
    bench.until_all_published(&org);
    // More than one page of a thousand, and more than two.
    org.emit("user.session.start", 2_500);
    bench.until_all_published(&org);
    org.emit("zone.update", 3);
    bench.until_all_published(&org);
    let calls = org.answered(LOGS, 200);
    org.advance(900);
    until("the poll has looked after the leap", || {
        (worker.metric("okta_ocsf_log_read_to_timestamp_seconds", "acme") > 0.0 && org.answered(LOGS, 200) >= calls + 2)
            .then_some(())
    });
    assert_eq!(worker.stop(), 0);
    let standing = bench.standing();
    let read_to = standing.read_to.unwrap();
    let minutes = bench.ledger(read_to - 30 * MINUTE, read_to);
    let counted: u64 = minutes.iter().map(|minute| minute.counts.all).sum();
    assert_eq!(counted, 2_508);
    assert!(minutes.iter().all(|minute| minute.counts.poll == minute.counts.all && minute.counts.stream == 0));
    let filled: Vec<_> = minutes.iter().filter(|minute| minute.counts.all > 0).collect();
    assert!(filled.iter().all(|minute| minute.complete), "{filled:?}");
    assert!(minutes.last().is_some_and(|minute| !minute.complete), "the last minutes have not settled");
    let records = bench.landed();
    let is_event = |record: &LandingRecord| matches!(record.content, Content::Event { .. });
    // What an event has fetched of the inventory may be among them, too.
    let strange: Vec<_> = records.iter().filter(|record| is_event(record) && record.origin != Origin::Poll).collect();
    assert!(strange.is_empty(), "nobody else reads the log: {strange:?}");
    let cursor = records.iter().rposition(|record| matches!(record.content, Content::Cursor { .. }));
    let event = records.iter().rposition(is_event);
    assert!(cursor > event, "the place comes behind the events");
}

#[test]
fn a_poll_without_news_is_one_call_and_a_full_page_is_followed_at_once() {
    let org = org(&[]);
    let bench = Bench::with(&org, "every_seconds = 3600");
    org.emit("user.session.start", 2_500);
    let mut worker = bench.run();
    bench.until_all_published(&org);
    // The time is asked for, and then three pages, of which the last one is not full.
    assert_eq!(org.answered(LOGS, 200), 4);
    assert_eq!(worker.stop(), 0);
    let ends: Vec<_> = bench.cursors().iter().map(|cursor| cursor["end"].as_bool().unwrap()).collect();
    assert_eq!(ends, [false, false, true]);
    // Again, from the place: the time, and one page that is empty.
    let mut worker = bench.run();
    until("it has polled", || (org.answered(LOGS, 200) >= 6).then_some(()));
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(org.answered(LOGS, 200), 6);
    assert_eq!(worker.stop(), 0);
    bench.until_all_published(&org);
}

#[test]
fn an_org_that_is_not_to_be_polled_is_not() {
    let (off, polled) = (org(&[]), org(&[]));
    let bench = Bench::with(&off, "mode = \"off\"").beside("globex", &polled);
    off.emit("user.session.start", 5);
    polled.emit("user.session.start", 5);
    let mut worker = bench.run();
    bench.until_all_published(&polled);
    polled.until_answered(LOGS, 4);
    assert_eq!(off.answered(LOGS, 0), 0);
    assert_eq!(worker.stop(), 0);
}

#[test]
fn what_okta_persists_late_is_read_and_counted_in_its_own_minute() {
    let org = org(&[]);
    let bench = Bench::new(&org);
    org.emit("user.session.start", 3);
    let mut worker = bench.run();
    bench.until_all_published(&org);
    // Two hours behind the place of the poll, by its time of publication.
    org.emit_late("user.session.start", 7_200);
    org.emit("user.session.start", 3);
    bench.until_all_published(&org);
    assert_eq!(worker.stop(), 0);
    let read_to = bench.standing().read_to.unwrap();
    let minutes = bench.ledger(read_to - 3 * 3_600_000, read_to - 3_600_000);
    let late: Vec<_> = minutes.iter().filter(|minute| minute.counts.all > 0).collect();
    assert!(matches!(late[..], [minute] if minute.counts.poll == 1), "{late:?}");
}
