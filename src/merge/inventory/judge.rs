use super::content::Hash;
use super::guards::{Guard, Guards};
use super::head::{Head, Standing, Version};
use super::output::Cause;

/// Something was seen: what, and between which times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sighting {
    pub lu: Option<i64>,
    /// As in [`Version::as_of`].
    pub as_of: (i64, i64),
    pub hash: Hash,
    pub way: Way,
    /// It answers a fetch that is out: whatever was fetched before was fetched before.
    pub in_turn: bool,
    pub members_changed: Option<i64>,
}

/// How something was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// In a list of a snapshot, or of changes.
    List,
    /// By itself.
    Fetch,
    /// In a re-read.
    Audit,
}

impl Way {
    pub fn cause(self) -> Cause {
        match self {
            Self::List => Cause::List,
            Self::Fetch => Cause::Fetch,
            Self::Audit => Cause::Audit,
        }
    }
}

/// What a sighting is to what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It is the first, or the newest, and says something else.
    Accepted,
    /// It says what is known, and is the newest reading of it.
    Newest,
    /// It says what is known, and was read before.
    Confirmed,
    /// It says something that was known before.
    Stale,
    /// It says something else, and nobody can tell which is the newer.
    Unclear,
    /// It is of something that is gone, and may be older than that.
    Dead,
    /// It is of something that is gone, and newer than that, but only a list.
    Revenant,
}

/// Holds a sighting against what is known.
pub(super) fn judge(head: Option<&Head>, seen: &Sighting, guards: Guards) -> Judgement {
    match head.map(|head| &head.standing) {
        None => Judgement::Accepted,
        Some(Standing::Gone(_)) if !guards.stand(Guard::Tombstones) => Judgement::Accepted,
        Some(Standing::Gone(tombstone)) if seen.as_of.0 <= tombstone.as_of.0 => Judgement::Dead,
        Some(Standing::Gone(_)) if seen.way == Way::Fetch => Judgement::Accepted,
        Some(Standing::Gone(tombstone)) if seen.as_of.0 <= tombstone.as_of.1 => Judgement::Dead,
        Some(Standing::Gone(_)) => Judgement::Revenant,
        Some(Standing::Live(version)) => against(version, seen, guards),
    }
}

fn against(known: &Version, seen: &Sighting, guards: Guards) -> Judgement {
    let newer = is_newer(known, seen, guards);
    if known.hash == seen.hash && guards.stand(Guard::EqualContent) {
        return if newer { Judgement::Newest } else { Judgement::Confirmed };
    }
    // Only what has no version of its own can be unclear: two readings that overlapped.
    let overlap = seen.as_of.1 >= known.as_of.0;
    match (newer, known.lu.zip(seen.lu)) {
        (true, _) => Judgement::Accepted,
        (false, None) if seen.way == Way::Fetch && overlap => Judgement::Unclear,
        (false, _) => Judgement::Stale,
    }
}

/// Whether the sighting is of a newer state than the version, for sure.
fn is_newer(known: &Version, seen: &Sighting, guards: Guards) -> bool {
    if !guards.stand(Guard::Order) {
        return true;
    }
    match known.lu.zip(seen.lu) {
        Some((known_lu, seen_lu)) if !guards.stand(Guard::TieBreak) => seen_lu > known_lu,
        // The hash says nothing. It only sees to it that the order of arrival does not either.
        Some((known_lu, seen_lu)) => (seen_lu, seen.as_of.0, seen.hash) > (known_lu, known.as_of.0, known.hash),
        None if !guards.stand(Guard::Disjoint) => true,
        None => {
            let after = seen.as_of.0 > known.as_of.1;
            // Fetches of one slot never overlap, whatever their clocks say.
            let in_turn = seen.in_turn && known.fetched && seen.as_of.0 > known.as_of.0;
            after || in_turn
        }
    }
}

impl Sighting {
    /// The version that it makes, after what was known before.
    pub fn version(&self, since: i64, cause: Cause) -> Version {
        Version {
            lu: self.lu,
            as_of: self.as_of,
            hash: self.hash,
            fetched: self.way == Way::Fetch,
            members_changed: self.members_changed,
            since,
            cause,
        }
    }
}
