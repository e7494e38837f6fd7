//! What goes wrong, and when.

use okta_ocsf::merge::MemoryStore;

use super::World;
use super::agenda::{Action, Producer};

/// A process that dies is there again after so long, ms.
const RESTART: (i64, i64) = (1_000, 10_000);

/// Kafka gives the partition of a silent owner to another one after this, ms.
const SESSION: i64 = 10_000;

impl World<'_> {
    /// Decides when what goes wrong.
    pub fn plan_trouble(&mut self) {
        let (begin, quiet) = (self.now, self.quiet());
        let mut some_time = |after: i64| begin + after + self.random.ms(0, quiet - begin - after);
        if self.rules.deaths.is_some() {
            let at = some_time(10_000);
            self.agenda.at(at, Action::Trouble);
        }
        if self.rules.cut_off {
            self.okta_log.cut_off = Some(some_time(60_000));
        }
        if self.rules.api_fails {
            self.polls_fail_until = Some(some_time(200_000));
        }
        if self.rules.lists_fail {
            let at = some_time(60_000);
            self.agenda.at(at, Action::Narrow(true));
            self.agenda.at(at + 200_000, Action::Narrow(false));
        }
        if self.rules.backfill {
            let at = some_time(60_000);
            self.agenda.at(at, Action::Backfill(0));
        }
    }

    /// Somebody dies, or the partition goes to another machine.
    pub fn trouble(&mut self) {
        let Some(pace) = self.rules.deaths.filter(|_| self.is_busy()) else { return };
        let next = self.now + self.random.ms(pace / 5, 2 * pace);
        self.agenda.at(next, Action::Trouble);
        let Some(owner) = &self.owner else { return };
        let (generation, other) = (owner.generation, 1 - owner.machine);
        let alone = self.collectors.keys().all(|known| *known == generation);
        match self.random.below(4) {
            0 => self.die_and_come_back(),
            1 if self.rules.bad_deaths && alone => {
                // It is frozen to Kafka and its fold stands, but its collector goes on until it notices.
                self.owner = None;
                let taken = self.now + SESSION;
                self.agenda.at(taken, Action::Take(other));
                let notices = taken + self.random.ms(0, SESSION);
                self.agenda.at(notices, Action::Notice(generation));
                self.report.deaths += 1;
            }
            2 => {
                self.die();
                self.agenda.at(self.now + SESSION, Action::Take(other));
            }
            _ => {
                // A hand-over: the batch in hand is finished before.
                self.commit(generation);
                if self.owner.is_some() {
                    self.die();
                    let soon = self.now + self.random.ms(200, 2_000);
                    self.agenda.at(soon, Action::Take(other));
                }
            }
        }
    }

    /// The owner dies and its machine starts it again, with its disk or without.
    pub fn die_and_come_back(&mut self) {
        let Some(machine) = self.owner.as_ref().map(|owner| owner.machine) else { return };
        self.die();
        if self.rules.bad_deaths && self.random.once_in(3) {
            self.machines[machine].store = MemoryStore::default();
        }
        let again = self.now + self.random.ms(RESTART.0, RESTART.1);
        self.agenda.at(again, Action::Take(machine));
    }

    /// The owner is gone. What it has sent to the log may come for a moment.
    fn die(&mut self) {
        if let Some(owner) = self.owner.take() {
            self.report.deaths += 1;
            self.notice(owner.generation);
        }
    }

    /// Somebody who owned the partition does nothing more.
    pub fn notice(&mut self, generation: u64) {
        self.collectors.remove(&generation);
        let until = self.now + self.random.ms(0, 100);
        self.dead.insert(Producer::Collector(generation), until);
    }
}
