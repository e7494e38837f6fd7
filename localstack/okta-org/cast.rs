//! Who and what appears in the System Log, as events name it; the objects themselves are in `world`.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::inventory::shapes;
use crate::rng::Rng;
use crate::world::people;
use crate::world::seed::{Kind, Seed};

pub const GROUPS: [&str; 12] = [
    "Everyone",
    "Engineering",
    "Finance",
    "Field Sales",
    "Support Tier 1",
    "Support Tier 2",
    "Legal",
    "Warehouse",
    "Contractors",
    "Data Platform",
    "Executives",
    "Break Glass",
];
pub const APPS: [(&str, &str); 10] = [
    ("Okta Dashboard", "Okta Dashboard"),
    ("Ledgerline", "Ledgerline ERP"),
    ("Paperplane", "Paperplane Mail"),
    ("Quarry", "Quarry Analytics"),
    ("Tidepool", "Tidepool Wiki"),
    ("Switchyard", "Switchyard CI"),
    ("Lanternfish", "Lanternfish Tickets"),
    ("Hearth", "Hearth HR"),
    ("Orrery", "Orrery Cloud Console"),
    ("Cartwright", "Cartwright CRM"),
];
pub const SERVICES: [&str; 4] = ["invoice-mailer", "stock-sync", "badge-printer", "report-runner"];

/// A network and where it is: documentation addresses and AS numbers, real cities.
pub struct Place {
    pub prefix: &'static str,
    pub city: &'static str,
    pub state: &'static str,
    pub country: &'static str,
    pub postal_code: &'static str,
    pub lat: f64,
    pub lon: f64,
    pub as_number: u32,
    pub isp: &'static str,
    pub domain: &'static str,
}

#[rustfmt::skip]
pub const PLACES: [Place; 6] = [
    Place { prefix: "192.0.2.", city: "Lyon", state: "Auvergne-Rhône-Alpes", country: "France", postal_code: "69002", lat: 45.7578, lon: 4.832, as_number: 64496, isp: "rhone fibre", domain: "rhonefibre.example" },
    Place { prefix: "198.51.100.", city: "Portland", state: "Oregon", country: "United States", postal_code: "97205", lat: 45.5202, lon: -122.6742, as_number: 64497, isp: "cascade telephone", domain: "cascadetel.example" },
    Place { prefix: "203.0.113.", city: "Osaka", state: "Osaka", country: "Japan", postal_code: "530-0001", lat: 34.7025, lon: 135.4959, as_number: 64498, isp: "naniwa net", domain: "naniwa.example" },
    Place { prefix: "2001:db8:10::", city: "Tampere", state: "Pirkanmaa", country: "Finland", postal_code: "33100", lat: 61.4978, lon: 23.761, as_number: 64499, isp: "pirkka broadband", domain: "pirkkanet.example" },
    Place { prefix: "2001:db8:20::", city: "Recife", state: "Pernambuco", country: "Brazil", postal_code: "50030-000", lat: -8.0476, lon: -34.877, as_number: 64500, isp: "capibaribe telecom", domain: "capibaribe.example" },
    Place { prefix: "198.51.100.", city: "Leeds", state: "England", country: "United Kingdom", postal_code: "LS1", lat: 53.7965, lon: -1.5478, as_number: 64501, isp: "aire valley online", domain: "airevalley.example" },
];

/// What a browser or a program calls itself, as Okta reads it: raw text, system, browser, device.
pub type UserAgent = (&'static str, &'static str, &'static str, &'static str);

#[rustfmt::skip]
const BROWSERS: [UserAgent; 4] = [
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36", "Windows 10", "CHROME", "Computer"),
    ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15", "Mac OS X", "SAFARI", "Computer"),
    ("Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0", "Linux", "FIREFOX", "Computer"),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1", "iOS 18 (iPhone)", "SAFARI", "Mobile"),
];
/// The user agent of the services, which are not browsers.
pub const PROGRAM: UserAgent = ("acme-services/4.2", "Unknown", "UNKNOWN", "Unknown");

pub struct Person {
    pub id: String,
    pub login: String,
    pub name: String,
    /// Index into [`PLACES`].
    pub place: usize,
    pub address: String,
    pub browser: UserAgent,
    /// The `device` object of their events; null for people without Okta Verify.
    pub device: Value,
    /// The Okta session they are in; a sign-in gives a new one.
    pub session: String,
}

/// Anything that is only ever pointed at: an id, the name people see, and the alternate id.
pub struct Thing {
    pub id: String,
    pub name: String,
    pub alternate: String,
}

/// More groups and apps than this do not appear in the day's talk.
const MOST_THINGS: u64 = 1_000;

pub struct Cast {
    seed: Arc<Seed>,
    pub groups: Vec<Thing>,
    pub apps: Vec<Thing>,
    pub services: Vec<Thing>,
    pub policies: Vec<Thing>,
    pub zones: Vec<Thing>,
    pub agents: Vec<Thing>,
    /// The org's own web address, as Okta puts it into `debugData.origin`.
    pub origin: String,
    /// The id of the principal that acts when Okta itself does.
    pub system_id: String,
    /// The sessions of those who have signed in since the start.
    sessions: HashMap<u64, String>,
}

impl Cast {
    pub fn new(seed: Arc<Seed>) -> Self {
        let things = |kind, count: u64| (0..count.min(MOST_THINGS)).map(|index| thing(&seed, kind, index)).collect();
        Self {
            groups: things(Kind::Group, seed.groups),
            apps: things(Kind::App, seed.apps),
            services: things(Kind::Service, SERVICES.len() as u64),
            policies: things(Kind::Policy, 3),
            zones: things(Kind::Zone, shapes::count(&seed, Kind::Zone)),
            agents: things(Kind::Agent, 2),
            origin: format!("https://{}.okta.example", seed.org),
            system_id: seed.rng(Kind::Org, 1).id("00s"),
            sessions: HashMap::new(),
            seed,
        }
    }

    /// How many people the org began with.
    pub fn people(&self) -> usize {
        self.seed.users as usize
    }

    pub fn person(&self, index: u64) -> Person {
        let seed = &self.seed;
        let mut rng = Rng::at(seed.number, 40, index);
        let first = people::first_name(seed, index);
        let place = rng.below(PLACES.len());
        let browser = BROWSERS[(index % BROWSERS.len() as u64) as usize];
        let session = self.sessions.get(&index).cloned();
        Person {
            id: seed.id(Kind::User, index),
            login: people::login(seed, index),
            name: format!("{first} {}", people::last_name(index)),
            place,
            address: format!("{}{}", PLACES[place].prefix, 1 + rng.below(254)),
            browser,
            device: if index < seed.devices { registered_device(seed, index) } else { Value::Null },
            session: session.unwrap_or_else(|| session_id(&mut rng)),
        }
    }

    /// The person gets a new session.
    pub fn renew_session(&mut self, index: u64, session: String) {
        self.sessions.insert(index, session);
    }

    /// The index of an administrator.
    pub fn admin(&self, rng: &mut Rng) -> u64 {
        rng.next() % people::ADMINS.min(self.seed.users)
    }
}

/// The name and the alternate id an object has in events.
fn thing(seed: &Seed, kind: Kind, index: u64) -> Thing {
    let object = shapes::derive(seed, kind, index);
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    let name = text(&object["label"]).or_else(|| text(&object["name"])).or_else(|| text(&object["profile"]["name"]));
    let alternate = if kind == Kind::App { text(&object["name"]) } else { None };
    Thing {
        id: seed.id(kind, index),
        name: name.unwrap_or_default(),
        alternate: alternate.unwrap_or_else(|| String::from("unknown")),
    }
}

/// The platform of the device that a person's browser is on, and its version.
pub fn platform(index: u64) -> (&'static str, &'static str, &'static str) {
    match BROWSERS[(index % BROWSERS.len() as u64) as usize].1 {
        "Windows 10" => ("WINDOWS", "10.0.19045", "computer"),
        "Mac OS X" => ("MACOS", "15.5.0", "computer"),
        "Linux" => ("CHROMEOS", "6.12", "computer"),
        _ => ("IOS", "18.5", "mobile"),
    }
}

/// What an event says of a device that is registered with Okta Verify.
fn registered_device(seed: &Seed, index: u64) -> Value {
    let (platform, version, what) = platform(index);
    json!({
        "id": seed.id(Kind::Device, index),
        "name": format!("{}'s {what}", people::first_name(seed, index)),
        "os_platform": if platform == "MACOS" { "OSX" } else { platform },
        "os_version": version,
        "managed": index % 5 < 3,
        "registered": true,
        "device_integrator": null,
        "disk_encryption_type": "ALL_INTERNAL_VOLUMES",
        "screen_lock_type": "BIOMETRIC",
        "jailbreak": false,
        "secure_hardware_present": true,
    })
}

/// A session identifier as Identity Engine orgs have them.
pub fn session_id(rng: &mut Rng) -> String {
    rng.word("idx", 25)
}
