use std::{fmt, sync::Arc};

/// The name under which the configuration knows an Okta org.
///
/// It is the landing key, `metadata.tenant_uid`, and a part of every key in the state store, so one org's data can
/// never meet another's. It comes from configuration only, never from an event.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrgId(Arc<str>);

impl OrgId {
    /// Wraps a name that the configuration already validated.
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OrgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
