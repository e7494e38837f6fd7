//! The commands that need no infrastructure, and what people and scripts see of them.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::{Bench, Org, broker};

pub fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_okta-ocsf"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // Beside the reading: both pipes are finite.
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join().unwrap();
    output
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const GOOD: &str =
    r#"{"uuid":"3f0a8c52-7c1e-11f0-9a41-0242ac120002","published":"2026-05-04T10:20:30Z","eventType":"zone.update"}"#;

#[test]
fn transform_goes_on_after_bad_lines_and_says_which_they_were() {
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    let enveloped = format!(r#"{{"source":"aws.partner/okta.com/acme/x","detail":{GOOD}}}"#);
    let mut input = [GOOD, "not json", "", &deep, &enveloped, r#"{"uuid":"u"}"#, GOOD].join("\n").into_bytes();
    input.extend_from_slice(b"\n{\"uuid\":\"\xff\"}\n");
    let output = run(&["transform", "--org", "acme"], &input);
    assert_eq!(output.status.code(), Some(1));
    let records: Vec<Value> = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 3);
    assert!(records.iter().all(|record| record["metadata"]["tenant_uid"] == "acme"));
    let complaints = text(&output.stderr);
    for expected in
        ["line 2: not_json", "line 4: too_deep", "line 6: missing_published", "line 8: not_json", "4 bad in 8 lines"]
    {
        assert!(complaints.contains(expected), "{expected} is missing in:\n{complaints}");
    }
}

#[test]
fn transform_reads_a_line_of_any_length_without_keeping_it() {
    let mut input = vec![b'x'; 20 << 20];
    input.push(b'\n');
    input.extend_from_slice(GOOD.as_bytes());
    let output = run(&["transform"], &input);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout).lines().count(), 1);
    assert!(text(&output.stderr).starts_with("line 1: too_large"), "{}", text(&output.stderr));
}

#[test]
fn transform_of_good_input_ends_with_0_and_no_word() {
    let output = run(&["transform", "-"], format!("{GOOD}\n").as_bytes());
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    let page = run(&["transform"], format!("[{GOOD},{GOOD}]\n").as_bytes());
    assert_eq!((page.status.code(), text(&page.stdout).lines().count()), (Some(0), 2));
    let output = run(&["transform", "/no/such/file"], b"");
    assert_eq!(output.status.code(), Some(74));
    assert!(text(&output.stderr).contains("cannot read /no/such/file"));
}

#[test]
fn a_wrong_configuration_is_said_with_its_place_and_ends_with_78() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("worker.toml");
    let config = path.to_str().unwrap();
    for (content, expected) in [
        ("[worker]\nrolls = []\n", format!("{config}:2:1: unknown field `rolls`")),
        ("[[org]]\nid = 'a b'\n", "org.id".to_owned()),
        ("[[org]\n", format!("{config}:1:")),
    ] {
        std::fs::write(&path, content).unwrap();
        for command in [&["config", "check", "--config", config][..], &["run", "--config", config]] {
            let output = run(command, b"");
            assert_eq!(output.status.code(), Some(78), "{command:?}");
            let said = text(&output.stderr);
            assert!(said.contains(&expected) && said.contains("config reference"), "{said}");
        }
    }
    let output = run(&["config", "check", "--config", "/no/such.toml"], b"");
    assert_eq!(output.status.code(), Some(78));
}

#[test]
fn check_shows_every_part_of_the_outside_world() {
    let _broker = broker();
    let bench = Bench::new("check");
    let config = bench.config("worker");
    let config = config.to_str().unwrap();
    let output = run(&["check", "--config", config], b"");
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    let output = run(&["check", "--json", "--config", config], b"");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = |part: &str| report[part].as_array().unwrap().len();
    assert!(report["ok"] == true && found("queues") >= 1 && found("kafka") >= 6, "{report:#}");
    check_of_the_org(&bench);
    let missing = Bench::new("check-missing").on_queue(bench.queue_url.replace(&bench.name, "nothing-here"));
    let output = run(&["check", "--config", missing.config("worker").to_str().unwrap()], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("FAIL"), "{}", text(&output.stdout));
}

/// The check of an org's API: let in with the right token, told what is wrong with another.
fn check_of_the_org(bench: &Bench) {
    // Its log alone: what it streamed would reach the queue of other tests.
    let org = Org::start(&["--no-stream", "--events", "1"]);
    let path = bench.config("org");
    let table = format!("[org.api]\nurl = {:?}\ntoken = {{ env = \"ORG_TOKEN\" }}\n", org.url);
    let text_of = std::fs::read_to_string(&path).unwrap().replacen("[[queue]]", &format!("{table}[[queue]]"), 1);
    std::fs::write(&path, text_of).unwrap();
    let check = |token: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_okta-ocsf"));
        command.args(["check", "--config", path.to_str().unwrap()]).env("ORG_TOKEN", token).output().unwrap()
    };
    let output = check("sim-token");
    let said = text(&output.stdout);
    assert!(output.status.success() && said.contains("user_factors"), "{said}{}", text(&output.stderr));
    let output = check("another-token");
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("FAIL") && said.contains("org acme") && !said.contains("another-token"), "{said}");
}
