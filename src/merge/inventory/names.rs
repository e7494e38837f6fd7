//! Names of things, and whose they were when: for people who ask by a name. Nothing is ever merged by one.

use super::fold::Step;
use super::slot::Slot;
use super::state::{self, NAME};
use super::store::InventoryStore;
use crate::json::{Tape, Value};
use crate::merge::StoreError;
use crate::okta::OrgId;
use crate::okta::inventory::{Device, DeviceProfile, Group, GroupProfile, User, UserProfile};

/// A longer name is not kept. Okta's logins have at most 100 characters, names of groups and apps at most 255.
const LONGEST: usize = 1024;

/// Something that had a name, lost and regained it more often is known to have had it all the time since the oldest of
/// these.
const MOST_TIMES: usize = 4;

/// When something had a name: from a time on, and before another one.
type Times = Vec<(i64, Option<i64>)>;

/// The ids of the things of a type that have a name, in whatever case, or had it at a time. If nobody had it then, of all
/// that ever did.
pub(super) fn holders(
    store: &(impl InventoryStore + ?Sized),
    org: &OrgId,
    kind: &str,
    name: &str,
    at: Option<i64>,
) -> Result<Vec<String>, StoreError> {
    let Some(name) = plain(name) else { return Ok(Vec::new()) };
    let (mut then, mut ever) = (Vec::new(), Vec::new());
    let key = state::key(NAME, org.as_str(), &[kind, &name]);
    state::each_below(store, &key, |id, value| {
        let id = String::from_utf8_lossy(id).into_owned();
        let times: Times = state::decode(value)?;
        let had_it = |(from, until): &(i64, Option<i64>)| match at {
            Some(at) => *from <= at && until.is_none_or(|until| at < until),
            None => until.is_none(),
        };
        if times.iter().any(had_it) {
            then.push(id.clone());
        }
        ever.push(id);
        Ok(())
    })?;
    Ok(if then.is_empty() { ever } else { then })
}

impl<S: InventoryStore> Step<'_, S> {
    /// Writes which names something has from now on, and which it has no more.
    pub fn follow_names(
        &mut self,
        slot: &Slot,
        before: Option<&[u8]>,
        after: Option<&[u8]>,
        since: i64,
    ) -> Result<(), StoreError> {
        let (before, after) = (names(slot, before), names(slot, after));
        for name in before.iter().filter(|name| !after.contains(name)) {
            self.named(slot, name, |times| {
                if let Some((_, until @ None)) = times.last_mut() {
                    *until = Some(since);
                }
            })?;
        }
        for name in after.iter().filter(|name| !before.contains(name)) {
            self.named(slot, name, |times| {
                if times.last().is_none_or(|(_, until)| until.is_some()) {
                    times.push((since, None));
                }
                if times.len() > MOST_TIMES {
                    let forgotten = times.remove(1);
                    if let Some(first) = times.first_mut() {
                        first.1 = forgotten.1;
                    }
                }
            })?;
        }
        Ok(())
    }

    fn named(&mut self, slot: &Slot, name: &str, change: impl FnOnce(&mut Times)) -> Result<(), StoreError> {
        let row = [slot.kind(), name, &slot.key];
        let mut times: Times = self.state.row(NAME, self.org, &row)?.unwrap_or_default();
        change(&mut times);
        self.state.put_row(NAME, self.org, &row, Some(&times).filter(|times| !times.is_empty()))
    }
}

/// The names that a thing goes by, as far as people ask by them.
fn names(slot: &Slot, body: Option<&[u8]>) -> Vec<String> {
    let mut tape = Tape::default();
    let Some(Ok(document)) = body.filter(|_| has_names(slot)).map(|body| tape.read(body)) else { return Vec::new() };
    let root = document.root();
    let found = match slot.facet() {
        "user.core" => [UserProfile::of(User::of(Some(root)).profile).login, None],
        "group.core" => [GroupProfile::of(Group::of(Some(root)).profile).name, None],
        "app.core" => [root.get("label"), root.get("name")],
        "device" => {
            let profile = DeviceProfile::of(Device::of(Some(root)).profile);
            [profile.display_name, profile.serial_number]
        }
        _ => [None, None],
    };
    let texts = found.into_iter().flatten().filter_map(Value::as_str);
    let mut names: Vec<String> = texts.filter_map(|text| plain(&text)).collect();
    names.dedup();
    names
}

fn has_names(slot: &Slot) -> bool {
    matches!(slot.facet(), "user.core" | "group.core" | "app.core" | "device")
}

/// A name as it is kept; none that could not be part of a key.
fn plain(name: &str) -> Option<String> {
    let fits = !name.is_empty() && name.len() <= LONGEST && !name.chars().any(char::is_control);
    fits.then(|| name.to_lowercase())
}
