//! Codes and their links: what they prove, whom they let in, and what they cost.

use ironlatch_core::accounts::{Contact, Phone};
use ironlatch_core::sign_in::{CodeAttempt, CodeRequestError, LinkStep, LinkView};
use ironlatch_core::sources::{SourceHint, Wish};

use super::*;

const NUMBER: &str = "+491701234567";

fn email(address: &str) -> Contact {
    Contact::Email(super::address(address))
}

fn phone(number: &str) -> Contact {
    Contact::Phone(Phone::parse(number).unwrap())
}

async fn ask(test: &TestAuth, contact: &Contact, arrival: &Arrival) -> String {
    test.auth.sign_in().request_code(contact, None, arrival).await.unwrap();
    test.deliver().await;
    let to = match contact {
        Contact::Email(email) => email.as_typed(),
        Contact::Phone(phone) => phone.key(),
    };
    test.inbox.latest(to).code()
}

async fn tell(
    test: &TestAuth,
    contact: &Contact,
    code: &str,
    arrival: &Arrival,
) -> Result<Step, SignInError> {
    let (contact, code, arrival) = (contact.clone(), secret(code), arrival.clone());
    test.auth.sign_in().with_code(CodeAttempt { contact, code, arrival }).await
}

/// Asks and tells from one network.
async fn enter(test: &TestAuth, contact: &Contact) -> SignedIn {
    let arrival = Arrival::new(test.stranger());
    let code = ask(test, contact, &arrival).await;
    match tell(test, contact, &code, &arrival).await.unwrap() {
        Step::SignedIn(signed_in) => *signed_in,
        Step::SecondFactor(_) => panic!("nobody enrolled a second factor"),
    }
}

fn refused(step: &Result<Step, SignInError>) -> bool {
    matches!(step, Err(SignInError::WrongCredentials))
}

#[tokio::test]
async fn c01_a_code_is_a_first_proof_that_leaves_nothing_of_the_accounts_maker() {
    each_auth(async |test| {
        let maker = test.sign_up(ADA).await;
        let session = test.sign_in(ADA, PASSWORD).await;
        let verification = test.inbox.latest(ADA).token();
        let owner = enter(&test, &email(ADA)).await;
        assert_eq!(owner.account.id, maker.id);
        assert!(owner.account.email_verified_at.is_some());
        assert!(!works(&test, &session).await, "the maker's session is gone");
        let password = test.try_sign_in(ADA, PASSWORD).await;
        assert!(matches!(password, Err(SignInError::WrongCredentials)), "so is the password");
        let link = test.auth.sign_in().look_at_verification(&verification, None).await;
        assert!(matches!(link, Err(LinkError::Invalid)), "so is the link");
        assert!(works(&test, &owner).await);
    })
    .await;
}

#[tokio::test]
async fn a_code_of_a_proven_account_changes_nothing_but_the_session() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        let before = test.sign_in(ADA, PASSWORD).await;
        let by_code = enter(&test, &email(ADA)).await;
        assert_eq!(by_code.account.id, before.account.id);
        assert!(!by_code.is_new);
        assert!(works(&test, &before).await);
        test.sign_in(ADA, PASSWORD).await;
    })
    .await;
}

#[tokio::test]
async fn a_number_makes_an_account_of_its_own() {
    each_auth(async |test| {
        let first = enter(&test, &phone(NUMBER)).await;
        assert!(first.is_new);
        assert_eq!(first.account.email, None);
        let sms = test.inbox.latest(NUMBER);
        assert_eq!(sms.channel, "sms");
        assert!(sms.text.starts_with("Your verification code is: "), "{}", sms.text);
        assert!(!sms.text.contains("http"), "an SMS has no link: {}", sms.text);
        let again = enter(&test, &phone("+49 170 1234567")).await;
        assert_eq!(again.account.id, first.account.id);
    })
    .await;
}

#[tokio::test]
async fn b22_numbers_abroad_get_no_code() {
    each_auth(async |test| {
        let abroad = phone("+18765550123");
        let arrival = Arrival::new(test.stranger());
        let asked = test.auth.sign_in().request_code(&abroad, None, &arrival).await;
        assert!(matches!(asked, Err(CodeRequestError::NoSms(_))));
        test.auth.limits().stop_sms().await.unwrap();
        let stopped = test.auth.sign_in().request_code(&phone(NUMBER), None, &arrival).await;
        assert!(matches!(stopped, Err(CodeRequestError::NoSms(_))));
        test.deliver().await;
        assert!(test.inbox.all().is_empty());
    })
    .await;
}

#[tokio::test]
async fn b07_a_code_and_its_link_die_on_the_second() {
    each_auth(async |test| {
        let (contact, arrival) = (email(ADA), Arrival::new(test.stranger()));
        let browser = secret("a secret of this browser, long enough");
        let ask_here = async || {
            let sign_in = test.auth.sign_in();
            sign_in.request_code(&contact, Some(browser.clone()), &arrival).await.unwrap();
            test.deliver().await;
            test.inbox.latest(ADA)
        };
        let mail = ask_here().await;
        test.clock.advance(minutes(5).saturating_sub(seconds(1)));
        let seen = test.auth.sign_in().look_at_code_link(&mail.token(), Some(&browser)).await;
        assert!(matches!(seen, Ok(LinkView::Ready { .. })));
        test.clock.advance(seconds(1));
        assert!(refused(&tell(&test, &contact, &mail.code(), &arrival).await));
        let seen = test.auth.sign_in().look_at_code_link(&mail.token(), Some(&browser)).await;
        assert!(matches!(seen, Err(SignInError::WrongCredentials)));

        let mail = ask_here().await;
        test.clock.advance(minutes(5).saturating_sub(seconds(1)));
        tell(&test, &contact, &mail.code(), &arrival).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn b02_failures_survive_a_new_code() {
    each_auth(async |test| {
        let (contact, arrival) = (email(ADA), Arrival::new(test.stranger()));
        let mut code = String::new();
        for _ in 0..3 {
            code = ask(&test, &contact, &arrival).await;
            for _ in 0..3 {
                let _ = tell(&test, &contact, "000000", &arrival).await;
            }
        }
        let right = tell(&test, &contact, &code, &arrival).await;
        assert!(matches!(right, Err(SignInError::TooManyAttempts { .. })), "{right:?}");
    })
    .await;
}

#[tokio::test]
async fn a_code_goes_to_the_address_as_its_owner_typed_it() {
    each_auth(async |test| {
        test.verified_account("Ada@Example.com").await;
        let arrival = Arrival::new(test.stranger());
        let asked = email("aDA@example.COM");
        test.auth.sign_in().request_code(&asked, None, &arrival).await.unwrap();
        test.deliver().await;
        let code = test.inbox.latest_about("Ada@Example.com", "verification code").code();
        tell(&test, &asked, &code, &arrival).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn another_spelling_gets_neither_the_code_nor_the_account() {
    each_auth(async |test| {
        let asked = email("ada@example.com");
        let here = Arrival::new(test.stranger());
        ask(&test, &asked, &here).await;
        let other = email("ADA@Example.com");
        let elsewhere = Arrival::new(test.stranger());
        for _ in 0..3 {
            test.auth.sign_in().request_code(&other, None, &elsewhere).await.unwrap();
        }
        test.deliver().await;
        let sent = test.inbox.to("ada@example.com").len();
        // Over the limit the live code of this network goes out again, to where it went.
        test.auth
            .sign_in()
            .request_code(&email("aDa@example.com"), None, &elsewhere)
            .await
            .unwrap();
        test.deliver().await;
        assert_eq!(test.inbox.to("aDa@example.com").len(), 0);
        assert_eq!(test.inbox.to("ada@example.com").len(), sent);

        let code = test.inbox.latest("ada@example.com").code();
        let step = tell(&test, &email("adA@example.com"), &code, &here).await.unwrap();
        let Step::SignedIn(signed_in) = step else { panic!("nobody enrolled a second factor") };
        assert_eq!(signed_in.account.email.as_deref(), Some("ada@example.com"));
    })
    .await;
}

#[tokio::test]
async fn a_code_for_another_spelling_does_not_open_the_account_that_came_meanwhile() {
    each_auth(async |test| {
        let (other, arrival) = (email("ADA@example.com"), Arrival::new(test.stranger()));
        let browser = secret("a secret of this browser, long enough");
        let sign_in = test.auth.sign_in();
        sign_in.request_code(&other, Some(browser.clone()), &arrival).await.unwrap();
        test.deliver().await;
        let mail = test.inbox.latest("ADA@example.com");
        test.verified_account(ADA).await;
        let link = sign_in.with_link(&mail.token(), Some(&browser), arrival.clone()).await;
        assert!(matches!(link, Err(SignInError::WrongCredentials)));
        for asked in [&other, &email(ADA)] {
            assert!(refused(&tell(&test, asked, &mail.code(), &arrival).await));
        }
    })
    .await;
}

#[tokio::test]
async fn a_disabled_account_looks_like_a_wrong_code_on_both_ways() {
    each_auth(async |test| {
        let ada = test.verified_account(ADA).await;
        test.auth.accounts().disable(&AccountRef::Id(ada.id)).await.unwrap();
        let (contact, arrival) = (email(ADA), Arrival::new(test.stranger()));
        let browser = secret("a secret of this browser, long enough");
        let sign_in = test.auth.sign_in();
        sign_in.request_code(&contact, Some(browser.clone()), &arrival).await.unwrap();
        test.deliver().await;
        let mail = test.inbox.latest(ADA);
        let link = sign_in.with_link(&mail.token(), Some(&browser), arrival.clone()).await;
        assert!(matches!(link, Err(SignInError::WrongCredentials)));
        assert!(refused(&tell(&test, &contact, &mail.code(), &arrival).await));
    })
    .await;
}

#[tokio::test]
async fn an_app_is_asked_for_after_a_code_and_after_a_link() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        test.enrol(ADA, PASSWORD).await;
        let (contact, arrival) = (email(ADA), Arrival::new(test.stranger()));
        let code = ask(&test, &contact, &arrival).await;
        let step = tell(&test, &contact, &code, &arrival).await.unwrap();
        assert!(matches!(step, Step::SecondFactor(_)));

        let browser = secret("a secret of this browser, long enough");
        let sign_in = test.auth.sign_in();
        sign_in.request_code(&contact, Some(browser.clone()), &arrival).await.unwrap();
        test.deliver().await;
        let token = test.inbox.latest(ADA).token();
        let step = sign_in.with_link(&token, Some(&browser), arrival).await.unwrap();
        assert!(matches!(step, LinkStep::Step(Step::SecondFactor(_))));
    })
    .await;
}

#[tokio::test]
async fn b13_a_link_does_nothing_in_another_browser() {
    each_auth(async |test| {
        let (contact, arrival) = (email(ADA), Arrival::new(test.stranger()));
        let code = ask(&test, &contact, &arrival).await;
        let token = test.inbox.latest(ADA).token();
        for browser in [None, Some(secret("another browser's secret"))] {
            let sign_in = test.auth.sign_in();
            let seen = sign_in.look_at_code_link(&token, browser.as_ref()).await;
            assert!(matches!(seen, Ok(LinkView::OtherBrowser)));
            let step = sign_in.with_link(&token, browser.as_ref(), arrival.clone()).await;
            assert!(matches!(step, Ok(LinkStep::OtherBrowser)));
        }
        tell(&test, &contact, &code, &arrival).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn conversion_counts_who_asked_once_and_who_came() {
    each_auth(async |test| {
        let hint =
            |url: &str| SourceHint { source_url: Some(url.to_owned()), ..Default::default() };
        let arrival =
            Arrival { source: hint("https://news.example/a"), ..Arrival::new(test.stranger()) };
        let contact = email(ADA);
        ask(&test, &contact, &arrival).await;
        let code = ask(&test, &contact, &arrival).await;
        // The client sends the source with the request alone.
        let bare = Arrival { source: SourceHint::default(), ..arrival.clone() };
        tell(&test, &contact, &code, &bare).await.unwrap();
        ask(&test, &email("bob@example.com"), &arrival).await;
        let code = ask(&test, &contact, &arrival).await;
        tell(&test, &contact, &code, &arrival).await.unwrap();
        let report = test.auth.sources().conversion(&Wish::default()).await.unwrap();
        let rows: Vec<_> = report.rows.iter().map(|row| (row.requested, row.verified)).collect();
        assert_eq!(rows, [(2, 1)]);
    })
    .await;
}
