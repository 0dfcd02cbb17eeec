//! Mailed links, and what the first proof of an address does to an account (attack C01).

use super::*;

#[tokio::test]
async fn an_account_signs_up_proves_its_address_and_signs_in() {
    each_auth(async |test| {
        test.sign_up(ADA).await;
        let before = test.sign_in(ADA, PASSWORD).await;
        assert!(before.account.email_verified_at.is_none());

        let token = test.inbox.latest_about(ADA, "Verify").token();
        let seen = test.auth.sign_in().look_at_verification(&token, None).await.unwrap();
        assert!(matches!(seen, Verification::NeedsMore(_)), "looking proves nothing");
        let client = test.stranger();
        let verified =
            test.auth.sign_in().verify_email(&token, Evidence::ContractJson, &client).await;
        assert!(matches!(verified, Ok(Verification::Verified)));
        let present = test.auth.sessions().check(before.started.access.reveal()).await.unwrap();
        assert!(present.account.email_verified_at.is_some(), "known at once on this node");
        test.deliver().await;
        let _ = test.inbox.latest_about(ADA, "Welcome");
    })
    .await;
}

#[tokio::test]
async fn a_verification_link_answers_again_for_ten_minutes_and_dies_after_a_day() {
    each_auth(async |test| {
        test.sign_up(ADA).await;
        let client = test.stranger();
        let token = test.inbox.latest(ADA).token();
        let verify = async || {
            test.auth.sign_in().verify_email(&token, Evidence::ContractJson, &client).await
        };
        verify().await.unwrap();
        test.clock.advance(minutes(9));
        verify().await.unwrap();
        test.clock.advance(minutes(2));
        assert!(matches!(verify().await, Err(LinkError::Invalid)));

        test.sign_up("bob@example.com").await;
        let late = test.inbox.latest("bob@example.com").token();
        test.clock.advance(hours(24).saturating_sub(seconds(1)));
        test.auth.sign_in().look_at_verification(&late, None).await.unwrap();
        test.clock.advance(seconds(1));
        let gone = test.auth.sign_in().look_at_verification(&late, None).await;
        assert!(matches!(gone, Err(LinkError::Invalid)), "B07: dead on the second");
    })
    .await;
}

#[tokio::test]
async fn a_verification_link_opened_twice_at_once_verifies_once_and_answers_both() {
    each_auth(async |test| {
        for round in 0..20 {
            let email = format!("a{round}@example.com");
            test.sign_up(&email).await;
            let token = test.inbox.latest(&email).token();
            let open = |_| {
                let (auth, token, client) = (test.auth.clone(), token.clone(), test.stranger());
                tokio::spawn(async move {
                    auth.sign_in().verify_email(&token, Evidence::ContractJson, &client).await
                })
            };
            let opened: Vec<_> = (0..4).map(open).collect();
            for one in opened {
                assert!(matches!(one.await.unwrap(), Ok(Verification::Verified)));
            }
            test.deliver().await;
            let mails = test.inbox.to(&email);
            let welcomes = mails.iter().filter(|mail| mail.subject.contains("Welcome")).count();
            assert_eq!(welcomes, 1, "proven once");
        }
    })
    .await;
}

#[tokio::test]
async fn a_link_of_one_purpose_is_unknown_to_every_other() {
    each_auth(async |test| {
        test.sign_up(ADA).await;
        let client = test.stranger();
        let verify = test.inbox.latest(ADA).token();
        test.auth.sign_in().forgot_password(&address(ADA), Door::Api, &client).await.unwrap();
        test.deliver().await;
        let reset = test.inbox.latest_about(ADA, "password").token();
        let sign_in = test.auth.sign_in();
        assert!(matches!(sign_in.look_at_reset(&verify).await, Err(LinkError::Invalid)));
        let used = sign_in.reset_password(&verify, &secret(NEW), &client).await;
        assert!(matches!(used, Err(LinkError::Invalid)));
        let used = sign_in.verify_email(&reset, Evidence::ContractJson, &client).await;
        assert!(matches!(used, Err(LinkError::Invalid)), "B05");
        for garbage in ["", "x", "../..", "00000000-0000-0000-0000-000000000000", "é", "\0"] {
            let used = sign_in.verify_email(garbage, Evidence::ContractJson, &client).await;
            assert!(matches!(used, Err(LinkError::Invalid)), "{garbage:?}");
        }
    })
    .await;
}

/// The table of first proofs, row by row (attack C01): an attacker signed up with Ada's
/// address, holds a session and knows the password; then Ada comes.
#[tokio::test]
async fn the_sign_up_browser_proves_with_one_click_and_keeps_everything() {
    each_auth(async |test| {
        let wish = SignUp {
            username: None,
            email: address(ADA),
            password: secret(PASSWORD),
            name: None,
            arrival: Arrival::new(test.stranger()),
        };
        let signed_up = test.auth.sign_in().sign_up(wish).await.unwrap();
        test.deliver().await;
        let session = test.sign_in(ADA, PASSWORD).await;
        let token = test.inbox.latest(ADA).token();
        let sign_in = test.auth.sign_in();
        let seen = sign_in.look_at_verification(&token, Some(&signed_up.browser)).await.unwrap();
        assert!(matches!(seen, Verification::Ready { address } if address == ADA));
        let browser = Evidence::Browser(Some(signed_up.browser.clone()));
        let done = sign_in.verify_email(&token, browser, &test.stranger()).await.unwrap();
        assert!(matches!(done, Verification::Verified));
        assert!(works(&test, &session).await);
        test.sign_in(ADA, PASSWORD).await;
    })
    .await;
}

#[tokio::test]
async fn another_browser_proves_with_the_password_but_not_with_a_click() {
    each_auth(async |test| {
        test.sign_up(ADA).await;
        let token = test.inbox.latest(ADA).token();
        let sign_in = test.auth.sign_in();
        for cookie in [None, Some(secret("another browser's"))] {
            let click = Evidence::Browser(cookie);
            let answer = sign_in.verify_email(&token, click, &test.stranger()).await.unwrap();
            assert!(matches!(answer, Verification::NeedsMore(_)));
        }
        let wrong = Evidence::Password(secret("not her password"));
        let answer = sign_in.verify_email(&token, wrong, &test.stranger()).await;
        assert!(matches!(answer, Err(LinkError::WrongPassword)));
        assert!(test.account(ADA).await.email_verified_at.is_none());
        let right = Evidence::Password(secret(PASSWORD));
        let answer = sign_in.verify_email(&token, right, &test.stranger()).await.unwrap();
        assert!(matches!(answer, Verification::Verified));
        assert!(test.account(ADA).await.email_verified_at.is_some());
    })
    .await;
}

#[tokio::test]
async fn this_was_me_takes_a_new_password_and_removes_what_the_account_held() {
    each_auth(async |test| {
        test.sign_up(ADA).await;
        let attackers = test.sign_in(ADA, PASSWORD).await;
        let token = test.inbox.latest(ADA).token();
        test.auth
            .sign_in()
            .forgot_password(&address(ADA), Door::Api, &test.stranger())
            .await
            .unwrap();
        test.deliver().await;
        let attackers_link = test.inbox.latest_about(ADA, "password").token();

        let sign_in = test.auth.sign_in();
        let (client, short) = (test.stranger(), secret("short"));
        let short = sign_in.verify_email_with_new_password(&token, &short, &client).await;
        assert!(matches!(short, Err(LinkError::Password(PasswordProblem::TooShort { .. }))));
        let client = test.stranger();
        sign_in.verify_email_with_new_password(&token, &secret(NEW), &client).await.unwrap();

        assert!(!works(&test, &attackers).await, "the session is gone");
        let old = test.try_sign_in(ADA, PASSWORD).await;
        assert!(matches!(old, Err(SignInError::WrongCredentials)), "the password is gone");
        let link = sign_in.look_at_reset(&attackers_link).await;
        assert!(matches!(link, Err(LinkError::Invalid)), "the link is gone");
        assert!(test.sign_in(ADA, NEW).await.account.email_verified_at.is_some());
        let more = secret("once more, please");
        let again = sign_in.verify_email_with_new_password(&token, &more, &client).await;
        assert!(matches!(again, Err(LinkError::Invalid)), "the link works once");
    })
    .await;
}

#[tokio::test]
async fn not_me_closes_the_account_and_frees_the_address() {
    each_auth(async |test| {
        test.sign_up(ADA).await;
        let attackers = test.sign_in(ADA, PASSWORD).await;
        let token = test.inbox.latest(ADA).token();
        test.auth.sign_in().disown_account(&token, &test.stranger()).await.unwrap();
        assert!(!works(&test, &attackers).await);
        let gone = test.try_sign_in(ADA, PASSWORD).await;
        assert!(matches!(gone, Err(SignInError::WrongCredentials)));
        test.sign_up(ADA).await;
        test.sign_in(ADA, PASSWORD).await;
    })
    .await;
}

#[tokio::test]
async fn a_link_cannot_take_away_an_account_whose_address_is_proven() {
    each_auth(async |test| {
        test.sign_up(ADA).await;
        let first = test.inbox.latest(ADA).token();
        let sign_in = test.auth.sign_in();
        sign_in.resend_verification(&address(ADA), Door::Api, &test.stranger()).await.unwrap();
        test.deliver().await;
        let second = test.inbox.latest(ADA).token();
        assert_ne!(first, second);
        sign_in.verify_email(&first, Evidence::ContractJson, &test.stranger()).await.unwrap();
        let disowned = sign_in.disown_account(&second, &test.stranger()).await;
        assert!(matches!(disowned, Err(LinkError::Invalid)));
        let client = test.stranger();
        let reset = sign_in.verify_email_with_new_password(&second, &secret(NEW), &client).await;
        assert!(matches!(reset, Err(LinkError::Invalid)));
        test.sign_in(ADA, PASSWORD).await;
    })
    .await;
}

#[tokio::test]
async fn of_fifty_uses_of_a_link_one_succeeds() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        for round in 0..5 {
            test.clock.advance(hours(2));
            test.auth
                .sign_in()
                .forgot_password(&address(ADA), Door::Api, &test.stranger())
                .await
                .unwrap();
            test.deliver().await;
            let token = test.inbox.latest_about(ADA, "password").token();
            let uses = (0..50).map(|n| {
                let (auth, token, client) = (test.auth.clone(), token.clone(), test.stranger());
                let password = secret(&format!("chosen in round {round} by {n}"));
                tokio::spawn(async move {
                    auth.sign_in().reset_password(&token, &password, &client).await
                })
            });
            let answers = futures_util::future::join_all(uses).await;
            let done = answers.iter().filter(|answer| matches!(answer, Ok(Ok(())))).count();
            assert_eq!(done, 1, "B09");
        }
    })
    .await;
}
