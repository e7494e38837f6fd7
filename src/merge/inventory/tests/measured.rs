//! How large the state of a large org is, and what a question costs. Prints; run with `--ignored --nocapture`.

use std::time::Instant;

use super::*;
use crate::merge::{Changes, RedbStore, StateStore};
use crate::ocsf::{Knowledge, Lookup};

const USERS: usize = 100_000;
const GROUPS: usize = 5_000;
const OF_EACH: usize = 20;

fn id(prefix: &str, number: usize) -> String {
    format!("{prefix}{number:017}")
}

fn person(number: usize) -> String {
    let padding = "x".repeat(600);
    format!(
        r#"{{"id":"{}","status":"ACTIVE","lastUpdated":"2026-01-01T00:00:00.000Z","profile":{{"login":"person.{number}@example.com","email":"person.{number}@example.com","firstName":"Person","lastName":"Number {number}","displayName":"Person Number {number}","department":"Department {}","division":"Division {}","organization":"Example","title":"Engineer","userType":"Employee","employeeNumber":"{number}","manager":"person.{}@example.com","padding":"{padding}"}}}}"#,
        id("00u", number),
        number % 100,
        number % 10,
        number / 10,
    )
}

struct Bench {
    world: World,
    store: RedbStore,
    offset: u64,
    waiting: usize,
}

impl Bench {
    fn land(&mut self, facet: &str, key: &str, value: String) {
        let content = Seen { epoch: Some(s(0)), ..Seen::object(facet, key, "", s(0)) }.content();
        let record = self.world.record(Origin::Snapshot, content, value.into_bytes());
        self.world.inventory.apply(&record, false, &self.store).unwrap();
        (self.offset, self.waiting) = (self.offset + 1, self.waiting + 1);
        if self.waiting == 2_000 {
            self.commit();
        }
    }

    fn commit(&mut self) {
        let writes = self.world.inventory.finish().writes;
        self.store.commit(&Changes { next_offset: self.offset, writes, ..Changes::default() }).unwrap();
        self.waiting = 0;
    }
}

fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() / 1024
}

#[test]
#[ignore = "takes minutes, and only prints"]
fn a_large_org_in_figures() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.redb");
    let mut bench = Bench { world: World::new(), store: RedbStore::open(&path).unwrap(), offset: 0, waiting: 0 };
    let size = || {
        use std::os::unix::fs::MetadataExt;
        // What the file takes on disk; its length is a round number that it grows into.
        (std::fs::metadata(&path).unwrap().blocks() * 512) >> 20
    };
    let begin = Instant::now();
    for number in 0..USERS {
        bench.land(USER, &id("00u", number), person(number));
    }
    bench.commit();
    println!("{USERS} users: {} MiB, {} MiB resident, {:?}", size(), resident_mib(), begin.elapsed());
    for number in 0..USERS {
        let factors = r#"[{"id":"opf0000000000000000a","factorType":"push","provider":"OKTA","status":"ACTIVE"},{"id":"ost0000000000000000a","factorType":"token:software:totp","provider":"GOOGLE","status":"ACTIVE"}]"#;
        bench.land(FACTORS, &id("00u", number), factors.to_owned());
    }
    bench.commit();
    println!("their factors: {} MiB, {} MiB resident, {:?}", size(), resident_mib(), begin.elapsed());
    let members = USERS * OF_EACH / GROUPS;
    for group in 0..GROUPS - 1 {
        let ids = (0..members).map(|nth| format!(r#""{}""#, id("00u", (group * 7919 + nth * 251) % USERS)));
        let list = format!("[{}]", ids.collect::<Vec<_>>().join(","));
        bench.land("group.core", &id("00g", group), format!(r#"{{"profile":{{"name":"Group {group}"}}}}"#));
        bench.land(MEMBERS, &id("00g", group), list);
    }
    bench.commit();
    println!("{GROUPS} groups: {} MiB, {} MiB resident, {:?}", size(), resident_mib(), begin.elapsed());
    let everyone: Vec<String> = (0..USERS).map(|number| format!(r#""{}""#, id("00u", number))).collect();
    let one = Instant::now();
    bench.land(MEMBERS, &id("00g", GROUPS), format!("[{}]", everyone.join(",")));
    bench.commit();
    println!("a group of all: {} MiB, {} MiB resident, took {:?}", size(), resident_mib(), one.elapsed());
    // Rows of members alone.
    let (mut rows, mut bytes) = (0_usize, 0);
    for number in 0..USERS {
        let row = crate::merge::inventory::state::key(b'm', org().as_str(), &[&id("00u", number)]);
        let value = bench.store.get(&row).unwrap().map_or(0, |value| value.len());
        (rows, bytes) = (rows + usize::from(value > 0), bytes + row.len() + value);
    }
    println!("{rows} rows of memberships: {} MiB, {} bytes each", bytes >> 20, bytes / rows.max(1));

    for (what, people) in [("1,000 people", 1_000), ("20,000 people", 20_000), ("all people", USERS)] {
        let ask = |rounds: usize| {
            let begin = Instant::now();
            let mut found = 0;
            for nth in 0..rounds {
                let view = bench.world.inventory.knowledge(&bench.store, &bench.world.org, s(1_000));
                found += usize::from(matches!(view.user(&id("00u", (nth * 7919) % people)), Lookup::Found(_)));
                view.failed().unwrap();
            }
            assert_eq!(found, rounds);
            begin.elapsed() / u32::try_from(rounds).unwrap()
        };
        let first = ask(people);
        println!("{what}: {first:?} first, {:?} again, {} MiB resident", ask(100_000), resident_mib());
    }
}
