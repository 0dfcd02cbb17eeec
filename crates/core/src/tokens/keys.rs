//! Signing keys: made, sealed, opened, published.

use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::error::InternalError;
use crate::settings::{Settings, SigningAlgorithm};
use crate::time::Timestamp;

/// The private half, parsed once: parsing it for every token costs more than the signature.
enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

/// A key that signs new tokens, now or soon.
pub(super) struct SigningKey {
    /// When its turn comes: by then every verifier knows it.
    pub(super) signs_from: Timestamp,
    /// `{alg, typ, kid}`, ready in base64url.
    pub(super) header: String,
    pub(super) algorithm: SigningAlgorithm,
    pair: Pair,
}

/// A key that others may check tokens with.
pub(super) struct PublishedKey {
    /// `kid`.
    pub(super) id: Arc<str>,
    /// What the JWK Set shows.
    pub(super) jwk: Value,
    /// When it stops being published; `None` for a key that still signs.
    pub(super) expires_at: Option<Timestamp>,
    pub(super) decoding: DecodingKey,
    pub(super) validation: Validation,
}

/// All keys of the moment; replaced as a whole.
#[derive(Default)]
pub(super) struct KeyRing {
    /// Those not retired yet, the latest first; none only before the first load.
    pub(super) signing: Vec<SigningKey>,
    pub(super) published: Vec<PublishedKey>,
}

/// A key just made, before it is stored.
pub(super) struct NewKey {
    pub(super) private: Zeroizing<Vec<u8>>,
    pub(super) jwk: Value,
}

impl KeyRing {
    /// The key whose turn it is. Before anybody's turn, which only a clock behind the others
    /// can see, the first to come.
    pub(super) fn signing(&self, now: Timestamp) -> Option<&SigningKey> {
        self.signing.iter().find(|key| key.signs_from <= now).or(self.signing.last())
    }

    /// The key of this name, if it is published now.
    pub(super) fn find(&self, id: &str, now: Timestamp) -> Option<&PublishedKey> {
        let key = self.published.iter().find(|key| &*key.id == id)?;
        key.expires_at.is_none_or(|end| now < end).then_some(key)
    }
}

impl SigningAlgorithm {
    /// `alg` (RFC 7518 §3.1, RFC 8037 §3.1); also the stored word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// The algorithm of a stored word.
    pub(super) fn of(word: &str) -> Option<Self> {
        [Self::EdDsa, Self::Es256, Self::Rs256].into_iter().find(|known| known.word() == word)
    }

    const fn reader(self) -> Algorithm {
        match self {
            Self::EdDsa => Algorithm::EdDSA,
            Self::Es256 => Algorithm::ES256,
            Self::Rs256 => Algorithm::RS256,
        }
    }
}

impl NewKey {
    /// Makes a key pair of its own. Seconds for RSA, so call it where blocking is allowed.
    pub(super) fn generate(algorithm: SigningAlgorithm) -> Result<Self, InternalError> {
        let failed = |_| InternalError::fault("a signing key could not be made");
        let random = SystemRandom::new();
        let private = match algorithm {
            SigningAlgorithm::EdDsa => {
                Ed25519KeyPair::generate_pkcs8(&random).map_err(failed)?.as_ref().to_vec()
            }
            SigningAlgorithm::Es256 => {
                let curve = &ECDSA_P256_SHA256_FIXED_SIGNING;
                EcdsaKeyPair::generate_pkcs8(curve, &random).map_err(failed)?.as_ref().to_vec()
            }
            SigningAlgorithm::Rs256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa3072).map_err(failed)?;
                let der: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
                der.as_ref().to_vec()
            }
        };
        let private = Zeroizing::new(private);
        let jwk = Pair::open(algorithm, &private)?.public_jwk()?;
        Ok(Self { private, jwk })
    }

    /// The JWK with the members that say what it is for (RFC 7517 §4).
    pub(super) fn published_jwk(&self, id: &str, algorithm: SigningAlgorithm) -> Value {
        let mut jwk = json!({ "kid": id, "use": "sig", "alg": algorithm.word() });
        if let (Some(members), Some(key)) = (jwk.as_object_mut(), self.jwk.as_object()) {
            members.extend(key.clone());
        }
        jwk
    }
}

impl SigningKey {
    /// Opens a stored private key (PKCS #8).
    pub(super) fn open(
        id: &str,
        algorithm: SigningAlgorithm,
        private: &[u8],
        signs_from: Timestamp,
    ) -> Result<Self, InternalError> {
        let header = json!({ "alg": algorithm.word(), "typ": super::access::TYP, "kid": id });
        Ok(Self {
            signs_from,
            header: BASE64URL_NOPAD.encode(header.to_string().as_bytes()),
            algorithm,
            pair: Pair::open(algorithm, private)?,
        })
    }

    /// Signs what a token says; JOSE's form of the signature (RFC 7518 §3.3, §3.4).
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, InternalError> {
        let failed = |_| InternalError::fault("signing failed");
        match &self.pair {
            Pair::Ed25519(pair) => {
                pair.try_sign(message).map(|done| done.as_ref().to_vec()).map_err(failed)
            }
            Pair::P256(pair) => pair
                .sign(&SystemRandom::new(), message)
                .map(|done| done.as_ref().to_vec())
                .map_err(failed),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                    .map_err(failed)?;
                Ok(signature)
            }
        }
    }
}

impl Pair {
    fn open(algorithm: SigningAlgorithm, private: &[u8]) -> Result<Self, InternalError> {
        let opened = match algorithm {
            SigningAlgorithm::EdDsa => Ed25519KeyPair::from_pkcs8(private).map(Self::Ed25519),
            SigningAlgorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private).map(Self::P256)
            }
            SigningAlgorithm::Rs256 => RsaKeyPair::from_pkcs8(private).map(Self::Rsa),
        };
        opened.map_err(|_| InternalError::fault("a stored signing key cannot be read"))
    }

    /// The public half as a bare JWK (RFC 7518 §6, RFC 8037 §2).
    fn public_jwk(&self) -> Result<Value, InternalError> {
        let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        Ok(match self {
            Self::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref()) })
            }
            Self::P256(pair) => {
                // An uncompressed point: 0x04, then x and y of 32 bytes (SEC 1 §2.3.3).
                let (x, y) = pair
                    .public_key()
                    .as_ref()
                    .strip_prefix(&[4])
                    .and_then(|point| point.split_at_checked(32))
                    .ok_or_else(|| InternalError::fault("a P-256 point has another form"))?;
                json!({ "kty": "EC", "crv": "P-256", "x": text(x), "y": text(y) })
            }
            Self::Rsa(pair) => {
                let key = pair.public_key();
                json!({
                    "kty": "RSA",
                    "n": text(key.modulus().big_endian_without_leading_zero()),
                    "e": text(key.exponent().big_endian_without_leading_zero()),
                })
            }
        })
    }
}

impl PublishedKey {
    /// A stored public key, ready to check with: one key, one algorithm (RFC 8725 §3.1).
    pub(super) fn new(
        jwk: &str,
        algorithm: SigningAlgorithm,
        expires_at: Option<Timestamp>,
        settings: &Settings,
    ) -> Result<Self, InternalError> {
        let unreadable = |_| InternalError::fault("a stored public key cannot be read");
        let parsed: Jwk = serde_json::from_str(jwk).map_err(unreadable)?;
        let id = parsed.common.key_id.clone().unwrap_or_default();
        let mut validation = Validation::new(algorithm.reader());
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[&settings.public_url]);
        validation.set_audience(&[settings.audience()]);
        // The library asks the machine's clock; ours decides.
        validation.validate_exp = false;
        Ok(Self {
            id: id.into(),
            jwk: serde_json::from_str(jwk).map_err(unreadable)?,
            expires_at,
            decoding: DecodingKey::from_jwk(&parsed)
                .map_err(|_| InternalError::fault("a stored public key cannot be used"))?,
            validation,
        })
    }
}
