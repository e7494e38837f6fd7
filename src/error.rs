//! How errors are classified and how the process says that it cannot go on.

use std::fmt;

/// What an error means for the work in hand. Decided once, where the error is understood. Input that can never succeed
/// is no error of this kind: it is a value of its own, which goes to quarantine while the rest goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The outside world may recover; the same work is tried again.
    Retry,
    /// Nothing can succeed until a person acts; the process ends.
    Fatal,
}

/// Exit statuses, after BSD `sysexits.h`, so that a supervisor can tell "fix the config" from "try again".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// All was done.
    Ok = 0,
    /// The work ended, but some input was bad (`transform`) or a check failed (`check`).
    SomeFailed = 1,
    /// What was asked for makes no sense here, as a name that nothing has; the same that a wrong option gives.
    Usage = 2,
    /// `EX_DATAERR`: nearly everything that arrives is bad; the worker stopped instead of filling the quarantine.
    BadData = 65,
    /// `EX_UNAVAILABLE`: a queue, topic or bus that must exist does not.
    Unavailable = 69,
    /// `EX_SOFTWARE`: an invariant broke, or a client library reported a fatal error; restarting is safe.
    Software = 70,
    /// `EX_IOERR`: the disk under the data directory refused a write or a read.
    Io = 74,
    /// `EX_NOPERM`: credentials are missing, wrong, or not allowed to do this.
    NoPermission = 77,
    /// `EX_CONFIG`: the configuration is wrong.
    Config = 78,
}

impl From<ExitStatus> for std::process::ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status as u8)
    }
}

/// An error that ends the process: what happened, what to do about it, and the exit status.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Fatal {
    what: String,
    hint: Option<String>,
    status: ExitStatus,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Fatal {
    /// `what` says what failed and where, in one line without a full stop.
    pub fn new(status: ExitStatus, what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: None, status, source: None }
    }

    /// Adds what a person should do, ideally a command that can be pasted.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Links the cause; it is printed after `what`, not repeated in it.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The exit status that the process ends with.
    pub fn status(&self) -> ExitStatus {
        self.status
    }

    /// What a person should do, if that is known.
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// An error and all its causes on one line, each said once.
pub struct Chain<'a>(pub &'a (dyn std::error::Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = self.0.to_string();
        write!(f, "{last}")?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            // Some libraries repeat their source in their own text; once is enough.
            if !last.contains(&text) {
                write!(f, ": {text}")?;
            }
            last = text;
            next = cause.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_says_each_cause_once() {
        let inner = std::io::Error::other("disk full");
        let error = Fatal::new(ExitStatus::Io, "cannot commit").because(inner);
        assert_eq!(Chain(&error).to_string(), "cannot commit: disk full");
        let repeated =
            Fatal::new(ExitStatus::Io, "cannot commit: disk full").because(std::io::Error::other("disk full"));
        assert_eq!(Chain(&repeated).to_string(), "cannot commit: disk full");
    }
}
