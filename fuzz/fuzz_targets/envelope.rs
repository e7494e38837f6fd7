//! Any message body: its events and its poison, each with what the rest of the pipeline needs.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use okta_ocsf::config::{OrgConfig, QueueConfig};
use okta_ocsf::ingest::{QueueOrgs, decode};
use okta_ocsf::json;

static ORGS: LazyLock<QueueOrgs> = LazyLock::new(|| {
    let org = OrgConfig { id: "acme".into(), event_source: None };
    QueueOrgs::new(&QueueConfig { orgs: vec!["acme".into()], ..QueueConfig::default() }, &[org])
});

fuzz_target!(|body: &[u8]| {
    let decoded = decode(body, &ORGS);
    // Only a hook without events holds nothing.
    assert!(!decoded.is_empty() || json::check(body).is_ok());
    for one in decoded {
        match one {
            Ok(arrived) => {
                assert!(json::check(&arrived.value).is_ok() && json::is_object(&arrived.value));
                assert_eq!(arrived.org.as_str(), "acme");
            }
            Err(poison) => assert!(!poison.reason.is_empty() && !poison.bytes.is_empty() || body.is_empty()),
        }
    }
});
