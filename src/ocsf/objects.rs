//! The OCSF 1.8.0 objects that records are made of, as narrow as our classes need them.
//!
//! Attributes that the schema requires are not optional here, so a record without them cannot be built.

use serde::Serialize;

/// `metadata`: where the record comes from and how it was made.
#[derive(Debug, Serialize)]
pub struct Metadata<'a> {
    pub version: &'static str,
    pub product: Product,
    pub uid: String,
    pub original_event_uid: &'a str,
    pub tenant_uid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_level: Option<&'a str>,
    pub log_name: &'static str,
    pub log_provider: &'static str,
    pub original_time: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logged_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_uid: Option<&'a str>,
    pub transformation_info_list: [TransformationInfo; 1],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub profiles: &'static [&'static str],
}

#[derive(Debug, Serialize)]
pub struct Product {
    pub name: &'static str,
    pub vendor_name: &'static str,
}

/// Which mapping made the record; `uid` is its version.
#[derive(Debug, Serialize)]
pub struct TransformationInfo {
    pub name: &'static str,
    pub uid: &'static str,
}

#[derive(Debug, Clone, Serialize)]
pub struct User<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_addr: Option<&'a str>,
    pub type_id: u8,
    #[serde(rename = "type")]
    pub kind: &'a str,
}

#[derive(Debug, Serialize)]
pub struct Actor<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<User<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<Session<'a>>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Session<'a> {
    pub uid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid_alt: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<&'a str>,
}

#[derive(Debug, Serialize)]
pub struct Service<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<&'a str>,
    pub name: &'a str,
}

#[derive(Debug, Serialize)]
pub struct NetworkEndpoint<'a> {
    pub ip: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isp: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autonomous_system: Option<AutonomousSystem<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub intermediate_ips: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct AutonomousSystem<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
}

#[derive(Debug, Serialize)]
pub struct Location<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lat: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub long: Option<f64>,
}

#[derive(Debug, Serialize)]
pub struct HttpRequest<'a> {
    pub user_agent: &'a str,
}

/// A value worth searching for, named by the path at which the record holds it.
#[derive(Debug, Serialize)]
pub struct Observable {
    pub name: &'static str,
    pub type_id: u8,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub value: String,
}
