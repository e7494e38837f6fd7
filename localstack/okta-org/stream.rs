//! Plays Okta's log streaming: follows the log and puts it on the event bus, at least once, more or less
//! in order, until the bus refuses for too long.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Error, Result, anyhow};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use tokio::time::{Instant, sleep};

use crate::org::{Bad, Org, Sent};
use crate::poison::{Body, Envelope, Poisoner};
use crate::rng::Rng;

pub const DETAIL_TYPE: &str = "SystemLog";

/// The most entries PutEvents takes.
const BATCH: usize = 10;
/// How long the stream waits for more when there was too little for a full batch.
const LINGER: Duration = Duration::from_millis(50);
/// How long one batch may be refused before Okta gives the stream up.
const PATIENCE: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Late events and late duplicates come this many milliseconds after their turn, and up to twice that.
const LATENESS_MS: u64 = 3_000;

/// What the stream is to do, as the command line says it.
pub struct Plan {
    pub bus: String,
    pub queue_url: Option<String>,
    pub duplicates: f64,
    pub late: f64,
    /// How often one batch may be refused, without a pause; by default for some time instead.
    pub attempts: Option<u32>,
    pub poison: usize,
    /// How many events the day will have.
    pub events: usize,
    pub seed: u64,
}

/// One entry on its way to the bus.
struct Entry {
    what: What,
    detail: Arc<str>,
}

enum What {
    Event { place: usize, how: Sent },
    Poison(Bad),
}

pub struct Stream {
    org: Arc<Org>,
    bus: aws_sdk_eventbridge::Client,
    queue: aws_sdk_sqs::Client,
    plan: Plan,
    poisoner: Poisoner,
    rng: Rng,
    /// The place in the log up to which every event has had its turn.
    place: usize,
    /// Events held back or to be repeated, by when; bounded by the log, of which these are places.
    waiting: BTreeMap<(Instant, u64), (usize, Sent)>,
    /// Tells apart what waits for the same instant.
    ticket: u64,
}

impl Stream {
    pub fn new(org: Arc<Org>, aws: &aws_config::SdkConfig, plan: Plan) -> Self {
        let envelope = Envelope { source: plan.bus.clone(), detail_type: DETAIL_TYPE };
        let with_queue = plan.queue_url.is_some();
        Self {
            org,
            bus: aws_sdk_eventbridge::Client::new(aws),
            queue: aws_sdk_sqs::Client::new(aws),
            poisoner: Poisoner::new(envelope, plan.poison, plan.events, with_queue),
            rng: Rng::new(!plan.seed),
            plan,
            place: 0,
            waiting: BTreeMap::new(),
            ticket: 0,
        }
    }

    /// Follows the log for ever. While it is deactivated it sends nothing, and what was logged then it never sends.
    pub async fn run(mut self) {
        loop {
            if let Err(error) = self.follow().await {
                eprintln!("okta-org: log stream deactivated: {error:#}");
                self.org.deactivate_stream();
            }
            while self.org.stream() == Some(false) {
                sleep(LINGER).await;
            }
            self.waiting.clear();
            self.place = self.org.read_log(<[_]>::len);
        }
    }

    /// Follows the log until the stream is deactivated.
    async fn follow(&mut self) -> Result<()> {
        while self.org.stream() == Some(true) {
            let batch = self.next_batch().await?;
            let full = batch.len() == BATCH;
            if batch.is_empty() && self.waiting.is_empty() {
                self.org.settle(self.place);
            }
            self.put(batch).await?;
            if !full {
                sleep(LINGER).await;
            }
        }
        Ok(())
    }

    /// Takes what has waited long enough, then what is next in the log, with the bad ones in between.
    async fn next_batch(&mut self) -> Result<Vec<Entry>> {
        let mut batch = Vec::with_capacity(BATCH);
        while batch.len() < BATCH {
            if let Some((place, how)) = self.next_waiting() {
                batch.extend(self.event(place, how));
            } else if let Some((bad, body)) = self.poisoner.next_at(self.place, &self.org) {
                match body {
                    Body::Bus(text) => batch.push(Entry { what: What::Poison(bad), detail: text.into() }),
                    Body::Queue(text) => self.drop_on_queue(bad, &text).await?,
                }
            } else if let Some(event) = self.event(self.place, Sent::InTurn) {
                self.place += 1;
                if self.rng.chance(self.org.loss()) {
                    continue;
                }
                if self.rng.chance(self.plan.late) {
                    let later = self.later();
                    self.wait(later, self.place - 1, Sent::Late);
                } else {
                    batch.push(event);
                }
            } else {
                break;
            }
        }
        Ok(batch)
    }

    fn next_waiting(&mut self) -> Option<(usize, Sent)> {
        let first = self.waiting.first_entry()?;
        (first.key().0 <= Instant::now()).then(|| first.remove())
    }

    fn event(&self, place: usize, how: Sent) -> Option<Entry> {
        let detail = self.org.detail(place)?;
        let what = What::Event { place, how };
        Some(Entry { what, detail })
    }

    fn wait(&mut self, until: Instant, place: usize, how: Sent) {
        self.ticket += 1;
        self.waiting.insert((until, self.ticket), (place, how));
    }

    fn later(&mut self) -> Instant {
        let ms = LATENESS_MS + self.rng.next() % LATENESS_MS;
        Instant::now() + Duration::from_millis(ms)
    }

    /// Puts the entries on the bus, and those it refused again, until it has taken them all.
    async fn put(&mut self, batch: Vec<Entry>) -> Result<()> {
        let mut left = batch;
        let mut patience = Patience::new(self.plan.attempts);
        while !left.is_empty() {
            let places = left.iter().filter_map(|entry| match entry.what {
                What::Event { place, .. } => Some(place),
                What::Poison(_) => None,
            });
            self.org.about_to_send(places);
            let entries = left.iter().map(|entry| self.request_entry(entry)).collect();
            let reply = self.bus.put_events().set_entries(Some(entries)).send().await;
            let complaint = match reply {
                Err(error) => Error::new(error),
                Ok(reply) => {
                    let results = reply.entries();
                    let refused = |nth: usize| {
                        // An entry the reply says nothing of counts as refused: twice is better than never.
                        let result = results.get(nth);
                        result.is_none_or(|result| result.error_code().is_some())
                    };
                    let complaint = anyhow!("{} entries refused", reply.failed_entry_count());
                    left = self.keep_refused(left, refused);
                    complaint
                }
            };
            if !left.is_empty() {
                patience.bear(complaint).await?;
            }
        }
        Ok(())
    }

    fn request_entry(&self, entry: &Entry) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .event_bus_name(&self.plan.bus)
            .source(&self.plan.bus)
            .detail_type(DETAIL_TYPE)
            .detail(entry.detail.as_ref())
            .build()
    }

    /// Counts what the bus took and returns the rest.
    fn keep_refused(&mut self, batch: Vec<Entry>, refused: impl Fn(usize) -> bool) -> Vec<Entry> {
        let mut left = Vec::new();
        for (nth, entry) in batch.into_iter().enumerate() {
            if refused(nth) {
                left.push(entry);
                continue;
            }
            match entry.what {
                What::Poison(bad) => self.org.was_poisoned(bad),
                What::Event { place, how } => {
                    self.org.was_sent(how);
                    self.maybe_repeat(place, how);
                }
            }
        }
        left
    }

    /// Some events are sent once more: half of those with the next batch, half some seconds later.
    fn maybe_repeat(&mut self, place: usize, how: Sent) {
        if how != Sent::Again && self.rng.chance(self.plan.duplicates) {
            let at_once = self.rng.chance(0.5);
            let when = if at_once { Instant::now() } else { self.later() };
            self.wait(when, place, Sent::Again);
        }
    }

    async fn drop_on_queue(&self, bad: Bad, text: &str) -> Result<()> {
        let mut patience = Patience::new(self.plan.attempts);
        loop {
            let message = self.queue.send_message().message_body(text);
            match message.set_queue_url(self.plan.queue_url.clone()).send().await {
                Ok(_) => break,
                Err(error) => patience.bear(Error::new(error)).await?,
            }
        }
        self.org.was_poisoned(bad);
        Ok(())
    }
}

/// Bears refusals: so many without a pause, or with growing pauses for so long, and no longer.
struct Patience {
    attempts: Option<u32>,
    until: Instant,
    pause: Duration,
}

impl Patience {
    fn new(attempts: Option<u32>) -> Self {
        Self { attempts, until: Instant::now() + PATIENCE, pause: FIRST_PAUSE }
    }

    async fn bear(&mut self, complaint: Error) -> Result<()> {
        if let Some(left) = &mut self.attempts {
            *left = left.saturating_sub(1);
            return if *left == 0 { Err(complaint.context("refused too often")) } else { Ok(()) };
        }
        if Instant::now() >= self.until {
            return Err(complaint.context(format!("refused for {PATIENCE:?}")));
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use aws_config::retry::RetryConfig;
    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use axum::Router;
    use axum::extract::State;
    use axum::routing::post;
    use serde_json::{Value, json};
    use tokio::net::TcpListener;

    use super::*;
    use crate::org::Settings;

    type Calls = Arc<Mutex<Vec<Vec<String>>>>;

    /// An event bus that notes the details of each call and refuses the second entry of the first.
    async fn moody_bus(State(calls): State<Calls>, body: String) -> String {
        let request: Value = serde_json::from_str(&body).expect("a PutEvents request");
        let entries = request["Entries"].as_array().expect("entries");
        let details = entries.iter().map(|entry| entry["Detail"].to_string());
        let mut calls = calls.lock().expect("no panic before");
        let refuses = calls.is_empty();
        let results: Vec<Value> = (0..entries.len())
            .map(|nth| match refuses && nth == 1 {
                true => json!({ "ErrorCode": "InternalFailure", "ErrorMessage": "not today" }),
                false => json!({ "EventId": nth.to_string() }),
            })
            .collect();
        calls.push(details.collect());
        json!({ "FailedEntryCount": usize::from(refuses), "Entries": results }).to_string()
    }

    async fn serve(router: Router) -> Result<SdkConfig> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        tokio::spawn(async { axum::serve(listener, router).await });
        let credentials = Credentials::new("id", "secret", None, None, "test");
        Ok(SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(endpoint)
            // As in `main`: the stream counts its attempts itself.
            .retry_config(RetryConfig::disabled())
            .build())
    }

    #[tokio::test]
    async fn only_the_refused_entry_is_sent_again() -> Result<()> {
        let calls = Calls::default();
        let aws = serve(Router::new().route("/", post(moody_bus)).with_state(calls.clone())).await?;
        let org = Arc::new(Org::new(Settings::plain("acme", 1, 0)));
        (0..5).for_each(|_| org.live());
        let plan = Plan {
            bus: String::from("aws.partner/okta.com/acme/logs"),
            queue_url: None,
            duplicates: 0.0,
            late: 0.0,
            attempts: None,
            poison: 0,
            events: 5,
            seed: 1,
        };
        let mut stream = Stream::new(org.clone(), &aws, plan);

        let batch = stream.next_batch().await?;
        stream.put(batch).await?;

        let calls = calls.lock().expect("no panic before");
        assert_eq!(calls.iter().map(Vec::len).collect::<Vec<_>>(), [5, 1]);
        assert_eq!(calls[0][1], calls[1][0]);
        assert_eq!(org.summary()["streamed"], 5);
        Ok(())
    }

    /// A bus that takes nothing.
    async fn refuse_all(State(calls): State<Calls>, body: String) -> (axum::http::StatusCode, &'static str) {
        calls.lock().expect("no panic before").push(vec![body]);
        (axum::http::StatusCode::INTERNAL_SERVER_ERROR, "{}")
    }

    #[tokio::test]
    async fn two_refusals_end_a_stream_and_what_is_logged_meanwhile_is_never_sent() -> Result<()> {
        let calls = Calls::default();
        let aws = serve(Router::new().route("/", post(refuse_all)).with_state(calls.clone())).await?;
        let org = Arc::new(Org::new(Settings::plain("acme", 1, 0)));
        org.live();
        let plan = Plan {
            bus: String::from("bus"),
            queue_url: None,
            duplicates: 0.0,
            late: 0.0,
            attempts: Some(2),
            poison: 0,
            events: 1,
            seed: 1,
        };
        let stream = tokio::spawn(Stream::new(org.clone(), &aws, plan).run());
        while org.stream() == Some(true) {
            sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(calls.lock().expect("no panic before").len(), 2);
        let types = |org: &Org| org.read_log(|log| log.iter().map(|entry| entry.event_type).collect::<Vec<_>>());
        assert_eq!(types(&org).last(), Some(&"system.log_stream.lifecycle.deactivate"));
        org.live();
        org.activate_stream();
        sleep(LINGER * 4).await;
        assert_eq!(types(&org).last(), Some(&"system.log_stream.lifecycle.activate"));
        assert_eq!(calls.lock().expect("no panic before").len(), 2, "nothing of before is sent");
        stream.abort();
        Ok(())
    }
}
