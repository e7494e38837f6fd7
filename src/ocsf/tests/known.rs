//! An inventory that is a table.

use std::collections::HashMap;

use super::*;

/// The time of [`sign_in`].
pub const PUBLISHED: i64 = 1_777_890_030_123;

/// What is known by a table.
#[derive(Default)]
pub struct Fake {
    pub users: HashMap<String, Lookup<UserCard>>,
    pub apps: HashMap<String, Lookup<AppCard>>,
    pub devices: HashMap<String, Lookup<DeviceCard>>,
    pub groups: HashMap<String, Arc<str>>,
    /// What is said of everybody else.
    pub others: Option<Lookup<UserCard>>,
}

impl Knowledge for Fake {
    fn user(&self, id: &str) -> Lookup<UserCard> {
        let others = || self.others.clone().unwrap_or(Lookup::Missing);
        self.users.get(id).cloned().unwrap_or_else(others)
    }

    fn app(&self, id: &str) -> Lookup<AppCard> {
        self.apps.get(id).cloned().unwrap_or(Lookup::Missing)
    }

    fn device(&self, id: &str) -> Lookup<DeviceCard> {
        self.devices.get(id).cloned().unwrap_or(Lookup::Missing)
    }

    fn group_name(&self, id: &str) -> Option<Arc<str>> {
        self.groups.get(id).cloned()
    }
}

pub fn found<T>(card: T, as_of: i64, confidence: Confidence) -> Lookup<T> {
    Lookup::Found(Sighted { card: Arc::new(card), as_of, confidence })
}

fn text(value: &Value, key: &str) -> Option<String> {
    value[key].as_str().map(str::to_owned)
}

fn shared(value: &Value, key: &str) -> Option<Arc<str>> {
    value[key].as_str().map(Arc::from)
}

fn list<T>(value: &Value, key: &str, read: impl Fn(&Value) -> T) -> Option<Box<[T]>> {
    value[key].as_array().map(|list| list.iter().map(read).collect())
}

fn lookups<T>(value: &Value, card: impl Fn(&Value) -> T) -> HashMap<String, Lookup<T>> {
    let read = |value: &Value| match value["gone"].as_i64() {
        Some(since) => Lookup::Gone(since),
        None => {
            let confidence = if value["confidence"] == "as_of" { Confidence::AsOf } else { Confidence::CurrentState };
            found(card(value), value["as_of"].as_i64().unwrap(), confidence)
        }
    };
    value.as_object().into_iter().flatten().map(|(id, value)| (id.clone(), read(value))).collect()
}

impl Fake {
    /// Reads a table as in `tests/enriched/knowledge.json`.
    pub fn read(text: &str) -> Self {
        let value: Value = serde_json::from_str(text).unwrap();
        Self {
            users: lookups(&value["users"], user_card),
            apps: lookups(&value["apps"], app_card),
            devices: lookups(&value["devices"], device_card),
            groups: value["groups"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(id, name)| (id.clone(), name.as_str().unwrap().into()))
                .collect(),
            others: None,
        }
    }
}

fn user_card(value: &Value) -> UserCard {
    UserCard {
        login: shared(value, "login"),
        email: shared(value, "email"),
        display_name: shared(value, "display_name"),
        status: shared(value, "status"),
        department: shared(value, "department"),
        division: shared(value, "division"),
        organization: shared(value, "organization"),
        title: shared(value, "title"),
        user_type: shared(value, "user_type"),
        employee_number: shared(value, "employee_number"),
        manager: shared(value, "manager"),
        manager_id: shared(value, "manager_id"),
        groups: list(value, "groups", |id| id.as_str().unwrap().into()),
        roles: list(value, "roles", |role| RoleCard { kind: text(role, "type"), label: text(role, "label") }),
        factors: list(value, "factors", |factor| FactorCard {
            kind: text(factor, "type"),
            provider: text(factor, "provider"),
            status: text(factor, "status"),
        }),
    }
}

pub fn app_card(value: &Value) -> AppCard {
    AppCard {
        name: text(value, "name"),
        label: text(value, "label"),
        status: text(value, "status"),
        sign_on_mode: text(value, "sign_on_mode"),
        owner: text(value, "owner"),
    }
}

pub fn device_card(value: &Value) -> DeviceCard {
    DeviceCard {
        display_name: text(value, "display_name"),
        status: text(value, "status"),
        platform: text(value, "platform"),
        os_version: text(value, "os_version"),
        serial_number: text(value, "serial_number"),
        management_status: text(value, "management_status"),
        registered: value["registered"].as_bool(),
        secure_hardware: value["secure_hardware"].as_bool(),
        disk_encryption: text(value, "disk_encryption"),
        jailbroken: value["jailbroken"].as_bool(),
    }
}

/// A card with something of everything.
pub fn grace() -> UserCard {
    user_card(&json!({
        "login": "grace@example.com", "email": "grace.hopper@example.org", "display_name": "Grace Hopper",
        "status": "ACTIVE", "department": "Compilers", "division": "Navy", "organization": "Example", "title": "Admiral",
        "user_type": "Employee", "employee_number": "100042", "manager": "Howard Aiken", "manager_id": "00umark1",
        "groups": ["00g1", "00g2", "00g3"],
        "roles": [{"type": "SUPER_ADMIN", "label": "Super Administrator"}],
        "factors": [{"type": "push", "provider": "OKTA", "status": "ACTIVE"}, {"type": "password", "status": "ACTIVE"}],
    }))
}

/// A table in which every user has a card, and the ids of specimens and of some golden events.
pub fn knows_everything() -> Fake {
    let app = || {
        app_card(&json!({"name": "payroll", "label": "Payroll", "sign_on_mode": "SAML_2_0", "owner": "x@example.com"}))
    };
    let device = || {
        device_card(
            &json!({"platform": "MACOS", "management_status": "MANAGED", "serial_number": "C02", "registered": true}),
        )
    };
    let ids = (0..6).map(|at| format!("id{at}")).chain(["0oa1".into(), "guo1".into(), "<id>".into()]);
    let ids: Vec<String> = ids.collect();
    Fake {
        apps: ids.iter().map(|id| (id.clone(), found(app(), PUBLISHED, Confidence::AsOf))).collect(),
        devices: ids.iter().map(|id| (id.clone(), found(device(), PUBLISHED, Confidence::AsOf))).collect(),
        others: Some(found(grace(), PUBLISHED, Confidence::CurrentState)),
        ..Fake::default()
    }
}

/// The record of an event with what is known around it, as bytes.
pub fn bytes_within(
    mapper: &mut Mapper,
    event: &[u8],
    knowledge: Option<&dyn Knowledge>,
    is_historical: bool,
) -> Vec<u8> {
    let org = OrgId::new("acme");
    let source = Source { org: &org, landed_at: Some(1_777_890_031_000), bytes: event };
    let mut out = Vec::new();
    mapper.map_within(source, Surroundings { knowledge, is_historical, document: None }, &mut out).unwrap();
    out
}
