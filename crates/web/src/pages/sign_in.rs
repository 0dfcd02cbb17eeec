//! `/sign-in`: the link in a code's mail, which signs in the browser that asked for the code, by a
//! person's click; the choice of a provider for whoever comes without a link; how the way back
//! from a provider ended; and the second factor where the account has one.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use ironlatch_core::client::Client;
use ironlatch_core::ports::Token;
use ironlatch_core::sessions::Door;
use ironlatch_core::sign_in::{
    LinkStep, LinkView, SecondFactor, SecondFactorAttempt, SecondFactorError, SignInError,
    SignedIn, Step,
};
use ironlatch_core::social::Offer;

use super::outcome::{Outcome, SIGNED_IN};
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
use crate::request::next::{Next, encode};
use crate::request::query::query_value;
use crate::request::source::CameFrom;

/// The browser that asked: one button.
#[derive(Template)]
#[template(path = "sign_in.html")]
struct Ready<'a> {
    product: &'a str,
    link: String,
    masked: String,
    problem: Option<String>,
}

/// Whoever comes without a link: a button for each provider.
#[derive(Template)]
#[template(path = "sign_in_choose.html")]
struct Choose<'a> {
    product: &'a str,
    offers: Vec<Offer>,
    query: String,
    problem: Option<String>,
}

/// The second step.
#[derive(Template)]
#[template(path = "sign_in_second.html")]
struct SecondStep<'a> {
    product: &'a str,
    challenge: &'a str,
    next: Option<&'a str>,
    /// Whether a cookie holds the challenge, so that the page comes again until it is answered.
    is_kept: bool,
    problem: Option<String>,
}

/// On to where the front end wanted people to go: a redirect that answers a form may not leave
/// for another origin under `form-action 'self'` (CSP 3 §6.4.2).
#[derive(Template)]
#[template(path = "sign_in_continue.html")]
struct Continue<'a> {
    product: &'a str,
    next: &'a str,
}

const DEAD: &str = "It was used already, or it is older than five minutes. Ask for a new code \
                    where you wanted to sign in.";
const ELSEWHERE: &str = "It signs in the browser that asked for it, and this is another one. Open \
                         the link there, or type the code from the same mail there. If you did \
                         not ask to sign in, you need not do anything.";
const OVER: &str = "It took too long, or it was finished already. Please sign in again.";
const BAD_NEXT: &str = "The address has a \"next\" that leads neither to this server nor to one \
                        of its front ends. Please go back to where you came from.";

/// Shows what there is to do. Consumes nothing, however often and by whomever it is opened.
pub(crate) async fn show(
    State(app): State<App>,
    came_from: CameFrom,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if uri.query().is_some() && !names_a_link(&uri) {
        return shown(&app, without_link(&app, &uri, &headers, came_from));
    }
    // What a way back from a provider left comes before a link that waits; a link that is opened
    // now takes it away.
    let mut left = vec![Cookie::SecondStep, Cookie::Outcome];
    left.retain(|cookie| app.cookies().read(&headers, *cookie).is_some());
    match arrive(&app, &uri, &headers, Cookie::SignInLink, "sign-in") {
        Arrival::Redirect(mut response) => {
            for old in left.into_iter().filter(|_| uri.query().is_some()) {
                response.headers_mut().append(SET_COOKIE, app.cookies().clear(old));
            }
            response
        }
        Arrival::Here(Some(token)) if left.is_empty() => {
            shown(&app, question(&app, &headers, &token, None).await)
        }
        Arrival::Here(_) => shown(&app, without_link(&app, &uri, &headers, came_from)),
    }
}

/// Whether an address is that of a mailed link, readable or not.
fn names_a_link(uri: &Uri) -> bool {
    let mut pairs = uri.query().unwrap_or_default().split('&');
    pairs.any(|pair| pair.split('=').next() == Some("token"))
}

/// The page for whoever has no link.
fn without_link(app: &App, uri: &Uri, headers: &HeaderMap, came_from: CameFrom) -> PageResult {
    if uri.path().ends_with('/') {
        return Ok(without_slash(uri));
    }
    let next = query_value(uri, "next").filter(|next| !next.is_empty());
    let next = match next.map(|next| Next::parse(&next, app.origins())) {
        Some(None) => return notice(app, StatusCode::BAD_REQUEST, "That did not work", BAD_NEXT),
        Some(next) => next,
        None => None,
    };
    if let Some(challenge) = app.cookies().read(headers, Cookie::SecondStep) {
        let next = next.as_ref().map(Next::as_str);
        return second_step_page(&SecondStep { next, is_kept: true, ..asked(app, challenge) });
    }
    let query = onward(app, next.as_ref(), came_from);
    let word = app.cookies().read(headers, Cookie::Outcome);
    let Some(outcome) = word.and_then(Outcome::of_word) else {
        return choose(app, StatusCode::OK, query, None);
    };
    let mut response = if outcome.asks_again() {
        let sentence = outcome.sentence().to_owned();
        choose(app, outcome.status(), query, Some(sentence))?
    } else {
        notice(app, outcome.status(), outcome.title(), outcome.sentence())?
    };
    response.headers_mut().append(SET_COOKIE, app.cookies().clear(Cookie::Outcome));
    Ok(response)
}

/// The same page where its relative links hold.
fn without_slash(uri: &Uri) -> Response {
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    let location = HeaderValue::try_from(format!("../sign-in{query}"));
    let fallback = HeaderValue::from_static("../sign-in");
    (StatusCode::SEE_OTHER, [(LOCATION, location.unwrap_or(fallback))]).into_response()
}

/// The query that the buttons hand on: where to go afterwards, and where the person came from,
/// which the provider's site would hide.
fn onward(app: &App, next: Option<&Next>, came_from: CameFrom) -> String {
    let source = app.auth().sources().of_hint(&came_from.of_address(), Door::Api);
    let next = next.map(|next| format!("next={}", next.encoded()));
    let source = source.map(|source| format!("source_url={}", encode(source.url())));
    let pairs: Vec<String> = next.into_iter().chain(source).collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

fn choose(app: &App, status: StatusCode, query: String, problem: Option<String>) -> PageResult {
    let offers = app.auth().social().offers();
    page(status, &Choose { product: product(app), offers, query, problem })
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
    match fields.text("act").as_deref() {
        Some("second-step") => return second_step(app, client, headers, fields).await,
        Some("start-over") => {
            let mut response = choose(app, StatusCode::OK, String::new(), None)?;
            response.headers_mut().append(SET_COOKIE, app.cookies().clear(Cookie::SecondStep));
            return Ok(response);
        }
        _ => {}
    }
    let Some(token) = app.cookies().read(headers, Cookie::SignInLink) else { return dead(app) };
    if !is_about(app, &mut fields, token) {
        return question(app, headers, token, Some(OTHER_LINK.to_owned())).await;
    }
    let browser = app.cookies().read_secret(headers, Cookie::CodeFlow);
    let arrival = arrival(app, headers, Caller(client));
    match app.auth().sign_in().with_link(token, browser.as_ref(), arrival).await {
        Ok(LinkStep::OtherBrowser) => elsewhere(app),
        Ok(LinkStep::Step(Step::SignedIn(signed_in))) => {
            let mut response = done(app, Cookie::SignInLink, SIGNED_IN[0], SIGNED_IN[1])?;
            signed_in_cookies(app, &mut response, &signed_in)?;
            Ok(response)
        }
        Ok(LinkStep::Step(Step::SecondFactor(challenge))) => {
            let mut response = second_step_page(&asked(app, challenge.token.reveal()))?;
            response.headers_mut().append(SET_COOKIE, app.cookies().clear(Cookie::SignInLink));
            Ok(response)
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
    let next = fields.optional_text("next").and_then(|next| Next::parse(&next, app.origins()));
    let challenge = fields.secret("challenge");
    let code = fields.secret("code");
    let Some(challenge) = challenge else { return over(app) };
    let is_kept = app.cookies().read(headers, Cookie::SecondStep).is_some();
    let again = |problem: &str| {
        second_step_page(&SecondStep {
            next: next.as_ref().map(Next::as_str),
            is_kept,
            problem: Some(problem.to_owned()),
            ..asked(app, challenge.reveal())
        })
    };
    let Some(code) = code else { return again("Type a code.") };
    let attempt = SecondFactorAttempt {
        challenge: challenge.clone(),
        method: method_of(&code),
        code,
        arrival: arrival(app, headers, Caller(client)),
    };
    match app.auth().sign_in().second_factor(attempt).await {
        Ok(signed_in) => {
            let mut response = match &next {
                Some(next) => {
                    let next = next.as_str();
                    page(StatusCode::OK, &Continue { product: product(app), next })?
                }
                None => notice(app, StatusCode::OK, SIGNED_IN[0], SIGNED_IN[1])?,
            };
            signed_in_cookies(app, &mut response, &signed_in)?;
            Ok(response)
        }
        Err(SecondFactorError::WrongCode) => {
            again("This code is not right. Try the one that your app shows now.")
        }
        Err(SecondFactorError::InvalidChallenge) => over(app),
        Err(error) => Err(error.explain(app.now())),
    }
}

/// Codes of apps are six digits; recovery codes are longer.
fn method_of(code: &Token) -> SecondFactor {
    let digits = code.reveal().trim();
    let is_of_app = digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_of_app { SecondFactor::Totp } else { SecondFactor::RecoveryCode }
}

/// A first look at the second step.
fn asked<'a>(app: &'a App, challenge: &'a str) -> SecondStep<'a> {
    SecondStep { product: product(app), challenge, next: None, is_kept: false, problem: None }
}

fn second_step_page(asked: &SecondStep<'_>) -> PageResult {
    page(status_with(asked.problem.as_ref()), asked)
}

/// The session's refresh token goes into its cookie, from which front ends go on; what the way in
/// has used goes.
fn signed_in_cookies(
    app: &App,
    response: &mut Response,
    signed_in: &SignedIn,
) -> Result<(), Problem> {
    answer::add_refresh(response, app, signed_in)?;
    answer::add_device(response, app, signed_in)?;
    for used in [Cookie::CodeFlow, Cookie::SecondStep] {
        response.headers_mut().append(SET_COOKIE, app.cookies().clear(used));
    }
    Ok(())
}

fn elsewhere(app: &App) -> PageResult {
    notice(app, StatusCode::FORBIDDEN, "This link belongs to another browser", ELSEWHERE)
}

/// The link's cookie goes, so that the page can be opened without it.
fn dead(app: &App) -> PageResult {
    let mut response = notice(app, StatusCode::BAD_REQUEST, "This link does not work", DEAD)?;
    response.headers_mut().append(SET_COOKIE, app.cookies().clear(Cookie::SignInLink));
    Ok(response)
}

/// The challenge's cookie goes likewise.
fn over(app: &App) -> PageResult {
    let mut response = notice(app, StatusCode::BAD_REQUEST, "Please sign in again", OVER)?;
    response.headers_mut().append(SET_COOKIE, app.cookies().clear(Cookie::SecondStep));
    Ok(response)
}
