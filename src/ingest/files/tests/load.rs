use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::super::{Counts, Elements, LoadError, Loader, Place};
use crate::ack::Ack;
use crate::config::{OrgConfig, QueueConfig};
use crate::ingest::QueueOrgs;
use crate::landing::local::LocalLanding;
use crate::landing::{Content, LandingLog, LandingPartition, LandingRecord, Origin, Refused};
use crate::publish::{Limit, LinesSink, Target, Topics};

const LONGEST: usize = 4_096;

struct Bench {
    folder: tempfile::TempDir,
    landing: Arc<LocalLanding>,
    loader: Loader,
}

fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let landing = Arc::new(LocalLanding::open(&folder.path().join("landing.redb"), Duration::MAX).unwrap());
    let sink = LinesSink::open(Target::Directory(folder.path().into()), Topics::new("p", "q")).unwrap();
    let source = Some("aws.partner/okta.com/acme/logs".to_owned());
    let org = OrgConfig { id: "acme".into(), event_source: source, ..OrgConfig::default() };
    let limits = QueueConfig { orgs: vec!["acme".into()], max_body_bytes: LONGEST, ..QueueConfig::default() };
    let loader = Loader {
        landing: landing.clone(),
        sink: Arc::new(sink),
        orgs: QueueOrgs::new(&limits, &[org]),
        limit: Limit::new(50, 90),
        watch: Arc::default(),
        stop: CancellationToken::new(),
    };
    Bench { folder, landing, loader }
}

impl Bench {
    fn landed(&self) -> Vec<u128> {
        let mut partition = self.landing.partition(0);
        let records = std::iter::from_fn(|| partition.next(Duration::ZERO).unwrap());
        let records = records.map(|landed| landed.content.unwrap());
        records
            .map(|record| {
                assert_eq!((record.org.as_str(), record.origin), ("acme", Origin::Backfill));
                let Content::Event { uuid, .. } = record.content else { panic!("no event: {record:?}") };
                uuid.as_u128()
            })
            .collect()
    }

    fn quarantined(&self) -> Vec<Value> {
        lines(&self.folder.path().join("q.ndjson"))
    }

    fn load(&self, input: impl Read, from: Place) -> (Result<(), LoadError>, Place, Counts) {
        let mut elements = Elements::new(input, from, LONGEST);
        let (mut place, mut counts) = (from, Counts::default());
        let ended = self.loader.load("log.json", &mut elements, &mut |noted, more| {
            assert!(noted.offset >= place.offset, "places are noted in order");
            place = noted;
            counts.add(more);
        });
        (ended, place, counts)
    }
}

fn lines(path: &Path) -> Vec<Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn event(number: u128) -> String {
    format!(r#"{{"uuid":"{}","published":"2026-05-04T10:20:30Z"}}"#, Uuid::from_u128(number))
}

#[test]
fn good_elements_land_and_bad_ones_are_quarantined_with_their_place() {
    let bench = bench();
    let enveloped = format!(r#"{{"source":"aws.partner/okta.com/acme/logs","detail":{}}}"#, event(3));
    let foreign = format!(r#"{{"source":"aws.partner/okta.com/evil/logs","detail":{}}}"#, event(4));
    let long = format!(r#"{{"uuid":"{}"}}"#, "x".repeat(10_000));
    let text =
        format!("[{},\n{},\n{enveloped},{foreign},\n{long}]\nnot json\n{}\n", event(1), r#"{"uuid":"u"}"#, event(2));
    let (ended, place, counts) = bench.load(text.as_bytes(), Place::default());
    ended.unwrap();
    assert_eq!((place.offset, counts.elements, counts.landed, counts.bad()), (text.len() as u64, 7, 3, 4));
    assert_eq!(bench.landed(), [1, 3, 2]);
    let told: Vec<(String, String)> = bench
        .quarantined()
        .iter()
        .map(|row| (row["reason"].as_str().unwrap().into(), row["source"].as_str().unwrap().into()))
        .collect();
    let expected = [
        ("missing_published", "file:log.json:2:2"),
        ("foreign_source", "file:log.json:3:4"),
        ("too_large", "file:log.json:4:5"),
        ("not_json", "file:log.json:5:6"),
    ];
    assert_eq!(told, expected.map(|(reason, source)| (reason.to_owned(), source.to_owned())));
    assert_eq!(bench.quarantined()[2]["raw"].as_str().unwrap().len(), LONGEST);
}

/// Ends the loading when so many bytes were read of it.
struct Interrupted<'t> {
    text: &'t [u8],
    left: usize,
    stop: CancellationToken,
}

impl Read for Interrupted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(1_000);
        let read = self.text.read(&mut buffer[..most])?;
        self.left = self.left.saturating_sub(read);
        if self.left == 0 {
            self.stop.cancel();
        }
        Ok(read)
    }
}

#[test]
fn an_interrupted_loading_goes_on_where_it_was_and_loses_nothing() {
    let count = 9_000;
    let text = (1..=count).map(|number| event(number) + "\n").collect::<String>();
    for left in [1, 150_000, 400_000, 700_000] {
        let mut bench = bench();
        let stop = bench.loader.stop.clone();
        let (ended, place, counts) = bench.load(Interrupted { text: text.as_bytes(), left, stop }, Place::default());
        assert!(matches!(ended, Err(LoadError::Stopped)), "{ended:?}");
        assert!(place.offset < text.len() as u64 && counts.elements == place.elements);
        let landed: std::collections::HashSet<u128> = bench.landed().into_iter().collect();
        assert!((1..=u128::from(place.elements)).all(|number| landed.contains(&number)), "noted means landed");

        bench.loader.stop = CancellationToken::new();
        let (ended, end, rest) = bench.load(&text.as_bytes()[place.offset as usize..], place);
        ended.unwrap();
        assert_eq!((u128::from(counts.landed + rest.landed), u128::from(end.elements)), (count, count));
        let landed: std::collections::HashSet<u128> = bench.landed().into_iter().collect();
        assert_eq!(landed.len() as u128, count);
    }
}

/// Takes so many records, and then is asked to stop while it takes no more.
struct Full {
    landing: Arc<LocalLanding>,
    takes: AtomicUsize,
    stop: CancellationToken,
}

impl LandingLog for Full {
    fn append(&self, record: LandingRecord, ack: Ack) -> Result<(), Box<Refused>> {
        let left = self.takes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if left.is_ok() {
            return self.landing.append(record, ack);
        }
        self.stop.cancel();
        Err(Box::new(Refused(record, ack)))
    }

    fn max_value_bytes(&self) -> usize {
        self.landing.max_value_bytes()
    }
}

#[test]
fn a_stop_while_the_log_is_full_is_no_failure_and_what_was_taken_counts() {
    let mut bench = bench();
    let (takes, stop) = (AtomicUsize::new(10), bench.loader.stop.clone());
    bench.loader.landing = Arc::new(Full { landing: bench.landing.clone(), takes, stop });
    let text = (1..=20).map(|number| event(number) + "\n").collect::<String>();
    let (ended, place, counts) = bench.load(text.as_bytes(), Place::default());
    assert!(matches!(ended, Err(LoadError::Stopped)), "{ended:?}");
    assert_eq!((place.elements, counts.elements, counts.landed), (10, 10, 10));
    assert_eq!(bench.landed(), (1..=10).collect::<Vec<_>>());
}

#[test]
fn what_came_before_damage_counts() {
    struct Damaged<'t>(&'t [u8]);
    impl Read for Damaged<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
                read => Ok(read),
            }
        }
    }
    let bench = bench();
    let text = format!("{}\n{}\n{{\"uuid\":\"", event(1), event(2));
    let (ended, place, counts) = bench.load(Damaged(text.as_bytes()), Place::default());
    assert!(matches!(ended, Err(LoadError::Input(_))));
    assert_eq!((place.elements, counts.landed), (2, 2));
    assert_eq!(bench.landed(), [1, 2]);
}

#[test]
fn a_file_of_something_else_does_not_fill_the_quarantine() {
    let bench = bench();
    let text = "some log line of another program\n".repeat(10_000);
    let (ended, _, _) = bench.load(text.as_bytes(), Place::default());
    assert!(matches!(ended, Err(LoadError::TooMuchIsBad(_))), "{ended:?}");
    assert!(bench.quarantined().len() <= 50);
}
