use std::collections::BTreeMap;

use super::{
    bucket::Reply,
    call::{Call, Decision, Kind, Method, Permit, Priority},
    clock::{Clock, Offset},
    headers::{Headers, Refusal},
    policy::Policy,
    registry::Registry,
    slots::Slots,
};

/// The quota of one Okta org, and its only spender.
///
/// Every `now` is in ms of one clock that does not go back and does not jump, best a monotonic one set to the epoch at
/// start; an earlier `now` counts as the latest one. For every permit, report the answer or the loss; after every
/// answer, ask again for what waits, highest priority first.
#[derive(Debug)]
pub struct Quota {
    pub(super) policy: Policy,
    pub(super) registry: Registry,
    pub(super) slots: Slots,
    pub(super) latency: i64,
    clock: Clock,
    flights: BTreeMap<u64, Flight>,
    next_id: u64,
    latest: i64,
}

/// A call that is not answered yet.
#[derive(Debug, Clone, Copy)]
struct Flight {
    kind: usize,
    bucket: usize,
    sent: i64,
}

/// A permit that nobody reported for this long counts as lost: many times Okta's own limit of 30 s for a query.
const FORGOTTEN_MS: i64 = 10 * 60_000;

/// The latency to estimate with before any call was answered, as measured by public collectors.
const FIRST_LATENCY_MS: i64 = 500;

impl Quota {
    /// The quota of an org of which nothing is known yet. Numbers out of bounds are brought back.
    pub fn new(policy: Policy) -> Self {
        let policy = policy.in_bounds();
        Self {
            slots: Slots::new(&policy),
            policy,
            registry: Registry::default(),
            latency: FIRST_LATENCY_MS,
            clock: Clock::default(),
            flights: BTreeMap::new(),
            next_id: 0,
            latest: i64::MIN,
        }
    }

    /// Whether `call` may be made now.
    pub fn ask(&mut self, now: i64, call: &Call<'_>) -> Decision {
        let now = self.tick(now);
        self.forget_old_flights(now);
        let kind = self.registry.kind(call.method, call.path, now);
        let bucket = self.registry.bucket_of(kind);
        let offset = self.clock.offset(now);
        let admitted = self.registry.bucket(bucket).admit(call.priority, now, offset, &self.policy);
        match admitted.and_then(|()| self.slots.admit(call.priority, now)) {
            Ok(()) => Decision::Go(self.go(now, call.priority, Flight { kind, bucket, sent: now })),
            Err(until) => Decision::WaitUntil(until.max(now + 1)),
        }
    }

    fn go(&mut self, now: i64, priority: Priority, flight: Flight) -> Permit {
        self.registry.bucket(flight.bucket).went(priority, now, self.clock.offset(now), &self.policy);
        self.slots.took(priority, now);
        self.next_id += 1;
        self.flights.insert(self.next_id, flight);
        Permit { id: self.next_id }
    }

    /// The call was answered, whatever the status.
    pub fn answered(&mut self, now: i64, permit: Permit, headers: &Headers) {
        let now = self.tick(now);
        let headers = &headers.plausible();
        let Some(flight) = self.flights.remove(&permit.id) else { return };
        if let Some(date) = headers.date {
            self.clock.learn(date, flight.sent, now);
        }
        self.latency = (7 * self.latency + (now - flight.sent)) / 8;
        let crowded = headers.refusal() == Some(Refusal::Concurrency);
        self.slots.freed(flight.sent, !crowded);
        self.registry.bucket(flight.bucket).landed(flight.sent);
        if crowded {
            // Its zeros tell nothing of the bucket, and nobody says whether it was counted there.
            self.slots.refused(flight.sent, now);
            self.registry.bucket(flight.bucket).lost(now, self.clock.offset(now), &self.policy);
        } else {
            self.learn(Reply { kind: flight.kind, sent: flight.sent, received: now, headers });
        }
    }

    /// The call ended without an answer: a timeout, a broken connection. It may have been counted all the same.
    pub fn lost(&mut self, now: i64, permit: Permit) {
        let now = self.tick(now);
        if let Some(flight) = self.flights.remove(&permit.id) {
            self.count_as_lost(now, flight);
        }
    }

    /// The call was never sent, and nobody can have counted it.
    pub fn unused(&mut self, permit: Permit) {
        if let Some(flight) = self.flights.remove(&permit.id) {
            self.slots.freed(flight.sent, false);
            self.registry.bucket(flight.bucket).landed(flight.sent);
        }
    }

    /// The kind of a call, for those who wait together.
    pub fn kind(&mut self, now: i64, method: Method, path: &str) -> Kind {
        let now = self.tick(now);
        Kind(self.registry.kind(method, path, now))
    }

    /// The bucket in which a call in flight is counted: its place in [`Quota::outlook`], and its name.
    pub fn bucket_of(&self, permit: &Permit) -> Option<(usize, &str)> {
        let bucket = self.flights.get(&permit.id)?.bucket;
        self.registry.buckets().get(bucket).map(|found| (bucket, found.name.as_str()))
    }

    /// From now on this part of each Limit may be used. Where it is less than before, what was used already counts.
    pub fn set_share(&mut self, share: f64) {
        self.policy = Policy { share, ..self.policy.clone() }.in_bounds();
    }

    /// Bounds of Okta's clock minus ours; none before the first `Date`.
    pub fn offset(&self, now: i64) -> Option<Offset> {
        self.clock.offset(now.max(self.latest))
    }

    fn learn(&mut self, reply: Reply<'_>) {
        let offset = self.clock.offset(reply.received);
        let bucket = self.registry.bucket_of(reply.kind);
        let apart = self.registry.bucket(bucket).learn(reply, offset, &self.policy);
        if let Some(kind) = apart {
            self.set_apart(kind, reply.received);
        }
    }

    /// Gives a kind its own bucket, and takes its calls in flight along.
    fn set_apart(&mut self, kind: usize, now: i64) {
        let shared = self.registry.bucket_of(kind);
        let guess = self.registry.bucket(shared).limit().unwrap_or(super::rules::UNKNOWN_LIMIT);
        let own = self.registry.set_apart(kind, guess, now);
        for flight in self.flights.values_mut().filter(|flight| flight.kind == kind) {
            self.registry.bucket(flight.bucket).landed(flight.sent);
            self.registry.bucket(own).adopt();
            flight.bucket = own;
        }
    }

    fn count_as_lost(&mut self, now: i64, flight: Flight) {
        self.slots.freed(flight.sent, false);
        let bucket = self.registry.bucket(flight.bucket);
        bucket.landed(flight.sent);
        bucket.lost(now, self.clock.offset(now), &self.policy);
    }

    fn forget_old_flights(&mut self, now: i64) {
        while let Some(oldest) = self.flights.first_entry()
            && oldest.get().sent + FORGOTTEN_MS <= now
        {
            let flight = oldest.remove();
            self.count_as_lost(now, flight);
        }
    }

    fn tick(&mut self, now: i64) -> i64 {
        self.latest = self.latest.max(now);
        self.latest
    }
}
