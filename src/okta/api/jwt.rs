//! Signs JSON Web Tokens (RFC 7519) with a private key.
//!
//! Directly on aws-lc, which TLS uses anyway: no JWT library at hand signs ES512 or reads SEC1 keys. The tests verify
//! what is signed here with one.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use crate::config::KeyAlgorithm;

/// Why a private key cannot be used. Says nothing of the key itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeyFault {
    #[error("the private key is encrypted; decrypt it, as in `openssl pkey -in key.pem -out plain.pem`")]
    Encrypted,
    #[error("this is a JSON Web Key; a PEM is needed (Okta's console shows the new key in either form)")]
    Jwk,
    #[error("this is a public key; the private one is needed")]
    Public,
    #[error("there is no private key in PEM form")]
    NoPem,
    #[error("neither an RSA key of 2048 to 8192 bits nor an EC key on P-256, P-384 or P-521")]
    Unfit,
    #[error("the key is not made for the configured algorithm")]
    Algorithm,
}

/// The signature failed, or the random numbers ran out: no known input does that.
#[derive(Debug, thiserror::Error)]
#[error("the token cannot be signed")]
pub(super) struct SigningFailed;

enum KeyPair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
}

/// A private key and how it signs.
pub(super) struct Signer {
    pair: KeyPair,
    algorithm: KeyAlgorithm,
}

impl Signer {
    /// Reads an unencrypted private key: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017) or SEC1 (RFC 5915).
    pub fn from_pem(pem: &str, algorithm: Option<KeyAlgorithm>) -> Result<Self, KeyFault> {
        // PEM marks it in the label (PKCS#8) or in a header (the older forms).
        if pem.contains("ENCRYPTED") {
            return Err(KeyFault::Encrypted);
        }
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| match pem {
            _ if pem.trim_start().starts_with('{') => KeyFault::Jwk,
            _ if pem.contains("PUBLIC KEY") => KeyFault::Public,
            _ => KeyFault::NoPem,
        })?;
        let (pair, natural) = key_pair(&der).ok_or(KeyFault::Unfit)?;
        let algorithm = algorithm.unwrap_or(natural);
        let fits = algorithm == natural || rsa_encoding(algorithm).is_some() && matches!(pair, KeyPair::Rsa(_));
        if fits { Ok(Self { pair, algorithm }) } else { Err(KeyFault::Algorithm) }
    }

    /// A new key on P-256 that never leaves the memory of this process.
    pub fn ephemeral() -> Result<Self, SigningFailed> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| SigningFailed)?;
        Ok(Self { pair: KeyPair::Ec(pair), algorithm: KeyAlgorithm::Es256 })
    }

    /// The signed compact form (RFC 7515, section 7.1). `header` is an object, to which the algorithm is added.
    pub fn sign(&self, mut header: Value, claims: &Value) -> Result<String, SigningFailed> {
        header["alg"] = json!(self.algorithm);
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let mut token = format!("{}.{}", part(&header), part(claims));
        let signature = self.signature(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let random = SystemRandom::new();
        match (&self.pair, rsa_encoding(self.algorithm)) {
            (KeyPair::Rsa(pair), Some(encoding)) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signature).map_err(|_| SigningFailed)?;
                Ok(signature)
            }
            (KeyPair::Ec(pair), None) => Ok(pair.sign(&random, message).map_err(|_| SigningFailed)?.as_ref().to_vec()),
            _ => Err(SigningFailed),
        }
    }

    /// The public half of a key on P-256 as a JSON Web Key (RFC 7517; RFC 7518, section 6.2).
    pub fn p256_jwk(&self) -> Option<Value> {
        let KeyPair::Ec(pair) = &self.pair else { return None };
        // The uncompressed point: a byte 4, x, y.
        let (x, y) = pair.public_key().as_ref().strip_prefix(&[4])?.split_at_checked(32)?;
        let coordinate = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        Some(json!({"kty": "EC", "crv": "P-256", "x": coordinate(x), "y": coordinate(y)}))
    }
}

/// The key and the algorithm that it is made for.
fn key_pair(der: &PrivateKeyDer<'_>) -> Option<(KeyPair, KeyAlgorithm)> {
    let rsa = match der {
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()).ok(),
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).ok(),
        _ => None,
    };
    if let Some(pair) = rsa {
        return Some((KeyPair::Rsa(pair), KeyAlgorithm::Rs256));
    }
    let curves = [
        (&ECDSA_P256_SHA256_FIXED_SIGNING, KeyAlgorithm::Es256),
        (&ECDSA_P384_SHA384_FIXED_SIGNING, KeyAlgorithm::Es384),
        (&ECDSA_P521_SHA512_FIXED_SIGNING, KeyAlgorithm::Es512),
    ];
    // A key fits its own curve only.
    curves.into_iter().find_map(|(curve, algorithm)| {
        let pair = EcdsaKeyPair::from_private_key_der(curve, der.secret_der()).ok()?;
        Some((KeyPair::Ec(pair), algorithm))
    })
}

fn rsa_encoding(algorithm: KeyAlgorithm) -> Option<&'static dyn RsaEncoding> {
    match algorithm {
        KeyAlgorithm::Rs256 => Some(&RSA_PKCS1_SHA256),
        KeyAlgorithm::Rs384 => Some(&RSA_PKCS1_SHA384),
        KeyAlgorithm::Rs512 => Some(&RSA_PKCS1_SHA512),
        KeyAlgorithm::Es256 | KeyAlgorithm::Es384 | KeyAlgorithm::Es512 => None,
    }
}
