//! Makes System Log events: draws a kind, lets the catalogue play its scene, and writes the LogEvent down.

use std::sync::Arc;

use jiff::{Timestamp, ToSpan};
use serde_json::{Map, Value, json};
use uuid::{Builder, Uuid};

use crate::cast::{Cast, PLACES, Place, UserAgent, session_id};
use crate::catalogue::{KINDS, Kind};
use crate::deeds::Done;
use crate::rng::Rng;
use crate::world::seed::Seed;

/// 100 ns ticks from the Gregorian reform, where UUIDv1 begins to count, to the Unix epoch.
const GREGORIAN_TO_UNIX: u64 = 0x01b2_1dd2_1381_4000;
const TICKS_PER_MS: u64 = 10_000;

/// One finished event.
pub struct Made {
    pub uuid: Uuid,
    pub event_type: &'static str,
    /// When it happened, in whole milliseconds.
    pub published: Timestamp,
    pub detail: Value,
}

/// Makes events, one after the other; the same seed makes the same sequence of event types.
pub struct Maker {
    cast: Cast,
    /// Draws only the kinds, so that what a scene draws for its details never changes their sequence.
    kinds: Rng,
    details: Rng,
    /// The node of the UUIDs, as if one server of Okta's had made them all.
    node: [u8; 6],
    made: u64,
}

impl Maker {
    pub fn new(seed: Arc<Seed>) -> Self {
        let mut rng = Rng::new(seed.number);
        let kinds = rng.fork();
        let cast = Cast::new(seed);
        let [_, _, node @ ..] = rng.next().to_be_bytes();
        Self { cast, kinds, details: rng, node, made: 0 }
    }

    /// The next event of the day, drawn by the weights of the catalogue.
    pub fn next(&mut self, now: Timestamp) -> Made {
        let total: usize = KINDS.iter().map(|kind| kind.weight).sum();
        let mut ticket = self.kinds.below(total);
        for kind in KINDS {
            if ticket < kind.weight {
                return self.make(kind, now);
            }
            ticket -= kind.weight;
        }
        self.make(&KINDS[0], now)
    }

    /// An event of the type asked for, if the catalogue has it.
    pub fn of_type(&mut self, event_type: &str, now: Timestamp) -> Option<Made> {
        let kind = KINDS.iter().find(|kind| kind.event_type == event_type)?;
        Some(self.make(kind, now))
    }

    /// The event of a deed: an administrator did it, to these targets and at that time.
    pub fn of_deed(&mut self, deed: Done) -> Option<Made> {
        let kind = KINDS.iter().find(|kind| kind.event_type == deed.event_type)?;
        let mut scene = Scene::new(&mut self.cast, &mut self.details, 0);
        scene.acted_by_admin(deed.uri);
        scene.target = deed.target;
        let (made, node) = (self.made, self.node);
        self.made += 1;
        Some(written(kind, scene, deed.at, made, &node))
    }

    fn make(&mut self, kind: &Kind, now: Timestamp) -> Made {
        let who = self.details.below(self.cast.people()) as u64;
        let mut scene = Scene::new(&mut self.cast, &mut self.details, who);
        (kind.play)(&mut scene);
        let happened = now - scene.behind_ms.milliseconds();
        let (made, node) = (self.made, self.node);
        self.made += 1;
        written(kind, scene, happened, made, &node)
    }
}

fn written(kind: &Kind, scene: Scene<'_>, happened: Timestamp, made: u64, node: &[u8; 6]) -> Made {
    let published = Timestamp::from_millisecond(happened.as_millisecond()).unwrap_or(happened);
    let uuid = uuid_v1(published, made, node);
    Made { uuid, event_type: kind.event_type, published, detail: log_event(kind, scene, uuid, published) }
}

/// A UUIDv1 of that very millisecond. The ticks below the millisecond and the clock sequence count what
/// was made before, so that no two events share one.
pub fn uuid_v1(published: Timestamp, made: u64, node: &[u8; 6]) -> Uuid {
    let ms = u64::try_from(published.as_millisecond()).unwrap_or_default();
    let ticks = GREGORIAN_TO_UNIX + ms * TICKS_PER_MS + made % TICKS_PER_MS;
    let clock_sequence = (made / TICKS_PER_MS % 0x4000) as u16;
    Builder::from_gregorian_timestamp(ticks, clock_sequence, node).into_uuid()
}

/// Where a request came from.
#[derive(Clone)]
pub struct Source {
    pub address: String,
    pub place: &'static Place,
    pub agent: UserAgent,
}

/// What happens in one event. It starts as something a random person did in their browser with success;
/// the catalogue's play changes what is different.
pub struct Scene<'a> {
    pub cast: &'a mut Cast,
    pub rng: &'a mut Rng,
    /// Index of the person it is about.
    pub who: u64,
    pub actor: Value,
    /// None when no HTTP request caused the event.
    pub source: Option<Source>,
    pub device: Value,
    pub session: Option<String>,
    pub severity: &'static str,
    pub result: &'static str,
    pub reason: Option<&'static str>,
    /// Stands for the kind's own legacy event type.
    pub legacy: Option<&'static str>,
    pub target: Vec<Value>,
    pub request_uri: String,
    pub debug: Map<String, Value>,
    pub transaction_type: &'static str,
    pub transaction_detail: Value,
    pub credential: [Option<&'static str>; 3],
    /// How long before it reached the log the event happened.
    pub behind_ms: i64,
}

impl<'a> Scene<'a> {
    fn new(cast: &'a mut Cast, rng: &'a mut Rng, who: u64) -> Self {
        let mut scene = Self {
            cast,
            rng,
            who,
            actor: Value::Null,
            source: None,
            device: Value::Null,
            session: None,
            severity: "INFO",
            result: "SUCCESS",
            reason: None,
            legacy: None,
            target: Vec::new(),
            request_uri: String::from("/idp/idx/identify"),
            debug: Map::new(),
            transaction_type: "WEB",
            transaction_detail: json!({}),
            credential: [None; 3],
            behind_ms: 0,
        };
        scene.acted_by(who);
        scene
    }

    /// That person does it, from where they are and in the session they have.
    pub fn acted_by(&mut self, who: u64) {
        let person = self.cast.person(who);
        self.actor = self.user(who);
        self.device = person.device;
        self.session = Some(person.session);
        self.source = Some(Source { address: person.address, place: &PLACES[person.place], agent: person.browser });
    }

    /// An administrator does it through the admin console.
    pub fn acted_by_admin(&mut self, request_uri: String) {
        let admin = self.cast.admin(self.rng);
        self.acted_by(admin);
        self.request_uri = request_uri;
    }

    /// Okta itself does it: no request, no session, no device.
    pub fn acted_by_system(&mut self) {
        self.actor = json!({
            "id": self.cast.system_id, "type": "SystemPrincipal",
            "alternateId": "system@okta.com", "displayName": "Okta System", "detailEntry": null,
        });
        self.source = None;
        self.device = Value::Null;
        self.session = None;
        self.transaction_type = "JOB";
    }

    pub fn user(&self, who: u64) -> Value {
        let person = self.cast.person(who);
        entity(&person.id, "User", &person.login, &person.name)
    }

    pub fn fails(&mut self, reason: &'static str) {
        self.result = "FAILURE";
        self.reason = Some(reason);
        self.severity = "WARN";
    }

    /// The person gets a new session, in which the events after this one will be.
    pub fn renew_session(&mut self) {
        let session = session_id(self.rng);
        self.session = Some(session.clone());
        self.cast.renew_session(self.who, session);
    }

    pub fn debug(&mut self, key: &str, value: impl Into<Value>) {
        self.debug.insert(key.to_owned(), value.into());
    }
}

/// An entry of `target`, or an actor.
pub fn entity(id: &str, kind: &str, alternate_id: &str, display_name: &str) -> Value {
    json!({
        "id": id, "type": kind, "alternateId": alternate_id,
        "displayName": display_name, "detailEntry": null,
    })
}

/// Writes the scene down with all the fields Okta sends, the empty ones as null.
fn log_event(kind: &Kind, mut scene: Scene<'_>, uuid: Uuid, published: Timestamp) -> Value {
    let request_id = scene.rng.hex(16);
    if scene.source.is_some() {
        add_request_to_debug_data(&mut scene, &request_id);
    }
    let [authentication_provider, credential_provider, credential_type] = scene.credential;
    let security = scene.source.as_ref().map(|source| source.place);
    json!({
        "uuid": uuid.to_string(),
        "published": format!("{published:.3}"),
        "eventType": kind.event_type,
        "version": "0",
        "severity": scene.severity,
        "legacyEventType": scene.legacy.or(kind.legacy),
        "displayMessage": kind.message,
        "actor": scene.actor,
        "client": client(scene.source.as_ref()),
        "device": scene.device,
        "authenticationContext": {
            "authenticationProvider": authentication_provider,
            "credentialProvider": credential_provider,
            "credentialType": credential_type,
            "issuer": null,
            "authenticationStep": 0,
            "externalSessionId": scene.session.as_deref().unwrap_or("unknown"),
            "rootSessionId": scene.session,
            "interface": null,
        },
        "securityContext": {
            "asNumber": security.map(|place| place.as_number),
            "asOrg": security.map(|place| place.isp),
            "isp": security.map(|place| place.isp),
            "domain": security.map(|place| place.domain),
            "isProxy": security.map(|_| false),
        },
        "outcome": { "result": scene.result, "reason": scene.reason },
        "target": scene.target,
        "transaction": {
            "type": scene.transaction_type, "id": request_id, "detail": scene.transaction_detail,
        },
        "debugContext": { "debugData": scene.debug },
        "request": { "ipChain": ip_chain(scene.source.as_ref()) },
    })
}

/// What every event that came in by HTTP has in its debug data.
fn add_request_to_debug_data(scene: &mut Scene<'_>, request_id: &str) {
    let uri = scene.request_uri.clone();
    let hash = scene.rng.hex(32);
    scene.debug("requestId", request_id);
    scene.debug("url", format!("{uri}?"));
    scene.debug("requestUri", uri);
    scene.debug("dtHash", hash);
    scene.debug("threatSuspected", "false");
    let origin = scene.cast.origin.clone();
    scene.debug("origin", origin);
}

/// The `client` object; Okta sends it with all fields null when there was no request.
fn client(source: Option<&Source>) -> Value {
    let Some(Source { address, place, agent }) = source else {
        return json!({
            "userAgent": null, "zone": null, "device": null, "id": null,
            "ipAddress": null, "geographicalContext": null,
        });
    };
    let (raw, os, browser, device) = agent;
    json!({
        "userAgent": { "rawUserAgent": raw, "os": os, "browser": browser },
        "zone": "null",
        "device": device,
        "id": null,
        "ipAddress": address,
        "geographicalContext": geography(place),
    })
}

fn ip_chain(source: Option<&Source>) -> Vec<Value> {
    source
        .map(|Source { address, place, .. }| {
            json!({
                "ip": address,
                "geographicalContext": geography(place),
                "version": if address.contains(':') { "V6" } else { "V4" },
                "source": null,
            })
        })
        .into_iter()
        .collect()
}

fn geography(place: &Place) -> Value {
    json!({
        "city": place.city, "state": place.state, "country": place.country,
        "postalCode": place.postal_code,
        "geolocation": { "lat": place.lat, "lon": place.lon },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn seed_of(number: u64) -> Arc<Seed> {
        Arc::new(Seed::new("acme", number, 200, 12, 10))
    }

    fn types(seed: u64, count: usize) -> Vec<&'static str> {
        let mut maker = Maker::new(seed_of(seed));
        (0..count).map(|_| maker.next(Timestamp::now()).event_type).collect()
    }

    #[test]
    fn the_uuid_holds_the_published_millisecond_and_is_unique() {
        let mut maker = Maker::new(seed_of(3));
        let now = Timestamp::now();
        let mut seen = HashSet::new();
        for _ in 0..25_000 {
            let made = maker.next(now);
            let (seconds, nanos) = made.uuid.get_timestamp().expect("version 1 has a time").to_unix();
            let ms = seconds * 1_000 + u64::from(nanos) / 1_000_000;
            assert_eq!(made.published.as_millisecond(), ms as i64);
            assert_eq!(made.detail["published"], format!("{:.3}", made.published));
            assert!(seen.insert(made.uuid));
        }
    }

    #[test]
    fn one_seed_plays_one_sequence_even_when_other_events_are_asked_for_between() {
        assert_eq!(types(1, 500), types(1, 500));
        assert_ne!(types(1, 500), types(2, 500));

        let mut disturbed = Maker::new(seed_of(1));
        for expected in types(1, 500) {
            let now = Timestamp::now();
            assert!(disturbed.of_type("zone.update", now).is_some());
            assert_eq!(disturbed.next(now).event_type, expected);
        }
    }

    #[test]
    fn sign_ins_dominate_and_every_kind_turns_up() {
        let drawn = types(5, 10_000);
        let sign_ins = drawn
            .iter()
            .filter(|kind| kind.contains("session") || kind.contains("authentication") || kind.contains("sign_on"))
            .count();
        assert!((5_500..6_700).contains(&sign_ins), "{sign_ins}");
        let talked_of = KINDS.iter().filter(|kind| kind.weight > 0).count();
        assert_eq!(drawn.iter().collect::<HashSet<_>>().len(), talked_of);
    }
}
