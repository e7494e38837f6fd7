//! An org that is made up: the same one every time.

use uuid::Uuid;

use crate::landing::{Content, Grain, LandingRecord, Observation, Origin};
use crate::merge::snapshots::{Begun, CollectionEnded, Ended, Mark, Outcome};
use crate::okta::OrgId;

const GROUPS: u32 = 5_000;
const APPS: u32 = 500;

/// Ids on a page of a group's members, as the collector asks for them.
const PAGE: usize = 1_000;

/// When it begins, ms since the Unix epoch.
const START: i64 = 1_760_000_000_000;

/// One event in this many is a change that makes something stale; the others are sign-ins.
const CHANGES_ONE_IN: u64 = 50;

/// One event in this many comes twice.
const TWICE_ONE_IN: u64 = 50;

const SIGN_IN: &str = "user.authentication.sso";

/// 100-ns ticks from the beginning of the Gregorian calendar to the Unix epoch, as uuids of version 1 count.
const GREGORIAN: u64 = 0x01b2_1dd2_1381_4000;

pub struct Org {
    id: OrgId,
    users: u32,
    memberships: u32,
    /// The clock, ms since the Unix epoch.
    now: i64,
    random: u64,
    number: u64,
}

impl Org {
    pub fn new(users: u32, memberships: u32) -> Self {
        let users = users.max(1);
        Self { id: OrgId::new("bench"), users, memberships, now: START, random: 0x9e37_79b9_7f4a_7c15, number: 0 }
    }

    /// A snapshot of it, as it lands.
    pub fn snapshot(&mut self) -> impl Iterator<Item = LandingRecord> + '_ {
        let (users, memberships) = (self.users, self.memberships);
        let collections = ["users", "groups", "group_members", "apps"].map(str::to_owned);
        let begun = Mark::Begun(Begun {
            epoch: START,
            requests: Vec::new(),
            whole: true,
            engine: "identity_engine".into(),
            collections: collections.to_vec(),
            rosters: Vec::new(),
        });
        let ended = collections.map(|collection| {
            let outcome = Outcome::Complete;
            Mark::CollectionEnded(CollectionEnded { epoch: START, collection, outcome, objects: 0, calls: 0 })
        });
        let last = Mark::Ended(Ended { epoch: START, aborted: None });
        let objects = (0..users).map(|n| ("users", "user.core", user_id(n), user(n)));
        let groups = (0..GROUPS).map(|n| ("groups", "group.core", group_id(n), group(n)));
        let apps = (0..APPS).map(|n| ("apps", "app.core", app_id(n), app(n)));
        let objects = objects.chain(groups).chain(apps).map(|(collection, facet, key, value)| {
            (observation(collection, facet, Grain::Object, key, 0, true), value)
        });
        let lists = (0..GROUPS).flat_map(move |n| members(n, users, memberships));
        let marks = |marks: Vec<Mark>| {
            marks.into_iter().filter_map(|mark| {
                let (name, value) = mark.write().ok()?;
                Some((Content::Mark { name: name.to_owned() }, value))
            })
        };
        let all = marks(vec![begun])
            .chain(objects)
            .chain(lists)
            .chain(marks(ended.into_iter().chain([last]).collect::<Vec<_>>()));
        all.map(|(content, value)| self.landed(Origin::Snapshot, content, value))
    }

    /// The next events, at least so many: some come twice.
    pub fn events(&mut self, count: usize) -> impl Iterator<Item = LandingRecord> + use<> {
        let mut events = Vec::with_capacity(count + 1);
        while events.len() < count {
            let event = self.event();
            if self.next_random().is_multiple_of(TWICE_ONE_IN) {
                events.push(event.clone());
            }
            events.push(event);
        }
        events.into_iter()
    }

    /// A sign-in of every user.
    pub fn everybody(&mut self) -> impl Iterator<Item = LandingRecord> + '_ {
        (0..self.users).map(|n| {
            let app = app_id(n % APPS);
            self.event_of(&user_id(n), &app, SIGN_IN)
        })
    }

    fn event(&mut self) -> LandingRecord {
        // Four of five are by a tenth of the users.
        let among = if self.next_random().is_multiple_of(5) { self.users } else { self.users.div_ceil(10) };
        let actor = user_id((self.next_random() % u64::from(among)) as u32);
        let app = app_id((self.next_random() % u64::from(APPS)) as u32);
        let change = self.next_random().is_multiple_of(CHANGES_ONE_IN);
        self.event_of(&actor, &app, if change { "user.account.update_profile" } else { SIGN_IN })
    }

    fn event_of(&mut self, actor: &str, app: &str, kind: &str) -> LandingRecord {
        self.number += 1;
        let (uuid, published) = (self.uuid(), self.now);
        let value = event(actor, app, uuid, kind, published);
        self.landed(Origin::Sqs, Content::Event { uuid, published }, value)
    }

    /// Of version 1 and of now, as Okta gives them.
    fn uuid(&mut self) -> Uuid {
        let ticks = self.now.cast_unsigned() * 10_000 + GREGORIAN + self.number % 10_000;
        let [a, b, c, d, e, f, g, h] = ticks.to_be_bytes();
        let [i, j, k, l, m, n, o, p] = self.next_random().to_be_bytes();
        Uuid::from_bytes([e, f, g, h, c, d, (a & 0x0f) | 0x10, b, (i & 0x3f) | 0x80, j, k, l, m, n, o, p])
    }

    /// A hundred records a second.
    fn landed(&mut self, origin: Origin, content: Content, value: Vec<u8>) -> LandingRecord {
        self.now += 10;
        LandingRecord { org: self.id.clone(), origin, landed_at: self.now, content, value }
    }

    /// Xorshift: what matters is that it is the same every time.
    fn next_random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

/// The ids of who and what an event names.
pub fn named(event: &[u8]) -> (&str, &str) {
    let text = std::str::from_utf8(event).unwrap_or_default();
    let id = |before: &str| {
        let at = text.find(before).map_or(0, |at| at + before.len());
        text.get(at..at + 20).unwrap_or_default()
    };
    (id(r#""actor":{"id":""#), id(r#""AppInstance","id":""#))
}

fn user_id(n: u32) -> String {
    format!("00u{n:017}")
}

fn group_id(n: u32) -> String {
    format!("00g{n:017}")
}

fn app_id(n: u32) -> String {
    format!("0oa{n:017}")
}

fn observation(collection: &str, facet: &str, grain: Grain, key: String, part: u32, last: bool) -> Content {
    Content::Observation(Observation {
        collection: collection.into(),
        facet: facet.into(),
        grain,
        key,
        epoch: Some(START),
        as_of: (START, START + 500),
        part,
        last,
    })
}

/// 0.7 to 2 kB, as the profiles of an org differ.
fn user(n: u32) -> Vec<u8> {
    let id = user_id(n);
    let notes = "one of the attributes that this org has added to the profile of its users, ".repeat(n as usize % 18);
    format!(
        r#"{{"id":"{id}","status":"ACTIVE","created":"2021-03-04T05:06:07.000Z","activated":"2021-03-04T05:06:08.000Z","statusChanged":"2021-03-04T05:06:08.000Z","lastLogin":"2025-10-01T07:08:09.000Z","lastUpdated":"2025-09-{:02}T10:11:12.000Z","passwordChanged":"2025-08-01T10:11:12.000Z","type":{{"id":"oty1"}},"profile":{{"firstName":"Given{n}","lastName":"Family{n}","mobilePhone":null,"secondEmail":null,"login":"user{n}@example.com","email":"user{n}@example.com","department":"Department {}","title":"Engineer","employeeNumber":"{n}","manager":"user{}@example.com","notes":"{notes}"}},"credentials":{{"provider":{{"type":"OKTA","name":"OKTA"}}}},"_links":{{"self":{{"href":"https://example.okta.com/api/v1/users/{id}"}}}}}}"#,
        n % 28 + 1,
        n % 200,
        n / 10,
    )
    .into_bytes()
}

fn group(n: u32) -> Vec<u8> {
    let id = group_id(n);
    format!(
        r#"{{"id":"{id}","created":"2021-03-04T05:06:07.000Z","lastUpdated":"2021-03-04T05:06:07.000Z","lastMembershipUpdated":"2025-09-04T05:06:07.000Z","objectClass":["okta:user_group"],"type":"OKTA_GROUP","profile":{{"name":"Group {n}","description":"All who need what group {n} gives"}},"_links":{{"users":{{"href":"https://example.okta.com/api/v1/groups/{id}/users"}}}}}}"#
    )
    .into_bytes()
}

fn app(n: u32) -> Vec<u8> {
    let id = app_id(n);
    format!(
        r#"{{"id":"{id}","name":"app_{n}","label":"App {n}","status":"ACTIVE","created":"2021-03-04T05:06:07.000Z","lastUpdated":"2025-01-04T05:06:07.000Z","signOnMode":"SAML_2_0","accessibility":{{"selfService":false}},"visibility":{{"autoSubmitToolbar":false,"hide":{{"iOS":false,"web":false}}}},"settings":{{"signOn":{{"ssoAcsUrl":"https://app{n}.example.com/acs","audience":"https://app{n}.example.com"}}}},"_links":{{"logo":[{{"name":"medium","href":"https://example.okta.com/logo.png"}}]}}}}"#
    )
    .into_bytes()
}

/// The lists of members: all users in the first group, and the rest of the memberships spread over the others.
fn members(n: u32, users: u32, memberships: u32) -> Vec<(Content, Vec<u8>)> {
    let each = memberships.saturating_sub(users) / (GROUPS - 1);
    let ids: Vec<String> = if n == 0 {
        (0..users.min(memberships)).map(user_id).collect()
    } else {
        let step = users / each.max(1) + 1;
        let mut ids: Vec<u32> = (0..each.min(users)).map(|at| (n.wrapping_mul(37) + at * step) % users).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().map(user_id).collect()
    };
    let pages = ids.chunks(PAGE).map(|page| format!("[\"{}\"]", page.join("\",\"")).into_bytes());
    let last = pages.len().saturating_sub(1);
    let page = |(part, value)| {
        let part = u32::try_from(part).unwrap_or(u32::MAX);
        let is_last = part as usize == last;
        (observation("group_members", "group.members", Grain::Ids, group_id(n), part, is_last), value)
    };
    pages.enumerate().map(page).collect()
}

/// 1.5 kB, as Okta's events have.
fn event(actor: &str, app: &str, uuid: Uuid, kind: &str, published: i64) -> Vec<u8> {
    format!(
        r#"{{"actor":{{"id":"{actor}","type":"User","alternateId":"{actor}@example.com","displayName":"Given Family","detailEntry":null}},"client":{{"userAgent":{{"rawUserAgent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36","os":"Mac OS X","browser":"CHROME"}},"zone":"null","device":"Computer","id":null,"ipAddress":"192.0.2.7","geographicalContext":{{"city":"Utrecht","state":"Utrecht","country":"Netherlands","postalCode":"3511","geolocation":{{"lat":52.09,"lon":5.12}}}}}},"device":null,"authenticationContext":{{"authenticationProvider":null,"credentialProvider":null,"credentialType":null,"issuer":null,"interface":null,"authenticationStep":0,"rootSessionId":"idx1","externalSessionId":"idx1"}},"displayMessage":"Something happened","eventType":"{kind}","outcome":{{"result":"SUCCESS","reason":null}},"published":"{published}","securityContext":{{"asNumber":64496,"asOrg":"example","isp":"example","domain":"example.com","isProxy":false}},"severity":"INFO","debugContext":{{"debugData":{{"requestId":"r1","requestUri":"/app/saml","url":"/app/saml?","signOnMode":"SAML 2.0"}}}},"legacyEventType":"app.auth.sso","transaction":{{"type":"WEB","id":"t1","detail":{{}}}},"uuid":"{uuid}","version":"0","request":{{"ipChain":[{{"ip":"192.0.2.7","geographicalContext":null,"version":"V4","source":null}}]}},"target":[{{"type":"AppInstance","id":"{app}","alternateId":"App","displayName":"App","detailEntry":null}},{{"type":"User","id":"{actor}","alternateId":"a","displayName":"b","detailEntry":null}}]}}"#
    )
    .into_bytes()
}
