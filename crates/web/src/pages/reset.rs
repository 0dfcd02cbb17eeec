//! `/reset-password`: a person chooses a new password with a mailed link.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode, Uri};
use ironlatch_core::client::Client;
use ironlatch_core::sign_in::LinkError;

use super::{
    Arrival, PageResult, arrive, done, least_password_length, notice, page, password_sentence,
    product,
};
use crate::app::App;
use crate::problem::{Explain, Problem};
use crate::request::caller::Caller;
use crate::request::cookies::Cookie;
use crate::request::fields::Fields;

/// The form.
#[derive(Template)]
#[template(path = "reset.html")]
struct Form<'a> {
    product: &'a str,
    least: usize,
    problem: Option<String>,
}

/// A link that does not work, and the way to a new one.
#[derive(Template)]
#[template(path = "reset_again.html")]
struct Again<'a> {
    product: &'a str,
    email: String,
    problem: Option<String>,
}

/// Shows the form, or the way to a new link. Consumes nothing.
pub(crate) async fn show(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Response {
    match arrive(&app, &uri, &headers, Cookie::ResetLink, "reset-password") {
        Arrival::Redirect(response) => response,
        Arrival::Here(token) => {
            let shown = question(&app, token.as_deref()).await;
            shown.unwrap_or_else(|problem| super::problem(&app, &problem))
        }
    }
}

/// Sets the password, or mails another link.
pub(crate) async fn submit(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
    headers: HeaderMap,
    fields: Result<Fields, Problem>,
) -> Response {
    let outcome = match (caller, fields) {
        (Ok(caller), Ok(fields)) => act(&app, &caller.0, &headers, fields).await,
        (Err(problem), _) | (_, Err(problem)) => Err(problem),
    };
    outcome.unwrap_or_else(|problem| super::problem(&app, &problem))
}

async fn act(app: &App, client: &Client, headers: &HeaderMap, mut fields: Fields) -> PageResult {
    if fields.text("act").as_deref() == Some("again") {
        return send_again(app, client, fields).await;
    }
    let Some(token) = app.cookies().read(headers, Cookie::ResetLink) else {
        return ask_again(app, None);
    };
    let Some(password) = fields.secret("new_password") else {
        return form(app, Some("Type a new password.".to_owned()));
    };
    match app.auth().sign_in().reset_password(token, &password, client).await {
        Ok(()) => done(app, Cookie::ResetLink, "Your password is changed", DONE),
        Err(LinkError::Password(problem)) => form(app, Some(password_sentence(problem))),
        Err(LinkError::Invalid) => ask_again(app, None),
        Err(
            error @ (LinkError::WrongPassword
            | LinkError::TooManyAttempts { .. }
            | LinkError::Busy { .. }
            | LinkError::Internal(_)),
        ) => Err(error.explain(app.now())),
    }
}

const DONE: &str = "Everybody was signed out. Go back and sign in with the new password.";
const ON_ITS_WAY: &str = "If an account has this address, a mail with a new link is on its way.";

async fn question(app: &App, token: Option<&str>) -> PageResult {
    let Some(token) = token else { return ask_again(app, None) };
    match app.auth().sign_in().look_at_reset(token).await {
        Ok(()) => form(app, None),
        Err(LinkError::Invalid) => ask_again(app, None),
        Err(error) => Err(error.explain(app.now())),
    }
}

fn form(app: &App, problem: Option<String>) -> PageResult {
    let status = if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    page(status, &Form { product: product(app), least: least_password_length(app), problem })
}

fn ask_again(app: &App, problem: Option<String>) -> PageResult {
    page(StatusCode::BAD_REQUEST, &Again { product: product(app), email: String::new(), problem })
}

async fn send_again(app: &App, client: &Client, mut fields: Fields) -> PageResult {
    let Some(email) = fields.email("email") else {
        return ask_again(app, Some("This is not an e-mail address.".to_owned()));
    };
    let sent = app.auth().sign_in().forgot_password(&email, client).await;
    sent.map_err(|error| error.explain(app.now()))?;
    notice(app, StatusCode::OK, "Look into your mail", ON_ITS_WAY)
}
