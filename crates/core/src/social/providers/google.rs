//! Google: OpenID Connect, and its own habits.

use futures_util::FutureExt;

use super::person::{Person, subject};
use super::{Dialect, Failure, Home, Nonce, TokenRequest, Visit, openid};

pub(super) const DIALECT: Dialect = Dialect {
    title: "Google",
    // Its documents name both.
    issuers: &["https://accounts.google.com", "accounts.google.com"],
    home: Home {
        authorization: "https://accounts.google.com/o/oauth2/v2/auth",
        token: "https://oauth2.googleapis.com/token",
        userinfo: "https://www.googleapis.com/oauth2/v3/userinfo",
        emails: "",
        jwks: "https://www.googleapis.com/oauth2/v3/certs",
    },
    scopes: &["openid", "email", "profile"],
    has_pkce: true,
    has_nonce: true,
    is_discovered: true,
    token_request: TokenRequest::Form,
    person: |visit| person(visit).boxed(),
};

/// By the ID token. Without the scope `openid` there is none: then userinfo tells, as the
/// contract has it, to a client whose code and verifier brought the access token here. Never
/// where a nonce must come back.
async fn person(visit: &Visit<'_>) -> Result<Person, Failure> {
    if visit.tokens.id.is_some() || !matches!(visit.nonce, Nonce::Unknown) {
        return openid::person(visit).await;
    }
    let told = openid::userinfo(visit, visit.tokens.access()?).await?;
    let subject = subject(told.get("sub"))?;
    Ok(Person::of_claims(openid::canonical(visit), subject, told))
}
