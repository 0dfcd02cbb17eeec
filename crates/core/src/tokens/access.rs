//! Access tokens on the wire (RFC 9068).

use std::sync::Arc;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::keys::{KeyRing, SigningKey};
use super::{AccessClaims, compact};
use crate::error::InternalError;
use crate::ids::Id;
use crate::ports::Token;
use crate::settings::Settings;
use crate::time::Timestamp;

/// `typ`: an access token, and nothing else may pass for one (RFC 8725 §3.11).
pub(super) const TYP: &str = "at+jwt";
const TOKEN_TYPE: &str = "access";

#[derive(Serialize)]
struct Written<'a> {
    iss: &'a str,
    sub: String,
    aud: &'a str,
    exp: i64,
    iat: i64,
    jti: String,
    sid: String,
    amr: &'a [String],
    auth_time: i64,
    sv: i64,
    token_type: &'a str,
    user_id: String,
}

#[derive(Deserialize)]
struct Read {
    sub: String,
    exp: i64,
    iat: i64,
    sid: String,
    amr: Vec<String>,
    auth_time: i64,
    sv: i64,
    token_type: String,
    user_id: String,
}

/// Signs an access token; `jti` is 128 random bits.
pub(super) fn write(
    claims: &AccessClaims,
    jti: [u8; 16],
    key: &SigningKey,
    settings: &Settings,
) -> Result<Token, InternalError> {
    let written = Written {
        iss: &settings.public_url,
        sub: claims.account.to_string(),
        aud: settings.audience(),
        exp: claims.expires_at,
        iat: claims.issued_at,
        jti: HEXLOWER.encode(&jti),
        sid: claims.session.to_string(),
        amr: &claims.amr,
        auth_time: claims.auth_time,
        sv: claims.security_version,
        token_type: TOKEN_TYPE,
        user_id: claims.number.to_string(),
    };
    compact::write(&key.header, &written, |message| key.sign(message))
}

/// The `kid` of what says it is an access token; it need not be true.
pub(super) fn key_of(token: &str) -> Option<String> {
    let header = jsonwebtoken::decode_header(token).ok()?;
    if header.typ.as_deref() != Some(TYP) || header.crit.is_some() {
        return None;
    }
    header.kid
}

/// Reads a token that one of our published keys signed as an access token, and says which key;
/// `exp` is not looked at.
///
/// `kid` only chooses among our own keys; `jku`, `jwk`, `x5u` and `x5c` are never followed
/// (RFC 8725 §3.10). A header that demands something (`crit`) demands too much.
pub(super) fn read(
    token: &str,
    ring: &KeyRing,
    now: Timestamp,
) -> Option<(AccessClaims, Arc<str>)> {
    let key = ring.find(&key_of(token)?, now)?;
    let read = jsonwebtoken::decode::<Read>(token, &key.decoding, &key.validation).ok()?.claims;
    if read.token_type != TOKEN_TYPE {
        return None;
    }
    let claims = AccessClaims {
        account: Id::parse(&read.sub)?,
        number: read.user_id.parse().ok()?,
        session: Id::parse(&read.sid)?,
        amr: read.amr,
        auth_time: read.auth_time,
        security_version: read.sv,
        issued_at: read.iat,
        expires_at: read.exp,
    };
    Some((claims, Arc::clone(&key.id)))
}
