//! `POST /cfg/accounts/otp/{request,verify}/`.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use ironlatch_core::accounts::Contact;
use ironlatch_core::sessions::Door;
use ironlatch_core::sign_in::{Arrival, CodeAttempt, SignedIn, Step};
use serde::Serialize;

use crate::api::user_object::UserObject;
use crate::api::{ApiResult, answer, otp};
use crate::app::App;
use crate::doors::arrival;
use crate::problem::{Problem, of_code};
use crate::request::caller::Caller;
use crate::request::fields::Fields;
use crate::request::source::CameFrom;

#[derive(Serialize)]
struct Requested {
    message: &'static str,
}

#[derive(Serialize)]
struct Verified<'a> {
    refresh: &'a str,
    access: &'a str,
    user: UserObject,
}

/// Sends a code. The answer is the same for every address and number that is one.
pub(crate) async fn request(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    came_from: CameFrom,
    mut fields: Fields,
) -> ApiResult {
    let contact = otp::contact(&mut fields);
    let source = came_from.checked(&mut fields);
    let contact = fields.finish(contact)?;
    let arrival = Arrival { source, ..arrival(&app, Door::Cfg, &headers, caller) };
    let message = match &contact {
        Contact::Email(_) => "OTP sent to your email address",
        Contact::Phone(_) => "OTP sent to your phone number",
    };
    let mut response = answer::json(StatusCode::OK, &Requested { message });
    otp::send(&app, &contact, &headers, &arrival, &mut response).await?;
    Ok(response)
}

/// Exchanges a code for tokens and the whole user. Where a second factor is enrolled, its
/// challenge is beside the sentence that the client shows: it goes on at `/api/auth/2fa/verify`.
pub(crate) async fn verify(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    came_from: CameFrom,
    mut fields: Fields,
) -> ApiResult {
    let contact = otp::contact(&mut fields);
    let source = came_from.checked(&mut fields);
    let code = otp::code(&mut fields, ["otp", "otp_code"]);
    let (contact, code) = fields.finish(contact.zip(code))?;
    let arrival = Arrival { source, ..arrival(&app, Door::Cfg, &headers, caller) };
    let step = app.auth().sign_in().with_code(CodeAttempt { contact, code, arrival }).await;
    match step.map_err(|error| of_code(error, app.now()))? {
        Step::SignedIn(signed_in) => signed_in_answer(&app, &signed_in).await,
        Step::SecondFactor(challenge) => Err(Problem::SecondFactorRequired(challenge)),
    }
}

pub(crate) async fn signed_in_answer(app: &App, signed_in: &SignedIn) -> ApiResult {
    let profile = app.auth().profiles().find(signed_in.account.id).await?;
    let profile = profile.ok_or(Problem::UserNotFound)?;
    let started = &signed_in.started;
    let body = Verified {
        refresh: started.refresh_body.reveal(),
        access: started.access.reveal(),
        user: UserObject::of(app, &signed_in.account, profile),
    };
    let mut response = answer::json(StatusCode::OK, &body);
    answer::add_device(&mut response, app, signed_in)?;
    Ok(response)
}
