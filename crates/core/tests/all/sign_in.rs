//! The ways in: password sign-in, sign-up, links, and what the first proof of an address does.

use std::time::Duration;

use ironlatch_core::accounts::{AccountRef, Username};
use ironlatch_core::client::Client;
use ironlatch_core::credentials::password::PasswordProblem;
use ironlatch_core::ports::Token;
use ironlatch_core::sessions::CheckError;
use ironlatch_core::sign_in::{
    Evidence, LinkError, OwnerError, PasswordAttempt, SignInError, SignUp, SignUpError, SignedIn,
    Step, Verification,
};
use ironlatch_core::time::{days, hours, minutes, seconds};
use ironlatch_core::tokens::Chain;
use ironlatch_testkit::{PASSWORD, TestAuth, address, each_auth};

const ADA: &str = "ada@example.com";
const NEW: &str = "a rather different one";

fn secret(text: &str) -> Token {
    Token::new(text.to_owned())
}

async fn attempt(test: &TestAuth, password: &str, client: Client) -> Result<SignedIn, SignInError> {
    let attempt = PasswordAttempt {
        email: address(ADA),
        password: secret(password),
        previous_cookie: None,
        client,
    };
    let Step::SignedIn(signed_in) = test.auth.sign_in().with_password(attempt).await?;
    Ok(*signed_in)
}

async fn change(
    test: &TestAuth,
    mine: &SignedIn,
    current: &str,
    new: &str,
) -> Result<(), OwnerError> {
    let present = test.auth.sessions().check(mine.started.access.reveal()).await.unwrap();
    let (current, new) = (secret(current), secret(new));
    test.auth.sign_in().change_password(&present, &current, &new, &test.stranger()).await
}

async fn works(test: &TestAuth, signed_in: &SignedIn) -> bool {
    test.auth.sessions().check(signed_in.started.access.reveal()).await.is_ok()
}

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
        test.clock.advance(hours(24) - seconds(1));
        test.auth.sign_in().look_at_verification(&late, None).await.unwrap();
        test.clock.advance(seconds(1));
        let gone = test.auth.sign_in().look_at_verification(&late, None).await;
        assert!(matches!(gone, Err(LinkError::Invalid)), "B07: dead on the second");
    })
    .await;
}

#[tokio::test]
async fn a_link_of_one_purpose_is_unknown_to_every_other() {
    each_auth(async |test| {
        test.sign_up(ADA).await;
        let client = test.stranger();
        let verify = test.inbox.latest(ADA).token();
        test.auth.sign_in().forgot_password(&address(ADA), &client).await.unwrap();
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
            client: test.stranger(),
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
        test.auth.sign_in().forgot_password(&address(ADA), &test.stranger()).await.unwrap();
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
        sign_in.resend_verification(&address(ADA), &test.stranger()).await.unwrap();
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
async fn a_reset_sets_the_password_proves_the_address_and_ends_every_session() {
    each_auth(async |test| {
        test.sign_up(ADA).await;
        let old = test.sign_in(ADA, PASSWORD).await;
        let client = test.stranger();
        let sign_in = test.auth.sign_in();
        sign_in.forgot_password(&address("ADA@EXAMPLE.com"), &client).await.unwrap();
        test.deliver().await;
        let token = test.inbox.latest_about(ADA, "password").token();
        sign_in.look_at_reset(&token).await.unwrap();
        sign_in.reset_password(&token, &secret(NEW), &client).await.unwrap();

        assert!(!works(&test, &old).await);
        let refresh = old.started.refresh_body.reveal();
        assert!(test.auth.sessions().refresh(refresh, Chain::Body, &client).await.is_err());
        assert!(matches!(
            test.try_sign_in(ADA, PASSWORD).await,
            Err(SignInError::WrongCredentials)
        ));
        assert!(test.sign_in(ADA, NEW).await.account.email_verified_at.is_some());
        let again = sign_in.reset_password(&token, &secret("and once again"), &client).await;
        assert!(matches!(again, Err(LinkError::Invalid)));
        test.deliver().await;
        let _ = test.inbox.latest_about(ADA, "changed");
    })
    .await;
}

#[tokio::test]
async fn a_reset_link_dies_after_an_hour_and_with_a_password_change() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        let client = test.stranger();
        let sign_in = test.auth.sign_in();
        let ask = async || {
            sign_in.forgot_password(&address(ADA), &client).await.unwrap();
            test.deliver().await;
            test.inbox.latest_about(ADA, "password").token()
        };
        let token = ask().await;
        test.clock.advance(hours(1));
        assert!(matches!(sign_in.look_at_reset(&token).await, Err(LinkError::Invalid)));

        let token = ask().await;
        let me = test.sign_in(ADA, PASSWORD).await;
        change(&test, &me, PASSWORD, NEW).await.unwrap();
        assert!(matches!(sign_in.look_at_reset(&token).await, Err(LinkError::Invalid)));
    })
    .await;
}

#[tokio::test]
async fn changing_the_password_keeps_this_session_and_ends_the_others() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        let other = test.sign_in(ADA, PASSWORD).await;
        let mine = test.sign_in(ADA, PASSWORD).await;
        let wrong = change(&test, &mine, "wrong one", NEW).await;
        assert!(matches!(wrong, Err(OwnerError::WrongPassword)));
        let common = change(&test, &mine, PASSWORD, "password1").await;
        assert!(matches!(common, Err(OwnerError::Password(PasswordProblem::TooCommon))));
        change(&test, &mine, PASSWORD, NEW).await.unwrap();
        assert!(works(&test, &mine).await);
        assert!(!works(&test, &other).await);
        test.sign_in(ADA, NEW).await;
    })
    .await;
}

#[tokio::test]
async fn closing_the_account_needs_the_password_and_frees_its_keys() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        let mine = test.sign_in(ADA, PASSWORD).await;
        let client = test.stranger();
        let present = test.auth.sessions().check(mine.started.access.reveal()).await.unwrap();
        let sign_in = test.auth.sign_in();
        let wrong = sign_in.close_account(&present, &secret("wrong one"), &client).await;
        assert!(matches!(wrong, Err(OwnerError::WrongPassword)));
        sign_in.close_account(&present, &secret(PASSWORD), &client).await.unwrap();
        let after = test.auth.sessions().check(mine.started.access.reveal()).await;
        assert!(after.is_err());
        test.sign_up(ADA).await;
    })
    .await;
}

#[tokio::test]
async fn a_disabled_account_looks_like_a_wrong_password_and_its_sessions_end() {
    each_auth(async |test| {
        let ada = test.verified_account(ADA).await;
        let mine = test.sign_in(ADA, PASSWORD).await;
        test.auth.accounts().disable(&AccountRef::Id(ada.id)).await.unwrap();
        let refused = test.auth.sessions().check(mine.started.access.reveal()).await;
        assert!(matches!(refused, Err(CheckError::AccountDisabled | CheckError::Token(_))));
        assert!(matches!(
            test.try_sign_in(ADA, PASSWORD).await,
            Err(SignInError::WrongCredentials)
        ));
        test.deliver().await;
        let before = test.inbox.to(ADA).len();
        test.auth.sign_in().forgot_password(&address(ADA), &test.stranger()).await.unwrap();
        test.deliver().await;
        assert_eq!(test.inbox.to(ADA).len(), before, "no way round by a reset");
        test.auth.accounts().enable(&AccountRef::Id(ada.id)).await.unwrap();
        test.sign_in(ADA, PASSWORD).await;
        assert!(!works(&test, &mine).await, "old sessions do not come back");
    })
    .await;
}

#[tokio::test]
async fn failures_delay_an_identifier_but_not_the_owners_browser() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        let mine = test.sign_in(ADA, PASSWORD).await;
        let mut my_browser = test.stranger();
        my_browser.device = Some(mine.device.clone());
        for _ in 0..5 {
            let wrong = attempt(&test, "wrong password", test.stranger()).await;
            assert!(matches!(wrong, Err(SignInError::WrongCredentials)));
        }
        let blocked = attempt(&test, PASSWORD, test.stranger()).await;
        assert!(matches!(blocked, Err(SignInError::TooManyAttempts { .. })), "even the right one");
        attempt(&test, PASSWORD, my_browser.clone()).await.expect("H04: the owner gets in");
        test.clock.advance(seconds(1));
        attempt(&test, "wrong password", test.stranger()).await.unwrap_err();
        test.clock.advance(seconds(1));
        let still = attempt(&test, PASSWORD, test.stranger()).await;
        assert!(matches!(still, Err(SignInError::TooManyAttempts { .. })), "the delay doubled");
        test.clock.advance(seconds(1));
        attempt(&test, PASSWORD, test.stranger()).await.expect("after the delay it works");
        attempt(&test, "wrong password", test.stranger()).await.unwrap_err();
        attempt(&test, PASSWORD, test.stranger()).await.expect("success forgot the failures");

        let mut forged = test.stranger();
        forged.device = Some(secret("forged"));
        for _ in 0..5 {
            attempt(&test, "wrong password", forged.clone()).await.unwrap_err();
        }
        let blocked = attempt(&test, PASSWORD, forged).await;
        assert!(matches!(blocked, Err(SignInError::TooManyAttempts { .. })), "D14: no forging");
    })
    .await;
}

#[tokio::test]
async fn parallel_guesses_are_counted_before_they_are_compared() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        let guesses = (0..50).map(|n| {
            let client = test.stranger();
            let password = format!("guess number {n}");
            let test = &test;
            async move { attempt(test, &password, client).await }
        });
        let answers = futures_util::future::join_all(guesses).await;
        let compared =
            answers.iter().filter(|answer| matches!(answer, Err(SignInError::WrongCredentials)));
        assert_eq!(compared.count(), 5);
    })
    .await;
}

#[tokio::test]
async fn a_hundred_failures_stop_the_password_until_a_reset() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        for _ in 0..100 {
            test.clock.advance(hours(1));
            attempt(&test, "wrong password", test.stranger()).await.unwrap_err();
        }
        test.clock.advance(days(1));
        let stopped = attempt(&test, PASSWORD, test.stranger()).await;
        assert!(matches!(stopped, Err(SignInError::TooManyAttempts { .. })));
        test.auth.sign_in().forgot_password(&address(ADA), &test.stranger()).await.unwrap();
        test.deliver().await;
        let token = test.inbox.latest_about(ADA, "password").token();
        let client = test.stranger();
        test.auth.sign_in().reset_password(&token, &secret(NEW), &client).await.unwrap();
        attempt(&test, NEW, test.stranger()).await.expect("the reset opens it again");
    })
    .await;
}

#[tokio::test]
async fn fifty_sign_ups_of_one_mailbox_make_one_account() {
    each_auth(async |test| {
        for round in 0..4 {
            let spellings =
                [format!("race{round}@example.com"), format!("Race{round}@EXAMPLE.com")];
            let wishes = (0..50).map(|n: usize| SignUp {
                username: None,
                email: address(&spellings[n % 2]),
                password: secret(PASSWORD),
                client: test.stranger(),
            });
            let all = wishes.map(|wish| {
                let auth = test.auth.clone();
                tokio::spawn(async move { auth.sign_in().sign_up(wish).await })
            });
            let mut made = 0;
            for answer in futures_util::future::join_all(all).await {
                match answer.unwrap() {
                    Ok(_) => made += 1,
                    Err(SignUpError::Taken { email: true, .. }) => {}
                    Err(other) => panic!("C07: {other:?}"),
                }
            }
            assert_eq!(made, 1, "C07");
        }
    })
    .await;
}

#[tokio::test]
async fn of_fifty_uses_of_a_link_one_succeeds() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        for round in 0..5 {
            test.clock.advance(hours(2));
            test.auth.sign_in().forgot_password(&address(ADA), &test.stranger()).await.unwrap();
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

#[tokio::test]
async fn neutral_sign_up_answers_alike_and_tells_only_the_owner() {
    each_auth(async |plain| {
        let test = plain.node_with(|settings| settings.sign_up.neutral = true).await;
        test.verified_account(ADA).await;
        let wish = |email: &str| SignUp {
            username: None,
            email: address(email),
            password: secret(PASSWORD),
            client: test.stranger(),
        };
        let taken = test.auth.sign_in().sign_up(wish(ADA)).await.unwrap();
        let free = test.auth.sign_in().sign_up(wish("eve@example.com")).await.unwrap();
        assert_eq!(taken.shown_token.reveal().len(), free.shown_token.reveal().len());
        assert_eq!(taken.browser.reveal().len(), free.browser.reveal().len());
        test.deliver().await;
        let _ = test.inbox.latest_about(ADA, "already");
        // Whoever has just registered both must not learn by signing in which one was taken.
        for email in ["eve@example.com", ADA] {
            let other = "the password of that wish";
            let password = if email == ADA { other } else { PASSWORD };
            let answer = test.try_sign_in(email, password).await;
            assert!(matches!(answer, Err(SignInError::WrongCredentials)), "{email}: {answer:?}");
        }
        test.sign_in(ADA, PASSWORD).await;
    })
    .await;
}

#[tokio::test]
async fn neutral_sign_up_keeps_the_wished_name_whatever_became_of_the_address() {
    each_auth(async |plain| {
        let test = plain.node_with(|settings| settings.sign_up.neutral = true).await;
        test.verified_account(ADA).await;
        let wish = |email: &str, name: &str| SignUp {
            username: Some(Username::parse(name).unwrap()),
            email: address(email),
            password: secret(PASSWORD),
            client: test.stranger(),
        };
        let sign_in = test.auth.sign_in();
        sign_in.sign_up(wish(ADA, "taken-address")).await.unwrap();
        sign_in.sign_up(wish("free@example.com", "free-address")).await.unwrap();
        for (email, name) in [("a@example.com", "taken-address"), ("b@example.com", "free-address")]
        {
            let second = sign_in.sign_up(wish(email, name)).await;
            let told = matches!(second, Err(SignUpError::Taken { username: true, email: false }));
            assert!(told, "{name}: {second:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn required_verification_is_told_only_with_the_right_password() {
    each_auth(async |plain| {
        let test = plain.node_with(|settings| settings.sign_up.require_verified = true).await;
        test.sign_up(ADA).await;
        for _ in 0..6 {
            let right = test.try_sign_in(ADA, PASSWORD).await;
            assert!(
                matches!(right, Err(SignInError::NotVerified)),
                "no failure to count: {right:?}"
            );
        }
        let wrong = test.try_sign_in(ADA, "wrong password").await;
        assert!(matches!(wrong, Err(SignInError::WrongCredentials)), "A08");
    })
    .await;
}

#[tokio::test]
async fn asking_for_one_kind_of_mail_does_not_use_up_another() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        test.deliver().await;
        for _ in 0..20 {
            let stranger = test.stranger();
            test.auth.sign_in().resend_verification(&address(ADA), &stranger).await.unwrap();
        }
        test.inbox.clear();
        test.auth.sign_in().forgot_password(&address(ADA), &test.stranger()).await.unwrap();
        test.deliver().await;
        assert_eq!(test.inbox.to(ADA).len(), 1, "strangers cannot deny the owner's reset");
    })
    .await;
}

#[tokio::test]
async fn one_network_asks_for_sixty_mails_an_hour_whomever_they_go_to() {
    each_auth(async |test| {
        let client = test.stranger();
        let ask = async |n: usize| {
            let email = address(&format!("person{n}@example.com"));
            test.auth.sign_in().forgot_password(&email, &client).await
        };
        for n in 0..60 {
            ask(n).await.unwrap();
        }
        assert!(matches!(ask(60).await, Err(LinkError::TooManyAttempts { .. })), "H10, B21");
    })
    .await;
}

#[tokio::test]
async fn an_address_nobody_has_proven_gets_no_notices() {
    each_auth(async |test| {
        test.sign_up("victim@example.com").await;
        let mine = test.sign_in("victim@example.com", PASSWORD).await;
        test.inbox.clear();
        for n in 0..3 {
            let (old, new) = match n {
                0 => (PASSWORD.to_owned(), "password number 1".to_owned()),
                n => (format!("password number {n}"), format!("password number {}", n + 1)),
            };
            change(&test, &mine, &old, &new).await.unwrap();
        }
        test.deliver().await;
        assert_eq!(test.inbox.all().len(), 0, "B21: no mail to a stranger's address");
    })
    .await;
}

#[tokio::test]
async fn a_refused_new_password_is_no_failed_attempt() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        let mine = test.sign_in(ADA, PASSWORD).await;
        for _ in 0..10 {
            let refused = change(&test, &mine, PASSWORD, "short").await;
            assert!(matches!(refused, Err(OwnerError::Password(_))), "{refused:?}");
        }
        change(&test, &mine, PASSWORD, NEW).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_new_password_ends_known_device_cookies() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        let stolen = test.sign_in(ADA, PASSWORD).await.device;
        let mine = test.sign_in(ADA, PASSWORD).await;
        test.clock.advance(seconds(1));
        change(&test, &mine, PASSWORD, NEW).await.unwrap();
        for _ in 0..5 {
            attempt(&test, "wrong password", test.stranger()).await.unwrap_err();
        }
        let mut thief = test.stranger();
        thief.device = Some(stolen);
        let blocked = attempt(&test, "one more guess", thief).await;
        assert!(matches!(blocked, Err(SignInError::TooManyAttempts { .. })), "D14");
    })
    .await;
}

#[tokio::test]
async fn closed_accounts_go_after_thirty_days() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        let mine = test.sign_in(ADA, PASSWORD).await;
        let present = test.auth.sessions().check(mine.started.access.reveal()).await.unwrap();
        let (password, client) = (secret(PASSWORD), test.stranger());
        test.auth.sign_in().close_account(&present, &password, &client).await.unwrap();
        test.clock.advance(days(29));
        assert_eq!(test.auth.accounts().sweep_closed(100).await.unwrap(), 0);
        test.clock.advance(days(2));
        assert_eq!(test.auth.accounts().sweep_closed(100).await.unwrap(), 1);
        let gone = test.auth.accounts().find(&AccountRef::Id(present.account.id)).await.unwrap();
        assert!(gone.is_none());
    })
    .await;
}

#[tokio::test]
async fn mails_to_one_address_are_bounded_whoever_asks() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        test.deliver().await;
        test.inbox.clear();
        for _ in 0..30 {
            test.auth.sign_in().forgot_password(&address(ADA), &test.stranger()).await.unwrap();
        }
        test.deliver().await;
        assert_eq!(test.inbox.to(ADA).len(), 10, "B21");
        let here = test.stranger();
        let bob = address("bob@example.com");
        for _ in 0..3 {
            test.auth.sign_in().forgot_password(&bob, &here).await.unwrap();
        }
        let fourth = test.auth.sign_in().forgot_password(&bob, &here).await;
        assert!(matches!(fourth, Err(LinkError::TooManyAttempts { .. })));
    })
    .await;
}

#[tokio::test]
async fn a_network_signs_up_five_times_an_hour() {
    each_auth(async |test| {
        let client = test.stranger();
        let wish = |n: usize| SignUp {
            username: None,
            email: address(&format!("person{n}@example.com")),
            password: secret(PASSWORD),
            client: client.clone(),
        };
        for n in 0..5 {
            test.auth.sign_in().sign_up(wish(n)).await.unwrap();
        }
        let sixth = test.auth.sign_in().sign_up(wish(5)).await;
        let Err(SignUpError::TooManyAttempts { retry_at }) = sixth else { panic!("{sixth:?}") };
        test.clock.advance(retry_at.since(test.now()) + Duration::from_secs(1));
        test.auth.sign_in().sign_up(wish(6)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_over_somebody_elses_cookie_ends_that_session() {
    each_auth(async |test| {
        test.verified_account("eve@example.com").await;
        test.verified_account(ADA).await;
        let eves = test.sign_in("eve@example.com", PASSWORD).await;
        let over = PasswordAttempt {
            email: address(ADA),
            password: secret(PASSWORD),
            previous_cookie: Some(eves.started.refresh_cookie.clone()),
            client: test.stranger(),
        };
        let Step::SignedIn(adas) = test.auth.sign_in().with_password(over).await.unwrap();
        assert!(!works(&test, &eves).await);
        assert!(works(&test, &adas).await);
    })
    .await;
}

#[tokio::test]
async fn accounts_nobody_ever_proved_go_after_thirty_days() {
    each_auth(async |test| {
        test.sign_up("never@example.com").await;
        test.verified_account(ADA).await;
        test.sign_up("active@example.com").await;
        test.clock.advance(days(29));
        test.sign_in("active@example.com", PASSWORD).await;
        test.clock.advance(days(2));
        let swept = test.auth.accounts().sweep_never_proven(100).await.unwrap();
        assert_eq!(swept, 1);
        test.account(ADA).await;
        test.account("active@example.com").await;
    })
    .await;
}
