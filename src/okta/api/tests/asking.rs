use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::HeaderValue;

use super::org::http_date;
use super::*;
use crate::config::ApiConfig;
use crate::okta::Pace;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

async fn fault(org: &Org, request: &Request) -> ApiFault {
    org.client().get(request, &()).await.unwrap_err()
}

#[tokio::test]
async fn objects_come_as_they_were_sent_page_by_page() {
    let org = Org::start(|incoming| {
        let host = incoming.header("host").to_owned();
        let (body, link) = match incoming.query.as_str() {
            "limit=2" => (r#"[ {"id":"a", "x":1.50}, {"id":"b"} ]"#, "after=b,1&limit=2"),
            "after=b,1&limit=2" => (r#"[{"id":"c","id2":"\u00e9"}]"#, ""),
            query => panic!("{query}"),
        };
        let mut response = reply(200, &[], body);
        let own = format!("<http://{host}/api/v1/users?{}>; rel=\"self\"", incoming.query);
        response.headers_mut().append("link", own.parse().unwrap());
        if !link.is_empty() {
            let next = format!("<http://{host}/api/v1/users?{link}>; rel=\"next\"");
            response.headers_mut().append("link", next.parse().unwrap());
        }
        response
    })
    .await;
    let client = org.client();
    let first = client.get(&users().query("limit", "2").without_credentials(), &()).await.unwrap();
    assert_eq!(first.objects().next().unwrap().json, br#"{"id":"a", "x":1.50}"#);
    assert_eq!(ids(&first), ["a", "b"]);
    let next = first.next.clone().unwrap();
    let second = client.get(&next, &()).await.unwrap();
    assert_eq!(second.objects().next().unwrap().json, br#"{"id":"c","id2":"\u00e9"}"#);
    assert!(second.next.is_none());
    assert!(first.asked_ms <= first.answered_ms && first.answered_ms <= second.answered_ms);
    for incoming in org.seen() {
        assert_eq!(incoming.method, "GET");
        assert_eq!(incoming.header("authorization"), "SSWS ssws-hunter2");
        assert!(incoming.header("user-agent").starts_with("okta-ocsf/"));
        assert_eq!(incoming.header("accept-encoding"), "gzip");
        assert!(incoming.header("content-type").contains("okta-response=omitCredentials,omitCredentialsLinks"));
    }
}

#[tokio::test]
async fn a_named_list_has_its_next_link_in_the_body_and_an_object_is_one() {
    let org = Org::start(|incoming| match incoming.path.as_str() {
        "/api/v1/iam/roles" => {
            let next = r#"/api/v1/iam/roles?after=1"#;
            reply(200, &[], format!(r#"{{"roles":[{{"id":"r1"}}],"_links":{{"next":{{"href":"{next}"}}}}}}"#))
        }
        _ => reply(200, &[], r#"{"uuid":"o1","_links":{"next":{"href":"https://evil.com"}}}"#),
    })
    .await;
    let client = org.client();
    let roles = client.get(&Request::named("/api/v1/iam/roles", "roles"), &()).await.unwrap();
    assert_eq!(ids(&roles), ["r1"]);
    assert_eq!(roles.next.unwrap().target(), "/api/v1/iam/roles?after=1");
    let object = client.get(&Request::one("/api/v1/org").id_key("uuid"), &()).await.unwrap();
    assert_eq!((ids(&object), object.next.is_none()), (vec!["o1"], true));
    let wrong = client.get(&Request::list("/api/v1/org"), &()).await.unwrap_err();
    assert_eq!(wrong.verdict, Verdict::NotJson("JSON, but not a list".into()));
}

#[tokio::test]
async fn a_foreign_next_link_is_never_followed() {
    let org =
        Org::start(|_| reply(200, &[("link", "<https://evil.com/api/v1/users?after=1>; rel=\"next\"")], "[]")).await;
    let fault = fault(&org, &users()).await;
    assert!(matches!(fault.verdict, Verdict::ForeignLink(_)));
    assert!(fault.to_string().contains("https://evil.com") && !fault.to_string().contains("after"), "{fault}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Org::start(|_| reply(200, &[], "[]")).await;
    let target = format!("{}/api/v1/users", elsewhere.url);
    let org = Org::start(move |_| reply(302, &[("location", &target)], "")).await;
    let fault = fault(&org, &users()).await;
    assert_eq!(fault.verdict, Verdict::Redirected("127.0.0.1".into()));
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn bodies_are_bounded_on_the_wire_and_after_decompression() {
    let org = Org::start(|incoming| {
        let large = format!("[{}{{}}]", "{},".repeat(1 << 20));
        match incoming.path.as_str() {
            "/length" => reply(200, &[], large),
            "/bomb" => reply(200, &[("content-encoding", "gzip")], gzip(large.as_bytes())),
            "/small" => reply(200, &[("content-encoding", "gzip")], gzip(br#"[{"id":"a"}]"#)),
            "/cut" => {
                let whole = gzip(format!("[{}]", " ".repeat(999)).as_bytes());
                reply(200, &[("content-encoding", "gzip")], whole[..whole.len() - 9].to_vec())
            }
            _ => reply(200, &[("content-encoding", "br")], "x"),
        }
    })
    .await;
    let client = org.client_with(|config| config.max_body_bytes = 64 << 10);
    let too_large = |compressed| Verdict::TooLarge { limit: 64 << 10, compressed };
    let verdict = async |path: &str| client.get(&Request::list(path), &()).await.unwrap_err().verdict;
    assert_eq!(verdict("/length").await, too_large(true));
    assert_eq!(verdict("/bomb").await, too_large(false));
    assert!(matches!(verdict("/br").await, Verdict::NotJson(_)));
    assert_eq!(ids(&client.get(&Request::list("/small"), &()).await.unwrap()), ["a"]);
    assert!(matches!(verdict("/cut").await, Verdict::Unreachable(Reach::Broken(_))));
}

#[tokio::test]
async fn a_body_of_unknown_length_is_bounded_too_and_one_that_breaks_off_is_no_answer() {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    let endless = raw(format!("{head}{}", chunk.repeat(40)));
    let broken = raw(format!("{head}{chunk}"));
    for (url, expected) in [(endless, "larger than 65536 bytes"), (broken, "the connection broke")] {
        let config = ApiConfig { url, token: Some(org::secret("t")), max_body_bytes: 64 << 10, ..Default::default() };
        let fault = Client::new(&config, &[], 1).unwrap().get(&users(), &()).await.unwrap_err();
        assert!(fault.to_string().contains(expected), "{fault}");
    }
}

/// Answers every connection with these bytes, and hangs up.
fn raw(answer: String) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut asked = [0; 4096];
            let _ = std::io::Read::read(&mut connection, &mut asked);
            let _ = connection.write_all(answer.as_bytes());
        }
    });
    url
}

#[tokio::test]
async fn what_is_not_the_api_is_named() {
    let org = Org::start(|incoming| match incoming.path.as_str() {
        "/html" => reply(200, &[("content-type", "text/html")], "<!doctype html><title>Sign in</title>"),
        "/deep" => reply(200, &[], "[".repeat(1_000_000)),
        "/twice" => reply(200, &[], r#"[{"id":"a","id":"b"}]"#),
        "/cut" => reply(200, &[], r#"[{"id":"a"}"#),
        "/scalars" => reply(200, &[], "[1]"),
        "/proxy" => reply(403, &[("content-type", "text/html")], "<html>Blocked</html>"),
        _ => reply(204, &[], ""),
    })
    .await;
    for (path, expected) in [
        ("/html", "an HTML page"),
        ("/deep", "nested deeper"),
        ("/twice", "appears twice"),
        ("/cut", "at byte 11"),
        ("/scalars", "something else than objects"),
        ("/proxy", "status 403 with an HTML page"),
        ("/empty", "an empty body"),
    ] {
        let fault = fault(&org, &Request::list(path)).await;
        assert!(matches!(&fault.verdict, Verdict::NotJson(what) if what.contains(expected)), "{path}: {fault}");
        assert!(!fault.passes());
    }
}

#[tokio::test]
async fn passing_trouble_is_waited_out_and_each_try_is_counted() {
    struct Count(Mutex<Vec<u16>>, AtomicUsize);
    impl Meter for Count {
        type Permit = usize;
        async fn before(&self, _: &str) -> usize {
            self.1.fetch_add(1, Ordering::Relaxed)
        }
        fn after(&self, permit: usize, seen: &Seen<'_>) {
            assert_eq!(permit, self.0.lock().unwrap().len());
            let headers = seen.headers.unwrap();
            assert_eq!((seen.path, headers.remaining), ("/api/v1/users", Some(599)));
            self.0.lock().unwrap().push(headers.status);
        }
    }
    let times = AtomicUsize::new(0);
    let org = Org::start(move |_| {
        let rate = [("x-rate-limit-limit", "600"), ("x-rate-limit-remaining", "599"), ("x-rate-limit-reset", "17")];
        match times.fetch_add(1, Ordering::Relaxed) {
            0 => reply(500, &rate, r#"{"errorCode":"E0000009"}"#),
            1 => reply(503, &rate, r#"{"errorCode":"E0000010"}"#),
            _ => reply(200, &rate, "[]"),
        }
    })
    .await;
    let count = Count(Mutex::default(), AtomicUsize::new(0));
    org.client().get(&users().query("q", "x"), &count).await.unwrap();
    assert_eq!(*count.0.lock().unwrap(), [500, 503, 200]);
    assert_eq!(count.1.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn what_does_not_pass_is_asked_once() {
    for (status, code) in
        [(429, "E0000047"), (403, "E0000006"), (404, "E0000007"), (400, "E0000001"), (401, "E0000011")]
    {
        let body = format!(r#"{{"errorCode":"{code}","errorSummary":"said","errorCauses":[]}}"#);
        let org = Org::start(move |_| reply(status, &[], body.clone())).await;
        let fault = fault(&org, &users().query("search", "profile.login eq \"bob@acme.com\"")).await;
        assert_eq!(org.seen().len(), 1);
        let text = fault.to_string();
        for expected in ["[GET /api/v1/users, status", code, "said", "request req-1"] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        let debug = format!("{fault:?}");
        for hidden in ["bob", "search", "hunter2"] {
            assert!(!text.contains(hidden) && !debug.contains(hidden), "{text} {debug}");
        }
    }
}

#[tokio::test]
async fn a_refused_api_token_says_what_to_do() {
    let org =
        Org::start(|_| reply(401, &[], r#"{"errorCode":"E0000011","errorSummary":"Invalid token provided"}"#)).await;
    let Verdict::AuthFailed { why, advice } = fault(&org, &users()).await.verdict else { panic!() };
    assert!(why.contains("API token (Invalid token provided)") && advice.contains("30 days"), "{why}; {advice}");
}

#[tokio::test]
async fn a_wrong_clock_is_said() {
    let date = http_date(Pace::real().wall_ms() / 1_000 - 61 * 60);
    let org = Org::start(move |_| {
        let mut response = reply(401, &[], r#"{"errorCode":"E0000011","errorSummary":"Invalid token provided"}"#);
        response.headers_mut().insert("date", HeaderValue::try_from(&date).unwrap());
        response
    })
    .await;
    let text = fault(&org, &users()).await.to_string();
    assert!(text.ends_with("the clock of this machine is 61 minutes ahead of Okta's"), "{text}");
}

#[tokio::test]
async fn as_of_times_go_by_oktas_clock() {
    let org = Org::start(move |_| reply(200, &[("date", "Sun, 06 Nov 1994 08:49:37 GMT")], "[]")).await;
    let answer = org.client().get(&users(), &()).await.unwrap();
    let off = answer.answered_ms - 784_111_777_000;
    assert!((-1_000..=2_000).contains(&off), "{off}");
}

#[tokio::test(start_paused = true)]
async fn silence_ends() {
    // Bound, but nobody ever answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let config = ApiConfig { url, token: Some(org::secret("t")), ..Default::default() };
    let client = Client::new(&config, &[], 1).unwrap();
    let fault = client.get(&users(), &()).await.unwrap_err();
    assert!(matches!(fault.verdict, Verdict::Timeout(_)), "{fault}");
    assert!(fault.passes());
}

#[tokio::test(start_paused = true)]
async fn silence_of_an_org_whose_time_goes_faster_ends_sooner() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    for (rate, seconds) in [(0.1, 60), (4.0, 15), (60.0, 5)] {
        let config = ApiConfig { url: url.clone(), token: Some(org::secret("t")), ..Default::default() };
        let client = Client::new(&config, &[], 1).unwrap().at_pace(Pace::times(rate));
        let fault = client.get(&users(), &()).await.unwrap_err();
        assert_eq!(fault.verdict, Verdict::Timeout(Duration::from_secs(seconds)), "{rate}");
    }
}

#[tokio::test]
async fn ways_not_to_be_reached_are_told_apart() {
    let verdict = async |url: &str| {
        let config =
            ApiConfig { url: url.into(), token: Some(org::secret("t")), allow_http: true, ..Default::default() };
        let client = Client::new(&config, &[], 1).unwrap();
        let request = users();
        tokio::time::timeout(Duration::from_secs(20), client.get(&request, &())).await.unwrap().unwrap_err().verdict
    };
    // A port that was free a moment ago.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let verdict_closed = verdict(&format!("http://{closed}")).await;
    assert!(matches!(verdict_closed, Verdict::Unreachable(Reach::Connect(_))), "{verdict_closed}");
    let plain = Org::start(|_| reply(200, &[], "[]")).await;
    let no_tls = verdict(&plain.url.replace("http:", "https:")).await;
    assert!(matches!(no_tls, Verdict::Unreachable(Reach::Tls(_))), "{no_tls}");
    let nameless = verdict("https://no-such-org.invalid").await;
    assert!(matches!(nameless, Verdict::Unreachable(Reach::Name(_))), "{nameless}");
}

#[test]
fn plain_http_leaves_the_machine_only_if_allowed() {
    let config = ApiConfig { url: "http://acme.okta.com".into(), token: Some(org::secret("t")), ..Default::default() };
    assert!(Client::new(&config, &[], 1).is_err());
}
