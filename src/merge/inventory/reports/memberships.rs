//! Which groups a user is in. The one place that knows where that is kept.

use super::Reading;
use super::thing::split;
use crate::collect::Collection;
use crate::merge::StoreError;
use crate::merge::inventory::memberships::groups_of;
use crate::merge::inventory::reports::Reporter;
use crate::merge::inventory::slot::Slot;
use crate::merge::inventory::store::InventoryStore;

impl<S: InventoryStore> Reporter<'_, S> {
    /// The groups of a user, each as Okta shows it; `None` if they are not known. What it rests on goes to `readings`.
    pub(super) fn groups(&self, user: &Slot, readings: &mut Vec<Reading>) -> Result<Option<Vec<Vec<u8>>>, StoreError> {
        // The list of the user's own groups says everything of them, where somebody asked for it.
        if let Some(list) = self.list(user, "user.groups", readings)? {
            return Ok(Some(split(&list)));
        }
        let Some(ids) = groups_of(&self.state.layered(), self.org, &user.key)? else { return Ok(None) };
        let Some(groups) = Collection::find("groups") else { return Ok(None) };
        let mut bodies = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(group) = Slot::new(self.org, groups, &id) else { continue };
            let known = self.state.body(&group)?;
            bodies.push(known.unwrap_or_else(|| serde_json::json!({"id": id}).to_string().into_bytes()));
        }
        Ok(Some(bodies))
    }
}
