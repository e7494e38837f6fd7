use rdkafka::ClientConfig;

use crate::config::{SaslMechanism, SecurityConfig};

/// Lays the security settings over a client's.
pub fn apply(security: &SecurityConfig, client: &mut ClientConfig) {
    client.set("security.protocol", security.protocol.as_str());
    let path = |path: &std::path::Path| path.display().to_string();
    let certificate = security.certificate_file.as_deref().map(path);
    let key = security.key_file.as_deref().map(path);
    for (name, value) in [
        ("ssl.ca.location", security.ca_file.as_deref().map(path)),
        ("ssl.certificate.location", certificate),
        ("ssl.key.location", key),
        ("ssl.key.password", security.key_password.as_ref().map(|secret| secret.expose().to_owned())),
    ] {
        if let Some(value) = value {
            client.set(name, value);
        }
    }
    let Some(mechanism) = security.mechanism else { return };
    let name = match mechanism {
        SaslMechanism::Plain => "PLAIN",
        SaslMechanism::ScramSha256 => "SCRAM-SHA-256",
        SaslMechanism::ScramSha512 => "SCRAM-SHA-512",
        // IAM is a token whose signature is AWS's; on the wire it is the same mechanism.
        SaslMechanism::OauthBearer | SaslMechanism::AwsMskIam => "OAUTHBEARER",
    };
    client.set("sasl.mechanism", name);
    if let (Some(username), Some(password)) = (&security.username, &security.password) {
        client.set("sasl.username", username).set("sasl.password", password.expose());
    }
}
