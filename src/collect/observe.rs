//! From an answer of the API to the records that land.

use crate::collect::table::{Collection, Parent};
use crate::json::Tape;
use crate::landing::{Content, Grain, Observation};
use crate::merge::snapshots::{Keys, Mark};
use crate::okta::api::{Answer, Object};
use crate::okta::{parse_ms, secrets};

/// What is the same for all that is read of one list.
#[derive(Debug, Clone, Copy)]
pub(super) struct List<'a> {
    pub collection: &'static Collection,
    /// The ids of what it is within.
    pub key: Option<&'a str>,
    /// The snapshot.
    pub epoch: Option<i64>,
    /// The rosters that somebody reads.
    pub rosters: &'a [Roster],
}

/// Where the keys of the lists within a collection's objects are remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Roster {
    pub name: String,
    /// One of the collections that go by it: it knows how a key is made.
    pub child: &'static Collection,
}

/// A page, ready to be landed.
#[derive(Debug)]
pub(super) struct Landed {
    pub records: Vec<(Content, Vec<u8>)>,
    pub objects: u64,
    /// Objects that no record can hold.
    pub unfit: u64,
}

/// An object that landed by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub key: String,
    /// Its `lastUpdated`, ms since the Unix epoch, if it has one.
    pub updated: Option<i64>,
}

/// What is observed of one object that was asked for by itself.
pub(super) fn single(collection: &Collection, key: String, as_of: (i64, i64)) -> Observation {
    Observation {
        collection: collection.name.to_owned(),
        facet: collection.facet.to_owned(),
        grain: Grain::Object,
        key,
        epoch: None,
        as_of,
        part: 0,
        last: true,
    }
}

impl Roster {
    /// The roster that the lists of a collection go by. Those that hang on the objects themselves share one.
    pub fn of(child: &'static Collection) -> Option<Self> {
        let name = match child.parent {
            Parent::Org | Parent::Each(..) => return None,
            Parent::Of(parent) => parent.to_owned(),
            Parent::Link { of, link } => format!("{of}.{link}"),
        };
        Some(Self { name, child })
    }

    /// All that a plan needs.
    pub fn all(collections: &[&'static Collection]) -> Vec<Self> {
        let mut rosters: Vec<Self> = collections.iter().filter_map(|collection| Self::of(collection)).collect();
        rosters.sort_by(|one, other| one.name.cmp(&other.name));
        rosters.dedup_by(|one, other| one.name == other.name);
        rosters
    }
}

impl Landed {
    /// The objects that land one by one.
    pub fn seen(&self) -> Vec<Seen> {
        let seen = |(content, value): &(Content, Vec<u8>)| match content {
            Content::Observation(observation) if observation.grain == Grain::Object => {
                Some(Seen { key: observation.key.clone(), updated: last_updated(value) })
            }
            _ => None,
        };
        self.records.iter().filter_map(seen).collect()
    }
}

impl List<'_> {
    /// The records of a page; `part` counts them on.
    pub fn records(&self, answer: &Answer, part: &mut u32, last: bool, most: usize) -> Landed {
        let mut landed = Landed { records: Vec::new(), objects: 0, unfit: 0 };
        landed.objects = answer.objects().len() as u64;
        match self.collection.grain {
            Grain::Object => self.objects(answer, most, &mut landed),
            Grain::Page => self.page(answer, part, last, most, &mut landed),
            Grain::Ids => self.ids(answer, part, last, &mut landed),
        }
        self.keys(answer, &mut landed);
        landed
    }

    fn objects(&self, answer: &Answer, most: usize, landed: &mut Landed) {
        for object in answer.objects() {
            if object.json.len() > most {
                landed.unfit += 1;
                continue;
            }
            // What has no id is alone in its list.
            let id = plain(object.id.unwrap_or("-"));
            let key = self.key.map_or_else(|| id.clone(), |key| format!("{key}/{id}"));
            let content = self.observation(answer, key, 0, true);
            match without_secrets(object.json) {
                Some(value) => landed.records.push((content, value)),
                None => landed.unfit += 1,
            }
        }
    }

    /// One record, or a few where a page is larger than a record may be. A page without objects is one, too: it says
    /// that there are none.
    fn page(&self, answer: &Answer, part: &mut u32, last: bool, most: usize, landed: &mut Landed) {
        let mut pages = vec![b"[".to_vec()];
        for object in answer.objects() {
            if object.json.len() + 2 > most {
                landed.unfit += 1;
                continue;
            }
            let full = pages.last().is_some_and(|page| page.len() + object.json.len() + 1 > most);
            if full {
                pages.push(b"[".to_vec());
            }
            let Some(value) = without_secrets(object.json) else {
                landed.unfit += 1;
                continue;
            };
            if let Some(page) = pages.last_mut() {
                if page.len() > 1 {
                    page.push(b',');
                }
                page.extend_from_slice(&value);
            }
        }
        let count = pages.len();
        for (nth, mut page) in pages.into_iter().enumerate() {
            page.push(b']');
            let content = self.of_list(answer, part, last && nth + 1 == count);
            landed.records.push((content, page));
        }
    }

    fn ids(&self, answer: &Answer, part: &mut u32, last: bool, landed: &mut Landed) {
        let ids: Vec<&str> = answer.objects().filter_map(|object| object.id).collect();
        let value = serde_json::Value::from(ids).to_string().into_bytes();
        let content = self.of_list(answer, part, last);
        landed.records.push((content, value));
    }

    fn of_list(&self, answer: &Answer, part: &mut u32, last: bool) -> Content {
        let content = self.observation(answer, self.key.unwrap_or_default().to_owned(), *part, last);
        *part += 1;
        content
    }

    fn observation(&self, answer: &Answer, key: String, part: u32, last: bool) -> Content {
        let as_of = (answer.asked_ms, answer.answered_ms);
        let (grain, epoch) = (self.collection.grain, self.epoch);
        Content::Observation(Observation { grain, epoch, part, last, ..single(self.collection, key, as_of) })
    }

    /// The keys of the lists that are within these objects, for those who read them.
    fn keys(&self, answer: &Answer, landed: &mut Landed) {
        let Some(epoch) = self.epoch else { return };
        let ours = self.rosters.iter().filter(|roster| roster.child.parent().is_some_and(|of| *of == *self.collection));
        for roster in ours {
            let key = |object: Object<'_>| roster.child.key_below(self.key, &object);
            let keys: Vec<String> = answer.objects().filter_map(key).filter(|key| is_plain(key)).collect();
            let mark = Mark::Listed(Keys { epoch, roster: roster.name.clone(), keys });
            landed.records.push(record(&mark));
        }
    }
}

/// A mark as it lands.
pub(super) fn record(mark: &Mark) -> (Content, Vec<u8>) {
    // Texts and numbers can always be written as JSON.
    let (name, value) = mark.write().unwrap_or(("other", Vec::new()));
    (Content::Mark { name: name.to_owned() }, value)
}

/// An object as it lands: as received, but for the secrets that Okta sends along with some. Nothing if it cannot be read,
/// which must not look like an object that is not there.
pub(super) fn without_secrets(object: &[u8]) -> Option<Vec<u8>> {
    let mut tape = Tape::default();
    let document = tape.read(object).ok()?;
    let mut text = Vec::with_capacity(object.len());
    secrets::copy_without(&document, &mut text);
    Some(text)
}

fn last_updated(object: &[u8]) -> Option<i64> {
    let mut tape = Tape::default();
    let document = tape.read(object).ok()?;
    parse_ms(&document.root().get("lastUpdated")?.as_str()?)
}

/// An id as it may stand in a key: ids come from outside, and a key has one `/` between two of them and no line ends.
fn plain(id: &str) -> String {
    if is_plain(id) && !id.contains('/') {
        return id.to_owned();
    }
    let mut plain = String::with_capacity(id.len() + 8);
    for byte in id.bytes() {
        if byte.is_ascii_graphic() && !b"/%".contains(&byte) {
            plain.push(char::from(byte));
        } else {
            plain.push_str(&format!("%{byte:02X}"));
        }
    }
    plain
}

fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'%')
}
