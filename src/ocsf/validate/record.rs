//! What is true of a record as a whole: its class, its profiles, and the ids that must agree.

use super::path::Path;
use super::rule;
use super::scalar::kind_name;
use super::schema::{Class, Profiles};
use super::shown;
use super::walk::Walk;
use crate::json::{Kind, Value};

impl<'s> Walk<'s> {
    /// Checks a whole record.
    pub fn record(&mut self, record: Value<'_>) {
        if record.kind() != Kind::Object {
            let message = format!("the record is {}", kind_name(record.kind()));
            return self.report(rule::JSON_NOT_OBJECT, Path::Record, message);
        }
        let Some(class) = self.class(record) else { return };
        let metadata = record.get("metadata");
        if let Some(profiles) = metadata.and_then(|metadata| metadata.get("profiles")) {
            self.active = self.profiles(profiles, class);
        }
        if class.table.deprecated {
            let message = format!("{} is deprecated", class.table.label);
            self.report(rule::CLASS_DEPRECATED, Path::Record.attribute("class_uid"), message);
        }
        self.object(record, &class.table, Path::Record);
        if let Some(version) = metadata.and_then(|metadata| metadata.get("version")) {
            self.version(version);
        }
        self.type_uid(record, class);
        self.observables(record, &class.table);
    }

    /// The class of a record. Without it there is nothing to compare the record with.
    fn class(&mut self, record: Value<'_>) -> Option<&'s Class> {
        let uid = record.get("class_uid").filter(|uid| uid.kind() != Kind::Null);
        let class = uid.and_then(Value::as_i64).and_then(|uid| self.tables.class(uid));
        let (rule, message) = match uid {
            _ if class.is_some() => return class,
            None => (rule::ATTRIBUTE_REQUIRED_MISSING, "required by every class".to_owned()),
            Some(uid) if uid.kind() != Kind::Integer => {
                (rule::ATTRIBUTE_WRONG_TYPE, format!("expected integer_t, got {}", kind_name(uid.kind())))
            }
            Some(uid) => match uid.as_i64().and_then(|uid| self.tables.not_emitted.get(&uid)) {
                Some(name) => (rule::CLASS_UID_UNKNOWN, format!("{} is {name}, which is not emitted here", shown(uid))),
                None => (rule::CLASS_UID_UNKNOWN, format!("no class has the uid {}", shown(uid))),
            },
        };
        self.report(rule, Path::Record.attribute("class_uid"), message);
        None
    }

    /// The active profiles, from `metadata.profiles`.
    fn profiles(&mut self, listed: Value<'_>, class: &Class) -> Profiles {
        let metadata = Path::Record.attribute("metadata");
        let path = metadata.attribute("profiles");
        let mut active = Profiles::default();
        let mut seen = Vec::new();
        let elements = if listed.kind() == Kind::Array { Some(listed.children()) } else { None };
        for (index, element) in elements.into_iter().flatten().enumerate() {
            // An element of another type is reported when the walk comes there.
            let Some(name) = element.as_str() else { continue };
            match self.tables.profile(&name) {
                None => {
                    let message = format!("there is no profile {}", shown(element));
                    self.report(rule::PROFILE_UNKNOWN, path.element(index), message);
                }
                Some(profile) => {
                    active.add(profile);
                    if !profile.intersects(class.profiles) {
                        let message = format!("{} does not take {name:?}", class.table.label);
                        self.report(rule::PROFILE_NOT_APPLICABLE, path.element(index), message);
                    }
                }
            }
            seen.push(name);
        }
        seen.sort_unstable();
        if let Some(twice) = seen.windows(2).find(|pair| pair[0] == pair[1]) {
            self.report(rule::PROFILE_DUPLICATE, path, format!("{:?} is listed twice", twice[0]));
        }
        active
    }

    fn version(&mut self, version: Value<'_>) {
        if version.kind() == Kind::String && !version.is(&self.tables.version) {
            let metadata = Path::Record.attribute("metadata");
            let message = format!("{} is not {}", shown(version), self.tables.version);
            self.report(rule::VERSION_MISMATCH, metadata.attribute("version"), message);
        }
    }

    fn type_uid(&mut self, record: Value<'_>, class: &Class) {
        let integer = |name| record.get(name).filter(|value| value.kind() == Kind::Integer);
        let (Some(activity), Some(type_uid)) = (integer("activity_id"), integer("type_uid")) else { return };
        let expected = activity.as_i64().and_then(|activity| (class.uid * 100).checked_add(activity));
        if type_uid.as_i64() != expected {
            let message = format!("{} is not {} * 100 + {}", shown(type_uid), class.uid, shown(activity));
            self.report(rule::TYPE_UID_INCORRECT, Path::Record.attribute("type_uid"), message);
        }
    }
}
