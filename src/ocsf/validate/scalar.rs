//! Whether a value is of a scalar type.

use super::facts::TypeFacts;
use super::formats::Format;
use super::rule::{self, Rule};
use super::{FactsError, shown};
use crate::json::{Kind, Value};

/// What a millisecond timestamp of our time looks like, 1973 to 2286: a value in seconds is outside.
const PLAUSIBLE_MS: std::ops::RangeInclusive<i64> = 100_000_000_000..=9_999_999_999_999;

/// A type of the schema's dictionary that is no object.
#[derive(Debug)]
pub struct Scalar {
    pub name: String,
    /// The type of observable that a value of this type is.
    pub observable: Option<i64>,
    base: Base,
}

#[derive(Debug)]
enum Base {
    /// Any JSON.
    Any,
    Boolean,
    Float,
    Integer {
        range: Option<(i64, i64)>,
        is_timestamp: bool,
    },
    String {
        max_len: Option<usize>,
        format: Option<Format>,
    },
}

impl Scalar {
    pub fn new(name: &str, facts: &TypeFacts) -> Result<Self, FactsError> {
        let base = match facts.base.as_str() {
            "json_t" => Base::Any,
            "boolean_t" => Base::Boolean,
            "float_t" => Base::Float,
            "integer_t" | "long_t" => Base::Integer { range: facts.range, is_timestamp: name == "timestamp_t" },
            "string_t" => Base::String { max_len: facts.max_len, format: Format::of(name) },
            other => return Err(FactsError::Unknown { what: "type", name: other.to_owned() }),
        };
        Ok(Self { name: name.to_owned(), observable: facts.observable, base })
    }

    /// Whether values may be anything, also objects whose attributes the schema does not know.
    pub fn is_any(&self) -> bool {
        matches!(self.base, Base::Any)
    }

    /// Which rule a value breaks, and how.
    pub fn check(&self, value: Value<'_>) -> Result<(), (Rule, String)> {
        match (&self.base, value.kind()) {
            (Base::Any, _) | (Base::Boolean, Kind::True | Kind::False) | (Base::Float, Kind::Float) => Ok(()),
            (Base::Integer { range, is_timestamp }, Kind::Integer) => self.integer(value, *range, *is_timestamp),
            (Base::String { max_len, format }, Kind::String) => self.string(value, *max_len, *format),
            (_, kind) => Err((rule::ATTRIBUTE_WRONG_TYPE, format!("expected {}, got {}", self.name, kind_name(kind)))),
        }
    }

    fn integer(&self, value: Value<'_>, range: Option<(i64, i64)>, is_timestamp: bool) -> Result<(), (Rule, String)> {
        let Some(number) = value.as_i64() else {
            return Err((rule::INTEGER_RANGE, format!("{} does not fit 64 bits", shown(value))));
        };
        if let Some((least, most)) = range
            && !(least..=most).contains(&number)
        {
            let message = format!("{number} is outside {least} to {most} of {}", self.name);
            return Err((rule::ATTRIBUTE_VALUE_RANGE, message));
        }
        if is_timestamp && !PLAUSIBLE_MS.contains(&number) {
            return Err((rule::TIMESTAMP_NOT_MS, format!("{number} is no plausible time in milliseconds")));
        }
        Ok(())
    }

    fn string(&self, value: Value<'_>, max_len: Option<usize>, format: Option<Format>) -> Result<(), (Rule, String)> {
        if max_len.is_none() && format.is_none() {
            return Ok(());
        }
        let text = value.decoded();
        // Most texts are so short that counting their characters is not needed.
        if let Some(most) = max_len
            && text.len() > most
            && text.chars().count() > most
        {
            return Err((rule::ATTRIBUTE_MAX_LEN, format!("longer than the {most} characters of {}", self.name)));
        }
        if format.is_some_and(|format| !format.accepts(&text)) {
            return Err((rule::ATTRIBUTE_FORMAT, format!("{} is not a valid {}", shown(value), self.name)));
        }
        Ok(())
    }
}

/// A kind of JSON value, for people.
pub fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Null => "null",
        Kind::True | Kind::False => "a boolean",
        Kind::Integer => "an integer",
        Kind::Float => "a float",
        Kind::String => "a string",
        Kind::Array => "an array",
        Kind::Object => "an object",
    }
}
