//! `/reset-password`: a person chooses a new password with a mailed link.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode, Uri};
use ironlatch_core::client::Client;
use ironlatch_core::sessions::Door;
use ironlatch_core::sign_in::LinkError;

use super::{
    About, Arrival, OTHER_LINK, PageResult, arrive, done, is_about, least_password_length, notice,
    page, password_sentence, product, received, shown, status_with,
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
    about: About,
    least: usize,
    problem: Option<String>,
}

/// Nobody came with a link: the way to one.
#[derive(Template)]
#[template(path = "reset_ask.html")]
struct Ask<'a> {
    product: &'a str,
    problem: Option<&'a str>,
}

/// A link that does not work, and the way to a new one.
#[derive(Template)]
#[template(path = "reset_again.html")]
struct Again<'a> {
    product: &'a str,
}

/// Shows the form, or the way to a link. Consumes nothing.
pub(crate) async fn show(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Response {
    match arrive(&app, &uri, &headers, Cookie::ResetLink, "reset-password") {
        Arrival::Redirect(response) => response,
        Arrival::Here(token) => {
            let outcome = match token {
                Some(token) => form(&app, &token, None).await,
                None => ask(&app, None),
            };
            shown(&app, outcome)
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
    let outcome = match received(caller, fields) {
        Ok((client, fields)) => act(&app, &client, &headers, fields).await,
        Err(problem) => Err(problem),
    };
    shown(&app, outcome)
}

async fn act(app: &App, client: &Client, headers: &HeaderMap, mut fields: Fields) -> PageResult {
    if fields.text("act").as_deref() == Some("again") {
        return send_again(app, client, fields).await;
    }
    let Some(token) = app.cookies().read(headers, Cookie::ResetLink) else {
        return ask_again(app);
    };
    if !is_about(app, &mut fields, token) {
        return form(app, token, Some(OTHER_LINK.to_owned())).await;
    }
    let Some(password) = fields.secret("new_password") else {
        return form(app, token, Some("Type a new password.".to_owned())).await;
    };
    match app.auth().sign_in().reset_password(token, &password, client).await {
        Ok(()) => done(app, Cookie::ResetLink, "Your password is changed", DONE),
        Err(LinkError::Password(problem)) => {
            form(app, token, Some(password_sentence(problem))).await
        }
        Err(LinkError::Invalid) => ask_again(app),
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

/// The form of a link that works.
async fn form(app: &App, token: &str, problem: Option<String>) -> PageResult {
    let facts = match app.auth().sign_in().look_at_reset(token).await {
        Ok(facts) => facts,
        Err(LinkError::Invalid) => return ask_again(app),
        Err(error) => return Err(error.explain(app.now())),
    };
    let about = About::new(app, token, facts.address);
    let status = status_with(problem.as_ref());
    let least = least_password_length(app);
    page(status, &Form { product: product(app), about, least, problem })
}

fn ask(app: &App, problem: Option<&str>) -> PageResult {
    let status = if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    page(status, &Ask { product: product(app), problem })
}

fn ask_again(app: &App) -> PageResult {
    page(StatusCode::BAD_REQUEST, &Again { product: product(app) })
}

async fn send_again(app: &App, client: &Client, mut fields: Fields) -> PageResult {
    let Some(email) = fields.email("email") else {
        return ask(app, Some("This is not an e-mail address."));
    };
    let sent = app.auth().sign_in().forgot_password(&email, Door::Api, client).await;
    sent.map_err(|error| error.explain(app.now()))?;
    notice(app, StatusCode::OK, "Look into your mail", ON_ITS_WAY)
}
