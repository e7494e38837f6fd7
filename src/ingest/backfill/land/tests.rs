use std::collections::VecDeque;
use std::sync::Mutex;

use tokio::time::Instant;

use super::super::plan::Page;
use super::*;
use crate::error::ExitStatus;
use crate::merge::system_log::marks::LogMark;
use crate::okta::api::Request;
use crate::okta::api::tests::org::{Org, reply};

const PAGE: &str = r#"[
    {"uuid":"dc9fd3c0-598c-11ef-8478-2b7584bf8d5a","published":"2024-08-13T15:58:20.353Z"},
    {"uuid":"dc9fd3c0-598c-11ef-8478-2b7584bf8d5b","published":"2024-08-13T15:58:21.353Z"},
    {"uuid":"dc9fd3c0-598c-11ef-8478-2b7584bf8d5c"}
]"#;

/// What the log does with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Takes,
    Fails,
    Full,
    Impossible,
    SaysNothing,
}

/// A log and a quarantine of one process, in one mood after another.
#[derive(Default)]
struct Moody {
    moods: Mutex<VecDeque<Mood>>,
    landed: Mutex<Vec<LandingRecord>>,
    quarantined: Mutex<Vec<Rejected>>,
    unanswered: Mutex<Vec<Ack>>,
}

impl LandingLog for Moody {
    fn append(&self, record: LandingRecord, ack: Ack) -> Result<(), Box<Refused>> {
        match self.moods.lock().unwrap().pop_front().unwrap_or(Mood::Takes) {
            Mood::Full => return Err(Box::new(Refused(record, ack))),
            Mood::Fails => ack.redeem(Err(NotDelivered::Failed("all brokers are down".into()))),
            Mood::Impossible => {
                let what = "the disk is full".to_owned();
                ack.redeem(Err(NotDelivered::Impossible { what, status: ExitStatus::Io }));
            }
            Mood::SaysNothing => self.unanswered.lock().unwrap().push(ack),
            Mood::Takes => {
                self.landed.lock().unwrap().push(record);
                ack.redeem(Ok(()));
            }
        }
        Ok(())
    }

    fn max_value_bytes(&self) -> usize {
        1_000
    }
}

impl Sink for Moody {
    fn publish(&self, _: &OutputRecord, _: Ack) -> Result<(), Busy> {
        unreachable!("nothing is published here")
    }

    fn quarantine(&self, rejected: &Rejected, _: Option<SourceId>, ack: Ack) -> Result<(), Busy> {
        self.quarantined.lock().unwrap().push(rejected.clone());
        ack.redeem(Ok(()));
        Ok(())
    }

    fn seal(&self, _: i32) -> Result<Vec<u8>, PublishError> {
        unreachable!("nothing is published here")
    }

    fn recover(&self, _: i32, _: u64, _: &[u8], _: &dyn Fn() -> bool) -> Result<Found, PublishError> {
        unreachable!("nothing is published here")
    }
}

/// A page, and a lander into a log of these moods. The clock stands still from here on but for what is waited for.
async fn lander(moods: impl IntoIterator<Item = Mood>) -> (Arc<Moody>, Lander, Events) {
    let org = Org::start(|_| reply(200, &[], PAGE)).await;
    let answer = org.client().get(&Request::list("/api/v1/logs"), &()).await.unwrap();
    tokio::time::pause();
    let log = Arc::new(Moody { moods: Mutex::new(moods.into_iter().collect()), ..Moody::default() });
    let ends = Ends { landing: log.clone(), sink: log.clone() };
    let (progress, stop) = (Arc::default(), CancellationToken::new());
    let lander = Lander { org: OrgId::new("acme"), ends, progress, stop };
    let page = Events::new(answer, lander.most_bytes());
    (log, lander, page)
}

#[tokio::test]
async fn events_land_as_they_came_and_what_is_none_is_in_quarantine() {
    let (log, lander, page) = lander([]).await;
    assert_eq!(page.fine().iter().map(|(_, at)| *at).collect::<Vec<_>>(), [1_723_564_700_353, 1_723_564_701_353]);
    lander.events(&page).await.unwrap();
    let landed = log.landed.lock().unwrap();
    assert!(landed.iter().all(|record| record.origin == Origin::Backfill && record.org.as_str() == "acme"));
    let first = r#"{"uuid":"dc9fd3c0-598c-11ef-8478-2b7584bf8d5a","published":"2024-08-13T15:58:20.353Z"}"#;
    assert_eq!((landed.len(), landed[0].value.as_slice()), (2, first.as_bytes()));
    let quarantined = log.quarantined.lock().unwrap();
    let [rejected] = quarantined.as_slice() else { panic!("{quarantined:?}") };
    assert_eq!((rejected.reason, rejected.source.as_str()), ("missing_published", "backfill:req-1"));
    assert_eq!(rejected.bytes, br#"{"uuid":"dc9fd3c0-598c-11ef-8478-2b7584bf8d5c"}"#);
}

#[tokio::test]
async fn what_the_log_could_not_hold_is_in_quarantine_too() {
    let (log, lander, page) = lander([]).await;
    let small = Events::new(page.answer, 60);
    lander.events(&small).await.unwrap();
    assert!(log.landed.lock().unwrap().is_empty());
    let reasons: Vec<_> = log.quarantined.lock().unwrap().iter().map(|rejected| rejected.reason).collect();
    assert_eq!(reasons, ["too_large", "too_large", "missing_published"]);
}

#[tokio::test]
async fn a_log_that_is_away_for_an_hour_is_waited_for_with_the_page_in_hand() {
    // Each try of the page fails with its first record; the second one of it is taken.
    let away = std::iter::repeat_n([Mood::Fails, Mood::Takes], 125).flatten();
    let (log, lander, page) = lander(away).await;
    let begun = Instant::now();
    lander.events(&page).await.unwrap();
    let waited = begun.elapsed();
    assert!(waited > Duration::from_secs(3_600) && waited < Duration::from_secs(4_000), "{waited:?}");
    let landed = log.landed.lock().unwrap();
    let uuids: std::collections::BTreeSet<_> = landed.iter().map(|record| record.value.clone()).collect();
    assert_eq!((uuids.len(), landed.len()), (2, 125 + 2), "all of it, and doubles that the fold drops");
}

#[tokio::test]
async fn a_full_buffer_is_offered_the_same_again() {
    let (log, lander, page) = lander([Mood::Full, Mood::Full, Mood::Takes, Mood::Full]).await;
    lander.events(&page).await.unwrap();
    assert_eq!(log.landed.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn what_only_a_person_can_mend_ends_it_with_its_status() {
    let (_log, lander, page) = lander([Mood::Takes, Mood::Impossible]).await;
    match lander.events(&page).await {
        Err(Trouble::Fatal(fatal)) => assert_eq!(fatal.status(), ExitStatus::Io),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_stop_waits_for_the_page_and_not_for_ever() {
    let (_log, lander, page) = lander([Mood::SaysNothing]).await;
    lander.stop.cancel();
    let begun = Instant::now();
    assert!(matches!(lander.events(&page).await, Err(Trouble::Stopped)));
    assert!((STOP_PATIENCE..STOP_PATIENCE * 2).contains(&begun.elapsed()));
    // One that lands in time has landed. The org of the second one answers in real time.
    tokio::time::resume();
    let (log, lander, page) = self::lander([]).await;
    lander.stop.cancel();
    lander.events(&page).await.unwrap();
    assert_eq!(log.landed.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_slice_s_mark_says_what_it_holds() {
    let (log, lander, page) = lander([Mood::Fails]).await;
    let mut slice = Slice::new(1_723_564_700_000, 1_723_564_701_000);
    let events = page.fine();
    slice.take(&Page { asked_from: Some(slice.since), events: &events, bytes: 1, next: None });
    lander.mark(&slice).await.unwrap();
    let landed = log.landed.lock().unwrap();
    assert!(matches!(&landed[0].content, Content::Mark { name } if name == "log_slice"));
    let value: serde_json::Value = serde_json::from_slice(&landed[0].value).unwrap();
    assert_eq!((&value["since"], &value["until"]), (&json!(slice.since), &json!(slice.until)));
    assert_eq!((&value["events"], &value["uuids_hash"]), (&json!(1), &json!(slice.tally.hash())));
    let Ok(Some(LogMark::Slice(read))) = LogMark::read("log_slice", &landed[0].value) else { panic!("{value}") };
    assert_eq!((read.since, read.until, read.events), (slice.since, slice.until, 1), "as the fold reads it");
}
