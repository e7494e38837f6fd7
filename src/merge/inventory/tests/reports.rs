//! What is published: of what changes, of what is gone, and of all that is there once a snapshot has ended.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::merge::inventory::reports::{
    DriftCounts, Facts, Occasion, Phase, Scan, TICK, Thing, alerts, drifts, pending, scan,
};
use crate::merge::inventory::rereads::{self, LOG_REREAD, LogReread};
use crate::merge::inventory::{Staleness, freshness};

const GROUP: &str = "group.core";
const MEMBERS: &str = "group.members";

impl World {
    /// What was reported since this was asked last.
    fn news(&mut self) -> Vec<Report> {
        std::mem::take(&mut self.reports)
    }

    /// What was reported since, as words.
    fn told(&mut self) -> Vec<String> {
        self.news().iter().map(word).collect()
    }

    fn tick(&mut self) {
        let record = self.record(Origin::Snapshot, landing::Content::Mark { name: TICK.into() }, b"null".to_vec());
        self.take(&record, false);
    }

    fn list(&mut self, facet: &str, key: &str, ids: &[String], at: i64) {
        let list = serde_json::to_string(ids).unwrap();
        self.asked(facet, key, &list, at);
    }

    /// A snapshot of users, from its beginning to the end of its reading.
    fn snapshot(&mut self, epoch: i64, requests: &[&str], whole: bool) {
        self.mark(&Mark::Begun(Begun {
            epoch,
            requests: requests.iter().map(|one| (*one).to_owned()).collect(),
            whole,
            engine: "identity".into(),
            collections: vec!["users".into(), "zones".into()],
            rosters: Vec::new(),
        }));
    }

    fn scan(&self) -> Scan {
        scan(&self.store, &self.org).unwrap().unwrap()
    }
}

fn word(report: &Report) -> String {
    match report {
        Report::Thing(thing) => {
            let why = match &thing.occasion {
                Occasion::Changed(reasons) => {
                    let facets = reasons.iter().map(|reason| format!("{}:{}", reason.slot.facet(), reason.slot.key));
                    facets.collect::<Vec<_>>().join("+")
                }
                Occasion::Collected(_) => "collected".to_owned(),
            };
            format!("{} {} by {why}", thing.slot.collection.name, thing.slot.key)
        }
        Report::Gone(gone) => format!("{} {} gone", gone.slot.collection.name, gone.slot.key),
        Report::Scan(report) => match &report.scan.phase {
            Phase::Reading => "started".to_owned(),
            Phase::Completed => "completed".to_owned(),
            Phase::Cancelled(why) => format!("cancelled: {why}"),
            Phase::Telling { .. } => unreachable!("it is never told"),
        },
        Report::Drift(drift) => format!("drift {:?} {}", drift.kind, drift.slot.key),
        Report::Alert(alerted) => format!("alert {} {}", alerted.word(), alerted.about().0.facet()),
    }
}

fn thing(report: &Report) -> &Thing {
    match report {
        Report::Thing(thing) => thing,
        other => panic!("no thing: {other:?}"),
    }
}

fn id(number: usize) -> String {
    format!("00u{number:04}")
}

#[test]
fn a_change_of_any_facet_tells_the_user_with_all_that_is_known() {
    let mut world = World::new();
    world.asked(USER, "00u1", &object("a", s(1)), s(10));
    assert_eq!(world.told(), ["users 00u1 by user.core:00u1"]);
    world.asked(FACTORS, "00u1", r#"[{"id":"f1"}]"#, s(20));
    world.asked("user.roles", "00u1", r#"[{"id":"r1"}]"#, s(30));
    let reports = world.news();
    assert_eq!(reports.len(), 2);
    let thing = thing(&reports[1]);
    let Facts::User { groups, factors, roles } = &thing.facts else { panic!("{thing:?}") };
    assert_eq!(
        (factors.as_deref(), roles.as_deref()),
        (Some(&br#"[{"id":"f1"}]"#[..]), Some(&br#"[{"id":"r1"}]"#[..]))
    );
    assert_eq!(*groups, None, "nobody has read them");
    assert_eq!(thing.at, s(30) + 100);
    let facets: Vec<_> = thing.readings.iter().map(|reading| reading.facet).collect();
    assert_eq!(facets, [USER, FACTORS, "user.roles"]);
    world.asked(FACTORS, "00u1", r#"[{"id":"f1"}]"#, s(40));
    assert_eq!(world.told(), [""; 0], "a confirmation is no news");
}

#[test]
fn a_part_of_what_was_never_seen_is_told_with_it() {
    let mut world = World::new();
    world.asked(FACTORS, "00u1", r#"[{"id":"f1"}]"#, s(20));
    assert_eq!(world.told(), [""; 0]);
    world.asked(USER, "00u1", &object("a", s(1)), s(30));
    let reports = world.news();
    let Facts::User { factors, .. } = &thing(&reports[0]).facts else { panic!() };
    assert!(factors.is_some());
}

#[test]
fn who_joins_or_leaves_a_group_is_told_with_it() {
    let mut world = World::new();
    for number in 1..=3 {
        world.asked(USER, &id(number), &object("a", s(1)), s(5));
    }
    world.asked(GROUP, "00g1", &object("g", s(1)), s(6));
    world.list(MEMBERS, "00g1", &[id(1), id(2)], s(10));
    world.news();
    world.list(MEMBERS, "00g1", &[id(2), id(3)], s(20));
    let mut reports = world.news();
    reports.retain(|report| matches!(report, Report::Thing(_)));
    let told: BTreeSet<String> = reports.iter().map(word).collect();
    let by = "by group.members:00g1";
    assert_eq!(
        told,
        BTreeSet::from(
            [format!("groups 00g1 {by}"), format!("users {} {by}", id(1)), format!("users {} {by}", id(3)),]
        )
    );
    let group = reports.iter().map(thing).find(|thing| thing.slot.facet() == GROUP).unwrap();
    assert_eq!(group.facts, Facts::Other { members: Some(2) });
    // The group goes, and with it its list; who was in it is in it no more.
    world.asked(GROUP, "00g1", "", s(30));
    let told = world.told();
    assert_eq!(told[0], "groups 00g1 gone");
    assert_eq!(told.len(), 1 + 1 + 2, "{told:?}: nobody announced it, and two were in it");
}

#[test]
fn many_are_told_one_after_another_and_nobody_twice() {
    let mut world = World::new();
    world.asked(GROUP, "00g1", &object("g", s(1)), s(5));
    let all: Vec<String> = (0..200).map(id).collect();
    for user in &all {
        world.asked(USER, user, &object("a", s(1)), s(5));
    }
    world.news();
    world.list(MEMBERS, "00g1", &all, s(10));
    // The mark before it, and the list itself, had room.
    let first = world.told();
    assert_eq!(first.len(), 1 + 64, "the group, and as many as there is room for");
    assert_eq!(pending(&world.store, &world.org).unwrap().users, 136);
    // Somebody who waits changes: that tells the rest of it, too.
    let late = id(190);
    world.asked(USER, &late, &object("b", s(15)), s(20));
    let mut told = first;
    told.extend(world.told());
    while !pending(&world.store, &world.org).unwrap().is_empty() {
        world.tick();
        told.extend(world.told());
    }
    let users: Vec<&String> = told.iter().filter(|word| word.starts_with("users")).collect();
    assert_eq!(users.len(), 200, "each once");
    assert_eq!(users.iter().collect::<BTreeSet<_>>().len(), 200);
    assert_eq!(users.iter().filter(|word| word.contains(&late)).count(), 1);
    world.tick();
    assert_eq!(world.told(), [""; 0]);
}

#[test]
fn who_waits_is_told_in_turn_though_others_come_again() {
    let settings = Settings { told_at_once: 0, told_in_passing: 1, ..Settings::default() };
    let mut world = World::with(settings, None);
    for number in 0..3 {
        world.asked(USER, &id(number), &object("a", s(1)), s(5));
    }
    world.asked(GROUP, "00g1", &object("g", s(1)), s(5));
    world.news();
    world.list(MEMBERS, "00g1", &[id(0), id(1), id(2)], s(10));
    // The first one, who was told, comes and goes all the time.
    world.list(MEMBERS, "00g1", &[id(1), id(2)], s(20));
    world.list(MEMBERS, "00g1", &[id(0), id(1), id(2)], s(30));
    let told = world.told();
    assert!(told.iter().any(|word| word.contains(&id(2))), "{told:?}");
}

#[test]
fn what_is_gone_is_told_once_and_so_are_the_things_within_it() {
    let mut world = World::new();
    world.asked("policy", "00p1", &object("p", s(1)), s(5));
    world.asked("policy.rules", "00p1/0pr1", &object("r", s(1)), s(6));
    world.asked(USER, "00u1", &object("a", s(1)), s(7));
    world.asked(FACTORS, "00u1", "[]", s(8));
    world.news();
    world.asked("policy", "00p1", "", s(20));
    let told: Vec<_> = world.told().into_iter().filter(|word| !word.starts_with("drift")).collect();
    assert_eq!(told, ["policies 00p1 gone", "policy_rules 00p1/0pr1 gone"]);
    world.asked(USER, "00u1", "", s(30));
    let told: Vec<_> = world.told().into_iter().filter(|word| !word.starts_with("drift")).collect();
    assert_eq!(told, ["users 00u1 gone"], "its factors were told with it");
}

#[test]
fn a_list_within_a_thing_tells_the_thing() {
    let mut world = World::new();
    world.asked("app.core", "0oa1", &object("a", s(1)), s(5));
    world.news();
    world.asked("app.users", "0oa1", r#"[{"id":"00u1"}]"#, s(10));
    assert_eq!(world.told(), ["apps 0oa1 by app.users:0oa1"]);
}

#[test]
fn elements_of_a_list_that_stands_by_itself_are_things() {
    let mut world = World::new();
    let list = |names: &[(&str, u8)]| {
        let elements = names.iter().map(|(name, says)| format!(r#"{{"primary":{{"name":"{name}"}},"says":{says}}}"#));
        format!("[{}]", elements.collect::<Vec<_>>().join(","))
    };
    world.asked("linked_object", "", &list(&[("manager", 1), ("mentor", 1)]), s(10));
    assert_eq!(world.told(), ["linked_objects manager by linked_object:", "linked_objects mentor by linked_object:"]);
    world.asked("linked_object", "", &list(&[("manager", 1), ("peer", 1)]), s(20));
    let told: Vec<_> = world.told().into_iter().filter(|word| !word.starts_with("drift")).collect();
    assert_eq!(told, ["linked_objects mentor gone", "linked_objects peer by linked_object:"]);
}

#[test]
fn all_that_is_there_is_told_when_a_snapshot_has_ended() {
    let mut world = World::new();
    world.asked(USER, "00u0", &object("a", s(1)), s(5));
    world.asked(USER, "00u9", &object("a", s(1)), s(5));
    world.asked(USER, "00u9", "", s(6));
    world.news();
    world.snapshot(s(10), &["by hand"], true);
    assert_eq!(world.told(), ["started"]);
    for number in 0..150 {
        world.listed(USER, &id(number), &object("a", s(1)), s(11), s(10));
        world.asked(FACTORS, &id(number), "[]", s(12));
    }
    world.listed("zone", "nzo1", &object("z", s(1)), s(11), s(10));
    world.ended("users", s(10), Outcome::Complete);
    world.ended("zones", s(10), Outcome::Forbidden { missing: "okta.networkZones.read".into() });
    world.news();
    world.snapshot_ended(s(10));
    let mut told = world.told();
    assert_eq!(told.len(), 64, "a part with each record");
    let mut records = 1;
    while !pending(&world.store, &world.org).unwrap().is_empty() {
        world.tick();
        told.extend(world.told());
        records += 1;
    }
    assert_eq!(records, 3);
    assert_eq!(told.last().map(String::as_str), Some("completed"));
    let collected: BTreeSet<_> = told.iter().filter(|word| word.ends_with("collected")).collect();
    assert_eq!((collected.len(), told.len()), (152, 153), "each once, and nothing that is gone");
    let scan = world.scan();
    assert_eq!((scan.requested, scan.told()), (true, 152));
    let tally = |name: &str| (scan.collections[name].told, scan.collections[name].outcome.as_ref().unwrap().word());
    assert_eq!((tally("users"), tally("zones")), ((151, "complete"), (1, "forbidden")));
    world.snapshot_ended(s(10));
    world.snapshot(s(10), &[], true);
    assert_eq!(world.told(), [""; 0], "neither an end nor a beginning counts twice");
}

#[test]
fn a_new_snapshot_takes_the_place_of_one_that_is_told() {
    let mut world = World::new();
    world.snapshot(s(10), &[], true);
    for number in 0..100 {
        world.listed(USER, &id(number), &object("a", s(1)), s(11), s(10));
    }
    world.snapshot_ended(s(10));
    world.news();
    world.snapshot(s(20), &[], false);
    assert!(!world.told().contains(&"started".to_owned()), "one of a part is no snapshot of all");
    assert_eq!(world.scan().phase, Phase::Completed, "and drives the telling on");
    world.snapshot(s(30), &[], true);
    world.snapshot_ended(s(30));
    world.news();
    world.snapshot(s(40), &[], true);
    assert_eq!(world.told(), ["cancelled: another snapshot began", "started"]);
    world.mark(&Mark::Ended(Ended { epoch: s(40), aborted: Some("no way in".into()) }));
    assert_eq!(world.told(), ["cancelled: no way in"]);
    world.snapshot_ended(s(40));
    world.tick();
    assert_eq!(world.told(), [""; 0]);
}

#[test]
fn a_walk_over_what_is_gone_ends() {
    let settings = Settings { told_in_passing: 4, ..Settings::default() };
    let mut world = World::with(settings, None);
    for number in 0..3_000 {
        world.asked(USER, &id(number), &object("a", s(1)), s(5));
        world.asked(USER, &id(number), "", s(6));
    }
    world.listed("zone", "nzo1", &object("z", s(1)), s(11), s(10));
    world.snapshot(s(10), &[], true);
    world.snapshot_ended(s(10));
    for _ in 0..4 {
        world.tick();
    }
    let told = world.told();
    assert_eq!(told.last().map(String::as_str), Some("completed"));
    assert!(told.contains(&"zones nzo1 by collected".to_owned()));
}

#[test]
fn drift_is_told_counted_and_asks_for_the_log_of_its_time() {
    let mut world = with_users(users(2), None);
    world.news();
    world.listed(USER, "00u0000", &object("b", s(5_000)), s(6_000), s(0));
    assert_eq!(world.told(), ["drift Changed 00u0000", "users 00u0000 by user.core:00u0000"]);
    let counts = DriftCounts { changed: 1, last: s(6_000) + 100, ..DriftCounts::default() };
    assert_eq!(drifts(&world.store, &world.org).unwrap(), [(USER.to_owned(), counts)]);
    let windows = rereads::open(&world.store, &world.org).unwrap();
    let margin = Settings::default().announced_within_ms;
    assert_eq!(windows, [(s(0) - Settings::default().list_lag_ms - margin, s(6_000) + 100 + margin)]);
    let (since, until) = (windows[0].0, windows[0].1);
    let reread = |world: &mut World, since, until| {
        let value = serde_json::to_vec(&LogReread { since, until }).unwrap();
        let record = world.record(Origin::Poll, landing::Content::Mark { name: LOG_REREAD.into() }, value);
        world.take(&record, false);
        rereads::open(&world.store, &world.org).unwrap()
    };
    assert_eq!(reread(&mut world, since, s(100)), [(s(100), until)]);
    assert_eq!(reread(&mut world, since, until), []);
}

#[test]
fn alerts_are_told_and_kept() {
    let mut world = with_users(users(200), None);
    world.news();
    world.begun(s(5_000));
    world.ended("users", s(5_000), Outcome::Complete);
    let cancelled = "cancelled: another snapshot began";
    assert_eq!(world.told(), [cancelled, "started", "alert braked user.core"]);
    let kept = alerts(&world.store, &world.org).unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].kind.as_str(), kept[0].missing, kept[0].live), ("braked", 200, 200));
    assert!(kept[0].says.contains("200 of 200"), "{}", kept[0].says);
}

#[test]
fn freshness_is_told_by_collection() {
    let mut world = with_users(users(100), None);
    world.asked(USER, "00u0000", "", s(10));
    for (number, user) in users(99).skip(1).enumerate() {
        world.asked(FACTORS, &user, "[]", s(100 + number as i64));
    }
    updated(&mut world, "00u0001", s(200));
    let found = freshness(&world.store, &world.org, s(1_000)).unwrap();
    let of = |facet: &str| found.iter().find(|row| row.facet == facet).unwrap();
    let users = of(USER);
    assert_eq!((users.live, users.gone, users.open_intents, users.drift.vanished), (99, 1, 1, 1));
    assert_eq!((users.collection, users.last_complete), ("users", Some(s(0))));
    let lagging = 1_000_000 + Settings::default().list_lag_ms;
    assert_eq!(users.staleness, Some(Staleness { p50: lagging, p99: lagging, max: lagging }));
    let factors = of(FACTORS);
    // Read one a second, from second 100 on: half of 98 are no staler than the 49th from the end.
    assert_eq!(factors.staleness, Some(Staleness { p50: 851_000, p99: 900_000, max: 900_000 }));
    assert!(freshness(&world.store, &OrgId::new("globex"), s(1_000)).unwrap().is_empty());
}

/// Something that happens in a small org.
#[derive(Debug, Clone)]
enum Deed {
    User { key: usize, says: Option<u8> },
    Factors { key: usize, says: u8 },
    Members { group: u8, from: usize, count: usize },
    Begun { whole: bool },
    Ended { aborted: bool },
    Tick,
    Event { key: usize },
}

fn deed() -> impl Strategy<Value = Deed> {
    let key = 0..40usize;
    prop_oneof![
        4 => (key.clone(), prop::option::weighted(0.8, 0..3u8)).prop_map(|(key, says)| Deed::User { key, says }),
        2 => (key.clone(), 0..3u8).prop_map(|(key, says)| Deed::Factors { key, says }),
        3 => (0..2u8, 0..20usize, 0..40usize)
            .prop_map(|(group, from, count)| Deed::Members { group, from, count }),
        1 => any::<bool>().prop_map(|whole| Deed::Begun { whole }),
        1 => prop::bool::weighted(0.2).prop_map(|aborted| Deed::Ended { aborted }),
        2 => Just(Deed::Tick),
        2 => key.prop_map(|key| Deed::Event { key }),
    ]
}

/// The records of what happens, one every ten seconds.
fn records_of(deeds: &[Deed]) -> Vec<LandingRecord> {
    let mut world = World::new();
    let mut epoch = s(0);
    let mut records = Vec::new();
    for (number, deed) in deeds.iter().enumerate() {
        let now = s(10 * (number as i64 + 1));
        world.clock = now;
        let fetched = |world: &mut World, facet: &str, key: &str, value: &str| {
            world.record(Origin::Fetch, Seen::object(facet, key, value, now).content(), value.as_bytes().to_vec())
        };
        let marked = |world: &mut World, mark: &Mark| {
            let (name, value) = mark.write().unwrap();
            world.record(Origin::Snapshot, landing::Content::Mark { name: name.into() }, value)
        };
        records.push(match deed {
            Deed::User { key, says } => {
                let value = says.map(|says| object(&says.to_string(), now)).unwrap_or_default();
                fetched(&mut world, USER, &id(*key), &value)
            }
            Deed::Factors { key, says } => fetched(&mut world, FACTORS, &id(*key), &format!(r#"[{{"id":"{says}"}}]"#)),
            Deed::Members { group, from, count } => {
                let ids: Vec<String> = (*from..from + count).map(id).collect();
                fetched(&mut world, MEMBERS, &format!("00g{group}"), &serde_json::to_string(&ids).unwrap())
            }
            Deed::Begun { whole } => {
                epoch = now;
                let (requests, collections, rosters) = (Vec::new(), vec!["users".into()], Vec::new());
                let engine = String::new();
                marked(&mut world, &Mark::Begun(Begun { epoch, requests, whole: *whole, engine, collections, rosters }))
            }
            Deed::Ended { aborted } => {
                let aborted = aborted.then(|| "given up".to_owned());
                marked(&mut world, &Mark::Ended(Ended { epoch, aborted }))
            }
            Deed::Tick => {
                world.record(Origin::Snapshot, landing::Content::Mark { name: TICK.into() }, b"null".to_vec())
            }
            Deed::Event { key } => {
                world.event_record(Origin::Sqs, "user.account.update_profile", &[("User", &id(*key))], now)
            }
        });
    }
    records
}

/// What is published of the records. Batches end where `cuts` says; where `crashes` says, what was done since the last
/// commit is forgotten and done again by an owner who knows only what was committed.
fn published(records: &[LandingRecord], cuts: &[bool], crashes: &[bool]) -> (Vec<Vec<Report>>, MemoryInventory) {
    let settings = Settings { told_at_once: 4, told_in_passing: 3, ..Settings::default() };
    let (mut inventory, mut store) = (Inventory::new(settings), MemoryInventory::default());
    let mut reports: Vec<Vec<Report>> = Vec::new();
    let mut crashes = crashes.to_vec();
    let (mut at, mut committed) = (0, 0);
    while at < records.len() {
        let record = &records[at];
        let outputs = inventory.apply(record, true, &store).unwrap();
        let told = inventory.report(record, outputs, &store).unwrap();
        match reports.get(at) {
            Some(before) => assert_eq!(*before, told, "who does it again publishes the same"),
            None => reports.push(told),
        }
        if crashes.get_mut(at).is_some_and(std::mem::take) {
            (inventory, at) = (Inventory::new(settings), committed);
            continue;
        }
        at += 1;
        if cuts.get(at - 1).copied().unwrap_or(false) {
            store.commit(inventory.finish().writes);
            committed = at;
        }
    }
    store.commit(inventory.finish().writes);
    (reports, store)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn wherever_batches_are_cut_and_owners_crash_the_same_is_published(
        deeds in prop::collection::vec(deed(), 0..60),
        cuts in prop::collection::vec(any::<bool>(), 60),
        crashes in prop::collection::vec(prop::bool::weighted(0.2), 60),
    ) {
        let records = records_of(&deeds);
        let whole = published(&records, &[], &[]);
        prop_assert_eq!(&published(&records, &[true; 60], &[]), &whole);
        prop_assert_eq!(&published(&records, &cuts, &crashes), &whole);
    }

    /// Once nothing waits, what was published last of each user is what is known of them.
    #[test]
    fn what_was_published_last_is_what_is_known(deeds in prop::collection::vec(deed(), 0..60)) {
        let mut deeds = deeds;
        deeds.extend(std::iter::repeat_n(Deed::Tick, 60));
        let (reports, store) = published(&records_of(&deeds), &[], &[]);
        prop_assert!(pending(&store, &org()).unwrap().is_empty());
        for number in 0..40 {
            let slot = slot(USER, &id(number));
            let of = |report: &&Report| match report {
                Report::Thing(thing) => thing.slot == slot,
                Report::Gone(gone) => gone.slot == slot,
                _ => false,
            };
            let last = reports.iter().flatten().rfind(of);
            let known = head(&store, &slot).unwrap().filter(|head| !head.is_gone());
            match last {
                Some(Report::Thing(thing)) => {
                    prop_assert_eq!(&thing.body, &body(&store, &slot).unwrap().unwrap());
                    let Facts::User { factors, .. } = &thing.facts else { panic!("{thing:?}") };
                    let known_factors = Slot { collection: by_facet(FACTORS).unwrap(), ..slot.clone() };
                    prop_assert_eq!(factors, &body(&store, &known_factors).unwrap());
                }
                _ => prop_assert!(known.is_none(), "{} is there and was not told", slot.key),
            }
        }
    }
}
