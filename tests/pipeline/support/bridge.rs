use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::serve;

/// EventBridge as far as replays go, in its own words: LocalStack's cannot replay. A replay advances whenever somebody
/// looks at it.
#[derive(Clone)]
pub struct Bridge {
    pub url: String,
    state: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    replays: BTreeMap<String, Replay>,
    /// Actions that are denied.
    denied: Vec<String>,
    calls: Vec<(String, Value)>,
    /// The states that a replay goes through after it has started.
    course: Vec<&'static str>,
}

struct Replay {
    asked: Value,
    /// How often it was looked at.
    looks: usize,
}

pub const BUS: &str = "aws.partner/okta.com/acme/logs";
const ACCOUNT: &str = "arn:aws:events:eu-west-1:123456789012";

impl Bridge {
    /// With an archive of the name `past` and a rule `to-queue`.
    pub fn start(course: &[&'static str]) -> Self {
        let state = Arc::new(Mutex::new(Inner { course: course.to_vec(), ..Inner::default() }));
        let url = serve(Router::new().fallback(answer).with_state(Arc::clone(&state)));
        Self { url, state }
    }

    /// Denies an action from now on.
    pub fn deny(&self, action: &str) {
        self.state.lock().unwrap().denied.push(action.to_owned());
    }

    /// What was asked with an action, in order.
    pub fn asked(&self, action: &str) -> Vec<Value> {
        let inner = self.state.lock().unwrap();
        inner.calls.iter().filter(|(called, _)| called == action).map(|(_, asked)| asked.clone()).collect()
    }
}

async fn answer(
    State(state): State<Arc<Mutex<Inner>>>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> (StatusCode, Json<Value>) {
    let target = headers["x-amz-target"].to_str().unwrap();
    let action = target.strip_prefix("AWSEvents.").unwrap().to_owned();
    // Its content type is one of AWS's own.
    let asked: Value = serde_json::from_slice(&body).unwrap();
    let mut inner = state.lock().unwrap();
    inner.calls.push((action.clone(), asked.clone()));
    let answer = if inner.denied.contains(&action) {
        Err(("AccessDeniedException", format!("User is not authorized to perform: events:{action}")))
    } else {
        inner.act(&action, &asked)
    };
    match answer {
        Ok(answer) => (StatusCode::OK, Json(answer)),
        Err((kind, message)) => (StatusCode::BAD_REQUEST, Json(json!({"__type": kind, "message": message}))),
    }
}

impl Inner {
    fn act(&mut self, action: &str, asked: &Value) -> Result<Value, (&'static str, String)> {
        let missing = |what: &str| Err(("ResourceNotFoundException", format!("{what} does not exist.")));
        let text = |name: &str| asked[name].as_str().unwrap_or_default().to_owned();
        match action {
            "DescribeArchive" if text("ArchiveName") != "past" => missing("Archive"),
            "DescribeArchive" => Ok(json!({
                "ArchiveArn": format!("{ACCOUNT}:archive/past"), "ArchiveName": "past", "State": "ENABLED",
                "EventSourceArn": format!("{ACCOUNT}:event-bus/{BUS}"), "EventCount": 7, "SizeBytes": 7000,
                "CreationTime": 1_777_000_000.0, "RetentionDays": 90,
            })),
            "DescribeRule" if text("Name") != "to-queue" || text("EventBusName") != BUS => missing("Rule"),
            "DescribeRule" => {
                Ok(json!({"Name": "to-queue", "Arn": format!("{ACCOUNT}:rule/{BUS}/to-queue"), "State": "ENABLED"}))
            }
            "ListReplays" => {
                let listed: Vec<Value> = self
                    .replays
                    .iter()
                    .map(|(name, replay)| json!({"ReplayName": name, "State": self.stage(replay.looks)}))
                    .collect();
                Ok(json!({"Replays": listed}))
            }
            "StartReplay" if self.replays.contains_key(&text("ReplayName")) => {
                Err(("ResourceAlreadyExistsException", "Replay already exists.".to_owned()))
            }
            "StartReplay" => {
                self.replays.insert(text("ReplayName"), Replay { asked: asked.clone(), looks: 0 });
                Ok(json!({"ReplayArn": format!("{ACCOUNT}:replay/{}", text("ReplayName")), "State": "STARTING"}))
            }
            "DescribeReplay" => {
                let Some(replay) = self.replays.get_mut(&text("ReplayName")) else { return missing("Replay") };
                replay.looks += 1;
                let (looks, asked) = (replay.looks, replay.asked.clone());
                let (since, until) =
                    (asked["EventStartTime"].as_f64().unwrap(), asked["EventEndTime"].as_f64().unwrap());
                let state = self.stage(looks);
                let mut told = json!({
                    "ReplayName": asked["ReplayName"], "EventSourceArn": asked["EventSourceArn"], "State": state,
                    "EventStartTime": since, "EventEndTime": until,
                });
                if state != "STARTING" {
                    told["EventLastReplayedTime"] = json!((since + (until - since) / 2.0).floor());
                }
                if state == "FAILED" {
                    told["StateReason"] = json!("the rule was deleted");
                }
                Ok(told)
            }
            _ => panic!("nobody should call {action}"),
        }
    }

    fn stage(&self, looks: usize) -> &'static str {
        self.course.get(looks).or(self.course.last()).copied().unwrap_or("STARTING")
    }
}
