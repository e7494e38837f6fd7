//! The rules: the code under which a breach is reported, and how bad it is.

use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The record is not valid.
    Error,
    /// The record is valid, but somebody should look.
    Warning,
}

/// One rule.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    pub code: &'static str,
    pub severity: Severity,
}

const fn error(code: &'static str) -> Rule {
    Rule { code, severity: Severity::Error }
}

const fn warning(code: &'static str) -> Rule {
    Rule { code, severity: Severity::Warning }
}

/// Not JSON text in UTF-8, or nested too deep.
pub const JSON_INVALID: Rule = error("json_invalid");
/// An object names one key twice.
pub const JSON_DUPLICATE_KEY: Rule = error("json_duplicate_key");
/// The record is not an object.
pub const JSON_NOT_OBJECT: Rule = error("json_not_object");

/// No class that we emit; nothing else is checked then.
pub const CLASS_UID_UNKNOWN: Rule = error("class_uid_unknown");
pub const CLASS_DEPRECATED: Rule = warning("class_deprecated");
/// `metadata.version` is another schema's.
pub const VERSION_MISMATCH: Rule = error("version_mismatch");
/// `type_uid` is not `class_uid * 100 + activity_id`.
pub const TYPE_UID_INCORRECT: Rule = error("type_uid_incorrect");

/// No such profile in the schema.
pub const PROFILE_UNKNOWN: Rule = error("profile_unknown");
/// The profile exists, but the class does not take it.
pub const PROFILE_NOT_APPLICABLE: Rule = error("profile_not_applicable");
pub const PROFILE_DUPLICATE: Rule = error("profile_duplicate");

/// The class or object has no such attribute.
pub const ATTRIBUTE_UNKNOWN: Rule = error("attribute_unknown");
/// The attribute exists only under a profile that `metadata.profiles` does not list.
pub const ATTRIBUTE_NEEDS_PROFILE: Rule = error("attribute_needs_profile");
/// Required by the class, by the object, or by an active profile.
pub const ATTRIBUTE_REQUIRED_MISSING: Rule = error("attribute_required_missing");
/// An explicit `null`; what is not known is left out.
pub const ATTRIBUTE_NULL: Rule = error("attribute_null");
/// A boolean is no number, `48` no `float_t`, `48.0` no integer; arrays are where the schema says so.
pub const ATTRIBUTE_WRONG_TYPE: Rule = error("attribute_wrong_type");
pub const ATTRIBUTE_DEPRECATED: Rule = warning("attribute_deprecated");
pub const OBJECT_DEPRECATED: Rule = warning("object_deprecated");

/// An integer beyond 64 bits.
pub const INTEGER_RANGE: Rule = error("integer_range");
/// Outside the range of the attribute's type.
pub const ATTRIBUTE_VALUE_RANGE: Rule = error("attribute_value_range");
/// Longer than the attribute's type allows.
pub const ATTRIBUTE_MAX_LEN: Rule = error("attribute_max_len");
/// Not written as the attribute's type wants it: an address, a UUID, a time.
pub const ATTRIBUTE_FORMAT: Rule = error("attribute_format");
/// Not between 1973 and 2286 when read as milliseconds; mostly it is seconds.
pub const TIMESTAMP_NOT_MS: Rule = error("timestamp_not_ms");
/// `x` and `x_dt` are not the same millisecond.
pub const DATETIME_MISMATCH: Rule = error("datetime_mismatch");

/// Not one of the attribute's values.
pub const ATTRIBUTE_ENUM_VALUE_UNKNOWN: Rule = error("attribute_enum_value_unknown");
pub const ENUM_VALUE_DEPRECATED: Rule = warning("enum_value_deprecated");
/// The name beside an id is not the id's caption.
pub const ENUM_SIBLING_INCORRECT: Rule = error("enum_sibling_incorrect");
/// The id is 99, and the source's own word is missing.
pub const ENUM_SIBLING_MISSING_FOR_OTHER: Rule = error("enum_sibling_missing_for_other");
/// There is a name, but not its id.
pub const ENUM_SIBLING_WITHOUT_ID: Rule = error("enum_sibling_without_id");
/// The id is 99, and the name is only the word "Other".
pub const ENUM_OTHER_SUSPICIOUS: Rule = warning("enum_other_suspicious");
/// Not at least one, or not just one, of the attributes that the class or object lists.
pub const CONSTRAINT_FAILED: Rule = error("constraint_failed");

/// An observable without a name points nowhere.
pub const OBSERVABLE_WITHOUT_NAME: Rule = warning("observable_without_name");
/// An observable's name does not lead to a value of this record.
pub const OBSERVABLE_NAME_UNRESOLVED: Rule = error("observable_name_unresolved");
/// The schema gives another type, or none, to what the observable points at.
pub const OBSERVABLE_TYPE_MISMATCH: Rule = error("observable_type_mismatch");
/// Not the value that the observable points at; what points at an object has none.
pub const OBSERVABLE_VALUE_MISMATCH: Rule = error("observable_value_mismatch");
