//! The org over real HTTP, as a client meets it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use crate::api;
use crate::org::{Org, Settings};
use crate::rng::Rng;

struct Bench {
    org: Arc<Org>,
    url: String,
    http: Client,
}

impl Bench {
    async fn start(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::plain("acme", 4, 0);
        change(&mut settings);
        let org = Arc::new(Org::new(settings));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = api::router(org.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        let bench = Self { org, url, http: Client::new() };
        bench.principal(json!({ "id": "admin", "token": "t" }));
        bench
    }

    fn principal(&self, principal: Value) {
        self.org.principals().put(serde_json::from_value(principal).expect("a principal"));
    }

    fn get(&self, path: &str) -> RequestBuilder {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.url) };
        self.http.get(url).header("authorization", "SSWS t")
    }

    async fn reply(&self, path: &str) -> Response {
        self.get(path).send().await.expect("a reply")
    }

    async fn json(&self, path: &str) -> Value {
        self.reply(path).await.json().await.expect("JSON")
    }

    /// All pages of a list.
    async fn list(&self, path: &str) -> Vec<Value> {
        let (mut all, mut path) = (Vec::new(), path.to_owned());
        loop {
            let reply = self.reply(&path).await;
            assert_eq!(reply.status(), StatusCode::OK, "{path}");
            let next = next_link(&reply);
            all.extend(reply.json::<Vec<Value>>().await.expect("an array"));
            match next {
                Some(next) => path = next,
                None => return all,
            }
        }
    }

    async fn truth(&self, collection: &str) -> Vec<Value> {
        let text = self.reply(&format!("/_org/truth/{collection}")).await.text().await.expect("text");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Asks for a token; form and headers are the client's.
    async fn token(&self, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Response {
        let mut request = self.http.post(format!("{}/oauth2/v1/token", self.url)).form(form);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.expect("a reply")
    }
}

fn next_link(reply: &Response) -> Option<String> {
    let mut links = reply.headers().get_all("link").iter().filter_map(|link| link.to_str().ok());
    let next = links.rfind(|link| link.ends_with("rel=\"next\""))?;
    Some(next.split(['<', '>']).nth(1)?.to_owned())
}

fn ids(objects: &[Value]) -> BTreeSet<&str> {
    objects.iter().filter_map(|object| object["id"].as_str()).collect()
}

async fn code(reply: Response) -> (u16, String) {
    let status = reply.status().as_u16();
    let body: Value = reply.json().await.expect("an error");
    (status, body["errorCode"].as_str().or(body["error"].as_str()).unwrap_or_default().to_owned())
}

#[tokio::test]
async fn the_pages_of_users_are_the_truth_and_leave_out_the_deprovisioned_unless_searched() {
    let bench = Bench::start(|_| ()).await;
    let truth = bench.truth("users").await;
    let listed = bench.list("/api/v1/users?limit=70").await;
    let searched = bench.list("/api/v1/users?limit=70&search=status%20pr").await;
    assert_eq!(ids(&searched), ids(&truth));
    assert!(listed.len() < searched.len() && listed.iter().all(|user| user["status"] != "DEPROVISIONED"));
    let gone = bench.list("/api/v1/users?filter=status%20eq%20%22DEPROVISIONED%22").await;
    assert_eq!(gone.len() + listed.len(), searched.len());
}

#[tokio::test]
async fn members_by_group_are_groups_by_member() {
    let bench = Bench::start(|_| ()).await;
    let group = bench.truth("groups").await[2]["id"].as_str().expect("an id").to_owned();
    for member in bench.list(&format!("/api/v1/groups/{group}/users?limit=7")).await {
        let groups = bench.list(&format!("/api/v1/users/{}/groups", member["id"].as_str().expect("an id"))).await;
        assert!(ids(&groups).contains(group.as_str()));
    }
}

#[tokio::test]
async fn a_cursor_expires_with_the_clock_of_the_org() {
    let bench = Bench::start(|settings| settings.cursor_life = Duration::from_secs(600)).await;
    let next = next_link(&bench.reply("/api/v1/users?limit=10").await).expect("a next page");
    bench.org.clock.set(Duration::from_secs(500), None);
    assert_eq!(bench.reply(&next).await.status(), StatusCode::OK);
    bench.org.clock.set(Duration::from_secs(200), None);
    assert_eq!(code(bench.reply(&next).await).await, (400, String::from("E0000001")));
}

#[tokio::test]
async fn the_limit_of_a_bucket_is_told_kept_and_renewed() {
    let bench = Bench::start(|settings| settings.clock_rate = 0.0).await;
    for left in (0..60).rev() {
        let reply = bench.reply("/api/v1/logs?limit=1").await;
        assert_eq!(reply.headers()["x-rate-limit-remaining"], left.to_string());
    }
    let refused = bench.reply("/api/v1/logs?limit=1").await;
    assert_eq!(refused.headers()["x-rate-limit-limit"], "60", "half of the bucket is one principal's");
    let reset: i64 = refused.headers()["x-rate-limit-reset"].to_str().expect("text").parse().expect("a number");
    assert_eq!(reset, bench.org.clock.now().as_second() + 60);
    assert_eq!(code(refused).await, (429, String::from("E0000047")));
    assert_eq!(bench.reply("/api/v1/groups").await.status(), StatusCode::OK, "another bucket");
    bench.org.clock.set(Duration::from_secs(60), None);
    assert_eq!(bench.reply("/api/v1/logs?limit=1").await.status(), StatusCode::OK);
    let usage = bench.json("/_org/usage").await;
    assert_eq!((usage["calls"].as_u64(), usage["rejected"].as_u64()), (Some(63), Some(1)));
}

#[tokio::test]
async fn too_many_calls_at_once_are_told_apart() {
    let slow = |settings: &mut Settings| settings.latency = Duration::from_millis(300);
    let bench = Bench::start(slow).await;
    let calls: Vec<_> = (0..80).map(|_| tokio::spawn(bench.get("/api/v1/behaviors").send())).collect();
    let mut refused = Vec::new();
    for call in calls {
        let reply = call.await.expect("no panic").expect("a reply");
        if reply.status() == StatusCode::TOO_MANY_REQUESTS {
            refused.push(reply);
        }
    }
    assert!(!refused.is_empty());
    for reply in refused {
        let header = |name| reply.headers()[name].to_str().expect("text");
        assert_eq!((header("x-rate-limit-limit"), header("x-rate-limit-remaining")), ("0", "0"));
    }
}

#[tokio::test]
async fn classic_has_no_devices_and_no_sign_in_policies_of_apps() {
    let bench = Bench::start(|settings| settings.classic = true).await;
    assert_eq!(code(bench.reply("/api/v1/devices").await).await, (401, String::from("E0000015")));
    let refused = bench.reply("/api/v1/policies?type=ACCESS_POLICY").await;
    assert_eq!(code(refused).await, (400, String::from("E0000001")));
    assert!(!bench.list("/api/v1/policies?type=PASSWORD").await.is_empty());
}

#[tokio::test]
async fn everybody_may_read_which_engine_runs_the_org() {
    for (classic, pipeline) in [(false, "idx"), (true, "v1")] {
        let bench = Bench::start(|settings| settings.classic = classic).await;
        let reply = bench.http.get(format!("{}/.well-known/okta-organization", bench.url)).send().await;
        let told: Value = reply.expect("a reply").json().await.expect("JSON");
        assert_eq!(told["pipeline"], pipeline);
        assert_eq!(bench.json("/.well-known/okta-organization").await["id"], told["id"]);
    }
}

#[tokio::test]
async fn the_limits_of_principals_are_those_of_the_principals_there_are() {
    let bench = Bench::start(|_| ()).await;
    for n in 0..60 {
        bench.principal(json!({ "id": format!("client {n}"), "secret": "s" }));
    }
    let path = "/api/v1/principal-rate-limits";
    assert_eq!(code(bench.reply(path).await).await, (400, String::from("E0000001")));
    let other = bench.reply(&format!("{path}?filter=principalId%20eq%20%22admin%22")).await;
    assert_eq!(code(other).await, (400, String::from("E0000053")));
    let of_type = |kind: &str| format!("{path}?filter=principalType%20eq%20%22{kind}%22&limit=200");
    assert_eq!(bench.json(&of_type("OAUTH_CLIENT")).await.as_array().map(Vec::len), Some(50), "the most of a page");
    let clients = bench.list(&of_type("OAUTH_CLIENT")).await;
    assert_eq!((clients.len(), ids(&clients).len()), (60, 60));
    let tokens = bench.list(&of_type("SSWS_TOKEN")).await;
    assert_eq!((tokens.len(), &tokens[0]["principalId"]), (1, &json!("admin")));
    assert_eq!(tokens[0]["defaultPercentage"], 50);
    assert_eq!(bench.json(&format!("{path}/{}", tokens[0]["id"].as_str().expect("an id"))).await, tokens[0]);
}

#[tokio::test]
async fn a_secret_gets_a_token_for_what_the_client_was_granted() {
    let bench = Bench::start(|_| ()).await;
    let client = json!({
        "id": "c", "secret": "s", "role": "READ_ONLY_ADMIN",
        "scopes": ["okta.users.read", "okta.groups.read", "okta.roles.read"], "expires_in": 3600,
    });
    bench.principal(client.clone());
    let basic = [("authorization", "Basic Yzpz")];
    let form = |scope| [("grant_type", "client_credentials"), ("scope", scope)];
    let wrong = bench.token(&form("okta.users.read"), &[("authorization", "Basic Yzp4")]).await;
    assert_eq!(code(wrong).await, (401, String::from("invalid_client")));
    let more = bench.token(&form("okta.users.read okta.apps.read"), &basic).await;
    assert_eq!(code(more).await, (400, String::from("invalid_scope")));

    let granted: Value =
        bench.token(&form("okta.users.read okta.roles.read"), &basic).await.json().await.expect("JSON");
    let bearer = format!("Bearer {}", granted["access_token"].as_str().expect("a token"));
    let call = async |path: &str| {
        let url = format!("{}{path}", bench.url);
        bench.http.get(url).header("authorization", &bearer).send().await.expect("a reply")
    };
    assert_eq!(call("/api/v1/users").await.status(), StatusCode::OK);
    let without_scope = call("/api/v1/groups").await;
    let challenge = without_scope.headers()["www-authenticate"].to_str().expect("text").to_owned();
    assert!(challenge.contains("insufficient_scope"), "{challenge}");
    assert_eq!(code(without_scope).await, (403, String::from("E0000006")));
    let without_right = call("/api/v1/iam/assignees/users").await;
    assert_eq!(code(without_right).await, (403, String::from("E0000006")), "read-only administrators do not see roles");

    let mut smaller = client.clone();
    smaller["scopes"] = json!(["okta.groups.read"]);
    bench.principal(smaller);
    assert_eq!(call("/api/v1/users").await.status(), StatusCode::FORBIDDEN, "the scope was taken away");
    bench.principal(client);
    assert_eq!(call("/api/v1/users").await.status(), StatusCode::OK);
    bench.org.clock.set(Duration::from_secs(3_601), None);
    assert_eq!(code(call("/api/v1/users").await).await, (401, String::from("E0000011")), "it has expired");
}

/// A client's key.
struct Key {
    private: EncodingKey,
    public: Jwk,
}

impl Key {
    fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let point = pair.public_key().as_ref();
        let part = |range| URL_SAFE_NO_PAD.encode(&point[range]);
        let public = json!({ "kty": "EC", "crv": "P-256", "kid": "k1", "x": part(1..33), "y": part(33..65) });
        let pkcs8 = pair.to_pkcs8v1().expect("a key that can be written down");
        Self {
            private: EncodingKey::from_ec_der(pkcs8.as_ref()),
            public: serde_json::from_value(public).expect("a JWK"),
        }
    }

    fn sign(&self, typ: &str, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some(typ.to_owned());
        match typ {
            "JWT" => header.kid = Some(String::from("k1")),
            _ => header.jwk = Some(self.public.clone()),
        }
        encode(&header, claims, &self.private).expect("a signature")
    }
}

#[tokio::test]
async fn an_assertion_and_a_proof_get_a_bound_token_that_takes_proofs() {
    let bench = Bench::start(|_| ()).await;
    let key = Key::new();
    bench.principal(json!({ "id": "c", "jwks": { "keys": [key.public] }, "dpop": true }));
    let url = format!("{}/oauth2/v1/token", bench.url);
    let now = || bench.org.clock.now().as_second();
    let assertion = |jti: &str, aud: &str, exp: i64| {
        key.sign("JWT", &json!({ "iss": "c", "sub": "c", "aud": aud, "exp": exp, "jti": jti }))
    };
    let ask = async |assertion: String, proof: Option<String>| {
        let form = [
            ("grant_type", "client_credentials"),
            ("scope", "okta.users.read"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &assertion),
        ];
        let headers: Vec<(&str, &str)> = proof.as_deref().map(|proof| ("dpop", proof)).into_iter().collect();
        bench.token(&form, &headers).await
    };
    let foreign = ask(assertion("1", "https://other.example/oauth2/v1/token", now() + 300), None).await;
    assert_eq!(code(foreign).await, (401, String::from("invalid_client")));
    let expired = ask(assertion("2", &url, now() - 1), None).await;
    assert_eq!(code(expired).await, (401, String::from("invalid_client")));
    let unproven = ask(assertion("3", &url, now() + 300), None).await;
    assert_eq!(code(unproven).await, (400, String::from("invalid_dpop_proof")));
    let replayed = ask(assertion("3", &url, now() + 300), None).await;
    assert_eq!(code(replayed).await, (401, String::from("invalid_client")), "an assertion is good once");

    let proof = |claims: Value| Some(key.sign("dpop+jwt", &claims));
    let claims = |jti: &str| json!({ "htm": "POST", "htu": url, "iat": now(), "jti": jti });
    let challenged = ask(assertion("4", &url, now() + 300), proof(claims("p1"))).await;
    let nonce = challenged.headers()["dpop-nonce"].to_str().expect("text").to_owned();
    assert_eq!(code(challenged).await, (400, String::from("use_dpop_nonce")));
    let mut with_nonce = claims("p2");
    with_nonce["nonce"] = json!(nonce);
    let granted: Value = ask(assertion("5", &url, now() + 300), proof(with_nonce)).await.json().await.expect("JSON");
    assert_eq!(granted["token_type"], "DPoP");
    let token = granted["access_token"].as_str().expect("a token");

    let users = format!("{}/api/v1/users", bench.url);
    let ath = URL_SAFE_NO_PAD.encode(Sha256::digest(token));
    let proof = |jti: &str, htu: &str| {
        key.sign("dpop+jwt", &json!({ "htm": "GET", "htu": htu, "iat": now(), "jti": jti, "ath": ath }))
    };
    let call = async |scheme: &str, proof: &str| {
        let request = bench.http.get(format!("{users}?limit=1")).header("authorization", format!("{scheme} {token}"));
        request.header("dpop", proof).send().await.expect("a reply").status().as_u16()
    };
    let good = proof("q1", &users);
    assert_eq!(call("DPoP", &good).await, 200);
    assert_eq!(call("DPoP", &good).await, 400, "a proof is good once");
    assert_eq!(call("DPoP", &proof("q2", &format!("{}/api/v1/groups", bench.url))).await, 400);
    assert_eq!(call("Bearer", &proof("q3", &users)).await, 401, "it is no bearer token");
    assert_eq!(bench.org.principals().revoke("c"), 1);
    assert_eq!(call("DPoP", &proof("q4", &users)).await, 401);
}

#[tokio::test]
async fn every_deed_is_told_by_one_event_with_its_targets() {
    let bench = Bench::start(|_| ()).await;
    let mut rng = Rng::new(1);
    let deeds: Vec<Value> = (0..400).filter_map(|_| bench.org.act(&mut rng, None, None, None)).collect();
    assert!(deeds.len() > 300, "{} deeds", deeds.len());
    let events = bench.list_log().await;
    assert_eq!(events.len(), deeds.len());
    let mut last: HashMap<&str, &str> = HashMap::new();
    for (deed, event) in deeds.iter().zip(&events) {
        assert_eq!(deed["event_type"], event["eventType"]);
        assert_eq!(deed["target"], event["target"]);
        assert!(event["actor"]["id"].is_string());
        let status = match event["eventType"].as_str().expect("a type") {
            "user.lifecycle.suspend" => "SUSPENDED",
            "user.lifecycle.deactivate" => "DEPROVISIONED",
            "user.lifecycle.delete.completed" => "",
            "user.account.lock" => "LOCKED_OUT",
            "user.lifecycle.unsuspend" | "user.account.unlock" => "ACTIVE",
            "user.lifecycle.activate" => "PROVISIONED",
            _ => continue,
        };
        last.insert(event["target"][0]["id"].as_str().expect("an id"), status);
    }
    for (user, status) in last {
        let reply = bench.reply(&format!("/api/v1/users/{user}")).await;
        match status {
            "" => assert_eq!(code(reply).await, (404, String::from("E0000007"))),
            status => assert_eq!(reply.json::<Value>().await.expect("JSON")["status"], status),
        }
    }
    let members = bench.truth("group-members").await;
    for group in bench.truth("groups").await {
        let id = group["id"].as_str().expect("an id");
        let listed = bench.list(&format!("/api/v1/groups/{id}/users")).await;
        let true_ones = members.iter().filter(|member| member["left"] == id);
        assert_eq!(ids(&listed), true_ones.filter_map(|member| member["right"].as_str()).collect());
    }
}

impl Bench {
    async fn list_log(&self) -> Vec<Value> {
        self.json("/api/v1/logs?limit=1000&since=2020-01-01T00:00:00Z").await.as_array().expect("an array").clone()
    }
}

#[tokio::test]
async fn a_membership_changes_the_group_and_not_the_user_and_its_event_comes_later() {
    let bench = Bench::start(|settings| {
        settings.clock_rate = 0.0;
        settings.event_delay = Duration::from_secs(5);
    })
    .await;
    let done = bench.org.act(&mut Rng::new(2), Some("member.add"), None, None).expect("a deed");
    let id = |nth: usize| done["target"][nth]["id"].as_str().expect("an id").to_owned();
    let group = bench.json(&format!("/api/v1/groups/{}", id(1))).await;
    assert_eq!(group["lastMembershipUpdated"], done["at"]);
    assert_ne!(group["lastUpdated"], done["at"]);
    assert_ne!(bench.json(&format!("/api/v1/users/{}", id(0))).await["lastUpdated"], done["at"]);
    let at = done["at"].as_str().expect("a time");
    let filter =
        format!("/api/v1/groups?filter=lastUpdated%20ge%20%22{at}%22%20or%20lastMembershipUpdated%20ge%20%22{at}%22");
    assert_eq!(ids(&bench.list(&filter).await), BTreeSet::from([id(1).as_str()]));
    assert!(bench.list_log().await.is_empty());
    bench.org.clock.set(Duration::from_secs(5), None);
    assert_eq!(bench.list_log().await.len(), 1);
}

#[tokio::test]
async fn a_search_may_lag_and_a_read_by_id_does_not() {
    let bench = Bench::start(|settings| {
        settings.clock_rate = 0.0;
        settings.replica_lag = Duration::from_secs(3_600);
    })
    .await;
    let done = bench.org.act(&mut Rng::new(2), Some("user.suspend"), None, None).expect("a deed");
    let user = done["target"][0]["id"].as_str().expect("an id");
    assert_eq!(bench.json(&format!("/api/v1/users/{user}")).await["status"], "SUSPENDED");
    let searched = bench.list(&format!("/api/v1/users?search=id%20eq%20%22{user}%22")).await;
    assert_eq!(searched[0]["status"], "ACTIVE");
}

#[tokio::test]
async fn faults_come_as_ordered_and_pass() {
    let bench = Bench::start(|_| ()).await;
    let order = async |fault: &str| {
        let order = json!({ "path": "/api/v1/groups", "fault": fault });
        let posted = bench.http.post(format!("{}/_org/faults", bench.url)).json(&order).send().await;
        assert_eq!(posted.expect("a reply").status(), StatusCode::NO_CONTENT);
        bench.reply("/api/v1/groups?limit=2").await
    };
    assert_eq!(code(order("internal_error").await).await, (500, String::from("E0000009")));
    let foreign = order("foreign_next").await;
    assert!(!next_link(&foreign).expect("a link").starts_with(&bench.url));
    let truncated = order("truncated").await.text().await.expect("text");
    assert!(serde_json::from_str::<Value>(&truncated).is_err());
    let unlimited = order("too_many_without_reset").await;
    assert!(unlimited.status() == 429 && !unlimited.headers().contains_key("x-rate-limit-reset"));
    assert_eq!(bench.reply("/api/v1/groups").await.status(), StatusCode::OK);
    let for_long = order("too_many_for_long").await;
    let reset: i64 = for_long.headers()["x-rate-limit-reset"].to_str().expect("text").parse().expect("a number");
    assert!(for_long.status() == 429 && reset > bench.org.clock.now().as_second() + 3_500);
    let mut slow = order("slow_body").await;
    assert!(slow.chunk().await.expect("a beginning").is_some());
    let rest = tokio::time::timeout(Duration::from_millis(100), slow.chunk());
    assert!(rest.await.is_err(), "the rest comes 20 seconds later");
    bench.org.clock.set(Duration::ZERO, Some(10_000.0));
    assert_eq!(order("slow_body").await.json::<Vec<Value>>().await.expect("all of it").len(), 2);
}
