//! What a provider can do wrong.

use serde_json::Value;

/// A fault that can be switched on. Faults of ID tokens concern those made afterwards.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// The ID token has this claim in place of its own; `null` removes it.
    Claim(&'static str, Value),
    /// The ID token's header has this member; `null` removes it.
    Header(&'static str, Value),
    /// The ID token is signed with nothing: `alg` is this word and the signature empty.
    Unsigned(&'static str),
    /// The ID token has an HMAC under the public key (`HS256`).
    MacWithPublicKey,
    /// The ID token is signed with a key that is not published, under the published name.
    ForeignKey,
    /// There is no ID token.
    NoIdToken,
    /// Userinfo tells of somebody else.
    OtherSubject,
    /// The person says no: `access_denied`.
    Denied,
    /// The authorization endpoint sends this error back.
    AuthorizationError(&'static str),
    /// `iss` beside the code is this one (RFC 9207); `None` leaves it out.
    ResponseIssuer(Option<String>),
    /// The token endpoint answers this error, whatever it is asked.
    TokenError(&'static str),
    /// The answer never comes.
    Hangs(At),
    /// The answer has 10 MB.
    Huge(At),
    /// The answer sends elsewhere.
    Redirects(At, String),
    /// The answer has this status and no sense.
    Status(At, u16),
    /// The answer is 200 and this text.
    Text(At, &'static str),
}

/// One of a provider's endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// Where codes become tokens.
    Token,
    /// Who the person is.
    Userinfo,
    /// Their addresses.
    Emails,
    /// The keys.
    Keys,
    /// The metadata.
    Metadata,
}
