//! What can never be a record goes to quarantine with its bytes and a reason, and the rest goes on.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Bench, broker, event, events, org_event, until};

const SOURCE: &str = "aws.partner/okta.com/acme/logs";

#[test]
fn every_kind_of_poison_is_quarantined_with_its_bytes_and_reason() {
    let _broker = broker();
    let bench = Bench::new("poison");
    let deep = format!(
        "{{\"uuid\":\"{}\",\"published\":\"2026-01-01T00:00:00Z\",\"x\":{}1{}}}",
        Uuid::new_v4(),
        "[".repeat(200),
        "]".repeat(200)
    );
    let poison = [
        ("this is not JSON".to_owned(), "not_json"),
        ("[1, 2]".to_owned(), "not_log_event"),
        ("{\"uuid\":\"a\",\"uuid\":\"b\",\"published\":\"2026-01-01T00:00:00Z\"}".to_owned(), "duplicate_key"),
        (deep, "too_deep"),
        (org_event(SOURCE, &json!({"published": "2026-01-01T00:00:00Z"})), "missing_uuid"),
        (org_event(SOURCE, &json!({"uuid": "x"})), "missing_published"),
        (org_event("aws.partner/okta.com/evil/logs", &event(Uuid::new_v4())), "foreign_source"),
    ];
    let (good, wanted) = events(30);
    bench.send(&good[..15]);
    bench.send(&poison.iter().map(|(body, _)| body.clone()).collect::<Vec<_>>());
    bench.send(&good[15..]);
    let worker = bench.worker("worker");
    bench.assert_published_once(&wanted);
    let quarantined = bench.tail(&["quarantine"]);
    assert_eq!(quarantined.len(), poison.len());
    for (body, reason) in &poison {
        let record =
            quarantined.iter().find(|record| bytes(&record["value"]) == *body || record["value"] == parsed(body));
        let headers = &record.unwrap_or_else(|| panic!("{reason} is not in quarantine"))["headers"];
        assert_eq!(headers["reason"], *reason);
        assert_eq!(
            (&headers["stage"], &headers["org"], &headers["attempts"]),
            (&json!("ingest"), &json!("acme"), &json!("1"))
        );
        assert!(headers["source"].as_str().unwrap().starts_with(&format!("sqs:{}:", bench.name)), "{headers}");
    }
    assert_eq!(worker.metric("okta_ocsf_quarantined_total", ""), poison.len() as f64);
    assert!(!worker.log().contains("this is not JSON"), "bodies are never logged");
}

fn bytes(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn parsed(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_default()
}

#[test]
fn the_largest_body_that_sqs_carries_is_published_whole() {
    let _broker = broker();
    let bench = Bench::new("large");
    let mut large = event(Uuid::new_v4());
    // Quotes and backslashes grow when the text is escaped again in raw_data.
    large["debugContext"] = json!({"debugData": {"padding": ""}});
    let room = (1 << 20) - org_event(SOURCE, &large).len();
    large["debugContext"]["debugData"]["padding"] = json!("\"\\x".repeat(room / 5));
    let body = org_event(SOURCE, &large);
    assert!(body.len() <= 1 << 20 && body.len() > (1 << 20) - 16);
    // The stack's queue may carry less than AWS's; then the largest it takes must do.
    bench.send(&[body]);
    let _worker = bench.worker("worker");
    bench.assert_published_once(&[large["uuid"].as_str().unwrap().to_owned()].into());
    let record = &bench.tail(&["authentication"])[0]["value"];
    let raw: Value = serde_json::from_str(record["raw_data"].as_str().unwrap()).unwrap();
    assert_eq!(raw, large);
}

#[test]
fn a_worker_on_the_wrong_queue_stops_instead_of_moving_everything_to_quarantine() {
    let _broker = broker();
    let bench = Bench::new("wrong-queue").extra("[quarantine]\nwindow = 40\nstop_percent = 90\n");
    let bodies: Vec<String> = (0..200).map(|number| format!("order {number}")).collect();
    bench.send(&bodies);
    let mut worker = bench.start("worker", &[]);
    assert_eq!(worker.exit_status(), 65, "{}", worker.log());
    let log = worker.log();
    assert!(log.contains("almost entirely bad") && log.contains("not_json"), "{log}");
    until("most messages are back in the queue", || {
        let (visible, held) = bench.queue_depth();
        (held == 0 && visible >= 100).then_some(())
    });
}
