//! Which of a user's groups a record lists.

use super::Context;
use crate::ocsf::knowledge::GroupId;
use crate::ocsf::writer::Writer;

/// Of how many groups the names are asked for, to find those that come first by name. People in more are service
/// accounts; the rest of their groups is counted.
const MOST_NAMED: usize = 1_000;

/// `groups`: those that come first, then in the order of the inventory, and no more than are wanted.
pub fn groups(w: &mut Writer<'_>, context: &Context<'_>, ids: &[GroupId]) {
    let most = context.enrichment.max_groups;
    let name = |id: &str| context.knowledge.group_name(id);
    w.array("groups", |w| {
        if context.enrichment.groups_first.is_empty() {
            return ids.iter().take(most).for_each(|id| group(w, context, id, name(id).as_deref()));
        }
        let mut known = Vec::with_capacity(ids.len().min(MOST_NAMED));
        for id in ids.iter().take(MOST_NAMED.max(most)) {
            let name = name(id);
            let rank = context.enrichment.rank(id, name.as_deref()).unwrap_or(usize::MAX);
            known.push((rank, id, name));
        }
        // Stable: the others keep their order.
        known.sort_by_key(|(rank, ..)| *rank);
        known.iter().take(most).for_each(|(_, id, name)| group(w, context, id, name.as_deref()));
    });
}

fn group(w: &mut Writer<'_>, context: &Context<'_>, id: &str, name: Option<&str>) {
    w.item(|w| {
        context.text(w, "uid", None, Some(id));
        context.text(w, "name", None, name);
    });
}
