//! GitHub: OAuth 2.0 and its REST API.

use futures_util::FutureExt;
use serde::Deserialize;
use serde_json::Value;

use super::openid::{canonical, object};
use super::person::{Person, subject};
use super::{Dialect, Failure, Home, TokenRequest, Visit};
use crate::outbound::Ask;
use crate::ports::Token;

pub(super) const DIALECT: Dialect = Dialect {
    title: "GitHub",
    // The second is what it calls itself beside codes (RFC 9207).
    issuers: &["https://github.com", "https://github.com/login/oauth"],
    home: Home {
        authorization: "https://github.com/login/oauth/authorize",
        token: "https://github.com/login/oauth/access_token",
        userinfo: "https://api.github.com/user",
        emails: "https://api.github.com/user/emails",
        jwks: "",
    },
    // Who somebody is can be read without a scope; their addresses cannot.
    scopes: &["user:email"],
    has_pkce: true,
    has_nonce: false,
    is_discovered: false,
    token_request: TokenRequest::Form,
    person: |visit| person(visit).boxed(),
};

/// One of `/user/emails`.
#[derive(Deserialize)]
struct Entry {
    email: String,
    primary: bool,
    verified: bool,
}

/// By the number of the account, which stays when it is renamed; names are given away again.
async fn person(visit: &Visit<'_>) -> Result<Person, Failure> {
    let access = visit.tokens.access()?;
    let missing = || Failure::because("there is no userinfo endpoint");
    let endpoint = visit.places.userinfo.as_ref().ok_or_else(missing)?;
    let user = object(visit, Ask::get(endpoint).bearer(access)).await?;
    let id = user.get("id").filter(|id| id.is_u64());
    let text = |name: &str| user.get(name).and_then(Value::as_str).map(str::to_owned);
    let given = |name: &str| text(name).filter(|text| !text.trim().is_empty());
    let primary = primary(visit, access).await?;
    let is_email_verified = primary.as_ref().is_some_and(|entry| entry.verified);
    Ok(Person {
        issuer: canonical(visit),
        subject: subject(id)?,
        // What `/user` shows is what somebody chose to show.
        email: primary.map(|entry| entry.email).or_else(|| text("email")),
        is_email_verified,
        name: given("name").or_else(|| given("login")),
        told: user,
    })
}

/// The primary address, verified or not. A front end that did not ask for `user:email` gets 403
/// or 404 here, and signs somebody in without a proven address.
async fn primary(visit: &Visit<'_>, access: &Token) -> Result<Option<Entry>, Failure> {
    let Some(endpoint) = &visit.places.emails else { return Ok(None) };
    let ask = Ask::get(endpoint).query(&[("per_page", "100")]).bearer(access);
    let answer = visit.desk.line.ask(ask).await?;
    if matches!(answer.status, 403 | 404) {
        return Ok(None);
    }
    let entries: Option<Vec<Entry>> = answer.json().filter(|_| answer.status == 200);
    let entries = entries
        .ok_or_else(|| Failure::because(format!("addresses were answered {}", answer.status)))?;
    Ok(entries.into_iter().find(|entry| entry.primary))
}
