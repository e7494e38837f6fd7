/// What keeps a race from being lost. All stand; a test may take one away, to see that the race is then lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guard {
    /// An older sighting never replaces a newer one.
    Order,
    /// Of two versions of the same second the one that was read later is the newer.
    TieBreak,
    /// A part without a version of its own is replaced only by what was surely read later.
    Disjoint,
    /// What was read from a list may be older than the reading.
    ListLag,
    /// Reading times are Okta's, not those of this machine.
    OktaClock,
    /// A hint that comes while a fetch is out asks for another one.
    AskAgain,
    /// Equal content is only a confirmation.
    EqualContent,
    /// What is gone is remembered, and no list brings it back.
    Tombstones,
    /// Only what a read of one object did not find is gone.
    AskBeforeBurying,
    /// What was confirmed since the snapshot began is not missing from it.
    ConfirmedSince,
    /// Only a complete reading says anything about what is not in it.
    CompleteOnly,
    /// Too much is missing to be true.
    Brake,
    /// Something that is known to exist must be found first.
    Canary,
    /// Only the snapshot that runs may sweep.
    Fence,
    /// Many changes are listed, not fetched one by one.
    Burst,
    /// Old events hint at nothing that is known.
    History,
    /// The org is part of every key.
    OrgInKey,
    /// A group says when its members changed last.
    MembershipClock,
    /// A list that is not there says that its parent may be gone.
    MissingList,
    /// A list is a value only when it is whole.
    WholeLists,
    /// An event seen twice hints once.
    FreshOnly,
    /// What no event announced is reported, so that the log is read again.
    Drift,
    /// Who is named by an event and was never seen is asked for.
    Strangers,
    /// Only what looks like an id of Okta's is asked for: a login names somebody else tomorrow.
    Ids,
}

/// Which guards stand.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Guards {
    #[cfg(test)]
    pub without: Option<Guard>,
}

impl Guards {
    #[cfg(test)]
    pub fn stand(self, guard: Guard) -> bool {
        self.without != Some(guard)
    }

    #[cfg(not(test))]
    #[allow(clippy::unused_self)]
    pub fn stand(self, _guard: Guard) -> bool {
        true
    }
}
