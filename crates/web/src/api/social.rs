//! `/api/auth/social`: sign-in with an account at a provider, and the connections of one's own.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use ironlatch_core::ids::IdentityId;
use ironlatch_core::settings::ProviderKind;
use ironlatch_core::sign_in::{Arrival, Connection, SocialSignInError, Step};
use ironlatch_core::social::{Departure, Grant, SocialError};
use serde::Serialize;

use super::login::{arrival, signed_in_answer};
use super::sessions::rfc_3339;
use super::{ApiResult, answer};
use crate::app::App;
use crate::problem::{Explain, Problem, nothing_brought};
use crate::request::caller::{Bearer, Caller};
use crate::request::cookies::Cookie;
use crate::request::fields::Fields;
use crate::request::next::{NOT_OURS, Next};
use crate::request::source::CameFrom;

#[derive(Serialize)]
struct Listed {
    connections: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    id: String,
    provider: String,
    subject: String,
    email: Option<String>,
    created_at: String,
    last_used_at: String,
}

#[derive(Serialize)]
struct Departing<'a> {
    authorization_url: &'a str,
}

/// Exchanges what a client brings from a provider for a session (contract auth-api §1).
pub(crate) async fn sign_in(
    State(app): State<App>,
    caller: Caller,
    (provider, headers): (Result<Path<String>, PathRejection>, HeaderMap),
    came_from: CameFrom,
    mut fields: Fields,
) -> ApiResult {
    let provider = named(provider)?;
    let source = came_from.hint(&mut fields);
    let grant = grant(&mut fields);
    fields.finish(Some(()))?;
    let arrival = Arrival { source, ..arrival(&app, &headers, caller) };
    let step = app.auth().sign_in().with_social(&provider, grant, arrival).await;
    match step.map_err(|error| of_provider(&app, &provider, error))? {
        Step::SignedIn(signed_in) => signed_in_answer(&app, &signed_in),
        Step::SecondFactor(challenge) => Err(Problem::SecondFactorRequired(challenge)),
    }
}

/// The identities connected to the bearer's account, the oldest first.
pub(crate) async fn list(State(app): State<App>, Bearer(present): Bearer) -> ApiResult {
    let connections = app.auth().sign_in().connections(present.account.id).await?;
    let connections = connections.into_iter().map(entry).collect();
    Ok(answer::json(StatusCode::OK, &Listed { connections }))
}

/// Connects an identity to the bearer's account: at once with what the client brings; without
/// anything it answers where to send the browser, which comes back connected. Only a bearer
/// token begins this, never a link that somebody else made a browser follow (attack C05).
pub(crate) async fn link(
    State(app): State<App>,
    Bearer(present): Bearer,
    caller: Caller,
    provider: Result<Path<String>, PathRejection>,
    mut fields: Fields,
) -> ApiResult {
    let provider = named(provider)?;
    let grant = grant(&mut fields);
    let next = next(&app, &mut fields);
    let is_empty = [&grant.code, &grant.verifier, &grant.access_token, &grant.id_token]
        .into_iter()
        .all(Option::is_none);
    if !is_empty && next.is_some() {
        fields.mistake("next", "Nobody is sent anywhere with a code.");
    }
    fields.refuse_unknown();
    fields.finish(Some(()))?;
    let sign_in = app.auth().sign_in();
    if is_empty {
        let next = next.map(Next::into_string);
        let departure = sign_in.depart_to_connect(&present, &provider, next).await;
        let departure = departure.map_err(|error| error.explain(app.now()))?;
        let body = Departing { authorization_url: &departure.authorization_url };
        let mut response = answer::json(StatusCode::OK, &body);
        remember(&app, &mut response, &departure)?;
        return Ok(response);
    }
    let made = sign_in.connect(&present, &provider, grant, &caller.0).await;
    let made = made.map_err(|error| of_provider(&app, &provider, error))?;
    Ok(answer::json(StatusCode::OK, &entry(made)))
}

/// Removes a connection. Other people's are as unknown as none.
pub(crate) async fn disconnect(
    State(app): State<App>,
    Bearer(present): Bearer,
    caller: Caller,
    id: Result<Path<String>, PathRejection>,
    fields: Fields,
) -> ApiResult {
    fields.expect_none()?;
    let Path(id) = id.map_err(|_| Problem::NotFound)?;
    let id = IdentityId::parse(&id).ok_or(Problem::NotFound)?;
    let removed = app.auth().sign_in().disconnect(&present, id, &caller.0).await;
    removed.map_err(|error| error.explain(app.now()))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The provider that a path names.
pub(crate) fn named(provider: Result<Path<String>, PathRejection>) -> Result<String, Problem> {
    let Path(provider) = provider.map_err(|_| Problem::UnsupportedProvider)?;
    Ok(provider)
}

/// Lets the browser keep its way to the provider.
pub(crate) fn remember(
    app: &App,
    response: &mut Response,
    departure: &Departure,
) -> Result<(), Problem> {
    let (flow, lifetime) = (departure.flow.reveal(), departure.flow_lifetime);
    let line = app.cookies().set(Cookie::SocialFlow, flow, lifetime, app.now());
    answer::add_token_cookie(response, line)
}

fn grant(fields: &mut Fields) -> Grant {
    Grant {
        code: fields.secret_or_blank("code"),
        verifier: fields.secret_or_blank("code_verifier"),
        access_token: fields.secret_or_blank("access_token"),
        id_token: fields.secret_or_blank("id_token"),
    }
}

fn next(app: &App, fields: &mut Fields) -> Option<Next> {
    let next = fields.has("next").then(|| fields.text("next")).flatten()?;
    let read = Next::parse(&next, app.origins());
    if read.is_none() {
        fields.mistake("next", NOT_OURS);
    }
    read
}

/// What is answered; only Google's clients are told to bring an ID token.
fn of_provider(app: &App, provider: &str, error: SocialSignInError) -> Problem {
    let settings = app.auth().settings().social.get(provider);
    let takes_id_token = settings.is_some_and(|it| it.kind == ProviderKind::Google);
    match error {
        SocialSignInError::Social(SocialError::NothingBrought) => nothing_brought(takes_id_token),
        other => other.explain(app.now()),
    }
}

fn entry(connection: Connection) -> Entry {
    Entry {
        id: connection.id.to_string(),
        provider: connection.provider,
        subject: connection.subject,
        email: connection.email,
        created_at: rfc_3339(connection.created_at),
        last_used_at: rfc_3339(connection.last_used_at),
    }
}
