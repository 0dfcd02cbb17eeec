//! An authenticator app without a phone.

use data_encoding::BASE32_NOPAD;
use ironlatch_core::client::Client;
use ironlatch_core::ports::Token;
use ironlatch_core::sign_in::{
    Arrival, Challenge, Confirmation, PasswordAttempt, RECENT, SecondFactor, SecondFactorAttempt,
    SecondFactorError, SignedIn, Step,
};
use ironlatch_core::time::{Timestamp, seconds};
use totp_rs::{Builder, Secret};

use crate::{TestAuth, address};

/// What somebody who has enrolled keeps: the app's secret and the recovery codes.
#[derive(Debug, Clone)]
pub struct Enrolled {
    /// In base32, as the app got it.
    pub secret: Token,
    /// All ten, unused.
    pub recovery_codes: Vec<Token>,
}

impl Enrolled {
    /// What the app shows at a moment.
    #[must_use]
    pub fn code(&self, at: Timestamp) -> Token {
        Token::new(totp_code(self.secret.reveal(), at))
    }
}

/// What an app with this secret (base32) shows at a moment.
#[must_use]
pub fn totp_code(secret: &str, at: Timestamp) -> String {
    let bytes = BASE32_NOPAD.decode(secret.as_bytes()).expect("the secret is base32");
    let bytes = <[u8; 20]>::try_from(bytes).expect("the secret has 160 bits");
    let app = Builder::new().with_secret(Secret::new_stack(bytes)).build().expect("an app");
    app.generate(at.seconds().unsigned_abs()).to_string()
}

impl TestAuth {
    /// Enrols an app for somebody without one, from a sign-in of their own, with the recovery
    /// codes. Their other sessions end.
    pub async fn enrol(&self, email: &str, password: &str) -> Enrolled {
        let signed_in = self.sign_in(email, password).await;
        self.enrol_in(&signed_in).await
    }

    /// Enrols an app in this session, which stays.
    pub async fn enrol_in(&self, signed_in: &SignedIn) -> Enrolled {
        let present = self.auth.sessions().check(signed_in.started.access.reveal()).await;
        let present = present.expect("the session is live");
        let sign_in = self.auth.sign_in();
        let begun = sign_in.begin_totp(&present, RECENT).await.expect("an enrolment begins");
        let code = Token::new(totp_code(begun.secret.reveal(), self.now()));
        let confirmation = Confirmation { code, wants_recovery_codes: true };
        let client = self.stranger();
        let codes = sign_in.confirm_totp(&present, &confirmation, &client).await;
        let recovery_codes = codes.expect("the first code confirms");
        Enrolled { secret: begun.secret, recovery_codes }
    }

    /// The first step of somebody with an app: the challenge.
    pub async fn challenge(&self, email: &str, password: &str) -> Challenge {
        let attempt = PasswordAttempt {
            identifier: address(email).into(),
            password: Token::new(password.to_owned()),
            expects_second_factor: false,
            arrival: Arrival::new(self.stranger()),
        };
        match self.auth.sign_in().with_password(attempt).await.expect("the password is right") {
            Step::SecondFactor(challenge) => challenge,
            Step::SignedIn(_) => panic!("{email} has no second factor"),
        }
    }

    /// Answers a challenge from a network of its own.
    pub async fn answer(
        &self,
        challenge: &Challenge,
        method: SecondFactor,
        code: &Token,
    ) -> Result<SignedIn, SecondFactorError> {
        let client: Client = self.stranger();
        let attempt = SecondFactorAttempt {
            challenge: challenge.token.clone(),
            method,
            code: code.clone(),
            arrival: Arrival::new(client),
        };
        self.auth.sign_in().second_factor(attempt).await
    }

    /// Both steps. The clock moves on to the app's next code: none works twice.
    pub async fn sign_in_strongly(
        &self,
        email: &str,
        password: &str,
        enrolled: &Enrolled,
    ) -> SignedIn {
        self.clock.advance(seconds(30));
        let challenge = self.challenge(email, password).await;
        let code = enrolled.code(self.now());
        let answered = self.answer(&challenge, SecondFactor::Totp, &code).await;
        answered.expect("the app's code is right")
    }
}
