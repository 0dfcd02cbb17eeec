//! `POST /api/auth/otp/{request,verify,link}`: sign-in without a password.

use std::borrow::Cow;

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use ironlatch_core::accounts::{Contact, Email, Phone, PhoneProblem};
use ironlatch_core::ports::Token;
use ironlatch_core::sessions::Door;
use ironlatch_core::sign_in::{Arrival, CodeAttempt, LinkStep, SignedIn, Step};
use serde::Serialize;

use super::login::arrival;
use super::{ApiResult, answer};
use crate::app::App;
use crate::problem::{Explain, Problem, of_code};
use crate::request::caller::Caller;
use crate::request::cookies::Cookie;
use crate::request::fields::Fields;
use crate::request::source::CameFrom;

#[derive(Serialize)]
struct Requested {
    success: bool,
    message: &'static str,
}

#[derive(Serialize)]
struct Verified<'a> {
    success: bool,
    tokens: Tokens<'a>,
    user: User<'a>,
}

#[derive(Serialize)]
struct Tokens<'a> {
    access: &'a str,
    refresh: &'a str,
}

#[derive(Serialize)]
struct User<'a> {
    id: i64,
    email: Cow<'a, str>,
    first_name: String,
    last_name: String,
}

/// Sends a code. The answer is the same for every address and number that is one.
pub(crate) async fn request(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    came_from: CameFrom,
    mut fields: Fields,
) -> ApiResult {
    let contact = contact(&mut fields);
    let source = came_from.checked(&mut fields);
    let arrival = Arrival { source, ..arrival(&app, &headers, caller) }.through(Door::Codes);
    let contact = fields.finish(contact)?;
    let message = match &contact {
        Contact::Email(_) => "OTP sent to email",
        Contact::Phone(_) => "OTP sent to phone",
    };
    let mut response = answer::json(StatusCode::OK, &Requested { success: true, message });
    send(&app, &contact, &headers, &arrival, &mut response).await?;
    Ok(response)
}

/// Asks the core for a code and lets the browser keep what makes the mail's link its own.
pub(crate) async fn send(
    app: &App,
    contact: &Contact,
    headers: &HeaderMap,
    arrival: &Arrival,
    response: &mut axum::response::Response,
) -> Result<(), Problem> {
    let browser = app.cookies().read_secret(headers, Cookie::CodeFlow).filter(is_of_ours);
    let sent = app.auth().sign_in().request_code(contact, browser, arrival).await;
    let sent = sent.map_err(|error| error.explain(app.now()))?;
    let line = app.cookies().set(
        Cookie::CodeFlow,
        sent.browser.reveal(),
        sent.browser_lifetime,
        app.now(),
    );
    answer::add_token_cookie(response, line)
}

/// Whether a browser's secret can be one that we gave out: 32 bytes in Base64url. Anything else
/// is answered with a new one, since not every text can be a cookie of ours.
fn is_of_ours(browser: &Token) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    browser.reveal().len() == 43 && browser.reveal().bytes().all(is_plain)
}

/// Exchanges a code for a session.
pub(crate) async fn verify(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    came_from: CameFrom,
    mut fields: Fields,
) -> ApiResult {
    let contact = contact(&mut fields);
    let code = code(&mut fields, ["otp_code", "otp"]);
    let source = came_from.checked(&mut fields);
    let arrival = Arrival { source, ..arrival(&app, &headers, caller) }.through(Door::Codes);
    let (contact, code) = fields.finish(contact.zip(code))?;
    let attempt = CodeAttempt { contact, code, arrival };
    let step = app.auth().sign_in().with_code(attempt).await;
    match step.map_err(|error| of_code(error, app.now()))? {
        Step::SignedIn(signed_in) => signed_in_answer(&app, &signed_in).await,
        Step::SecondFactor(challenge) => Err(Problem::SecondFactorRequired(challenge)),
    }
}

/// Exchanges a mailed link's token for a session, for front ends with a page of their own.
pub(crate) async fn link(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    mut fields: Fields,
) -> ApiResult {
    let token = fields.secret("token");
    fields.refuse_unknown();
    let token = fields.finish(token)?;
    let browser = app.cookies().read_secret(&headers, Cookie::CodeFlow);
    let arrival = arrival(&app, &headers, caller);
    let sign_in = app.auth().sign_in();
    let step = sign_in.with_link(token.reveal(), browser.as_ref(), arrival).await;
    match step.map_err(|error| of_link(error.explain(app.now())))? {
        LinkStep::OtherBrowser => Err(Problem::OtherBrowser),
        LinkStep::Step(Step::SecondFactor(challenge)) => {
            Err(Problem::SecondFactorRequired(challenge))
        }
        LinkStep::Step(Step::SignedIn(signed_in)) => signed_in_answer(&app, &signed_in).await,
    }
}

/// A link is no credential that somebody mistyped.
fn of_link(problem: Problem) -> Problem {
    if matches!(problem, Problem::InvalidCredentials) { Problem::InvalidLink } else { problem }
}

pub(crate) async fn signed_in_answer(app: &App, signed_in: &SignedIn) -> ApiResult {
    let started = &signed_in.started;
    let account = &signed_in.account;
    let profile = app.auth().profiles().find(account.id).await?;
    let profile = profile.ok_or(Problem::UserNotFound)?;
    let body = Verified {
        success: true,
        tokens: Tokens { access: started.access.reveal(), refresh: started.refresh_body.reveal() },
        user: User {
            id: account.number,
            email: answer::shown_email(account),
            first_name: profile.first_name,
            last_name: profile.last_name,
        },
    };
    let mut response = answer::json(StatusCode::OK, &body);
    answer::add_device(&mut response, app, signed_in)?;
    Ok(response)
}

/// `identifier`, as the channel reads it: the one that was named, else what it looks like.
pub(crate) fn contact(fields: &mut Fields) -> Option<Contact> {
    let identifier = fields.text("identifier");
    let channel = fields.optional_text("channel");
    let is_phone = match channel.as_deref().map(str::trim).filter(|channel| !channel.is_empty()) {
        Some("email") => false,
        Some("phone" | "sms") => true,
        Some(other) => {
            fields.mistake("channel", format!("\"{other}\" is not a valid choice."));
            return None;
        }
        None => !identifier.as_ref()?.contains('@'),
    };
    let identifier = identifier?;
    let read = if is_phone {
        Phone::parse(&identifier).map(Contact::Phone).map_err(phone_sentence)
    } else {
        Email::parse(&identifier).map(Contact::Email).map_err(|_| "Invalid email format.")
    };
    read.map_err(|sentence| fields.mistake("identifier", sentence)).ok()
}

fn phone_sentence(problem: PhoneProblem) -> &'static str {
    match problem {
        PhoneProblem::TooShort | PhoneProblem::Malformed => {
            "Phone number must be at least 10 digits."
        }
        PhoneProblem::TooLong => "Phone number must be no more than 15 digits.",
    }
}

/// Six digits under the contract's own name (the first), or the one that other clients use.
pub(crate) fn code(fields: &mut Fields, [own, other]: [&'static str; 2]) -> Option<Token> {
    let name = if fields.has(other) && !fields.has(own) { other } else { own };
    let code = fields.secret(name)?;
    let digits = code.reveal().trim();
    let mistake = match digits.chars().count() {
        ..6 => "Ensure this field has at least 6 characters.",
        7.. => "Ensure this field has no more than 6 characters.",
        6 if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
            return Some(Token::new(digits.to_owned()));
        }
        6 => "OTP must contain only digits.",
    };
    fields.mistake(name, mistake);
    None
}
