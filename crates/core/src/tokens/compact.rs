//! The compact serialisation of a JWS (RFC 7515 §7.1), as far as we handle it ourselves.

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;

use crate::error::InternalError;
use crate::ports::Token;

/// Longer tokens are refused unread: ours stay far below, so more is only work for us.
const LONGEST: usize = 4_096;

/// Signatures and MACs of our usual algorithms in base64url, and the two dots. A longer one (RSA)
/// moves the text before it is in it, so no token stays behind in memory that was given back.
const USUAL_SIGNATURE: usize = 86 + 2;
/// Claims of ours in JSON take about so much.
const USUAL_CLAIMS: usize = 512;

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
    let mut json = Vec::with_capacity(USUAL_CLAIMS);
    serde_json::to_writer(&mut json, claims).map_err(InternalError::fault)?;
    // No more than that: allocators keep small blocks at hand and must look for larger ones.
    let length = header.len() + BASE64URL_NOPAD.encode_len(json.len()) + USUAL_SIGNATURE;
    let mut token = String::with_capacity(length);
    token.push_str(header);
    token.push('.');
    BASE64URL_NOPAD.encode_append(&json, &mut token);
    let signature = sign(token.as_bytes())?;
    token.push('.');
    BASE64URL_NOPAD.encode_append(signature.as_ref(), &mut token);
    Ok(Token::new(token))
}
