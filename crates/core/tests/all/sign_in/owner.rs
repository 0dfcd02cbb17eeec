//! What owners and operators do to an account: new passwords, closing, disabling.

use super::*;

#[tokio::test]
async fn a_reset_sets_the_password_proves_the_address_and_ends_every_session() {
    each_auth(async |test| {
        test.sign_up(ADA).await;
        let old = test.sign_in(ADA, PASSWORD).await;
        let client = test.stranger();
        let sign_in = test.auth.sign_in();
        sign_in.forgot_password(&address("ADA@EXAMPLE.com"), Door::Api, &client).await.unwrap();
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
            sign_in.forgot_password(&address(ADA), Door::Api, &client).await.unwrap();
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
async fn reset_links_of_the_users_door_name_the_account_and_last_a_day() {
    each_engine(async |url| {
        let test = TestAuth::builder().database(&url).settings(|settings| {
            settings.doors.users.frontend_url = Some("https://front.example.com/".to_owned());
        });
        let test = test.build().await;
        test.verified_account(ADA).await;
        let client = test.stranger();
        let sign_in = test.auth.sign_in();
        let number = test.account(ADA).await.number;
        let ask = async || {
            sign_in.forgot_password(&address(ADA), Door::Users, &client).await.unwrap();
            test.deliver().await;
            test.inbox.latest_about(ADA, "Reset your Ironlatch password")
        };
        let mail = ask().await;
        assert!(mail.text.contains("24 hours"), "{}", mail.text);
        let token = mail.token();
        let link = mail.link();
        let (page, rest) = link.split_once("?uid=").unwrap();
        assert_eq!(page, "https://front.example.com/reset-password");
        let (uid, rest) = rest.split_once("&token=").unwrap();
        assert_eq!(rest, token);
        assert_eq!(SignIn::number_in_link(uid), Some(number));
        // Its front end forwards both without encoding them.
        let plain = |text: &str| {
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))
        };
        assert!(plain(uid) && plain(&token), "{link}");

        test.clock.advance(hours(24).saturating_sub(seconds(1)));
        let new = secret(NEW);
        let other = sign_in.reset_password_of(number + 1, &token, &new, &client).await;
        assert!(matches!(other, Err(LinkError::Invalid)));
        sign_in.reset_password_of(number, &token, &new, &client).await.unwrap();
        let token = ask().await.token();
        test.clock.advance(hours(24));
        let late = sign_in.reset_password_of(number, &token, &new, &client).await;
        assert!(matches!(late, Err(LinkError::Invalid)));
    })
    .await;
}

#[test]
fn a_link_names_an_account_in_base64url_digits() {
    assert_eq!(SignIn::number_in_link("MQ"), Some(1));
    assert_eq!(SignIn::number_in_link("MQ=="), Some(1));
    for wrong in ["", "M", "!!", "LTE", "YWJj", "MS4w", "IDE", "KzE", "\u{e4}"] {
        assert_eq!(SignIn::number_in_link(wrong), None, "{wrong}");
    }
    let too_large = data_encoding::BASE64URL_NOPAD.encode(b"99999999999999999999");
    assert_eq!(SignIn::number_in_link(&too_large), None);
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
        let wrong = sign_in.close_account(&present, Some(&secret("wrong one")), &client).await;
        assert!(matches!(wrong, Err(OwnerError::WrongPassword)));
        sign_in.close_account(&present, Some(&secret(PASSWORD)), &client).await.unwrap();
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
        test.auth
            .sign_in()
            .forgot_password(&address(ADA), Door::Api, &test.stranger())
            .await
            .unwrap();
        test.deliver().await;
        assert_eq!(test.inbox.to(ADA).len(), before, "no way round by a reset");
        test.auth.accounts().enable(&AccountRef::Id(ada.id)).await.unwrap();
        test.sign_in(ADA, PASSWORD).await;
        assert!(!works(&test, &mine).await, "old sessions do not come back");
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
async fn closed_accounts_go_after_thirty_days() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        let mine = test.sign_in(ADA, PASSWORD).await;
        let present = test.auth.sessions().check(mine.started.access.reveal()).await.unwrap();
        let (password, client) = (secret(PASSWORD), test.stranger());
        test.auth.sign_in().close_account(&present, Some(&password), &client).await.unwrap();
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
async fn a_sign_in_over_somebody_elses_cookie_ends_that_session() {
    each_auth(async |test| {
        test.verified_account("eve@example.com").await;
        test.verified_account(ADA).await;
        let eves = test.sign_in("eve@example.com", PASSWORD).await;
        let over = PasswordAttempt {
            identifier: address(ADA).into(),
            password: secret(PASSWORD),
            expects_second_factor: false,
            arrival: Arrival {
                previous: Previous::Refresh(eves.started.refresh_cookie.clone()),
                ..Arrival::new(test.stranger())
            },
        };
        let Step::SignedIn(adas) = test.auth.sign_in().with_password(over).await.unwrap() else {
            panic!("nobody enrolled a second factor")
        };
        assert!(!works(&test, &eves).await);
        assert!(works(&test, &adas).await);
    })
    .await;
}
