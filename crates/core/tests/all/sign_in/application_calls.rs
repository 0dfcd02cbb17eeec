//! What an application with a front end of its own calls (contract otp-api §3, §4).

use ironlatch_core::database::Statement;
use ironlatch_core::ids::AccountId;
use ironlatch_core::sign_in::{
    RegisterUserError, RequestOtpError, SecondFactor, SecondFactorAttempt, VerifyOtpError,
};

use super::*;

const SPRING: &str = "https://myapp.com/?utm_source=facebook&utm_campaign=spring";
const NUMBER: &str = "+491512345678";

/// Asks for a code and takes it out of the mailbox, or off the phone.
async fn code(test: &TestAuth, identifier: &str, client: &Client) -> Token {
    test.auth.sign_in().request_otp(identifier, Some(SPRING), client).await.unwrap();
    test.deliver().await;
    secret(&test.inbox.latest(identifier).code())
}

async fn verify(test: &TestAuth, who: &str, code: &Token, client: &Client) -> Option<Step> {
    test.auth.sign_in().verify_otp(who, code, None, client).await.unwrap()
}

#[track_caller]
fn in_session(step: Option<Step>) -> SignedIn {
    match step {
        Some(Step::SignedIn(signed_in)) => *signed_in,
        other => panic!("not signed in: {other:?}"),
    }
}

async fn count(test: &TestAuth, sql: &'static str, account: AccountId) -> i64 {
    let row = test.auth.database().read_one(Statement::new(sql, [account.into()])).await;
    row.unwrap().unwrap().int(0).unwrap()
}

/// The sources an account came from, and those that made it.
async fn sources(test: &TestAuth, account: AccountId) -> (i64, i64) {
    let all = "SELECT COUNT(*) FROM account_sources WHERE account_id = $1";
    let first = "SELECT COUNT(*) FROM account_sources WHERE account_id = $1 AND is_first";
    (count(test, all, account).await, count(test, first, account).await)
}

#[tokio::test]
async fn a_code_signs_in_and_makes_the_account_with_its_source() {
    each_auth(async |test| {
        let client = test.stranger();
        for (identifier, spelled) in [(ADA, " ada@example.com "), (NUMBER, "0049 151 2345678")] {
            let code = code(&test, identifier, &client).await;
            assert!(!test.inbox.latest(identifier).text.contains("http"), "no browser, no link");
            assert!(verify(&test, "bob@example.com", &code, &client).await.is_none());
            let typed = secret(&format!(" {} ", code.reveal()));
            let made = in_session(verify(&test, spelled, &typed, &client).await);
            assert!(made.is_new && works(&test, &made).await);
            assert_eq!(sources(&test, made.account.id).await, (1, 1));
            assert!(verify(&test, identifier, &code, &client).await.is_none(), "once");
        }
        let again = code(&test, ADA, &client).await;
        let other = test.auth.sign_in();
        let step = other.verify_otp(ADA, &again, Some("https://else.example"), &client).await;
        let again = in_session(step.unwrap());
        assert!(!again.is_new);
        assert_eq!(sources(&test, again.account.id).await, (2, 1));
    })
    .await;
}

#[tokio::test]
async fn wrong_late_and_impossible_codes_are_none() {
    each_auth(async |test| {
        let client = test.stranger();
        let right = code(&test, ADA, &client).await;
        let wrong = if right.reveal() == "000000" { "111111" } else { "000000" };
        for typed in [wrong, "", "12345", "\u{661}\u{662}"] {
            assert!(verify(&test, ADA, &secret(typed), &client).await.is_none(), "{typed:?}");
        }
        for identifier in ["", "nobody", "a@", NUMBER] {
            assert!(verify(&test, identifier, &right, &client).await.is_none(), "{identifier:?}");
        }
        let late = code(&test, "eve@example.com", &client).await;
        test.clock.advance(minutes(5));
        assert!(verify(&test, "eve@example.com", &late, &client).await.is_none(), "B07");
        let mut stopped = false;
        for _ in 0..10 {
            let guess = secret(wrong);
            let answer = test.auth.sign_in().verify_otp(ADA, &guess, None, &client).await;
            stopped |= matches!(answer, Err(VerifyOtpError::TooManyRequests { .. }));
        }
        assert!(stopped, "guessing is slowed down");
    })
    .await;
}

#[tokio::test]
async fn an_account_with_a_second_factor_is_not_signed_in_by_a_code() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        let enrolled = test.enrol(ADA, PASSWORD).await;
        let client = test.stranger();
        let code = code(&test, ADA, &client).await;
        let Some(Step::SecondFactor(challenge)) = verify(&test, ADA, &code, &client).await else {
            panic!("the app's code is asked for")
        };
        test.clock.advance(seconds(30));
        let attempt = SecondFactorAttempt {
            challenge: challenge.token,
            method: SecondFactor::Totp,
            code: enrolled.code(test.now()),
            arrival: Arrival::new(client).through(Door::Codes),
        };
        let signed_in = test.auth.sign_in().second_factor(attempt).await.unwrap();
        assert!(works(&test, &signed_in).await);
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_in_the_contracts_words() {
    each_auth(async |test| {
        let client = test.stranger();
        let sign_in = test.auth.sign_in();
        let ask = async |identifier| sign_in.request_otp(identifier, None, &client).await;
        for (identifier, sentence) in [
            ("ada@", "Invalid email format."),
            ("", "Phone number must be at least 10 digits."),
            ("12345", "Phone number must be at least 10 digits."),
            ("+33612345678", "Failed to send OTP"),
        ] {
            assert_eq!(ask(identifier).await.unwrap_err().to_string(), sentence);
        }
        for _ in 0..4 {
            ask(ADA).await.unwrap();
        }
        let refused = ask(ADA).await.unwrap_err();
        assert_eq!(refused.to_string(), "Too many requests");
        assert!(matches!(refused, RequestOtpError::TooManyRequests { retry_at } if retry_at > test.now()));
        test.auth.limits().stop_sms().await.unwrap();
        let stopped = ask(NUMBER).await;
        assert!(matches!(stopped, Err(RequestOtpError::NotSent(_))), "{stopped:?}");
    })
    .await;
}

#[tokio::test]
async fn registering_twice_finds_the_account_and_links_no_second_source() {
    each_auth(async |test| {
        let sign_in = test.auth.sign_in();
        let (made, created) = sign_in.register_user(ADA, Some(SPRING)).await.unwrap();
        assert!(created && made.email_verified_at.is_none());
        let again = sign_in.register_user(" ADA@example.com", Some("https://else.example")).await;
        let (same, created) = again.unwrap();
        assert!(!created && same.id == made.id);
        assert_eq!(sources(&test, made.id).await, (1, 1));
        test.auth.profiles().find(made.id).await.unwrap().expect("a profile was made with it");
        let passwords = "SELECT COUNT(*) FROM passwords WHERE account_id = $1";
        assert_eq!(count(&test, passwords, made.id).await, 0);
        for (text, sentence) in [("  ", "Email is required"), ("ada@", "Invalid email format.")] {
            let refused = sign_in.register_user(text, None).await.unwrap_err();
            assert_eq!(refused.to_string(), sentence);
            assert!(!matches!(refused, RegisterUserError::Internal(_)));
        }
        test.deliver().await;
        assert!(test.inbox.all().is_empty(), "nobody is written to");
        let bob = test.verified_account("bob@example.com").await;
        let (found, created) = sign_in.register_user("bob@example.com", None).await.unwrap();
        assert!(!created && found.id == bob.id && found.email_verified_at.is_some());
    })
    .await;
}

#[tokio::test]
async fn c01_a_registered_account_opens_to_its_mailbox_alone_and_is_empty_then() {
    each_auth(async |test| {
        let (made, _) = test.auth.sign_in().register_user(ADA, Some(SPRING)).await.unwrap();
        assert!(test.try_sign_in(ADA, PASSWORD).await.is_err());
        test.auth.accounts().set_application_token(made.id, &secret("kept")).await.unwrap();
        let client = test.stranger();
        let code = code(&test, ADA, &client).await;
        let signed_in = in_session(verify(&test, ADA, &code, &client).await);
        assert_eq!(signed_in.account.id, made.id);
        assert!(!signed_in.is_new && signed_in.account.email_verified_at.is_some());
        assert!(test.auth.accounts().application_token(made.id).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn of_fifty_that_register_one_makes_the_account() {
    each_auth(async |test| {
        for round in 0..3 {
            let email = format!("ada{round}@example.com");
            let calls = (0..50).map(|_| {
                let (auth, email) = (test.auth.clone(), email.clone());
                tokio::spawn(async move { auth.sign_in().register_user(&email, None).await })
            });
            let mut accounts = std::collections::HashSet::new();
            let mut created = 0;
            for answer in futures_util::future::join_all(calls).await {
                let (account, is_created) = answer.unwrap().unwrap();
                accounts.insert(account.id);
                created += usize::from(is_created);
            }
            assert_eq!((accounts.len(), created), (1, 1));
        }
    })
    .await;
}
