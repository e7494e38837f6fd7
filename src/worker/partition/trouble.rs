use std::path::Path;

use crate::ack::NotDelivered;
use crate::error::{Class, ExitStatus, Fatal};
use crate::landing::{LandingError, MalformedRecord};
use crate::merge::StoreError;
use crate::publish::{PublishError, TooMuchIsBad};
use crate::worker::changelog::ChangelogError;

/// Why a partition cannot go on as it is.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// Asked to stop in the middle of a batch, which is dropped.
    #[error("stopped")]
    Stopped,
    /// The disk refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The changelog did not do as it should.
    #[error(transparent)]
    Changelog(#[from] ChangelogError),
    /// The log did not answer.
    #[error(transparent)]
    Landing(#[from] LandingError),
    /// The output did not answer.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// A record was not delivered.
    #[error("an output was not delivered")]
    NotDelivered(#[source] NotDelivered),
    /// The log holds what this binary cannot read.
    #[error(transparent)]
    Newer(MalformedRecord),
    /// Nearly everything is bad.
    #[error(transparent)]
    TooMuchIsBad(#[from] TooMuchIsBad),
}

impl Trouble {
    /// The error that ends the worker, unless the trouble may pass.
    pub fn fatal(&self, partition: i32, state: &Path) -> Option<Fatal> {
        let path = state.display();
        let fatal = |status, what: String, hint: &str| Some(Fatal::new(status, what).hint(hint));
        match self {
            Self::Changelog(ChangelogError::Unreadable(_)) => fatal(
                ExitStatus::Software,
                format!("the changelog of partition {partition} cannot be read"),
                "if a newer version wrote it, run that one here as well; otherwise give merge.changelog_topic another name",
            ),
            Self::Store(StoreError { source: redb::Error::Corrupted(_), .. })
            | Self::Changelog(ChangelogError::Store(StoreError { source: redb::Error::Corrupted(_), .. })) => fatal(
                ExitStatus::Io,
                format!("the state {path} is damaged"),
                "move the file away and start again: the state is folded again from the landing log",
            ),
            Self::Store(_) | Self::Changelog(ChangelogError::Store(_)) => fatal(
                ExitStatus::Io,
                format!("the state {path} cannot be used"),
                "free space on the disk of worker.data_dir and start again; nothing is lost or published twice",
            ),
            Self::Newer(_) => fatal(
                ExitStatus::Software,
                format!("landing partition {partition} was written by a newer version"),
                "run that version here as well",
            ),
            Self::TooMuchIsBad(_) => fatal(
                ExitStatus::BadData,
                "the landed events are almost entirely bad".into(),
                "look at the quarantine topic; raise quarantine.stop_percent if this is expected",
            ),
            Self::NotDelivered(NotDelivered::Refused(_)) => fatal(
                ExitStatus::Unavailable,
                "an output topic refuses a record for its size".into(),
                "set max.message.bytes of the output topics to 8388608",
            ),
            Self::Changelog(ChangelogError::NotDelivered(NotDelivered::Refused(_))) => fatal(
                ExitStatus::Unavailable,
                "the topic of the changelog refuses a record for its size".into(),
                "set max.message.bytes of merge.changelog_topic to 1048576 or more",
            ),
            Self::NotDelivered(NotDelivered::Impossible { status, .. })
            | Self::Changelog(ChangelogError::NotDelivered(NotDelivered::Impossible { status, .. })) => fatal(
                *status,
                format!("the output of partition {partition} is refused"),
                "mend the cause and start again; nothing is lost or published twice",
            ),
            Self::Publish(PublishError { class: Class::Fatal, .. }) => fatal(
                ExitStatus::Io,
                "the output files cannot be used".into(),
                "mend the cause and start again; nothing is lost or published twice",
            ),
            Self::Landing(LandingError { class: Class::Fatal, .. }) => fatal(
                ExitStatus::Io,
                format!("landing partition {partition} cannot be read on"),
                "start again: the start says whether the log was made anew or has lost records",
            ),
            _ => None,
        }
    }
}
