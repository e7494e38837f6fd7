use super::super::tests::{FACTORS, USER, slot};
use super::super::*;
use super::run::Run;

/// What was published of a slot.
#[derive(Debug, Default)]
pub struct Said {
    version: Option<u64>,
    gone: bool,
}

impl Run {
    /// Holds what is said against what was said before, and against the truth.
    pub(super) fn judge(&mut self, output: &Output) {
        match output {
            Output::Change(change) => {
                self.report.changes += 1;
                let version = version(&change.after);
                let said = self.said.entry((change.slot.facet(), change.slot.key.clone())).or_default();
                self.report.resurrections += u64::from(said.gone);
                self.report.regressions += u64::from(said.version.is_some_and(|before| version < before));
                *said = Said { version: Some(version), gone: false };
            }
            Output::Deleted(deleted) => {
                self.report.deleted += 1;
                self.report.swept += u64::from(deleted.cause == Cause::Sweep);
                let person = self.org.people.get(&deleted.slot.key);
                let there = person.is_some_and(|person| person.is_there(deleted.as_of.1));
                self.report.false_tombstones += u64::from(there);
                let said = self.said.entry((deleted.slot.facet(), deleted.slot.key.clone())).or_default();
                *said = Said { version: said.version, gone: true };
            }
            Output::Drift(_) => self.report.drifts += 1,
            Output::Alert(_) => self.report.alerts += 1,
            Output::Intent(_) => {}
        }
    }

    /// Counts the slots that do not say the truth.
    pub(super) fn divergent(&mut self) -> u64 {
        self.commit();
        let mut divergent = 0;
        for (key, person) in &self.org.people {
            for facet in [USER, FACTORS] {
                let slot = slot(facet, key);
                let known = head(&self.store, &slot).unwrap().filter(|head| !head.is_gone());
                let known = known.map(|_| version(&body(&self.store, &slot).unwrap().unwrap()));
                let versions = if facet == USER { &person.versions } else { &person.factors };
                let truth = person.is_there(self.now).then(|| versions.len() as u64 - 1);
                // Factors that never changed are read by the first audit, or by none if the user came later.
                let never_read = facet == FACTORS && known.is_none() && truth == Some(0);
                if known != truth && !never_read {
                    divergent += 1;
                    if self.without.is_none() {
                        println!("{facet} {key}: {person:?}, {:?}", head(&self.store, &slot).unwrap());
                    }
                }
            }
        }
        divergent
    }
}

/// Which version a body says that it is.
fn version(body: &[u8]) -> u64 {
    let text = std::str::from_utf8(body).unwrap();
    let says = text.split(r#""says":""#).nth(1).unwrap();
    says.split('"').next().unwrap().parse().unwrap()
}
