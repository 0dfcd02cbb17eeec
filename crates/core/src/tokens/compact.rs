//! The compact serialisation of a JWS (RFC 7515 §7.1), as far as we handle it ourselves.

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;

use crate::error::InternalError;
use crate::ports::Token;

/// Longer tokens are refused unread: ours stay far below, so more is only work for us.
const LONGEST: usize = 4_096;

/// Room for a token of ours, so that no half of one stays behind in memory that was given back.
const USUAL: usize = 1_280;

/// The header of a token as it came, in base64url; `None` for what is too long or not in three
/// parts. Nothing of it is believed.
pub(super) fn header(token: &str) -> Option<&str> {
    if token.len() > LONGEST {
        return None;
    }
    let mut parts = token.split('.');
    let header = parts.next();
    (parts.count() == 2).then_some(header)?
}

/// Puts a token together; `sign` gets what the signature is over and answers its bytes.
pub(super) fn write<S: AsRef<[u8]>>(
    header: &str,
    claims: &impl Serialize,
    sign: impl FnOnce(&[u8]) -> Result<S, InternalError>,
) -> Result<Token, InternalError> {
    let json = serde_json::to_vec(claims).map_err(InternalError::fault)?;
    let mut token = String::with_capacity(USUAL);
    token.push_str(header);
    token.push('.');
    BASE64URL_NOPAD.encode_append(&json, &mut token);
    let signature = sign(token.as_bytes())?;
    token.push('.');
    BASE64URL_NOPAD.encode_append(signature.as_ref(), &mut token);
    Ok(Token::new(token))
}
