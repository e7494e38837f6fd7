//! What belongs in no record is in none: neither in an attribute, nor in `unmapped`, nor in `raw_data`.

use super::*;

fn everything(case: &Case) -> String {
    let all = Options { raw_data: true, unmapped: true };
    String::from_utf8(case.bytes(all).unwrap()).unwrap()
}

#[test]
fn secrets_are_withheld_wherever_the_api_returns_them() {
    for (collection, object) in [
        ("idps", json!({"protocol": {"credentials": {"client": {"client_id": "c", "client_secret": "hush"}}}})),
        ("idps", json!({"protocol": {"credentials": {"signing": {"teamId": "t", "privateKey": "hush"}}}})),
        ("idps", json!({"protocol": {"credentials": {"bearer": {"apiKey": "hush"}}}})),
        ("apps", json!({"credentials": {"oauthClient": {"client_secret": "hush"}}})),
        ("apps", json!({"settings": {"app": {"adminPassword": "hush", "apiToken": "hush", "API-Token": "hush"}}})),
        ("app_groups", json!({"profile": {"securityQuestion": "Who?", "securityAnswer": "hush"}})),
        ("authenticators", json!({"provider": {"configuration": {"secretKey": "hush", "host": "h"}}})),
        ("api_services", json!({"clientSecret": "hush", "secret_hash": "hush"})),
        ("log_streams", json!({"settings": {"host": "h", "token": "hush"}})),
        ("event_hooks", json!({"channel": {"config": {"authScheme": {"key": "authorization", "value": "hush"}}}})),
        ("event_hooks", json!({"channel": {"config": {"headers": [{"key": "X-Auth", "value": "hush"}]}}})),
        ("users", json!({"credentials": {"password": {"value": "hush"}, "recovery_question": {"answer": "hush"}}})),
        ("users", json!({"profile": {"one\u{54}imePassCode": 7_654_321}})),
        ("devices", json!({"profile": {"displayName": "d"}, "device\\Token": "hush"})),
    ] {
        let mut object = object;
        object["id"] = json!("id1");
        let text = everything(&Case::new(collection, object.clone()));
        assert!(!text.contains("hush") && !text.contains("7654321"), "{object}\n{text}");
        assert!(text.contains("(withheld)"), "{object}");
    }
    let factor =
        json!({"id": "f1", "status": "PENDING_ACTIVATION", "_embedded": {"activation": {"sharedSecret": "hush"}}});
    let text = everything(&Case::user(json!({"id": "00u1"})).with("factors", json!([factor])));
    assert!(!text.contains("hush") && text.contains("(withheld)"));
}

#[test]
fn what_only_resembles_a_secret_stays() {
    let object = json!({
        "id": "1", "client_secret": "", "privateKey": null, "token": {"accessTokenLifetimeMinutes": 60},
        "endpoints": {"token": {"url": "stays"}}, "alwaysIncludeInToken": true, "tokenType": "stays",
        "password": {"seed": "stays"}, "questions": {"value": "stays"},
        "gateways": [{"type": "CIDR", "value": "stays"}],
        "secretVersionId": "stays", "credentials": {"scheme": "SHARED_USERNAME_AND_PASSWORD", "password": {}},
    });
    let text = everything(&Case::new("policies", object));
    assert!(!text.contains("withheld"), "{text}");
    // Six values, in the record and in `raw_data`.
    assert_eq!(text.matches("stays").count(), 12, "{text}");
}
