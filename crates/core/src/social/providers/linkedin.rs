//! LinkedIn: OpenID Connect since 2023, and before that an API of its own, which applications
//! that have it still speak. The token endpoint's answer tells which: with an ID token or
//! without.

use futures_util::FutureExt;
use serde_json::Value;

use super::openid::{self, canonical, object};
use super::person::{Person, subject};
use super::{Dialect, Failure, Home, TokenRequest, Visit};
use crate::outbound::Ask;
use crate::ports::Token;

pub(super) const DIALECT: Dialect = Dialect {
    title: "LinkedIn",
    // Both dialects name a person alike, so identities have one issuer. The second is that of
    // its ID tokens.
    issuers: &["https://www.linkedin.com", "https://www.linkedin.com/oauth"],
    home: Home {
        authorization: "https://www.linkedin.com/oauth/v2/authorization",
        token: "https://www.linkedin.com/oauth/v2/accessToken",
        userinfo: "",
        emails: "https://api.linkedin.com/v2/emailAddress",
        jwks: "https://www.linkedin.com/oauth/openid/jwks",
    },
    scopes: &["openid", "profile", "email"],
    has_pkce: true,
    // Its ID tokens do not bring the nonce back.
    has_nonce: false,
    is_discovered: false,
    token_request: TokenRequest::Form,
    person: |visit| person(visit).boxed(),
};

/// Who somebody is in the earlier dialect.
const ME: &str = "https://api.linkedin.com/v2/me";

async fn person(visit: &Visit<'_>) -> Result<Person, Failure> {
    // Its ID tokens hold what its userinfo would tell.
    if visit.tokens.id.is_some() {
        return openid::person(visit).await;
    }
    let access = visit.tokens.access()?;
    let endpoint = visit.places.userinfo.as_deref().unwrap_or(ME);
    let me = object(visit, Ask::get(endpoint).bearer(access)).await?;
    let text = |name: &str| me.get(name).and_then(Value::as_str).unwrap_or_default();
    let name = format!("{} {}", text("localizedFirstName"), text("localizedLastName"));
    Ok(Person {
        issuer: canonical(visit),
        subject: subject(me.get("id"))?,
        email: email(visit, access).await?,
        // It does not say whether they are proven.
        is_email_verified: false,
        name: Some(name),
        told: me,
    })
}

/// The address, where the application may see it.
async fn email(visit: &Visit<'_>, access: &Token) -> Result<Option<String>, Failure> {
    let Some(endpoint) = &visit.places.emails else { return Ok(None) };
    let query = [("q", "members"), ("projection", "(elements*(handle~))")];
    let answer = visit.desk.line.ask(Ask::get(endpoint).query(&query).bearer(access)).await?;
    if matches!(answer.status, 403 | 404) {
        return Ok(None);
    }
    let told: Option<Value> = answer.json().filter(|_| answer.status == 200);
    let told =
        told.ok_or_else(|| Failure::because(format!("addresses were answered {}", answer.status)))?;
    let email = told.pointer("/elements/0/handle~/emailAddress").and_then(Value::as_str);
    Ok(email.map(str::to_owned))
}
