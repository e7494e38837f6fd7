use std::sync::LazyLock;

use foldhash::HashMap;

use crate::collect::{COLLECTIONS, Collection};
use crate::okta::OrgId;

/// Where something is known: one facet of one thing in one org.
///
/// The facet is that of the collection; what stands before its dot is the type of the thing. Of a collection whose
/// objects stand by themselves each object has a slot, of one whose pages mean something together each list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Whose.
    pub org: OrgId,
    /// Which collection tells it.
    pub collection: &'static Collection,
    /// The object's id behind those of what it is within, parted by `/`; of a list only the latter.
    pub key: String,
}

static BY_FACET: LazyLock<HashMap<&'static str, &'static Collection>> =
    LazyLock::new(|| COLLECTIONS.iter().map(|collection| (collection.facet, collection)).collect());

impl Slot {
    /// A slot of a collection. `None` if the key holds control characters, which no id of Okta's does.
    pub fn new(org: &OrgId, collection: &'static Collection, key: &str) -> Option<Self> {
        let plain = !key.bytes().any(|byte| byte.is_ascii_control());
        plain.then(|| Self { org: org.clone(), collection, key: key.to_owned() })
    }

    /// The facet.
    pub fn facet(&self) -> &'static str {
        self.collection.facet
    }

    /// The type of the thing: what stands before the dot of its facet.
    pub fn kind(&self) -> &'static str {
        kind(self.collection)
    }

    /// Whether it is the thing itself and not a part of it.
    pub fn is_core(&self) -> bool {
        is_core(self.collection)
    }

    /// The thing that this is a part of.
    pub fn core(&self) -> Option<Slot> {
        let id = self.key.split('/').next().filter(|id| !id.is_empty())?;
        let core = of_kind(self.kind()).find(|collection| is_core(collection))?;
        (!self.is_core()).then(|| Self { org: self.org.clone(), collection: core, key: id.to_owned() })
    }

    /// The other facets of things of this type.
    pub fn siblings(&self) -> impl Iterator<Item = &'static Collection> + use<> {
        let own = self.facet();
        of_kind(self.kind()).filter(move |collection| collection.facet != own)
    }

    /// The same thing in another facet of its type.
    pub fn sibling(&self, collection: &'static Collection) -> Slot {
        Self { org: self.org.clone(), collection, key: self.key.clone() }
    }
}

/// The collection that tells a facet.
pub(super) fn by_facet(facet: &str) -> Option<&'static Collection> {
    BY_FACET.get(facet).copied()
}

/// Whether what a collection tells is a part of a thing that another one tells.
pub(super) fn is_part(collection: &'static Collection) -> bool {
    !is_core(collection) && of_kind(kind(collection)).any(is_core)
}

pub(super) fn kind(collection: &Collection) -> &'static str {
    collection.facet.split('.').next().unwrap_or(collection.facet)
}

fn is_core(collection: &Collection) -> bool {
    let kind = kind(collection);
    collection.facet == kind || collection.facet.strip_prefix(kind) == Some(".core")
}

/// The collections of things of a type.
pub(super) fn of_kind(wanted: &'static str) -> impl Iterator<Item = &'static Collection> {
    COLLECTIONS.iter().filter(move |collection| kind(collection) == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(facet: &str, key: &str) -> Slot {
        Slot::new(&OrgId::new("acme"), by_facet(facet).unwrap(), key).unwrap()
    }

    #[test]
    fn a_part_knows_what_it_is_a_part_of() {
        assert_eq!(slot("user.factors", "00u1").core(), Some(slot("user.core", "00u1")));
        assert_eq!(slot("policy.rules", "00p1/0pr1").core(), Some(slot("policy", "00p1")));
        assert_eq!(slot("user.core", "00u1").core(), None);
        assert_eq!(slot("zone", "nzo1").core(), None);
    }

    #[test]
    fn every_facet_is_of_one_collection_and_at_most_one_of_a_type_is_the_thing_itself() {
        assert_eq!(BY_FACET.len(), COLLECTIONS.len());
        for collection in COLLECTIONS {
            assert!(of_kind(kind(collection)).filter(|one| is_core(one)).count() <= 1, "{}", collection.facet);
        }
    }

    #[test]
    fn a_key_with_control_characters_is_no_key() {
        let users = by_facet("user.core").unwrap();
        assert_eq!(Slot::new(&OrgId::new("acme"), users, "00u1\0"), None);
    }
}
