use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use sha2::{Digest, Sha256};

use crate::okta::OrgId;

/// An input that can never succeed, with everything needed to find out why and to try again by hand.
#[derive(Debug, Clone)]
pub struct Rejected {
    /// The org whose queue or partition it came by; what the input itself claims is not believed.
    pub org: Option<OrgId>,
    /// Where it came from, such as `sqs:okta-events:<message id>` or `landing:3:1042`.
    pub source: String,
    /// Which room rejected it: `ingest` or `ocsf`.
    pub stage: &'static str,
    /// Reason code; see `docs/quarantine.md`.
    pub reason: &'static str,
    /// More about the reason, for people.
    pub detail: String,
    /// How often it was received.
    pub attempts: u32,
    /// When it was rejected, ms since the Unix epoch.
    pub rejected_at: i64,
    /// The bytes as received.
    pub bytes: Vec<u8>,
}

impl Rejected {
    /// Lower-case hexadecimal SHA-256 of the bytes: the same input redelivered has the same one.
    pub fn sha256(&self) -> String {
        Sha256::digest(&self.bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Everything but the bytes, as names and values.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let org = self.org.as_ref().map(|org| ("org", org.to_string()));
        org.into_iter()
            .chain([
                ("source", self.source.clone()),
                ("stage", self.stage.to_owned()),
                ("reason", self.reason.to_owned()),
                ("detail", self.detail.clone()),
                ("attempts", self.attempts.to_string()),
                ("rejected_at", self.rejected_at.to_string()),
                ("sha256", self.sha256()),
            ])
            .collect()
    }

    /// One JSON object: the headers and the bytes, as text if they are text, otherwise in base64.
    pub fn to_json(&self) -> Vec<u8> {
        let mut object: serde_json::Map<String, serde_json::Value> =
            self.headers().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        match std::str::from_utf8(&self.bytes) {
            Ok(text) => object.insert("raw".into(), text.into()),
            Err(_) => {
                let encoded = base64::engine::general_purpose::STANDARD.encode(&self.bytes);
                object.insert("raw_base64".into(), encoded.into())
            }
        };
        serde_json::Value::Object(object).to_string().into_bytes()
    }
}

/// Nearly everything that arrives is bad.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{bad} of the last {window} inputs were bad, most often {reason}")]
pub struct TooMuchIsBad {
    /// How many were bad.
    pub bad: usize,
    /// Of how many.
    pub window: usize,
    /// The most frequent reason among them.
    pub reason: &'static str,
}

/// Watches the share of bad input over the latest ones.
#[derive(Debug)]
pub struct Limit {
    window: usize,
    most_bad: usize,
    latest: Mutex<VecDeque<Option<&'static str>>>,
}

impl Limit {
    /// Trips when `percent` of the last `window` inputs were bad.
    pub fn new(window: usize, percent: u8) -> Self {
        let most_bad = (window * usize::from(percent)).div_ceil(100).max(1);
        Self { window, most_bad, latest: Mutex::new(VecDeque::with_capacity(window)) }
    }

    /// Notes one input, good (`None`) or bad with its reason.
    ///
    /// # Errors
    /// When the limit is reached.
    pub fn note(&self, bad: Option<&'static str>) -> Result<(), TooMuchIsBad> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.len() == self.window {
            latest.pop_front();
        }
        latest.push_back(bad);
        if latest.len() < self.window || bad.is_none() {
            return Ok(());
        }
        let reasons: Vec<&'static str> = latest.iter().filter_map(|bad| *bad).collect();
        if reasons.len() < self.most_bad {
            return Ok(());
        }
        let frequency = |reason: &str| reasons.iter().filter(|other| **other == reason).count();
        let reason = reasons.iter().copied().max_by_key(|reason| frequency(reason)).unwrap_or_default();
        Err(TooMuchIsBad { bad: reasons.len(), window: self.window, reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(bytes: &[u8]) -> Rejected {
        Rejected {
            org: Some(OrgId::new("acme")),
            source: "sqs:q:1".into(),
            stage: "ingest",
            reason: "not_json",
            detail: "not JSON: x".into(),
            attempts: 2,
            rejected_at: 5,
            bytes: bytes.to_vec(),
        }
    }

    #[test]
    fn nothing_of_the_input_is_lost() {
        let json: serde_json::Value = serde_json::from_slice(&rejected(b"not json\n").to_json()).unwrap();
        assert_eq!(
            (&json["raw"], &json["reason"], &json["attempts"]),
            (&"not json\n".into(), &"not_json".into(), &"2".into())
        );
        let json: serde_json::Value = serde_json::from_slice(&rejected(b"\xff\x00").to_json()).unwrap();
        assert_eq!(json["raw_base64"], "/wA=");
        assert_eq!(rejected(b"").sha256(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn the_limit_trips_only_on_a_full_window_of_mostly_bad_input() {
        let limit = Limit::new(10, 90);
        for _ in 0..9 {
            assert_eq!(limit.note(Some("not_json")), Ok(()), "the window is not full");
        }
        assert_eq!(limit.note(None), Ok(()), "good input never trips it");
        let tripped = limit.note(Some("too_deep"));
        assert_eq!(tripped, Err(TooMuchIsBad { bad: 9, window: 10, reason: "not_json" }));
        for _ in 0..5 {
            assert_eq!(limit.note(None), Ok(()));
        }
        assert_eq!(limit.note(Some("not_json")), Ok(()), "good input has pushed the bad out");
    }
}
