//! Facebook: OAuth 2.0 with the code in a query, and the Graph API. It does not say whether an
//! address is proven, so none is.

use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;
use futures_util::FutureExt;
use serde_json::Value;

use super::openid::{canonical, object};
use super::person::{Person, subject};
use super::{Dialect, Failure, Home, TokenRequest, Visit};
use crate::outbound::Ask;

pub(super) const DIALECT: Dialect = Dialect {
    title: "Facebook",
    issuers: &["https://www.facebook.com"],
    home: Home {
        authorization: "https://www.facebook.com/v17.0/dialog/oauth",
        token: "https://graph.facebook.com/v17.0/oauth/access_token",
        userinfo: "https://graph.facebook.com/me",
        emails: "",
        jwks: "",
    },
    scopes: &["public_profile", "email"],
    has_pkce: false,
    has_nonce: false,
    is_discovered: false,
    token_request: TokenRequest::Query,
    person: |visit| person(visit).boxed(),
};

/// By the identifier that the person has for our application.
async fn person(visit: &Visit<'_>) -> Result<Person, Failure> {
    let access = visit.tokens.access()?;
    let missing = || Failure::because("there is no userinfo endpoint");
    let endpoint = visit.places.userinfo.as_ref().ok_or_else(missing)?;
    let mut query = vec![("fields", "id,name,email"), ("access_token", access.reveal())];
    // Shows that whoever asks has the secret, too; applications may demand it.
    let secret = visit.desk.settings.client_secret.as_ref();
    let proof = secret.map(|secret| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
        HEXLOWER.encode(hmac::sign(&key, access.reveal().as_bytes()).as_ref())
    });
    query.extend(proof.as_deref().map(|proof| ("appsecret_proof", proof)));
    let me = object(visit, Ask::get(endpoint).query(&query)).await?;
    let text = |name: &str| me.get(name).and_then(Value::as_str).map(str::to_owned);
    Ok(Person {
        issuer: canonical(visit),
        subject: subject(me.get("id"))?,
        email: text("email"),
        is_email_verified: false,
        name: text("name"),
        told: me,
    })
}
