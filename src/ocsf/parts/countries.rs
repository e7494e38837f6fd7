//! Okta writes the names of countries, OCSF wants their ISO 3166-1 alpha-2 codes: `schemas/countries.csv`.

use std::collections::HashMap;
use std::sync::LazyLock;

static CODES: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
    let lines = include_str!("../../../schemas/countries.csv").lines().skip(1);
    lines.filter_map(|line| line.split_once(',')).map(|(code, name)| (name, code)).collect()
});

/// The code of a country's name, or of the code itself.
pub fn code(name: &str) -> Option<&'static str> {
    let known = CODES.get(name).copied();
    known.or_else(|| CODES.values().copied().find(|code| *code == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_use_have_codes_and_other_words_have_none() {
        for (name, expected) in
            [("United States", "US"), ("Austria", "AT"), ("Türkiye", "TR"), ("South Korea", "KR"), ("AT", "AT")]
        {
            assert_eq!(code(name), Some(expected), "{name}");
        }
        for word in ["", "Atlantis", "at", "XX"] {
            assert_eq!(code(word), None, "{word}");
        }
        assert!(CODES.values().all(|code| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase())));
    }
}
