use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_absence_are_absence() {
        for text in ["", "null", "unknown", "Unknown", "UNKNOWN"] {
            assert_eq!(present(text), None, "{text:?}");
        }
        assert_eq!(present("unknown.person@example.com"), Some("unknown.person@example.com"));
    }

    #[test]
    fn any_scalar_is_a_text_and_a_structure_is_none() {
        let text = |json: &str| serde_json::from_str::<Text<'_>>(json).unwrap().get().map(str::to_owned);
        assert_eq!(text("7"), Some("7".into()));
        assert_eq!(text("true"), Some("true".into()));
        assert_eq!(text(r#"{"a":[1]}"#), None);
        assert_eq!(text("null"), None);
    }
}
