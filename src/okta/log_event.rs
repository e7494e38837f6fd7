//! The System Log event as Okta sends it.
//!
//! Okta calls little of it a contract, so reading is lenient: a section of another shape is absent, a number where a
//! text was expected is its text, and a field that we do not use cannot fail the parse. What is absent here is still
//! in the source bytes, which every record keeps.
//!
//! Source: System Log API, `LogEvent` (developer.okta.com/docs/api).

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// One System Log event, borrowing from the bytes it was read from.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)] // the names are Okta's
pub struct LogEvent<'a> {
    #[serde(borrow)]
    pub uuid: Text<'a>,
    #[serde(borrow)]
    pub published: Text<'a>,
    #[serde(borrow)]
    pub event_type: Text<'a>,
    #[serde(borrow)]
    pub severity: Text<'a>,
    #[serde(borrow)]
    pub display_message: Text<'a>,
    #[serde(borrow, deserialize_with = "lenient")]
    pub actor: Option<Actor<'a>>,
    #[serde(borrow, deserialize_with = "lenient")]
    pub client: Option<Client<'a>>,
    #[serde(borrow, deserialize_with = "lenient")]
    pub authentication_context: Option<AuthenticationContext<'a>>,
    #[serde(borrow, deserialize_with = "lenient")]
    pub security_context: Option<SecurityContext<'a>>,
    #[serde(borrow, deserialize_with = "lenient")]
    pub outcome: Option<Outcome<'a>>,
    #[serde(borrow, deserialize_with = "lenient")]
    pub transaction: Option<Transaction<'a>>,
    #[serde(borrow, deserialize_with = "lenient")]
    pub request: Option<Request<'a>>,
    #[serde(borrow, deserialize_with = "lenient")]
    pub target: Option<Vec<Target<'a>>>,
}

/// Who did it: a user, an Okta system principal, a client app, an agent or an address.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct Actor<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    #[serde(borrow)]
    pub alternate_id: Text<'a>,
    #[serde(borrow)]
    pub display_name: Text<'a>,
}

/// What it was done to. Positions in the list mean nothing; look targets up by `kind`.
pub type Target<'a> = Actor<'a>;

/// Where the request came from.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct Client<'a> {
    #[serde(borrow)]
    pub zone: Text<'a>,
    #[serde(borrow)]
    pub ip_address: Text<'a>,
    #[serde(borrow, deserialize_with = "lenient")]
    pub user_agent: Option<UserAgent<'a>>,
    #[serde(borrow, deserialize_with = "lenient")]
    pub geographical_context: Option<GeographicalContext<'a>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct UserAgent<'a> {
    #[serde(borrow)]
    pub raw_user_agent: Text<'a>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct GeographicalContext<'a> {
    #[serde(borrow)]
    pub city: Text<'a>,
    #[serde(borrow)]
    pub state: Text<'a>,
    #[serde(borrow)]
    pub country: Text<'a>,
    #[serde(borrow)]
    pub postal_code: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub geolocation: Option<Geolocation>,
}

#[derive(Debug, Default, Clone, Copy, serde::Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Geolocation {
    pub lat: Option<f64>,
    pub lon: Option<f64>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct AuthenticationContext<'a> {
    #[serde(borrow)]
    pub authentication_provider: Text<'a>,
    #[serde(borrow)]
    pub external_session_id: Text<'a>,
    #[serde(borrow)]
    pub root_session_id: Text<'a>,
    #[serde(borrow, deserialize_with = "lenient")]
    pub issuer: Option<Issuer<'a>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Issuer<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct SecurityContext<'a> {
    #[serde(deserialize_with = "lenient")]
    pub as_number: Option<i64>,
    #[serde(borrow)]
    pub as_org: Text<'a>,
    #[serde(borrow)]
    pub isp: Text<'a>,
    #[serde(borrow)]
    pub domain: Text<'a>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Outcome<'a> {
    #[serde(borrow)]
    pub result: Text<'a>,
    #[serde(borrow)]
    pub reason: Text<'a>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Transaction<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
}

/// The addresses a request passed, as Okta saw them.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct Request<'a> {
    #[serde(borrow, deserialize_with = "lenient")]
    pub ip_chain: Option<Vec<IpHop<'a>>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct IpHop<'a> {
    #[serde(borrow)]
    pub ip: Text<'a>,
}

/// A scalar as text. Okta writes some identifiers as numbers and some absent values as `"unknown"` or `"null"`;
/// [`Text::get`] gives `None` for all of those.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Text<'a>(Option<Cow<'a, str>>);

impl<'a> Text<'a> {
    /// The text, unless it is absent, empty, or one of the words with which Okta says "absent".
    pub fn get(&self) -> Option<&str> {
        present(self.0.as_deref()?)
    }

    /// Exactly what was written, also when it says "unknown".
    pub fn written(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// `None` for the empty text and for the words with which Okta says "absent".
pub fn present(text: &str) -> Option<&str> {
    let absent = text.is_empty() || text == "null" || text.eq_ignore_ascii_case("unknown");
    (!absent).then_some(text)
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalar;
        impl<'de> Visitor<'de> for Scalar {
            type Value = Option<Cow<'de, str>>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Some(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Some(Cow::Owned(text.to_owned())))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Some(Cow::Owned(number.to_string())))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Some(Cow::Owned(number.to_string())))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
                Ok(Some(Cow::Owned(number.to_string())))
            }
            fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
                Ok(Some(Cow::Borrowed(if value { "true" } else { "false" })))
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(None)
            }
            // A structure where a scalar belongs is absent here; it stays in the source bytes.
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(None)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(None)
            }
        }
        deserializer.deserialize_any(Scalar).map(Text)
    }
}

/// Reads a section, or nothing when it has another shape than expected.
fn lenient<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let raw = <&'de RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_of_another_shape_are_absent_and_fail_nothing() {
        let event: LogEvent<'_> = serde_json::from_str(
            r#"{"uuid":"u","version":0,"actor":"nobody","client":{"ipAddress":7,"zone":"null","userAgent":[]},
                "target":{"id":"x"},"outcome":null,"securityContext":{"asNumber":"many","isp":"a"}}"#,
        )
        .unwrap();
        assert!(event.actor.is_none() && event.target.is_none() && event.outcome.is_none());
        let client = event.client.unwrap();
        assert_eq!(client.ip_address.get(), Some("7"));
        assert_eq!((client.zone.get(), client.zone.written()), (None, Some("null")));
        let security = event.security_context.unwrap();
        assert_eq!((security.as_number, security.isp.get()), (None, Some("a")));
    }

    #[test]
    fn words_for_absence_are_absence() {
        for text in ["", "null", "unknown", "Unknown", "UNKNOWN"] {
            assert_eq!(present(text), None, "{text:?}");
        }
        assert_eq!(present("unknown.person@example.com"), Some("unknown.person@example.com"));
    }
}
