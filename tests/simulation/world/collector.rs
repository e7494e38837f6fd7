//! What runs beside the owner of the partition: fetches, by what the committed state says is due.

use okta_ocsf::landing::{Content, LandingRecord, Observation, Origin};
use okta_ocsf::merge::inventory::{Ask, ChangesRead, Errand, Failed, FetchMark, Intent, Sent, due, last_sent};

use super::World;
use super::agenda::{Action, Producer};
use super::org::{Facet, KINDS};

/// How often a collector looks for fetches that have become due by time alone, ms: as `src/collect/errands.rs` does.
const LOOKS: i64 = 500;

/// Fetches that are out at once, as there.
const AT_ONCE: usize = 8;

/// A replica lags by at most so much, ms: less than the fold allows for.
const LAG: i64 = 55_000;

/// The collector of one owner.
pub struct Collector {
    pub machine: usize,
    /// How far it has polled the System Log.
    pub cursor: usize,
    /// It takes Okta's clock to be so much further than it is, ms: `Date` has whole seconds.
    pub off: i64,
    /// What was sent until then was sent by one who is gone.
    abandoned: Option<i64>,
    /// When its newest fetches were sent, by Okta's clock as it takes it.
    sent: i64,
    /// Fetches that are out.
    out: usize,
    /// It waits for the state to know of what it sends.
    sends: bool,
    /// It will look for fetches by itself.
    pub looks: bool,
    /// The snapshot that it has begun, and the one that it reads.
    pub begun: Option<i64>,
    pub reads: Option<i64>,
}

impl Collector {
    pub fn new(machine: usize, cursor: usize, off: i64, abandoned: Option<i64>) -> Self {
        let sent = abandoned.unwrap_or(i64::MIN);
        Self { machine, cursor, off, abandoned, sent, out: 0, sends: false, looks: true, begun: None, reads: None }
    }
}

/// A facet by its name: of which kind of thing, and which of its facets.
pub fn facet(name: &str) -> Option<(usize, usize)> {
    let facets = |kind: usize| (0..KINDS[kind].facets.len()).map(move |facet| (kind, facet));
    (0..KINDS.len()).flat_map(facets).find(|(kind, facet)| KINDS[*kind].facets[*facet].name == name)
}

/// An observation of a facet.
pub fn seen(facet: &Facet, key: &str, as_of: (i64, i64), epoch: Option<i64>, (part, last): (u32, bool)) -> Content {
    Content::Observation(Observation {
        collection: facet.collection.into(),
        facet: facet.name.into(),
        grain: facet.grain,
        key: key.into(),
        epoch,
        as_of,
        part,
        last,
    })
}

impl World<'_> {
    /// A record of a collector, landed now.
    pub fn record(&self, machine: usize, origin: Origin, content: Content, value: Vec<u8>) -> LandingRecord {
        LandingRecord { org: self.id.clone(), origin, landed_at: self.here(machine), content, value }
    }

    fn mark(&self, machine: usize, mark: &FetchMark) -> LandingRecord {
        let (name, value) = mark.write().unwrap();
        self.record(machine, Origin::Fetch, Content::Mark { name: name.into() }, value)
    }

    /// By how much the replica that answers a list lags behind.
    pub fn lag(&mut self) -> i64 {
        if self.random.once_in(8) { self.random.ms(0, LAG) } else { self.random.ms(0, 800) }
    }

    /// Lands a mark for what is due.
    pub fn look(&mut self, generation: u64) {
        let Some(collector) = self.collectors.get_mut(&generation) else { return };
        collector.looks = false;
        let machine = &self.machines[collector.machine];
        let (room, here) = (AT_ONCE - collector.out, self.now + machine.ahead);
        if room == 0 || collector.sends {
            return;
        }
        let ask = |now, most| due(&machine.store, &self.settings, &self.id, now, collector.abandoned, most).unwrap();
        let intents = ask(here, room);
        if intents.is_empty() {
            // Something may become due by time alone; everything else comes with a commit or the end of a fetch.
            if !ask(i64::MAX / 2, 1).is_empty() {
                collector.looks = true;
                self.agenda.at(self.now + LOOKS, Action::Look(generation));
            }
            return;
        }
        let sent = (self.now + collector.off).max(collector.sent + 1);
        (collector.sent, collector.out, collector.sends) = (sent, collector.out + intents.len(), true);
        let errand = |intent: &Intent| {
            let key = Some(intent.slot.key.clone()).filter(|key| !key.is_empty());
            Errand { facet: intent.slot.facet().into(), key }
        };
        let errands = intents.iter().map(errand).collect();
        let machine = collector.machine;
        let mark = self.mark(machine, &FetchMark::Sent(Sent { as_of: sent, errands }));
        let then = Action::Send { generation, intents, sent };
        self.land(Producer::Collector(generation), self.now, vec![mark], Some((1, then)));
    }

    /// Sends what it has said to be sent, once the committed state knows of it.
    pub fn send(&mut self, generation: u64, intents: Vec<Intent>, sent: i64) {
        let Some(collector) = self.collectors.get_mut(&generation) else { return };
        if last_sent(&self.machines[collector.machine].store, &self.id).unwrap() < Some(sent) {
            return self.agenda.at(self.now + 10, Action::Send { generation, intents, sent });
        }
        collector.sends = false;
        let off = collector.off;
        for intent in intents {
            self.report.fetches += 1;
            let reads = self.now + self.random.ms(5, 150);
            let asked = (self.now + off).max(sent);
            self.agenda.at(reads, Action::Read { generation, intent, asked });
        }
        self.agenda.at(self.now + 1, Action::Look(generation));
    }

    pub fn ended(&mut self, generation: u64, fetches: usize) {
        if let Some(collector) = self.collectors.get_mut(&generation) {
            collector.out -= fetches;
            if !collector.looks {
                collector.looks = true;
                self.agenda.at(self.now + 1, Action::Look(generation));
            }
        }
    }

    /// Okta reads what was asked for.
    pub fn read(&mut self, generation: u64, intent: &Intent, asked: i64) {
        let received = self.now + self.random.ms(5, 150);
        let Some(collector) = self.collectors.get(&generation) else { return };
        let (name, key) = (intent.slot.facet(), intent.slot.key.as_str());
        let (machine, as_of) = (collector.machine, (asked, (received + collector.off).max(asked)));
        let Some((kind, number)) = facet(name) else { return };
        let facet = &KINDS[kind].facets[number];
        let records = match intent.ask {
            Ask::Changes { since } => {
                let mut records = self.changes(machine, kind, since, as_of);
                let read = ChangesRead { facet: facet.name.into(), as_of: as_of.0 };
                records.push(self.mark(machine, &FetchMark::ChangesRead(read)));
                records
            }
            Ask::Object | Ask::List => {
                let thing = self.org.find(key);
                let fails = self.rules.api_fails && self.is_busy() && self.random.once_in(50);
                if fails || thing.is_some_and(|thing| self.org.is_hidden(thing)) {
                    let errand = Errand { facet: name.into(), key: Some(key.into()) };
                    vec![self.mark(machine, &FetchMark::Failed(Failed { errand, again: true }))]
                } else {
                    let shown = thing.and_then(|thing| self.org.things[thing].shown(number, self.now));
                    self.pages(machine, facet, key, as_of, None, shown)
                }
            }
        };
        self.land(Producer::Collector(generation), received, records, Some((1, Action::Ended(generation, 1))));
    }

    /// Lists what has changed since a while ago.
    pub fn relist(&mut self, generation: u64) {
        let Some(collector) = self.collectors.get(&generation).filter(|_| self.is_busy()) else { return };
        self.agenda.at(self.now + self.rules.relist_ms, Action::Relist(generation));
        let (machine, off) = (collector.machine, collector.off);
        for kind in [0, 1] {
            let as_of = (self.now + off, self.now + off + self.random.ms(5, 300));
            let since = as_of.0 - self.rules.relist_ms - self.settings.list_lag_ms;
            let records = self.changes(machine, kind, Some(since), as_of);
            self.land(Producer::Collector(generation), as_of.1 - off, records, None);
        }
    }

    /// The records of a thing or a list that was read; without any page it is not there.
    pub fn pages(
        &self,
        machine: usize,
        facet: &Facet,
        key: &str,
        as_of: (i64, i64),
        epoch: Option<i64>,
        shown: Option<Vec<String>>,
    ) -> Vec<LandingRecord> {
        let origin = match epoch {
            None => Origin::Fetch,
            Some(_) if facet.audit => Origin::Audit,
            Some(_) => Origin::Snapshot,
        };
        let pages = shown.unwrap_or_else(|| vec![String::new()]);
        let last = pages.len() as u32 - 1;
        let record = |(part, page): (u32, String)| {
            let content = seen(facet, key, as_of, epoch, (part, part == last));
            self.record(machine, origin, content, page.into_bytes())
        };
        (0..).zip(pages).map(record).collect()
    }

    fn changes(&mut self, machine: usize, kind: usize, since: Option<i64>, as_of: (i64, i64)) -> Vec<LandingRecord> {
        let at = self.now - self.lag();
        let facet = &KINDS[kind].facets[0];
        let mut records = Vec::new();
        for (place, thing) in self.org.things.iter().enumerate() {
            let changed = thing.kind == KINDS[kind] && thing.changed(at) >= since && !self.org.is_hidden(place);
            if let Some(shown) = thing.shown(0, at).filter(|_| changed) {
                let content = seen(facet, &thing.id, as_of, None, (0, true));
                records.extend(
                    shown
                        .into_iter()
                        .map(|body| self.record(machine, Origin::Snapshot, content.clone(), body.into_bytes())),
                );
            }
        }
        records
    }
}
