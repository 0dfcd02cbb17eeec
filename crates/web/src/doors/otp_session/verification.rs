//! `POST /users/verification/`: the code and a password for the account.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use ironlatch_core::accounts::{Email, Username};
use ironlatch_core::ports::Token;
use ironlatch_core::sessions::Door;
use ironlatch_core::sign_in::{Arrival, CodeSignUp, CodeSignUpError};

use super::{done, refused, values};
use crate::api::ApiResult;
use crate::app::App;
use crate::doors::arrival;
use crate::problem::{Explain, Problem};
use crate::request::caller::Caller;
use crate::request::fields::Fields;
use crate::request::source::CameFrom;

/// Leading zeros belong to codes and not to numbers, which clients may send.
const DIGITS: usize = 6;

/// Makes the account. Nobody is signed in by it.
pub(crate) async fn submit(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    came_from: CameFrom,
    fields: Result<Fields, Problem>,
) -> ApiResult {
    let mut fields = values(fields)?;
    if ["email", "username", "password", "otp"].into_iter().any(|name| fields.is_empty(name)) {
        let detail = "email, username, password and otp are required";
        return Ok(refused(StatusCode::BAD_REQUEST, detail));
    }
    let source = came_from.hint(&mut fields);
    let email = fields.text("email");
    let username = fields.text("username");
    let password = fields.secret("password");
    let code = fields.secret("otp");
    let ((email, username), (password, code)) =
        fields.finish(email.zip(username).zip(password.zip(code)))?;
    let (Ok(email), Ok(username)) = (Email::parse(&email), Username::parse(&username)) else {
        // Nobody can have asked for a code with these.
        return explained(CodeSignUpError::Unknown, &app);
    };

    let arrival = Arrival { source, ..arrival(&app, Door::OtpSession, &headers, caller) };
    let wish = CodeSignUp { username, email, password, code: six_digits(&code), arrival };
    match app.auth().sign_in().sign_up_with_code(wish).await {
        Ok(_account) => Ok(done()),
        Err(error) => explained(error, &app),
    }
}

/// A number in the digits of a code; anything else as it is, which is no code.
fn six_digits(code: &Token) -> Token {
    let digits = code.reveal().trim();
    if digits.bytes().all(|digit| digit.is_ascii_digit()) {
        Token::new(format!("{digits:0>DIGITS$}"))
    } else {
        Token::new(digits.to_owned())
    }
}

fn explained(error: CodeSignUpError, app: &App) -> ApiResult {
    Ok(match error {
        CodeSignUpError::Unknown => {
            refused(StatusCode::NOT_FOUND, "No such user found, request a signup first")
        }
        CodeSignUpError::Expired => refused(StatusCode::GONE, "OTP expired"),
        CodeSignUpError::WrongCode => refused(StatusCode::UNAUTHORIZED, "wrong otp"),
        // As the request for the code would have been answered by now.
        CodeSignUpError::Taken { username: true, .. } => {
            refused(StatusCode::OK, "username already exist")
        }
        CodeSignUpError::Taken { username: false, .. } => {
            refused(StatusCode::OK, "email already in use")
        }
        error @ (CodeSignUpError::Password(_)
        | CodeSignUpError::TooManyAttempts { .. }
        | CodeSignUpError::Busy { .. }
        | CodeSignUpError::Internal(_)) => return Err(error.explain(app.now())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_get_back_the_zeros_they_lost() {
        for (sent, code) in [
            ("100531", "100531"),
            ("42137", "042137"),
            ("7", "000007"),
            (" 042137 ", "042137"),
            ("1234567", "1234567"),
            ("12.5", "12.5"),
            ("-42137", "-42137"),
            ("none", "none"),
        ] {
            assert_eq!(six_digits(&Token::new(sent.to_owned())).reveal(), code);
        }
    }
}
