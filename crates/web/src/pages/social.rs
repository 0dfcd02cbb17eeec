//! The way to a provider and back: `/api/auth/social/{name}/start` and `…/callback`.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{LOCATION, RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use ironlatch_core::ports::Token;
use ironlatch_core::sign_in::{Arrival, CameBack, SignedIn, SocialSignInError, Step};
use ironlatch_core::social::{Errand, Returned, SocialError};

use super::outcome::Outcome;
use super::{PageResult, notice_below, shown_below};
use crate::api::answer;
use crate::api::login::arrival;
use crate::api::social::{named, remember};
use crate::app::App;
use crate::problem::Problem;
use crate::request::caller::Caller;
use crate::request::cookies::Cookie;
use crate::request::fields::Fields;
use crate::request::next::Next;
use crate::request::query::QueryFields;
use crate::request::source::CameFrom;

/// How long a browser may take from the callback to the page that tells how it ended.
const OUTCOME_LIFETIME: std::time::Duration = std::time::Duration::from_mins(1);

const BAD_NEXT: &str = "The address has a \"next\" that leads neither to this server nor to one \
                        of its front ends, so nobody is sent there.";
const NO_PROVIDER: &str = "There is no provider of this name.";

/// Sends the browser to the provider, with a cookie that the way back must bring along.
pub(crate) async fn start(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
    provider: Result<Path<String>, PathRejection>,
    (came_from, query): (CameFrom, Result<QueryFields, Problem>),
    uri: Uri,
) -> Response {
    let outcome = match (caller, named(provider), query) {
        (Ok(Caller(client)), Ok(provider), Ok(QueryFields(mut query))) => {
            let source = came_from.hint(&mut query);
            let arrival = Arrival { source, ..Arrival::new(client) };
            depart(&app, (&provider, query), &uri, &arrival).await
        }
        (Err(problem), ..) | (_, Err(problem), _) | (.., Err(problem)) => Err(problem),
    };
    shown_below(&app, &uri, outcome)
}

async fn depart(
    app: &App,
    (provider, mut query): (&str, Fields),
    uri: &Uri,
    arrival: &Arrival,
) -> PageResult {
    let next = query.optional_text("next").filter(|next| !next.is_empty());
    let next = match next.map(|next| Next::parse(&next, app.origins())) {
        Some(None) => return told(app, uri, StatusCode::BAD_REQUEST, BAD_NEXT),
        Some(Some(next)) => Some(next.into_string()),
        None => None,
    };
    match app.auth().sign_in().depart(provider, next, arrival).await {
        Ok(departure) => {
            let mut response = to(&departure.authorization_url)?;
            remember(app, &mut response, &departure)?;
            Ok(response)
        }
        Err(SocialSignInError::Social(SocialError::UnknownProvider)) => {
            told(app, uri, StatusCode::BAD_REQUEST, NO_PROVIDER)
        }
        Err(SocialSignInError::Social(SocialError::Unavailable { retry_after })) => {
            let outcome = Outcome::Silent;
            let mut response =
                notice_below(app, uri, outcome.status(), [outcome.title(), outcome.sentence()])?;
            let seconds = HeaderValue::from(retry_after.as_secs().max(1));
            response.headers_mut().insert(RETRY_AFTER, seconds);
            Ok(response)
        }
        Err(error) => {
            let outcome = Outcome::from(error);
            notice_below(app, uri, outcome.status(), [outcome.title(), outcome.sentence()])
        }
    }
}

/// Takes in whoever comes back, and sends the browser on at once: `code` and `state` must not
/// stay in its address bar.
pub(crate) async fn callback(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
    provider: Result<Path<String>, PathRejection>,
    query: Result<QueryFields, Problem>,
    request: (Method, Uri, HeaderMap),
) -> Response {
    let (method, uri, headers) = request;
    // HEAD is a question about an answer, never the act.
    if method == Method::HEAD {
        return Problem::MethodNotAllowed(method.to_string()).into_response();
    }
    let ended = match (caller, named(provider)) {
        (Ok(caller), Ok(provider)) => {
            let returned = returned(query);
            let flow = app.cookies().read_secret(&headers, Cookie::SocialFlow);
            let arrival = arrival(&app, &headers, caller);
            let sign_in = app.auth().sign_in();
            match sign_in.come_back(&provider, flow.as_ref(), returned, arrival).await {
                Ok(came_back) => welcome(&app, &uri, came_back),
                Err(error) => {
                    let errand = flow.and_then(|flow| app.auth().social().errand(&provider, &flow));
                    failed(&app, &uri, errand, Outcome::from(error))
                }
            }
        }
        (Err(problem), _) | (_, Err(problem)) => Err(problem),
    };
    let mut response = shown_below(&app, &uri, ended);
    response.headers_mut().append(SET_COOKIE, app.cookies().clear(Cookie::SocialFlow));
    response
}

/// What the provider's site sent along. A parameter that comes twice makes all of it worthless
/// (RFC 6749 §3.1).
fn returned(query: Result<QueryFields, Problem>) -> Returned {
    let Ok(QueryFields(mut query)) = query else { return Returned::default() };
    Returned {
        code: query.optional_text("code").map(Token::new),
        state: query.optional_text("state").map(Token::new),
        issuer: query.optional_text("iss"),
        error: query.optional_text("error"),
    }
}

fn welcome(app: &App, uri: &Uri, came_back: CameBack) -> PageResult {
    match came_back {
        CameBack::Linked { next, .. } => onward(app, uri, checked(app, next), Outcome::Linked),
        CameBack::SignIn { step, next } => match *step {
            Step::SignedIn(signed_in) => in_at_once(app, uri, checked(app, next), &signed_in),
            Step::SecondFactor(challenge) => {
                let mut response = to(&page_above(uri, checked(app, next).as_ref()))?;
                let token = challenge.token.reveal();
                let lifetime = challenge.lifetime;
                let line = app.cookies().set(Cookie::SecondStep, token, lifetime, app.now());
                answer::add_token_cookie(&mut response, line)?;
                Ok(response)
            }
        },
    }
}

/// Looked at again: what was allowed when the browser left need not be now.
fn checked(app: &App, next: Option<String>) -> Option<Next> {
    next.and_then(|next| Next::parse(&next, app.origins()))
}

/// To the page that tells what went wrong; whoever signs in after all goes on from there.
fn failed(app: &App, uri: &Uri, errand: Option<Errand>, outcome: Outcome) -> PageResult {
    let next = match errand {
        Some(Errand::SignIn { next, .. }) if outcome.asks_again() => checked(app, next),
        _ => None,
    };
    tell(app, to(&page_above(uri, next.as_ref()))?, outcome)
}

fn in_at_once(app: &App, uri: &Uri, next: Option<Next>, signed_in: &SignedIn) -> PageResult {
    let mut response = onward(app, uri, next, Outcome::SignedIn)?;
    answer::add_refresh(&mut response, app, signed_in)?;
    answer::add_device(&mut response, app, signed_in)?;
    response.headers_mut().append(SET_COOKIE, app.cookies().clear(Cookie::SecondStep));
    Ok(response)
}

/// On to `next`, or to the page that tells how it ended.
fn onward(app: &App, uri: &Uri, next: Option<Next>, outcome: Outcome) -> PageResult {
    match next {
        Some(next) => to(next.as_str()),
        None => tell(app, to(&page_above(uri, None))?, outcome),
    }
}

/// Leaves a word for the page.
fn tell(app: &App, mut response: Response, outcome: Outcome) -> PageResult {
    let word = outcome.word();
    let line = app.cookies().set(Cookie::Outcome, word, OUTCOME_LIFETIME, app.now());
    answer::add_token_cookie(&mut response, line)?;
    Ok(response)
}

/// `/sign-in`, relative, so that it holds under any prefix and behind any proxy.
fn page_above(uri: &Uri, next: Option<&Next>) -> String {
    let query = next.map(|next| format!("?next={}", next.encoded())).unwrap_or_default();
    format!("{}sign-in{query}", super::up_from(uri))
}

fn to(target: &str) -> PageResult {
    let location = HeaderValue::try_from(target).map_err(|_| {
        Problem::from(ironlatch_core::error::InternalError::fault("a target fits no header"))
    })?;
    Ok((StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response())
}

fn told(app: &App, uri: &Uri, status: StatusCode, sentence: &str) -> PageResult {
    notice_below(app, uri, status, ["That did not work", sentence])
}
