//! A client with always something to do, and Okta's side, on one simulated clock.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use super::model::{Bucket, Dice, Nature};
use crate::okta::quota::{Call, Decision, Headers, Method, Permit, Policy, Priority, Quota};

/// When every run begins, by our clock: the limiter must not care.
pub const START: i64 = 1_790_000_000_123;

/// Work of one kind.
pub struct Source {
    pub priority: Priority,
    pub path: &'static str,
    /// Index of the bucket in the model.
    pub bucket: usize,
    /// Mean ms between new work; none means that there is always more.
    pub every: Option<i64>,
    pub made: u64,
    /// How long each waited, for those that come one by one.
    pub waits: Vec<i64>,
    waiting: Vec<i64>,
    wake_at: i64,
}

pub fn endless(priority: Priority, path: &'static str, bucket: usize) -> Source {
    Source { priority, path, bucket, every: None, made: 0, waits: vec![], waiting: vec![], wake_at: i64::MAX }
}

pub fn now_and_then(every: i64, priority: Priority, path: &'static str, bucket: usize) -> Source {
    Source { every: Some(every), ..endless(priority, path, bucket) }
}

pub struct World {
    pub now: i64,
    pub quota: Quota,
    pub buckets: Vec<Bucket>,
    pub sources: Vec<Source>,
    pub dice: Dice,
    /// Median latency.
    pub latency: i64,
    /// The part of calls that get no answer, after having been counted or not.
    pub loss: f64,
    /// Calls in flight that the org bears.
    pub bears: u32,
    pub in_flight: u32,
    pub crowded: u32,
    /// Mean ms between calls of others, for each bucket.
    pub others_every: Vec<Option<i64>>,
    /// The largest offset error ever claimed to be impossible.
    pub offset_misses: u32,
    flights: BTreeMap<u64, (Permit, Headers)>,
    events: BinaryHeap<Reverse<(i64, u64, Event)>>,
    sequence: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrives { flight: u64, bucket: usize, back: i64 },
    Answered { flight: u64 },
    Lost { flight: u64 },
    Work { source: usize },
    Other { bucket: usize },
    Wake { source: usize },
}

impl World {
    pub fn new(seed: u64, policy: Policy, natures: &[Nature], latency: i64, sources: Vec<Source>) -> Self {
        let mut world = Self {
            now: START,
            quota: Quota::new(policy),
            buckets: natures.iter().map(|nature| Bucket::new(*nature)).collect(),
            sources,
            dice: Dice(seed),
            latency,
            loss: 0.0,
            bears: u32::MAX,
            in_flight: 0,
            crowded: 0,
            others_every: vec![None; natures.len()],
            offset_misses: 0,
            flights: BTreeMap::new(),
            events: BinaryHeap::new(),
            sequence: 0,
        };
        for source in 0..world.sources.len() {
            let first = world.sources[source].every.map_or(0, |every| world.dice.gap(every));
            world.at(START + first, Event::Work { source });
        }
        world
    }

    pub fn with_others(mut self, bucket: usize, every: i64) -> Self {
        self.others_every[bucket] = Some(every);
        let first = START + self.dice.gap(every);
        self.at(first, Event::Other { bucket });
        self
    }

    fn at(&mut self, time: i64, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((time, self.sequence, event)));
    }

    pub fn run_for(&mut self, ms: i64) {
        let until = self.now + ms;
        while let Some(Reverse((time, ..))) = self.events.peek()
            && *time <= until
        {
            let Some(Reverse((time, _, event))) = self.events.pop() else { break };
            self.now = time;
            self.happen(event);
        }
        self.now = until;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrives { flight, bucket, back } => self.arrive(flight, bucket, back),
            Event::Answered { flight } => {
                self.in_flight -= 1;
                let (permit, headers) = self.flights.remove(&flight).unwrap();
                self.quota.answered(self.now, permit, &headers);
                self.check_offset();
                self.ask_for_all();
            }
            Event::Lost { flight } => {
                self.in_flight -= 1;
                let (permit, _) = self.flights.remove(&flight).unwrap();
                self.quota.lost(self.now, permit);
                self.ask_for_all();
            }
            Event::Work { source } => {
                if let Some(every) = self.sources[source].every {
                    self.sources[source].waiting.push(self.now);
                    let next = self.now + self.dice.gap(every);
                    self.at(next, Event::Work { source });
                }
                self.ask_for(source);
            }
            Event::Other { bucket } => {
                self.buckets[bucket].other(self.now);
                if let Some(every) = self.others_every[bucket] {
                    let next = self.now + self.dice.gap(every);
                    self.at(next, Event::Other { bucket });
                }
            }
            Event::Wake { source } => {
                if self.sources[source].wake_at == self.now {
                    self.sources[source].wake_at = i64::MAX;
                    self.ask_for_all();
                }
            }
        }
    }

    fn arrive(&mut self, flight: u64, bucket: usize, back: i64) {
        let crowded = self.in_flight > self.bears;
        let headers = if crowded {
            self.crowded += 1;
            Headers { status: 429, limit: Some(0), remaining: Some(0), reset: Some(0), date: None }
        } else {
            self.buckets[bucket].call(self.now)
        };
        self.flights.get_mut(&flight).unwrap().1 = headers;
        let lost = self.dice.unit() < self.loss;
        // A lost call is given up after a timeout that is longer than most answers take.
        let (time, event) = if lost {
            (self.now + 10_000, Event::Lost { flight })
        } else {
            (self.now + back, Event::Answered { flight })
        };
        self.at(time, event);
    }

    fn ask_for_all(&mut self) {
        for source in 0..self.sources.len() {
            self.ask_for(source);
        }
    }

    fn ask_for(&mut self, source: usize) {
        loop {
            let work = &self.sources[source];
            if work.every.is_some() && work.waiting.is_empty() {
                return;
            }
            let call = Call { method: Method::Get, path: work.path, priority: work.priority };
            match self.quota.ask(self.now, &call) {
                Decision::Go(permit) => self.send(source, permit),
                Decision::WaitUntil(time) => {
                    assert!(time > self.now, "told to wait until {time}, at {}", self.now);
                    if time < self.sources[source].wake_at {
                        self.sources[source].wake_at = time;
                        self.at(time, Event::Wake { source });
                    }
                    return;
                }
            }
        }
    }

    fn send(&mut self, source: usize, permit: Permit) {
        let work = &mut self.sources[source];
        work.made += 1;
        if work.every.is_some() {
            let asked = work.waiting.remove(0);
            work.waits.push(self.now - asked);
        }
        let bucket = work.bucket;
        let total = self.dice.latency(self.latency);
        let there = (total as f64 * (0.2 + 0.4 * self.dice.unit())) as i64;
        let flight = self.sequence;
        self.in_flight += 1;
        self.flights.insert(flight, (permit, Headers::default()));
        self.at(self.now + there, Event::Arrives { flight, bucket, back: total - there });
    }

    /// What the limiter says of Okta's clock must be true at every moment.
    fn check_offset(&mut self) {
        let truth = self.buckets[0].clock(self.now) - self.now;
        let holds = self.quota.offset(self.now).is_none_or(|o| (o.lo..=o.hi).contains(&truth));
        self.offset_misses += u32::from(!holds);
    }

    pub fn refused(&self) -> u32 {
        self.buckets.iter().map(Bucket::refused).sum::<u32>() + self.crowded
    }

    /// Calls made in whole windows, and the minutes from the first of them to the end of the last: time in which no
    /// window was open counts.
    pub fn whole_windows(&self, bucket: usize) -> (u32, u32, f64) {
        let windows = &self.buckets[bucket].windows;
        let whole = &windows[1..windows.len() - 1];
        let ours = whole.iter().map(|w| w.ours).sum();
        let others = whole.iter().map(|w| w.others).sum();
        (ours, others, (windows[windows.len() - 1].opened - whole[0].opened) as f64 / 60_000.0)
    }
}
