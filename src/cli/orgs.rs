//! The orgs that a command is about.

use crate::config::{Config, OrgConfig};
use crate::error::{ExitStatus, Fatal};

/// Those of these names, or all; each must have an API.
///
/// # Errors
/// When one does not exist, or nothing can be read of it.
pub(super) fn with_api(config: &Config, names: &[String]) -> Result<Vec<OrgConfig>, Fatal> {
    let wrong = |what: String, hint: &str| Err(Fatal::new(ExitStatus::Config, what).hint(hint));
    if let Some(name) = names.iter().find(|name| config.orgs.iter().all(|org| org.id != **name)) {
        return wrong(format!("there is no org {name:?} in the configuration"), "--org takes an id of an [[org]]");
    }
    let wanted = |org: &&OrgConfig| names.is_empty() || names.contains(&org.id);
    let (with, without): (Vec<_>, Vec<_>) = config.orgs.iter().filter(wanted).partition(|org| org.api.is_some());
    if let Some(org) = without.first().filter(|_| !names.is_empty() || with.is_empty()) {
        let what = format!("the org {:?} has no [org.api], so nothing can be read of it", org.id);
        return wrong(what, "docs/okta-access.md says how to get a way in");
    }
    Ok(with.into_iter().cloned().collect())
}
