//! Keys of a provider, and what they sign.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::secret;

/// Making one takes too long for every test.
static RSA: LazyLock<Arc<RsaKeyPair>> = LazyLock::new(|| {
    Arc::new(RsaKeyPair::generate(KeySize::Rsa2048).expect("an RSA key can be made"))
});

/// A key pair with the name it is published by.
pub struct Signer {
    kid: String,
    pair: Pair,
}

enum Pair {
    Rsa(Arc<RsaKeyPair>),
    P256(Box<EcdsaKeyPair>),
}

impl Signer {
    /// The process's RSA key, for RS256.
    #[must_use]
    pub fn rs256() -> Self {
        Self { kid: "kit-rsa".to_owned(), pair: Pair::Rsa(Arc::clone(&RSA)) }
    }

    /// A new key for ES256.
    #[must_use]
    pub fn es256() -> Self {
        let curve = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = EcdsaKeyPair::generate(curve).expect("a P-256 key can be made");
        Self { kid: secret("kit-ec-"), pair: Pair::P256(Box::new(pair)) }
    }

    /// The same name, but a key that nobody published.
    pub(super) fn impostor(&self) -> Self {
        Self { kid: self.kid.clone(), ..Self::es256() }
    }

    /// The JOSE header.
    #[must_use]
    pub fn header(&self) -> Value {
        json!({ "alg": self.algorithm(), "typ": "JWT", "kid": self.kid })
    }

    const fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Rsa(_) => "RS256",
            Pair::P256(_) => "ES256",
        }
    }

    /// The public half, as published (RFC 7517).
    #[must_use]
    pub fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                let key = pair.public_key();
                json!({
                    "kty": "RSA",
                    "n": text(key.modulus().big_endian_without_leading_zero()),
                    "e": text(key.exponent().big_endian_without_leading_zero()),
                })
            }
            Pair::P256(pair) => {
                let point = pair.public_key().as_ref().to_vec();
                let (x, y) = point.split_at(1).1.split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "x": text(x), "y": text(y) })
            }
        };
        let members = jwk.as_object_mut().expect("an object");
        members.insert("kid".to_owned(), self.kid.clone().into());
        members.insert("use".to_owned(), "sig".into());
        members.insert("alg".to_owned(), self.algorithm().into());
        jwk
    }

    /// A compact JWS of these claims under this header.
    #[must_use]
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature)
                    .expect("RSA signs");
                signature
            }
            Pair::P256(pair) => {
                pair.sign(&random, message.as_bytes()).expect("ECDSA signs").as_ref().to_vec()
            }
        };
        format!("{message}.{}", BASE64URL_NOPAD.encode(&signature))
    }

    /// An HMAC under the text of the public key, as algorithm confusion makes it (RFC 8725 §2.1).
    pub(super) fn mac_with_public_key(&self, claims: &Value) -> String {
        let header = json!({ "alg": "HS256", "typ": "JWT", "kid": self.kid });
        let message = message(&header, claims);
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.jwk().to_string().as_bytes());
        let mac = hmac::sign(&key, message.as_bytes());
        format!("{message}.{}", BASE64URL_NOPAD.encode(mac.as_ref()))
    }
}

/// A JWS with an empty signature.
pub(super) fn unsigned(algorithm: &str, claims: &Value) -> String {
    format!("{}.", message(&json!({ "alg": algorithm, "typ": "JWT" }), claims))
}

fn message(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    format!("{}.{}", part(header), part(claims))
}
