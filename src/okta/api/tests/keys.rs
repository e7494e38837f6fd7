//! Keys are made here, at test time; none is used anywhere else.

use aws_lc_rs::encoding::{AsDer, EcPrivateKeyRfc5915Der, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::*;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use super::super::jwt::{KeyFault, Signer};
use crate::config::KeyAlgorithm;

pub fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// A new key on P-256: its PEM, and what verifies its signatures.
pub fn p256() -> (String, DecodingKey) {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let text = pem("PRIVATE KEY", pair.to_pkcs8v1().unwrap().as_ref());
    (text, DecodingKey::from_ec_der(pair.public_key().as_ref()))
}

fn rsa() -> (Vec<u8>, DecodingKey) {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    (der.as_ref().to_vec(), DecodingKey::from_rsa_der(pair.public_key().as_ref()))
}

fn verifies(signer: &Signer, key: &DecodingKey, algorithm: Algorithm) {
    let token = signer.sign(json!({"kid": "k1"}), &json!({"sub": "x\"y", "exp": 4_000_000_000u64})).unwrap();
    let read = jsonwebtoken::decode::<Value>(&token, key, &Validation::new(algorithm)).unwrap();
    assert_eq!((read.header.kid.as_deref(), &read.claims["sub"]), (Some("k1"), &json!("x\"y")));
}

#[test]
fn rsa_keys_sign_in_all_forms_and_strengths() {
    let (pkcs8, public) = rsa();
    // PKCS#8 wraps PKCS#1 into an octet string, behind 26 bytes that are the same for all keys of 2048 bits.
    for text in [pem("PRIVATE KEY", &pkcs8), pem("RSA PRIVATE KEY", &pkcs8[26..])] {
        for (ours, theirs) in [
            (None, Algorithm::RS256),
            (Some(KeyAlgorithm::Rs384), Algorithm::RS384),
            (Some(KeyAlgorithm::Rs512), Algorithm::RS512),
        ] {
            verifies(&Signer::from_pem(&text, ours).unwrap(), &public, theirs);
        }
        let misfit = Signer::from_pem(&text, Some(KeyAlgorithm::Es256)).err();
        assert_eq!(misfit, Some(KeyFault::Algorithm));
    }
}

#[test]
fn ec_keys_sign_in_all_forms_on_their_own_curve() {
    for (curve, algorithm) in [
        (&ECDSA_P256_SHA256_FIXED_SIGNING, Some(Algorithm::ES256)),
        (&ECDSA_P384_SHA384_FIXED_SIGNING, Some(Algorithm::ES384)),
        (&ECDSA_P521_SHA512_FIXED_SIGNING, None),
    ] {
        let pair = EcdsaKeyPair::generate(curve).unwrap();
        let sec1: EcPrivateKeyRfc5915Der<'_> = pair.private_key().as_der().unwrap();
        let pkcs8 = pair.to_pkcs8v1().unwrap();
        let public = pair.public_key().as_ref();
        for text in [pem("PRIVATE KEY", pkcs8.as_ref()), pem("EC PRIVATE KEY", sec1.as_ref())] {
            let signer = Signer::from_pem(&text, None).unwrap();
            match algorithm {
                Some(algorithm) => verifies(&signer, &DecodingKey::from_ec_der(public), algorithm),
                // The other library does not know ES512.
                None => {
                    let token = signer.sign(json!({}), &json!({})).unwrap();
                    let (message, signature) = token.rsplit_once('.').unwrap();
                    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
                    let key = UnparsedPublicKey::new(&ECDSA_P521_SHA512_FIXED, public);
                    key.verify(message.as_bytes(), &signature).unwrap();
                    let header = URL_SAFE_NO_PAD.decode(message.split('.').next().unwrap()).unwrap();
                    assert_eq!(header, br#"{"alg":"ES512"}"#);
                }
            }
            assert_eq!(Signer::from_pem(&text, Some(KeyAlgorithm::Rs256)).err(), Some(KeyFault::Algorithm));
        }
    }
}

#[test]
fn what_is_no_usable_key_is_named() {
    let ed25519 = Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap();
    for (text, expected) in [
        (pem("ENCRYPTED PRIVATE KEY", b"x"), KeyFault::Encrypted),
        ("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n".to_owned(), KeyFault::Encrypted),
        (r#"{"kty":"RSA","d":"x"}"#.to_owned(), KeyFault::Jwk),
        (pem("PUBLIC KEY", b"x"), KeyFault::Public),
        ("hunter2".to_owned(), KeyFault::NoPem),
        (String::new(), KeyFault::NoPem),
        (pem("PRIVATE KEY", b"hunter2"), KeyFault::Unfit),
        (pem("PRIVATE KEY", ed25519.as_ref()), KeyFault::Unfit),
    ] {
        let fault = Signer::from_pem(&text, None).err();
        assert_eq!(fault, Some(expected), "{text}");
        assert!(!fault.unwrap().to_string().contains("hunter2"));
    }
}
