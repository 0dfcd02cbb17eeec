//! `/sign-in`: the link in a code's mail. It signs in the browser that asked for the code, by a
//! person's click, and asks for the second factor where the account has one.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::header::SET_COOKIE;
use http::{HeaderMap, StatusCode, Uri};
use ironlatch_core::client::Client;
use ironlatch_core::ports::Token;
use ironlatch_core::sign_in::{
    LinkStep, LinkView, SecondFactor, SecondFactorAttempt, SecondFactorError, SignInError,
    SignedIn, Step,
};

use super::{
    Arrival, OTHER_LINK, PageResult, arrive, done, is_about, masked, notice, page, product,
    received, shown, status_with,
};
use crate::api::answer;
use crate::api::login::arrival;
use crate::app::App;
use crate::problem::{Explain, Problem};
use crate::request::caller::Caller;
use crate::request::cookies::Cookie;
use crate::request::fields::Fields;

/// The browser that asked: one button.
#[derive(Template)]
#[template(path = "sign_in.html")]
struct Ready<'a> {
    product: &'a str,
    link: String,
    masked: String,
    problem: Option<String>,
}

/// The second step.
#[derive(Template)]
#[template(path = "sign_in_second.html")]
struct SecondStep<'a> {
    product: &'a str,
    challenge: &'a str,
    problem: Option<String>,
}

const DEAD: &str = "It was used already, or it is older than five minutes. Ask for a new code \
                    where you wanted to sign in.";
const ELSEWHERE: &str = "It signs in the browser that asked for it, and this is another one. Open \
                         the link there, or type the code from the same mail there. If you did \
                         not ask to sign in, you need not do anything.";
const WELCOME: &str = "You can close this page and go on where you were.";

/// Shows whom the link signs in. Consumes nothing, however often and by whomever it is opened.
pub(crate) async fn show(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Response {
    match arrive(&app, &uri, &headers, Cookie::SignInLink, "sign-in") {
        Arrival::Redirect(response) => response,
        Arrival::Here(Some(token)) => shown(&app, question(&app, &headers, &token, None).await),
        Arrival::Here(None) => shown(&app, dead(&app)),
    }
}

/// Does what the person clicked.
pub(crate) async fn submit(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
    headers: HeaderMap,
    fields: Result<Fields, Problem>,
) -> Response {
    let outcome = match received(caller, fields) {
        Ok((client, fields)) => act(&app, client, &headers, fields).await,
        Err(problem) => Err(problem),
    };
    shown(&app, outcome)
}

async fn act(app: &App, client: Client, headers: &HeaderMap, mut fields: Fields) -> PageResult {
    if fields.text("act").as_deref() == Some("second-step") {
        return second_step(app, client, headers, fields).await;
    }
    let Some(token) = app.cookies().read(headers, Cookie::SignInLink) else { return dead(app) };
    if !is_about(app, &mut fields, token) {
        return question(app, headers, token, Some(OTHER_LINK.to_owned())).await;
    }
    let browser = app.cookies().read_secret(headers, Cookie::CodeFlow);
    let arrival = arrival(app, headers, Caller(client));
    match app.auth().sign_in().with_link(token, browser.as_ref(), arrival).await {
        Ok(LinkStep::OtherBrowser) => elsewhere(app),
        Ok(LinkStep::Step(Step::SignedIn(signed_in))) => signed_in_page(app, &signed_in),
        Ok(LinkStep::Step(Step::SecondFactor(challenge))) => {
            let mut asked = second_step_page(app, challenge.token.reveal(), None)?;
            asked.headers_mut().append(SET_COOKIE, app.cookies().clear(Cookie::SignInLink));
            Ok(asked)
        }
        Err(SignInError::WrongCredentials) => dead(app),
        Err(error) => Err(error.explain(app.now())),
    }
}

/// What the link asks this browser for.
async fn question(
    app: &App,
    headers: &HeaderMap,
    token: &str,
    problem: Option<String>,
) -> PageResult {
    let browser = app.cookies().read_secret(headers, Cookie::CodeFlow);
    match app.auth().sign_in().look_at_code_link(token, browser.as_ref()).await {
        Ok(LinkView::Ready { address }) => {
            let link = app.auth().one_time_codes().form_name(token);
            let ready = Ready { product: product(app), link, masked: masked(&address), problem };
            page(status_with(ready.problem.as_ref()), &ready)
        }
        Ok(LinkView::OtherBrowser) => elsewhere(app),
        Err(SignInError::WrongCredentials) => dead(app),
        Err(error) => Err(error.explain(app.now())),
    }
}

async fn second_step(
    app: &App,
    client: Client,
    headers: &HeaderMap,
    mut fields: Fields,
) -> PageResult {
    let challenge = fields.secret("challenge");
    let code = fields.secret("code");
    let Some((challenge, code)) = challenge.zip(code) else { return dead(app) };
    let attempt = SecondFactorAttempt {
        challenge: challenge.clone(),
        method: method_of(&code),
        code,
        arrival: arrival(app, headers, Caller(client)),
    };
    match app.auth().sign_in().second_factor(attempt).await {
        Ok(signed_in) => signed_in_page(app, &signed_in),
        Err(SecondFactorError::WrongCode) => {
            let problem = "This code is not right. Try the one that your app shows now.";
            second_step_page(app, challenge.reveal(), Some(problem.to_owned()))
        }
        Err(SecondFactorError::InvalidChallenge) => dead(app),
        Err(error) => Err(error.explain(app.now())),
    }
}

/// Codes of apps are six digits; recovery codes are longer.
fn method_of(code: &Token) -> SecondFactor {
    let digits = code.reveal().trim();
    let is_of_app = digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_of_app { SecondFactor::Totp } else { SecondFactor::RecoveryCode }
}

fn second_step_page(app: &App, challenge: &str, problem: Option<String>) -> PageResult {
    let asked = SecondStep { product: product(app), challenge, problem };
    page(status_with(asked.problem.as_ref()), &asked)
}

/// The session's refresh token goes into its cookie, from which front ends go on.
fn signed_in_page(app: &App, signed_in: &SignedIn) -> PageResult {
    let mut response = done(app, Cookie::SignInLink, "You are signed in", WELCOME)?;
    answer::add_refresh(&mut response, app, signed_in)?;
    answer::add_device(&mut response, app, signed_in)?;
    response.headers_mut().append(SET_COOKIE, app.cookies().clear(Cookie::CodeFlow));
    Ok(response)
}

fn elsewhere(app: &App) -> PageResult {
    notice(app, StatusCode::FORBIDDEN, "This link belongs to another browser", ELSEWHERE)
}

fn dead(app: &App) -> PageResult {
    notice(app, StatusCode::BAD_REQUEST, "This link does not work", DEAD)
}
