use std::collections::{BTreeMap, BTreeSet};

use okta_ocsf::landing::{Content, Grain, LandingRecord, Observation};
use serde_json::Value;

/// What is in a landing log.
pub struct Landed(pub Vec<LandingRecord>);

impl Landed {
    /// What was read of a collection, in the order in which it landed.
    pub fn observations(&self, collection: &str) -> Vec<(&Observation, Value)> {
        let observed = self.all_observations().filter(|(observation, _)| observation.collection == collection);
        observed.map(|(observation, value)| (observation, serde_json::from_slice(value).unwrap())).collect()
    }

    /// Every observation with its bytes; none are how an absent object is told.
    pub fn all_observations(&self) -> impl Iterator<Item = (&Observation, &[u8])> {
        self.0.iter().filter_map(|record| match &record.content {
            Content::Observation(observation) => Some((observation, record.value.as_slice())),
            _ => None,
        })
    }

    /// The objects of a collection that lands them one by one, by id; the last reading counts.
    pub fn objects(&self, collection: &str) -> BTreeMap<String, Value> {
        let observed = self.observations(collection).into_iter();
        observed.map(|(observation, object)| (observation.key.clone(), object)).collect()
    }

    /// The ids within the lists of a collection, each behind the key of its list.
    pub fn links(&self, collection: &str) -> BTreeSet<(String, String)> {
        let mut links = BTreeSet::new();
        for (observation, page) in self.observations(collection) {
            let ids = page.as_array().unwrap().iter().map(|item| match observation.grain {
                Grain::Ids => item.as_str().unwrap(),
                _ => item["id"].as_str().unwrap(),
            });
            links.extend(ids.map(|id| (observation.key.clone(), id.to_owned())));
        }
        links
    }

    /// The marks of a name.
    pub fn marks(&self, wanted: &str) -> Vec<Value> {
        let values = self.0.iter().filter_map(|record| match &record.content {
            Content::Mark { name } if name == wanted => Some(&record.value),
            _ => None,
        });
        values.map(|value| serde_json::from_slice(value).unwrap()).collect()
    }

    /// The only mark of a name.
    pub fn mark(&self, name: &str) -> Value {
        let mut marks = self.marks(name);
        assert_eq!(marks.len(), 1, "{name}: {marks:?}");
        marks.remove(0)
    }
}
