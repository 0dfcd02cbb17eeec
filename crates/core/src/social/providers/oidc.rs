//! Any OpenID Connect issuer, found by discovery.

use futures_util::FutureExt;

use super::{Dialect, Home, TokenRequest, openid};

pub(super) const DIALECT: Dialect = Dialect {
    title: "Single sign-on",
    issuers: &[],
    home: Home { authorization: "", token: "", userinfo: "", emails: "", jwks: "" },
    scopes: &["openid", "email", "profile"],
    has_pkce: true,
    has_nonce: true,
    is_discovered: true,
    token_request: TokenRequest::ByMetadata,
    person: |visit| openid::person(visit).boxed(),
};
