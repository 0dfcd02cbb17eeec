//! Acts whose session ends between its check and the act, as when a request's body is held back
//! until its sender sees that the session is over (attacks C01, D04).

use ironlatch_core::accounts::{Contact, Phone};
use ironlatch_core::ids::IdentityId;
use ironlatch_core::sessions::Present;
use ironlatch_core::sign_in::{
    Anew, AnewError, CodeAttempt, Confirmation, DisconnectError, FactorError, RECENT,
    SocialSignInError,
};
use ironlatch_core::social::Grant;
use ironlatch_testkit::totp_code;

use super::*;

const EVE: &str = "eve@evil.example";

/// Everything somebody signed in can do to their account, each refused.
async fn nothing_goes(test: &TestAuth, present: &Present, app: &Token) {
    let (sign_in, client) = (test.auth.sign_in(), test.stranger());
    let asked = sign_in.change_email(present, &address(EVE), &client).await;
    assert!(asked.is_err(), "another address");
    let phone = Phone::parse("+491512345678").unwrap();
    assert!(sign_in.change_phone(present, &phone, &client).await.is_err(), "a number");
    let code = secret("123456");
    let confirmed = sign_in.confirm_phone_change(present, &phone, &code, &client).await;
    assert!(confirmed.is_err());
    let code = secret(&totp_code(app.reveal(), test.now()));
    let confirmation = Confirmation { code, wants_recovery_codes: true };
    let confirmed = sign_in.confirm_totp(present, &confirmation, &client).await;
    assert!(matches!(confirmed, Err(FactorError::Busy { .. })), "an app that was begun before");
    let begun = sign_in.begin_totp(present, RECENT).await;
    assert!(matches!(begun, Err(FactorError::Busy { .. })), "an app");
    assert!(sign_in.remove_totp(present, RECENT, &client).await.is_err());
    assert!(sign_in.replace_recovery_codes(present, RECENT, &client).await.is_err());
    let (old, new) = (secret(PASSWORD), secret(NEW));
    let changed = sign_in.change_password(present, Some(&old), &new, &client).await;
    assert!(matches!(changed, Err(OwnerError::Busy { .. })), "a password");
    let changed = sign_in.change_password(present, None, &new, &client).await;
    assert!(matches!(changed, Err(OwnerError::Busy { .. })), "a first password");
    let ended = sign_in.end_other_sessions(present, &client).await;
    assert!(matches!(ended, Err(OwnerError::Busy { .. })), "other sessions");
    let closed = sign_in.close_account_after_sign_in(present, hours(1), &client).await;
    assert!(matches!(closed, Err(OwnerError::Busy { .. })), "the account");
    let departed = sign_in.depart_to_connect(present, "google", None).await;
    assert!(matches!(departed, Err(SocialSignInError::ProveAgain)), "an identity, by the browser");
    let connected = sign_in.connect(present, "google", Grant::default(), &client).await;
    assert!(matches!(connected, Err(SocialSignInError::ProveAgain)), "an identity");
    let identity = IdentityId::parse("01997f3a-0000-7000-8000-000000000000").unwrap();
    let removed = sign_in.disconnect(present, identity, &client).await;
    assert!(matches!(removed, Err(DisconnectError::ProveAgain)), "the removal of one");
    let arrival = Arrival::new(client);
    let anew = Anew { password: Some(old), second: None, arrival };
    let anew = sign_in.prove_anew(present, anew).await;
    assert!(matches!(anew, Err(AnewError::Busy { .. })), "a session in its place");
    test.deliver().await;
    assert!(test.inbox.to(EVE).is_empty());
}

async fn present(test: &TestAuth, signed_in: &SignedIn) -> Present {
    test.auth.sessions().check(signed_in.started.access.reveal()).await.unwrap()
}

#[tokio::test]
async fn c01_whoever_made_the_account_does_nothing_to_it_after_its_owners_first_proof() {
    each_auth(async |test| {
        test.sign_up(ADA).await;
        let makers = test.sign_in(ADA, PASSWORD).await;
        let held_back = present(&test, &makers).await;
        let sign_in = test.auth.sign_in();
        let begun = sign_in.begin_totp(&held_back, RECENT).await.unwrap();

        let contact = Contact::Email(address(ADA));
        let arrival = Arrival::new(test.stranger());
        sign_in.request_code(&contact, None, &arrival).await.unwrap();
        test.deliver().await;
        let code = secret(&test.inbox.latest(ADA).code());
        let Step::SignedIn(owners) =
            sign_in.with_code(CodeAttempt { contact, code, arrival }).await.unwrap()
        else {
            panic!("nobody enrolled a second factor")
        };

        nothing_goes(&test, &held_back, &begun.secret).await;
        assert!(works(&test, &owners).await);
        let greeting = test.inbox.latest_about(ADA, "Welcome");
        // Names and addresses in mails are broken so that they are no links.
        let greeting = greeting.text.replace('\u{200B}', "");
        assert!(greeting.contains("Hello ada@example.com,"), "no name of the maker's choosing");
        let account = owners.account.id;
        assert!(!test.auth.totp().is_enrolled(account).await.unwrap());
        assert_eq!(test.account(ADA).await.id, account);
    })
    .await;
}

#[tokio::test]
async fn d04_a_session_that_was_ended_acts_no_more_wherever_its_request_waits() {
    each_auth(async |test| {
        let ada = test.verified_account(ADA).await;
        let owners = test.sign_in(ADA, PASSWORD).await;
        let thiefs = test.sign_in(ADA, PASSWORD).await;
        let held_back = present(&test, &thiefs).await;
        let begun = test.auth.sign_in().begin_totp(&held_back, RECENT).await.unwrap();
        let sessions = test.auth.sessions();
        let thiefs = held_back.claims.session;
        assert!(sessions.end(ada.id, thiefs, &test.stranger()).await.unwrap());
        nothing_goes(&test, &held_back, &begun.secret).await;
        assert!(works(&test, &owners).await);
    })
    .await;
}
