//! What OpenID Connect providers have in common: ID tokens, and userinfo that belongs to them.

use serde_json::{Map, Value};

use super::person::Person;
use super::{Failure, LONGEST_AGE, Nonce, Visit};
use crate::outbound::Ask;
use crate::ports::Token;
use crate::social::jwks::UnverifiedError;
use crate::tokens::{Expected, IdClaims};

impl From<UnverifiedError> for Failure {
    fn from(error: UnverifiedError) -> Self {
        match error {
            UnverifiedError::NoKeys(error) => error.into(),
            UnverifiedError::Refused(error) => Self::because(format!("the ID token: {error}")),
        }
    }
}

/// By the ID token that came with the access token, and userinfo for what the ID token leaves
/// out (OpenID Connect Core §5.4 lets it).
pub(super) async fn person(visit: &Visit<'_>) -> Result<Person, Failure> {
    let id_token = visit.tokens.id.as_ref();
    let id_token = id_token.ok_or_else(|| Failure::because("there is no ID token"))?;
    let mut known = verified(visit, id_token).await?;
    let tells_all = known.claims.contains_key("email");
    if let (false, Some(access)) = (tells_all, &visit.tokens.access)
        && visit.places.userinfo.is_some()
    {
        let told = userinfo(visit, access).await?;
        // OpenID Connect Core §5.3.4: else it may be somebody else's (token substitution).
        if told.get("sub").and_then(Value::as_str) != Some(&known.subject) {
            return Err(Failure::because("userinfo tells of another subject"));
        }
        // What is signed goes before what is not; an address and whether it is proven come
        // from one place, though.
        known.claims.remove("email_verified");
        for (name, value) in told {
            known.claims.entry(name).or_insert(value);
        }
    }
    Ok(Person::of_claims(canonical(visit), known.subject, known.claims))
}

/// By an ID token that a client brought. One with a nonce is refused: nobody here knows the
/// nonce that its browser left with, and to compare is a must (OpenID Connect Core §3.1.3.7, 11);
/// so a token of the server-driven way is of no use here.
pub(super) async fn brought(visit: &Visit<'_>) -> Result<Person, Failure> {
    let id_token = visit.tokens.id.as_ref();
    let id_token = id_token.ok_or_else(|| Failure::because("there is no ID token"))?;
    let known = verified(visit, id_token).await?;
    if known.claims.contains_key("nonce") {
        return Err(Failure::because("the ID token has the nonce of a way that is not ours"));
    }
    Ok(Person::of_claims(canonical(visit), known.subject, known.claims))
}

/// Everything that OpenID Connect Core §3.1.3.7 asks of an ID token.
async fn verified(visit: &Visit<'_>, id_token: &Token) -> Result<IdClaims, Failure> {
    let (desk, places) = (visit.desk, visit.places);
    let jwks = places.jwks.as_ref().ok_or_else(|| Failure::because("there is no jwks_uri"))?;
    let issuers: Vec<&str> = places.issuers.iter().map(String::as_str).collect();
    let expected = Expected {
        issuers: &issuers,
        client_id: &desk.settings.client_id,
        nonce: match visit.nonce {
            Nonce::Sent(nonce) => Some(nonce),
            Nonce::NotSent | Nonce::Unknown => None,
        },
        access_token: visit.tokens.access.as_ref().map(Token::reveal),
        longest_age: LONGEST_AGE,
        now: desk.auth.clock().now(),
    };
    let social = desk.auth.social();
    let token = id_token.reveal();
    Ok(social.directory().verify(&desk.line, jwks, token, expected).await?)
}

/// What the userinfo endpoint tells (OpenID Connect Core §5.3).
pub(super) async fn userinfo(
    visit: &Visit<'_>,
    access: &Token,
) -> Result<Map<String, Value>, Failure> {
    let missing = || Failure::because("there is no userinfo endpoint");
    let endpoint = visit.places.userinfo.as_ref().ok_or_else(missing)?;
    object(visit, Ask::get(endpoint).bearer(access)).await
}

/// Asks something that answers 200 and a JSON object.
pub(super) async fn object(visit: &Visit<'_>, ask: Ask<'_>) -> Result<Map<String, Value>, Failure> {
    let answer = visit.desk.line.ask(ask).await?;
    let members: Option<Map<String, Value>> = answer.json().filter(|_| answer.status == 200);
    members.ok_or_else(|| Failure::because(format!("the profile was answered {}", answer.status)))
}

/// The one spelling of the issuer that identities are stored with.
pub(super) fn canonical(visit: &Visit<'_>) -> String {
    visit.places.issuers.first().cloned().unwrap_or_default()
}
