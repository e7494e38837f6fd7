//! Which class and activity an Okta event type is: the tables `event-types.csv`, `event-families.csv` and
//! `event-verbs.csv` in `schemas/`, compiled in, and a file of the user's before them.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use super::Class;
use super::enums::{self, Choice, by_caption};
use super::validate::Schema;

/// How events of one type are mapped: one row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The class of the record.
    pub class: Class,
    /// `activity_id` within the class.
    pub activity_id: u8,
    /// Its caption, or for 99 the activity's own name.
    pub activity: String,
    /// What kind of thing the activity is about, such as `Policy` or `API Token`; empty if the class says it.
    pub entity: String,
    /// The Okta types of the target that it is about, best first; empty if the usual ones of the entity apply.
    pub targets: Vec<String>,
    /// What holds when the event itself does not say.
    pub defaults: Defaults,
    /// The attributes that are the same in every record of the type, written out.
    pub head: String,
}

/// What the type of an event alone says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Defaults {
    /// Whether it is a success, when there is no outcome.
    pub success: Option<bool>,
    /// `auth_protocol`.
    pub protocol: Option<Choice>,
    /// `auth_factors[].factor_type`.
    pub factor: Option<Choice>,
    /// `privileges[]`.
    pub privilege: Option<String>,
    /// `authentication_token.type`.
    pub token: Option<Choice>,
    /// `disposition`.
    pub disposition: Option<Choice>,
    /// The step is a second factor.
    pub mfa: bool,
    /// The type is a refusal: that it was carried out is no success of the activity.
    pub refusal: bool,
    /// The principal is an OAuth client, not a person.
    pub client_user: bool,
    /// People do this to themselves, so whoever acts is the user if the event names no other.
    pub actor_user: bool,
}

/// A line of a table that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct TableError {
    /// Counted from 1; the header is line 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

/// A user's file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("the file cannot be read")]
    Unreadable(#[source] std::io::Error),
    /// Some of its lines cannot be used.
    #[error("{}", .0.iter().map(TableError::to_string).collect::<Vec<_>>().join("; "))]
    Lines(Vec<TableError>),
}

/// The table that a mapper uses.
#[derive(Debug, Clone)]
pub struct EventTypes {
    overrides: HashMap<String, Entry>,
    /// Prefixes of the user's file, longest first.
    families: Vec<(String, Entry)>,
}

/// Where the row of an event type comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// A row of its own.
    Listed,
    /// The rule of its family: Okta has added a type since the table was made.
    Family,
    /// Nothing but Base Event.
    Unknown,
}

const HEADER: &str = "event_type,class,activity_id,activity,entity,targets,defaults,why";

static LISTED: LazyLock<HashMap<String, Entry>> = LazyLock::new(|| {
    let table = include_str!("../../schemas/event-types.csv");
    // A test forbids bad rows; the worker must not fail on one.
    rows(table).filter_map(Result::ok).collect()
});

static FAMILIES: LazyLock<Vec<Family>> =
    LazyLock::new(|| families(include_str!("../../schemas/event-families.csv")).filter_map(Result::ok).collect());

/// A class and the last word of an event type.
type Verb = (&'static str, &'static str);

/// The activity that a verb means in a class.
static VERBS: LazyLock<HashMap<Verb, Choice>> =
    LazyLock::new(|| verbs(include_str!("../../schemas/event-verbs.csv")).flatten().collect());

static BASE: LazyLock<Entry> = LazyLock::new(|| Entry::new(Class::BaseEvent, 99, String::new(), String::new()));

/// The row under which everything can be mapped.
pub fn base() -> &'static Entry {
    &BASE
}

impl EventTypes {
    /// The compiled-in table.
    pub fn embedded() -> Arc<Self> {
        Arc::new(Self { overrides: HashMap::new(), families: Vec::new() })
    }

    /// The compiled-in table after the rows of a user's file, which has the same columns. An `event_type` that ends in
    /// `*` is a prefix.
    ///
    /// # Errors
    /// Every line that cannot be used.
    pub fn with_overrides(csv: &str) -> Result<Arc<Self>, Vec<TableError>> {
        if csv.lines().next().map(str::trim) != Some(HEADER) {
            return Err(vec![TableError { line: 1, problem: format!("the header must be {HEADER}") }]);
        }
        let (mut overrides, mut families, mut errors) = (HashMap::new(), Vec::new(), Vec::new());
        for (line, row) in (2..).zip(rows(csv)) {
            match row.and_then(|(name, entry)| Ok((name, checked(entry)?))) {
                Ok((name, entry)) => match name.strip_suffix('*') {
                    Some(prefix) => families.push((prefix.to_owned(), entry)),
                    None => drop(overrides.insert(name, entry)),
                },
                Err(problem) => errors.push(TableError { line, problem }),
            }
        }
        families.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        if errors.is_empty() { Ok(Arc::new(Self { overrides, families })) } else { Err(errors) }
    }

    /// The compiled-in table after the rows of a file; see [`EventTypes::with_overrides`].
    ///
    /// # Errors
    /// When the file cannot be read, or has lines that cannot be used.
    pub fn read(path: &std::path::Path) -> Result<Arc<Self>, FileError> {
        let csv = std::fs::read_to_string(path).map_err(FileError::Unreadable)?;
        Self::with_overrides(&csv).map_err(FileError::Lines)
    }

    /// The row of an event type.
    pub fn find(&self, event_type: &str) -> (Known, std::borrow::Cow<'_, Entry>) {
        use std::borrow::Cow;
        let own = || self.families.iter().find(|(prefix, _)| event_type.starts_with(prefix.as_str()));
        if let Some(entry) = self.overrides.get(event_type).or_else(|| own().map(|(_, entry)| entry)) {
            return (Known::Listed, Cow::Borrowed(entry));
        }
        if let Some(entry) = LISTED.get(event_type) {
            return (Known::Listed, Cow::Borrowed(entry));
        }
        match FAMILIES.iter().find(|family| event_type.starts_with(&family.prefix)) {
            Some(family) => (Known::Family, Cow::Owned(family.entry(event_type))),
            None => (Known::Unknown, Cow::Borrowed(&BASE)),
        }
    }

    /// The names of all types with a row of their own, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.overrides.keys().chain(LISTED.keys()).map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl Entry {
    fn new(class: Class, activity_id: u8, activity: String, entity: String) -> Self {
        let mut entry = Self {
            class,
            activity_id,
            activity,
            entity,
            targets: Vec::new(),
            defaults: Defaults::default(),
            head: String::new(),
        };
        entry.head = entry.head();
        entry
    }

    /// The same activity in a class whose activities have the same numbers.
    pub fn in_class(mut self, class: Class) -> Self {
        self.class = class;
        self.head = self.head();
        self
    }

    fn head(&self) -> String {
        let (category_uid, category) = self.class.category();
        let (uid, class, activity_id) = (self.class.uid(), self.class.caption(), self.activity_id);
        let type_uid = uid * 100 + u32::from(activity_id);
        let activity = match (self.activity.as_str(), self.class) {
            // The event type itself is written where the activity has no name.
            ("", _) => String::new(),
            (name, _) => format!(r#","activity_name":"{name}""#),
        };
        let type_name = match (self.class, activity_id) {
            // 99 is the caption of the only type of Base Event; a name of our own is clearer than "Other".
            (Class::BaseEvent, _) => "Unclassified",
            (_, 99) => "Other",
            _ => &self.activity,
        };
        format!(
            r#""category_uid":{category_uid},"category_name":"{category}","class_uid":{uid},"class_name":"{class}","activity_id":{activity_id}{activity},"type_uid":{type_uid},"type_name":"{class}: {type_name}""#
        )
    }
}

/// The rule for types of one family that have no row.
struct Family {
    prefix: String,
    class: Class,
    entity: String,
    targets: Vec<String>,
}

impl Family {
    fn entry(&self, event_type: &str) -> Entry {
        let verb = event_type.rsplit(['.', '_']).next().unwrap_or_default();
        let known = activity_of(self.class, verb);
        let (id, name) = known.unwrap_or((99, event_type));
        // What is written into a record must be plain; an odd type is no name for an activity.
        let name = if is_plain(name) { name.to_owned() } else { String::new() };
        let mut entry = Entry::new(self.class, id, name, self.entity.clone());
        entry.targets.clone_from(&self.targets);
        entry
    }
}

fn families(csv: &str) -> impl Iterator<Item = Result<Family, String>> {
    csv.lines().skip(1).map(|line| {
        let cells = cells(line)?;
        let [prefix, class, entity, targets, _] = cells.as_slice() else {
            return Err(format!("{} columns, not 5", cells.len()));
        };
        let class = Class::by_name(class).ok_or_else(|| format!("no class {class:?}"))?;
        Ok(Family { prefix: prefix.clone(), class, entity: entity.clone(), targets: list(targets) })
    })
}

/// What a verb at the end of an event type means in a class: `schemas/event-verbs.csv`.
fn activity_of(class: Class, verb: &str) -> Option<Choice> {
    VERBS.get(&(class.name(), verb)).copied()
}

fn verbs(csv: &'static str) -> impl Iterator<Item = Option<(Verb, Choice)>> {
    csv.lines().skip(1).map(|line| {
        let mut cells = line.split(',');
        let (class, verb, id, activity) = (cells.next()?, cells.next()?, cells.next()?, cells.next()?);
        Class::by_name(class)?;
        Some(((class, verb), (id.parse().ok()?, activity)))
    })
}

fn rows(csv: &str) -> impl Iterator<Item = Result<(String, Entry), String>> {
    csv.lines().skip(1).map(row)
}

fn row(line: &str) -> Result<(String, Entry), String> {
    let cells = cells(line)?;
    let [name, class, activity_id, activity, entity, targets, defaults, _] = cells.as_slice() else {
        return Err(format!("{} columns, not 8", cells.len()));
    };
    let class = Class::by_name(class).ok_or_else(|| format!("no class {class:?}"))?;
    let activity_id = activity_id.parse().map_err(|_| format!("activity_id {activity_id:?} is no number"))?;
    if let Some(cell) = [activity, entity].into_iter().find(|cell| !is_plain(cell)) {
        return Err(format!("{cell:?} has quotes, backslashes or control characters"));
    }
    let mut entry = Entry::new(class, activity_id, activity.clone(), entity.clone());
    entry.targets = list(targets);
    entry.defaults = defaults_of(defaults)?;
    Ok((name.clone(), entry))
}

/// A user's row by the schema: an activity that the class has, by its own caption.
fn checked(mut entry: Entry) -> Result<Entry, String> {
    let (class, id) = (entry.class, entry.activity_id);
    if !class.is_of_events() {
        return Err(format!("no event is mapped to {}", class.name()));
    }
    let caption = Schema::embedded().caption(i64::from(class.uid()), "activity_id", &id.to_string());
    let caption = caption.ok_or_else(|| format!("{} has no activity {id}", class.name()))?;
    match entry.activity.as_str() {
        "Other" if id == 99 => return Err("activity 99 needs a name of its own".into()),
        _ if id == 99 => return Ok(entry),
        "" => entry.activity = caption.to_owned(),
        name if name != caption => return Err(format!("activity {id} of {} is {caption:?}", class.name())),
        _ => {}
    }
    entry.head = entry.head();
    Ok(entry)
}

fn defaults_of(cell: &str) -> Result<Defaults, String> {
    let mut defaults = Defaults::default();
    for pair in cell.split(';').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or_else(|| format!("{pair:?} is no key=value"))?;
        let choice = |choices| by_caption(choices, value).ok_or_else(|| format!("{key} knows no {value:?}")).map(Some);
        match (key, value) {
            ("status", "success") => defaults.success = Some(true),
            ("status", "refused") => (defaults.success, defaults.refusal) = (Some(false), true),
            ("status", "failure") => defaults.success = Some(false),
            ("protocol", _) => defaults.protocol = choice(enums::PROTOCOLS)?,
            ("factor", _) => defaults.factor = choice(enums::FACTORS)?,
            ("token", _) => defaults.token = choice(enums::TOKENS)?,
            ("disposition", _) => defaults.disposition = choice(enums::DISPOSITIONS)?,
            ("privilege", text) if is_plain(text) => defaults.privilege = Some(text.to_owned()),
            ("mfa", "true") => defaults.mfa = true,
            ("user", "client") => defaults.client_user = true,
            ("user", "actor") => defaults.actor_user = true,
            _ => return Err(format!("the default {pair:?} is not known")),
        }
    }
    Ok(defaults)
}

/// Whether a text may stand in JSON as it is.
fn is_plain(text: &str) -> bool {
    !text.chars().any(|c| c == '"' || c == '\\' || c.is_control())
}

fn list(cell: &str) -> Vec<String> {
    cell.split('|').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

/// The cells of a CSV line (RFC 4180 without line ends in cells).
fn cells(line: &str) -> Result<Vec<String>, String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    let mut characters = line.trim_end_matches('\r').chars().peekable();
    while let Some(character) = characters.next() {
        let Some(cell) = cells.last_mut() else { break };
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            other => cell.push(other),
        }
    }
    if quoted { Err("a quote is not closed".into()) } else { Ok(cells) }
}

#[cfg(test)]
mod tests;
