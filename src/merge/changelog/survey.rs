use std::ops::Range;

use super::key::Key;
use super::{Logged, Marker, Unreadable, VERSION, Voids};

/// Finds out what of a log counts, in a first reading of it.
///
/// Limits: it must begin at the beginning of the log, or right behind a marker that counted.
#[derive(Debug, Default)]
pub struct Survey {
    claim: Option<u64>,
    mark: Option<Mark>,
    voids: Vec<Range<u64>>,
    /// Found void by an owner of whom no marker was met yet.
    unsealed: Vec<Range<u64>>,
}

/// A marker in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Its place.
    pub offset: u64,
    /// The claim under which it was written.
    pub claim: u64,
    /// What it says.
    pub marker: Marker,
}

/// What of a log counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The last marker that counts; without one, nothing does.
    pub mark: Option<Mark>,
    /// What owners have found void, up to that marker.
    pub(super) voids: Vec<Range<u64>>,
    /// The claim that counted where the reading began.
    pub(super) claim: Option<u64>,
}

impl Survey {
    /// Goes on behind a marker.
    pub fn behind(mark: Mark) -> Self {
        Self { claim: Some(mark.claim), mark: Some(mark), ..Self::default() }
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// When a record that matters cannot be read.
    pub fn take(&mut self, record: &Logged<'_>) -> Result<(), Unreadable> {
        let unreadable = Unreadable::Foreign(record.offset);
        match record.key.first() {
            Some(b'c' | b'm' | b'd') => {}
            _ => return Ok(()),
        }
        let key = Key::read(record.key).ok_or(unreadable.clone())?;
        let (Some(value), Some(claim)) = (record.value, self.claim.filter(|_| record.claim == self.claim)) else {
            if matches!(key, Key::Claim(_)) {
                self.claim = Some(record.offset);
                self.unsealed.clear();
            }
            return Ok(());
        };
        match key {
            Key::Marker => {
                let marker: Marker = serde_json::from_slice(value).map_err(|_| unreadable)?;
                if marker.v > VERSION {
                    return Err(Unreadable::Newer(record.offset));
                }
                self.voids.append(&mut self.unsealed);
                self.mark = Some(Mark { offset: record.offset, claim, marker });
            }
            Key::Voids(_) => {
                let voids: Voids = serde_json::from_slice(value).map_err(|_| unreadable)?;
                if voids.v > VERSION {
                    return Err(Unreadable::Newer(record.offset));
                }
                self.unsealed.extend(voids.ranges);
            }
            _ => {}
        }
        Ok(())
    }

    /// What was found. `began_with` is the claim that counted where the reading began, if it began behind a marker.
    pub fn finish(self, began_with: Option<u64>) -> Found {
        Found { mark: self.mark, voids: self.voids, claim: began_with }
    }
}

impl Found {
    pub(super) fn is_void(&self, offset: u64) -> bool {
        self.voids.iter().any(|range| range.contains(&offset))
    }
}
