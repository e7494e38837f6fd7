//! Who and what exists in the org: made up once from the seed, never changed but for people's sessions.

use serde_json::{Value, json};

use crate::rng::Rng;

const USERS: usize = 200;
/// The first few people are the administrators.
const ADMINS: usize = 6;

const FIRST_NAMES: [&str; 20] = [
    "Aurelie", "Bogdan", "Chiara", "Dmitri", "Esra", "Farid", "Greta", "Hiro", "Imani", "Joaquin", "Kaisa", "Leandro",
    "Mireille", "Nnamdi", "Oksana", "Priya", "Quentin", "Rosalind", "Søren", "Tamsin",
];
const LAST_NAMES: [&str; 20] = [
    "Abernathy",
    "Brunetti",
    "Castellane",
    "Drummond",
    "Eskola",
    "Fairweather",
    "Gundersen",
    "Halloran",
    "Ishikawa",
    "Jaworski",
    "Kowalczyk",
    "Lindqvist",
    "Marchetti",
    "Nakamura",
    "O'Dowd",
    "Petrosyan",
    "Quiroga",
    "Rasmussen",
    "Szymanski",
    "Thibault",
];
const GROUPS: [&str; 12] = [
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
const APPS: [(&str, &str); 10] = [
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
const SERVICES: [&str; 4] = ["invoice-mailer", "stock-sync", "badge-printer", "report-runner"];

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

pub struct Cast {
    pub people: Vec<Person>,
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
}

impl Cast {
    pub fn new(org: &str, rng: &mut Rng) -> Self {
        let shift = rng.below(FIRST_NAMES.len());
        Self {
            people: (0..USERS).map(|nth| person(org, nth + shift, rng)).collect(),
            groups: things("00g", &GROUPS.map(|name| (name, "unknown")), rng),
            apps: things("0oa", &APPS.map(|(name, label)| (label, name)), rng),
            services: things("0oa", &SERVICES.map(|name| (name, name)), rng),
            policies: things(
                "00p",
                &[
                    ("Default Policy", "unknown"),
                    ("Offices and VPN", "unknown"),
                    ("Two factors for finance", "unknown"),
                ],
                rng,
            ),
            zones: things("nzo", &[("Headquarters", "unknown"), ("Blocked countries", "unknown")], rng),
            agents: things("a53", &[("adagent-lyon-1", "unknown"), ("adagent-osaka-1", "unknown")], rng),
            origin: format!("https://{org}.okta.example"),
            system_id: rng.id("00s"),
        }
    }

    /// The index of an administrator.
    pub fn admin(&self, rng: &mut Rng) -> usize {
        rng.below(ADMINS.min(self.people.len()))
    }
}

fn person(org: &str, nth: usize, rng: &mut Rng) -> Person {
    let first = FIRST_NAMES[nth % FIRST_NAMES.len()];
    let last = LAST_NAMES[nth / FIRST_NAMES.len() % LAST_NAMES.len()];
    let login = format!("{first}.{last}@{org}.example").to_lowercase().replace('ø', "o").replace('\'', "");
    let place = rng.below(PLACES.len());
    let browser = *rng.pick(&BROWSERS);
    Person {
        id: rng.id("00u"),
        name: format!("{first} {last}"),
        login,
        place,
        address: format!("{}{}", PLACES[place].prefix, 1 + rng.below(254)),
        browser,
        device: if rng.chance(0.5) { registered_device(first, browser, rng) } else { Value::Null },
        session: session_id(rng),
    }
}

/// What Okta says of a device that is registered with Okta Verify.
fn registered_device(owner: &str, browser: UserAgent, rng: &mut Rng) -> Value {
    let (platform, version) = match browser.1 {
        "Windows 10" => ("WINDOWS", "10.0.19045"),
        "Mac OS X" => ("OSX", "15.5.0"),
        "Linux" => ("LINUX", "6.12"),
        _ => ("IOS", "18.5"),
    };
    json!({
        "id": rng.id("guo"),
        "name": format!("{owner}'s {}", browser.3.to_lowercase()),
        "os_platform": platform,
        "os_version": version,
        "managed": rng.chance(0.6),
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

fn things(prefix: &str, named: &[(&str, &str)], rng: &mut Rng) -> Vec<Thing> {
    named
        .iter()
        .map(|(name, alternate)| Thing {
            id: rng.id(prefix),
            name: (*name).to_owned(),
            alternate: (*alternate).to_owned(),
        })
        .collect()
}
