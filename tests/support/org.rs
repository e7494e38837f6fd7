use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::{block_on, until};

/// The call that reads the log, in the org's account.
pub const LOGS: &str = "GET /api/v1/logs";

/// Rate limits that limit nobody, for `--limits`.
pub const NO_LIMITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/no_limits.json");

/// An event of the org's own log.
pub struct Logged {
    pub uuid: String,
    /// When it happened, ms since the Unix epoch.
    pub published: i64,
    /// Whether the log stream has sent it.
    pub streamed: bool,
}

/// The simulated org as a process; ended with the test.
pub struct Org {
    child: Child,
    pub url: String,
}

impl Org {
    pub fn start(arguments: &[&str]) -> Self {
        let folder = Path::new(env!("CARGO_BIN_EXE_okta-ocsf")).parent().unwrap();
        let mut child = Command::new(folder.join("examples/okta-org"))
            .args(["--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let hello: Value = serde_json::from_str(&line).unwrap();
        Self { child, url: hello["listening"].as_str().unwrap().to_owned() }
    }

    pub fn get(&self, path: &str) -> String {
        block_on(async { reqwest::get(format!("{}{path}", self.url)).await.unwrap().text().await.unwrap() })
    }

    fn get_json(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path)).unwrap()
    }

    fn get_lines(&self, path: &str) -> Vec<Value> {
        self.get(path).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn post(&self, path: &str, body: &Value) -> String {
        let url = format!("{}{path}", self.url);
        block_on(async {
            let reply = reqwest::Client::new().post(url).json(body).send().await.unwrap();
            let (status, text) = (reply.status(), reply.text().await.unwrap());
            assert!(status.is_success(), "{path}: {status}: {text}");
            text
        })
    }

    pub fn state(&self) -> Value {
        self.get_json("/_org/state")
    }

    /// The org's own log since it was started: the truth.
    pub fn log(&self) -> Vec<Logged> {
        let events = self.get_lines("/_org/events");
        let logged = |event: &Value| Logged {
            uuid: event["uuid"].as_str().unwrap().to_owned(),
            published: event["published"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond(),
            streamed: !event["first_sent_ms"].is_null(),
        };
        events.iter().map(logged).collect()
    }

    /// The uuids in that log.
    pub fn logged(&self) -> BTreeSet<String> {
        self.log().into_iter().map(|event| event.uuid).collect()
    }

    /// All that there is of a collection.
    pub fn truth(&self, collection: &str) -> Vec<Value> {
        self.get_lines(&format!("/_org/truth/{collection}"))
    }

    /// How many calls to a path, with `{}` for ids, were answered with a status; 0 for any.
    pub fn answered(&self, call: &str, status: u16) -> u64 {
        let usage = self.get_json("/_org/usage");
        let answers = usage["paths"][call].as_object().into_iter().flatten();
        let wanted = answers.filter(|(known, _)| status == 0 || **known == status.to_string());
        wanted.map(|(_, count)| count.as_u64().unwrap()).sum()
    }

    /// How many calls there were at all.
    pub fn calls(&self) -> u64 {
        self.get_json("/_org/usage")["calls"].as_u64().unwrap()
    }

    /// Waits until so many calls to a path were answered with 200.
    pub fn until_answered(&self, call: &str, count: u64) {
        until(&format!("{count} answers to {call}"), || (self.answered(call, 200) >= count).then_some(()));
    }

    /// The next calls to a path go wrong; see its README for the faults.
    pub fn fault(&self, path: &str, fault: &str, count: u64) {
        self.post("/_org/faults", &json!({"path": path, "fault": fault, "count": count}));
    }

    /// Does a deed so many times, to a subject or to whom chance picks.
    pub fn act(&self, deed: &str, subject: Option<&str>, count: u64) {
        let done = self.post("/_org/act", &json!({"deed": deed, "subject": subject, "count": count}));
        let done: Value = serde_json::from_str(&done).unwrap();
        assert!(!done["done"].as_array().unwrap().is_empty(), "nothing fits {deed} {subject:?}");
    }

    /// Logs so many events of one type; gives their uuids.
    pub fn emit(&self, event_type: &str, count: u64) -> BTreeSet<String> {
        let emitted = self.post("/_org/emit", &json!({"event_type": event_type, "count": count}));
        let emitted: Value = serde_json::from_str(&emitted).unwrap();
        emitted["uuids"].as_array().unwrap().iter().map(|uuid| uuid.as_str().unwrap().to_owned()).collect()
    }

    /// Switches the log stream on or off.
    pub fn switch_stream(&self, active: bool) {
        self.post("/_org/stream", &json!({ "active": active }));
    }

    /// Lets the log stream lose this share of the events.
    pub fn lose(&self, share: f64) {
        self.post("/_org/stream", &json!({ "loss": share }));
    }

    /// What time it is there, ms since the Unix epoch.
    pub fn now_ms(&self) -> i64 {
        self.get_json("/_org/clock")["now_ms"].as_i64().unwrap()
    }

    /// What happened before the org was started: uuid, type and ms since the Unix epoch of each event.
    pub fn history(&self) -> Vec<(String, String, i64)> {
        let text = |event: &Value, key: &str| event[key].as_str().unwrap().to_owned();
        let events = self.get_lines("/_org/history");
        let known =
            |event: &Value| (text(event, "uuid"), text(event, "event_type"), event["published_ms"].as_i64().unwrap());
        events.iter().map(known).collect()
    }

    /// Makes an event that happened so long ago and is in the log only now; gives its uuid.
    pub fn emit_late(&self, event_type: &str, ago_seconds: u64) -> String {
        let made = self.post("/_org/emit", &json!({"event_type": event_type, "ago_seconds": ago_seconds}));
        let made: Value = serde_json::from_str(&made).unwrap();
        made["uuids"][0].as_str().unwrap().to_owned()
    }

    /// Gives the rate limit of a path another number of calls.
    pub fn set_limit(&self, path: &str, limit: u32) {
        self.post("/_org/limits", &json!({"path": path, "limit": limit}));
    }

    /// The account of a rate limit.
    pub fn bucket(&self, path: &str) -> Value {
        let usage = self.get_json("/_org/usage");
        usage["buckets"].as_array().unwrap().iter().find(|bucket| bucket["path"] == path).unwrap().clone()
    }

    pub fn advance(&self, seconds: u64) {
        self.post("/_org/clock", &json!({"advance_seconds": seconds}));
    }

    /// Adds a principal or changes one, whose tokens stay.
    pub fn principal(&self, principal: &Value) {
        self.post("/_org/principals", principal);
    }

    /// Revokes the access tokens of a client; gives how many there were.
    pub fn revoke(&self, client: &str) -> u64 {
        let revoked: Value =
            serde_json::from_str(&self.post(&format!("/_org/principals/{client}/revoke"), &json!({}))).unwrap();
        revoked["revoked"].as_u64().unwrap()
    }

    /// Removes a principal with all its tokens.
    pub fn remove_principal(&self, id: &str) {
        let url = format!("{}/_org/principals/{id}", self.url);
        let reply = block_on(reqwest::Client::new().delete(url).send()).unwrap();
        assert!(reply.status().is_success(), "{id}");
    }
}

impl Drop for Org {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
