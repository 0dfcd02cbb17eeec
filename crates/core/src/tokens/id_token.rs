//! ID tokens of providers (OpenID Connect Core §2), checked as §3.1.3.7 has it.
//!
//! The keys come from the provider's JWK Set and from nowhere else: `jku`, `jwk`, `x5u` and
//! `x5c` of a token are not looked at (attack G04). A key checks the algorithms its own type has
//! among those taken, so no public key is ever read as the secret of a MAC (attack G02).

use std::fmt;
use std::time::Duration;

use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512};
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

use crate::time::{Timestamp, seconds};

/// Longer ones are refused unread; some carry groups.
const LONGEST: usize = 16 * 1024;
/// How far a provider's clock may be from ours (attack H24).
const SKEW: Duration = seconds(60);
/// Of a key set, the rest is not looked at.
const MOST_KEYS: usize = 64;
/// RSA moduli in bytes: below 2,048 bits is weak (NIST SP 800-131A), above 8,192 only work.
const RSA_MODULUS: std::ops::RangeInclusive<usize> = 256..=1024;

/// The keys of a provider that can check an ID token.
pub(crate) struct KeySet {
    keys: Vec<Key>,
}

struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    decoding: DecodingKey,
}

/// What an ID token must say.
#[derive(Clone, Copy)]
pub(crate) struct Expected<'a> {
    /// Who may have issued it, byte for byte; more than one only where a provider itself
    /// documents two spellings.
    pub(crate) issuers: &'a [&'a str],
    /// For whom: our name there.
    pub(crate) client_id: &'a str,
    /// What we sent with the browser; absent from the token is refused as well (attack F15).
    /// `None` only where no way there began here (the contract's `id_token`).
    pub(crate) nonce: Option<&'a str>,
    /// The access token that came with it: `at_hash`, if given, must fit.
    pub(crate) access_token: Option<&'a str>,
    /// How long ago it may have been issued.
    pub(crate) longest_age: Duration,
    /// The present moment.
    pub(crate) now: Timestamp,
}

/// What a genuine ID token says.
pub(crate) struct IdClaims {
    /// `iss`, one of those expected.
    pub(crate) issuer: String,
    /// `sub`: at most 255 characters, none of them a control character.
    pub(crate) subject: String,
    /// All claims, of whatever type.
    pub(crate) claims: Map<String, Value>,
}

impl fmt::Debug for IdClaims {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("IdClaims").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// Why an ID token is refused. For the log; a client hears none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IdTokenError {
    /// Not a JWT, too long, or of another type (`typ`), or with a header that demands (`crit`).
    #[error("it is no ID token")]
    Malformed,
    /// Signed with nothing, with a MAC, or otherwise than we take.
    #[error("its algorithm is not taken")]
    Algorithm,
    /// No key of the set has its `kid` and can check its algorithm. A newer set may.
    #[error("its key is unknown")]
    UnknownKey,
    /// The signature is another.
    #[error("its signature is wrong")]
    Signature,
    /// `iss` is another.
    #[error("its issuer is another")]
    Issuer,
    /// `aud` or `azp` is another.
    #[error("it is for somebody else")]
    Audience,
    /// `exp` is over, or `iat` is too long ago.
    #[error("it is too old")]
    Expired,
    /// `iat` or `nbf` lies ahead.
    #[error("it is from the future")]
    Early,
    /// `nonce` is another, or missing.
    #[error("its nonce is another")]
    Nonce,
    /// `at_hash` does not fit.
    #[error("it came with another access token")]
    Hash,
    /// `sub` is missing, too long, or no text.
    #[error("its subject cannot be used")]
    Subject,
}

impl KeySet {
    /// Reads a JWK Set. Keys it cannot use are passed over (RFC 7517 §5); `None` for what is no
    /// set at all.
    pub(crate) fn read(json: &[u8]) -> Option<Self> {
        let set: Value = serde_json::from_slice(json).ok()?;
        let keys = set.get("keys")?.as_array()?;
        let readable = |key: &Value| serde_json::from_value::<Jwk>(key.clone()).ok();
        let keys = keys.iter().take(MOST_KEYS).filter_map(readable);
        Some(Self { keys: keys.filter_map(|jwk| Key::of(&jwk)).collect() })
    }

    /// How many keys can be used.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The keys that may have signed a token with this header. Without `kid`, the only one that
    /// can (OpenID Connect Core §10.1); a `kid` given twice, either.
    fn candidates(&self, header: &Header) -> Vec<&Key> {
        let fits = |key: &&Key| key.algorithms.contains(&header.alg);
        let named = |key: &&Key| header.kid.is_none() || key.id == header.kid;
        let found: Vec<_> = self.keys.iter().filter(fits).filter(named).collect();
        let is_clear = header.kid.is_some() || found.len() == 1;
        if is_clear { found } else { Vec::new() }
    }
}

impl Key {
    fn of(jwk: &Jwk) -> Option<Self> {
        let common = &jwk.common;
        let is_for_signatures =
            common.public_key_use.as_ref().is_none_or(|one| *one == PublicKeyUse::Signature)
                && common
                    .key_operations
                    .as_ref()
                    .is_none_or(|all| all.contains(&KeyOperations::Verify));
        if !is_for_signatures {
            return None;
        }
        let mut algorithms = algorithms_of(&jwk.algorithm)?;
        if let Some(only) = common.key_algorithm {
            algorithms.retain(|one| KeyAlgorithm::from(*one) == only);
        }
        let decoding = DecodingKey::from_jwk(jwk).ok()?;
        (!algorithms.is_empty()).then(|| Self { id: common.key_id.clone(), algorithms, decoding })
    }
}

/// What a key of this type and size can check, of what we take: no MACs, nothing unsigned.
fn algorithms_of(key: &AlgorithmParameters) -> Option<Vec<Algorithm>> {
    match key {
        AlgorithmParameters::RSA(rsa) => {
            let modulus = BASE64URL_NOPAD.decode(rsa.n.as_bytes()).ok()?;
            let length = modulus.iter().skip_while(|byte| **byte == 0).count();
            RSA_MODULUS.contains(&length).then(|| vec![Algorithm::RS256, Algorithm::PS256])
        }
        AlgorithmParameters::EllipticCurve(ec) => match ec.curve {
            EllipticCurve::P256 => Some(vec![Algorithm::ES256]),
            EllipticCurve::P384 => Some(vec![Algorithm::ES384]),
            _ => None,
        },
        AlgorithmParameters::OctetKeyPair(okp) if okp.curve == EllipticCurve::Ed25519 => {
            Some(vec![Algorithm::EdDSA])
        }
        _ => None,
    }
}

/// Checks an ID token: signature first, then every claim.
pub(crate) fn verify(
    keys: &KeySet,
    token: &str,
    expected: Expected<'_>,
) -> Result<IdClaims, IdTokenError> {
    let header = header(token)?;
    let claims = signed_claims(keys, token, &header)?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);

    let issuer = text("iss").filter(|issuer| expected.issuers.contains(issuer));
    let issuer = issuer.ok_or(IdTokenError::Issuer)?.to_owned();
    if !is_for(&claims, expected.client_id) {
        return Err(IdTokenError::Audience);
    }
    check_times(&claims, expected)?;
    if let Some(sent) = expected.nonce {
        let nonce = text("nonce").unwrap_or_default();
        if sent.is_empty() || !bool::from(nonce.as_bytes().ct_eq(sent.as_bytes())) {
            return Err(IdTokenError::Nonce);
        }
    }
    check_hash(&claims, header.alg, expected.access_token)?;
    let subject = text("sub").filter(|sub| is_subject(sub)).ok_or(IdTokenError::Subject)?;
    Ok(IdClaims { issuer, subject: subject.to_owned(), claims })
}

/// Whether it can tell two people apart for good: not empty, at most 255 characters of ASCII
/// (OpenID Connect Core §2), and storable.
fn is_subject(sub: &str) -> bool {
    (1..=255).contains(&sub.len()) && sub.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

fn header(token: &str) -> Result<Header, IdTokenError> {
    if token.len() > LONGEST {
        return Err(IdTokenError::Malformed);
    }
    let (encoded, _) = token.split_once('.').ok_or(IdTokenError::Malformed)?;
    let json = BASE64URL_NOPAD.decode(encoded.as_bytes()).map_err(|_| IdTokenError::Malformed)?;
    let fields: Map<String, Value> =
        serde_json::from_slice(&json).map_err(|_| IdTokenError::Malformed)?;
    // An algorithm the library does not know ("none") is no fault of the form.
    let alg = fields.get("alg").and_then(Value::as_str).ok_or(IdTokenError::Malformed)?;
    let is_taken = ["RS256", "PS256", "ES256", "ES384", "EdDSA"].contains(&alg);
    if !is_taken {
        return Err(IdTokenError::Algorithm);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| IdTokenError::Malformed)?;
    // Logout tokens and access tokens of the same keys are no ID tokens (RFC 8725 §3.11).
    let is_jwt = header.typ.as_deref().is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"));
    if !is_jwt || fields.contains_key("crit") || fields.contains_key("enc") {
        return Err(IdTokenError::Malformed);
    }
    Ok(header)
}

fn signed_claims(
    keys: &KeySet,
    token: &str,
    header: &Header,
) -> Result<Map<String, Value>, IdTokenError> {
    let candidates = keys.candidates(header);
    if candidates.is_empty() {
        return Err(IdTokenError::UnknownKey);
    }
    let mut validation = Validation::new(header.alg);
    // Ours decide below, by our clock.
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let mut refusal = IdTokenError::Signature;
    for key in candidates {
        let read = jsonwebtoken::decode::<Map<String, Value>>(token, &key.decoding, &validation);
        match read.map_err(jsonwebtoken::errors::Error::into_kind) {
            Ok(read) => return id_claims(read.claims),
            // Genuine, but no claims as JWT has them.
            Err(ErrorKind::Json(_)) => refusal = IdTokenError::Malformed,
            Err(_) => {}
        }
    }
    Err(refusal)
}

fn id_claims(claims: Map<String, Value>) -> Result<Map<String, Value>, IdTokenError> {
    // Older logout tokens have no type of their own (Back-Channel Logout §2.4).
    if claims.contains_key("events") { Err(IdTokenError::Malformed) } else { Ok(claims) }
}

/// `aud` names us; whenever `azp` is there, or others are named too, `azp` is us as well
/// (OpenID Connect Core §3.1.3.7, 3 to 5).
fn is_for(claims: &Map<String, Value>, client_id: &str) -> bool {
    let (is_ours, has_others) = match claims.get("aud") {
        Some(Value::String(one)) => (one == client_id, false),
        Some(Value::Array(all)) => {
            let ours = |one: &Value| one.as_str() == Some(client_id);
            (all.iter().any(ours), !all.iter().all(ours))
        }
        _ => (false, false),
    };
    match claims.get("azp") {
        Some(azp) => is_ours && azp.as_str() == Some(client_id),
        None => is_ours && !has_others,
    }
}

fn check_times(claims: &Map<String, Value>, expected: Expected<'_>) -> Result<(), IdTokenError> {
    let now = expected.now.seconds();
    let skew = whole_seconds(SKEW);
    let expires_at = moment(claims, "exp").ok_or(IdTokenError::Expired)?;
    let issued_at = moment(claims, "iat").ok_or(IdTokenError::Early)?;
    let begins_at = match claims.get("nbf") {
        Some(_) => moment(claims, "nbf").ok_or(IdTokenError::Early)?,
        None => issued_at,
    };
    if now >= expires_at.saturating_add(skew) {
        return Err(IdTokenError::Expired);
    }
    if issued_at.max(begins_at) > now.saturating_add(skew) {
        return Err(IdTokenError::Early);
    }
    let oldest = now.saturating_sub(whole_seconds(expected.longest_age)).saturating_sub(skew);
    if issued_at < oldest {
        return Err(IdTokenError::Expired);
    }
    if now >= expires_at || issued_at > now {
        tracing::info!(ahead = issued_at - now, "a provider's clock is not ours");
    }
    Ok(())
}

/// A `NumericDate` (RFC 7519 §2); some have fractions.
fn moment(claims: &Map<String, Value>, name: &str) -> Option<i64> {
    let value = claims.get(name)?;
    #[expect(clippy::cast_possible_truncation, reason = "floats saturate; no second is lost")]
    value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds.floor() as i64))
}

fn whole_seconds(span: Duration) -> i64 {
    i64::try_from(span.as_secs()).unwrap_or(i64::MAX)
}

/// The left half of the access token's digest (OpenID Connect Core §3.1.3.6). What cannot be
/// computed does not fit (attack G06).
fn check_hash(
    claims: &Map<String, Value>,
    algorithm: Algorithm,
    access_token: Option<&str>,
) -> Result<(), IdTokenError> {
    let (Some(told), Some(access_token)) = (claims.get("at_hash"), access_token) else {
        return Ok(());
    };
    let hash = match algorithm {
        Algorithm::RS256 | Algorithm::PS256 | Algorithm::ES256 => &SHA256,
        Algorithm::ES384 => &SHA384,
        // Ed25519 hashes with SHA-512 inside, and so do those who write `at_hash` with it.
        Algorithm::EdDSA => &SHA512,
        _ => return Err(IdTokenError::Hash),
    };
    let digest = digest::digest(hash, access_token.as_bytes());
    let half = digest.as_ref().get(..hash.output_len() / 2).ok_or(IdTokenError::Hash)?;
    let fits = told.as_str().is_some_and(|told| told == BASE64URL_NOPAD.encode(half));
    if fits { Ok(()) } else { Err(IdTokenError::Hash) }
}

#[cfg(test)]
mod tests;
