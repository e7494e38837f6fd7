//! `auth_factors`: with what somebody proves, or enrols, who they are.

use crate::json::Value;
use crate::ocsf::enums::{Choice, FACTORS};
use crate::ocsf::event::{Event, Role};
use crate::ocsf::event_types::Entry;
use crate::ocsf::writer::{Writer, saying};
use crate::okta::{DetailEntry, Party};

/// `auth_factors`: the enrollments among the targets, else what the event or its type says.
pub fn auth_factors(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    w.array("auth_factors", |w| {
        let from_targets = w.wrote(|w| {
            for target in event.targets_of(Role::Factor) {
                w.item(|w| of_target(w, event, &target));
            }
        });
        if !from_targets {
            w.item(|w| of_event(w, event, entry));
        }
    });
}

fn of_target(w: &mut Writer<'_>, event: &Event<'_>, target: &Party<'_>) {
    let used = DetailEntry::of(target.detail_entry).method_type_used;
    let words = [used, target.display_name, target.alternate_id, target.id];
    if !words.into_iter().any(|word| saying(word).is_some()) {
        return;
    }
    if !factor_type(w, &words) {
        w.fragment(r#""factor_type_id":0,"factor_type":"Unknown""#);
    }
    w.copy("provider", target.display_name);
    let is_phone = words.iter().flatten().any(|word| {
        let known = of_name(word.span()).map(|(id, _)| id);
        matches!(known, Some(1 | 3)) || word.span().eq_ignore_ascii_case("phone")
    });
    if is_phone {
        phone(w, event);
    }
}

fn of_event(w: &mut Writer<'_>, event: &Event<'_>, entry: &Entry) {
    // Of the credential types only some are factors; ASSERTION and the like are protocols.
    let credential = event.authentication.credential_type.filter(|kind| of_name(kind.span()).is_some());
    let words = [event.debug.factor, event.debug.factor_type, credential];
    let written = match entry.defaults.factor {
        Some((id, caption)) => {
            w.choice("factor_type_id", "factor_type", (id, caption));
            true
        }
        None => factor_type(w, &words),
    };
    if written {
        w.copy("provider", event.authentication.credential_provider);
        phone(w, event);
    }
}

fn phone(w: &mut Writer<'_>, event: &Event<'_>) {
    w.copy("phone_number", event.debug.phone_number);
}

/// The type by the first word that tells it; else the first word itself. Whether there was any.
fn factor_type(w: &mut Writer<'_>, words: &[Option<Value<'_>>]) -> bool {
    let told = words.iter().find_map(|word| Some((saying(*word)?, of_name(saying(*word)?.span())?)));
    if let Some((word, choice)) = told {
        w.choice("factor_type_id", "factor_type", choice);
        // Only the bare word is said by the caption; "Okta Verify push" is more than "Push Notification".
        if word.span().eq_ignore_ascii_case(choice.1) {
            w.implied(Some(word), "factor_type");
        }
        return true;
    }
    let first = words.iter().copied().find(|word| saying(*word).is_some());
    w.wrote(|w| w.other("factor_type_id", "factor_type", first.flatten()))
}

/// What kind of factor a name means: Okta's authenticators, factor types, methods and credential types have many
/// spellings of few things. The more telling words come first: "Okta Verify push" is a push. A phone alone may be called
/// or written to, so it says neither.
fn of_name(name: &str) -> Option<Choice> {
    const WORDS: &[(&str, u8)] = &[
        ("push", 5),
        ("sms", 1),
        ("question", 2),
        ("webauthn", 10),
        ("fido", 10),
        ("fido2", 10),
        ("passkey", 10),
        ("u2f", 9),
        ("2nd", 9),
        ("yubikey", 6),
        ("rsa", 6),
        ("hardware", 6),
        ("fingerprint", 4),
        ("biometric", 4),
        ("biometrics", 4),
        ("voice", 3),
        ("call", 3),
        ("email", 8),
        ("password", 11),
        ("otp", 7),
        ("totp", 7),
        ("hotp", 7),
        ("code", 7),
    ];
    let words = || name.split(|c: char| !c.is_ascii_alphanumeric());
    let known = WORDS.iter().find(|(known, _)| words().any(|word| word.eq_ignore_ascii_case(known)));
    let is_google = || words().any(|word| word.eq_ignore_ascii_case("google")) && words().count() > 1;
    let id = known.map(|(_, id)| *id).or_else(|| is_google().then_some(7))?;
    FACTORS.iter().copied().find(|(known, _)| *known == id)
}

#[cfg(test)]
mod tests {
    use super::of_name;

    #[test]
    fn the_many_names_of_few_factors() {
        for (name, caption) in [
            ("Get a push notification", "Push Notification"),
            ("OKTA_VERIFY_PUSH", "Push Notification"),
            ("token:software:totp", "OTP"),
            ("Google Authenticator", "OTP"),
            ("FIDO2 (WebAuthn)", "WebAuthn"),
            ("Password", "Password"),
            ("PASSWORD_AS_FACTOR", "Password"),
            ("SMS Authentication", "SMS"),
            ("Voice Call Authentication", "Phone Call"),
            ("YubiKey", "Hardware Token"),
            ("Security Question", "Security Question"),
            ("EMAIL", "Email"),
        ] {
            assert_eq!(of_name(name).map(|(_, caption)| caption), Some(caption), "{name}");
        }
        assert_eq!(of_name("Okta Verify"), None);
        for other in ["IDP", "Phone", "Interface", "GOOGLE", "Universal"] {
            assert_eq!(of_name(other), None, "{other}");
        }
        assert_eq!(of_name("Universal 2nd Factor").map(|(_, caption)| caption), Some("U2F"));
    }
}
