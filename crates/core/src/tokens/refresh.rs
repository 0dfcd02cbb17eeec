//! Refresh tokens on the wire: under a MAC, since only we read them.

use aws_lc_rs::hmac;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize};

use super::{Chain, RefreshClaims, compact};
use crate::error::InternalError;
use crate::ids::Id;
use crate::ports::Token;
use crate::settings::Door;

const TOKEN_TYPE: &str = "refresh";

/// Writes and reads refresh tokens under one key.
pub(super) struct RefreshTokens {
    key: hmac::Key,
    decoding: DecodingKey,
    validation: Validation,
    /// The one header there is. A token with any other header is not a refresh token, so no
    /// choice of `alg` or `typ` ever reaches the MAC.
    header: String,
}

#[derive(Serialize)]
struct Written<'a> {
    iss: &'a str,
    sub: String,
    sid: String,
    door: &'a str,
    chain: &'a str,
    g: i64,
    iat: i64,
    exp: i64,
    jti: String,
    token_type: &'a str,
    user_id: String,
    amr: &'a [String],
    auth_time: i64,
    sv: i64,
}

#[derive(Deserialize)]
struct Read {
    sub: String,
    sid: String,
    door: String,
    chain: String,
    g: i64,
    iat: i64,
    exp: i64,
    token_type: String,
    user_id: String,
    amr: Vec<String>,
    auth_time: i64,
    sv: i64,
}

impl RefreshTokens {
    pub(super) fn new(key: &[u8; 32], issuer: &str) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        validation.set_issuer(&[issuer]);
        // The library asks the machine's clock; ours decides.
        validation.validate_exp = false;
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            decoding: DecodingKey::from_secret(key),
            validation,
            header: BASE64URL_NOPAD.encode(br#"{"alg":"HS256","typ":"rt+jwt"}"#),
        }
    }

    /// Whether a token says it is a refresh token; it need not be true.
    pub(super) fn claims_to_be_one(&self, token: &str) -> bool {
        compact::header(token) == Some(&self.header)
    }

    /// MACs a refresh token.
    pub(super) fn write(
        &self,
        claims: &RefreshClaims,
        jti: [u8; 16],
        issuer: &str,
    ) -> Result<Token, InternalError> {
        let written = Written {
            iss: issuer,
            sub: claims.account.to_string(),
            sid: claims.session.to_string(),
            door: claims.door.word(),
            chain: claims.chain.word(),
            g: claims.generation,
            iat: claims.issued_at,
            exp: claims.expires_at,
            jti: HEXLOWER.encode(&jti),
            token_type: TOKEN_TYPE,
            user_id: claims.number.to_string(),
            amr: &claims.amr,
            auth_time: claims.auth_time,
            sv: claims.security_version,
        };
        compact::write(&self.header, &written, |message| Ok(hmac::sign(&self.key, message)))
    }

    /// Reads a token that is ours; `exp` is not looked at.
    pub(super) fn read(&self, token: &str) -> Option<RefreshClaims> {
        if !self.claims_to_be_one(token) {
            return None;
        }
        // Compares the MAC in constant time, before it looks at a claim.
        let read = jsonwebtoken::decode::<Read>(token, &self.decoding, &self.validation);
        let read = read.ok()?.claims;
        if read.token_type != TOKEN_TYPE {
            return None;
        }
        Some(RefreshClaims {
            session: Id::parse(&read.sid)?,
            door: Door::of_word(&read.door)?,
            chain: Chain::of(&read.chain)?,
            generation: read.g,
            issued_at: read.iat,
            expires_at: read.exp,
            account: Id::parse(&read.sub)?,
            number: read.user_id.parse().ok()?,
            amr: read.amr,
            auth_time: read.auth_time,
            security_version: read.sv,
        })
    }
}
