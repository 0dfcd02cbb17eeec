//! How often: failures, mails and sign-ups, counted by identifier, network and browser.

use super::*;

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
async fn attempts_that_overtake_each_other_or_a_clock_set_back_are_no_delay() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        let now = test.now();
        attempt(&test, "wrong password", test.stranger()).await.unwrap_err();
        // H23; and of two attempts at once, the one that read the clock first comes second.
        test.clock.set(Timestamp::from_micros(now.micros() - 3_600_000_000));
        let wrong = attempt(&test, "wrong password", test.stranger()).await;
        assert!(matches!(wrong, Err(SignInError::WrongCredentials)), "{wrong:?}");
        attempt(&test, PASSWORD, test.stranger()).await.expect("nobody is locked out");
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
        test.auth
            .sign_in()
            .forgot_password(&address(ADA), Door::Api, &test.stranger())
            .await
            .unwrap();
        test.deliver().await;
        let token = test.inbox.latest_about(ADA, "password").token();
        let client = test.stranger();
        test.auth.sign_in().reset_password(&token, &secret(NEW), &client).await.unwrap();
        attempt(&test, NEW, test.stranger()).await.expect("the reset opens it again");
    })
    .await;
}

#[tokio::test]
async fn h04_a_reset_opens_the_name_that_strangers_stopped_as_well() {
    each_auth(async |test| {
        let name = Username::parse("ada").unwrap();
        let wish = SignUp {
            username: Some(name.clone()),
            email: address(ADA),
            password: secret(PASSWORD),
            name: None,
            arrival: Arrival::new(test.stranger()),
        };
        test.auth.sign_in().sign_up(wish).await.unwrap();
        let by_name = async |password: &str| {
            let attempt = PasswordAttempt {
                identifier: name.clone().into(),
                password: secret(password),
                expects_second_factor: false,
                arrival: Arrival::new(test.stranger()).through(Door::OtpSession),
            };
            test.auth.sign_in().with_password(attempt).await
        };
        for _ in 0..100 {
            test.clock.advance(hours(1));
            by_name("wrong password").await.unwrap_err();
        }
        test.clock.advance(days(1));
        let stopped = by_name(PASSWORD).await;
        assert!(matches!(stopped, Err(SignInError::TooManyAttempts { .. })));
        let sign_in = test.auth.sign_in();
        sign_in.forgot_password(&address(ADA), Door::Api, &test.stranger()).await.unwrap();
        test.deliver().await;
        let token = test.inbox.latest_about(ADA, "password").token();
        sign_in.reset_password(&token, &secret(NEW), &test.stranger()).await.unwrap();
        by_name(NEW).await.expect("the reset opens it again");
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
            test.auth
                .sign_in()
                .resend_verification(&address(ADA), Door::Api, &stranger)
                .await
                .unwrap();
        }
        test.inbox.clear();
        test.auth
            .sign_in()
            .forgot_password(&address(ADA), Door::Api, &test.stranger())
            .await
            .unwrap();
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
            test.auth.sign_in().forgot_password(&email, Door::Api, &client).await
        };
        for n in 0..60 {
            ask(n).await.unwrap();
        }
        assert!(matches!(ask(60).await, Err(LinkError::TooManyAttempts { .. })), "H10, B21");
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
async fn mails_to_one_address_are_bounded_whoever_asks() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        test.deliver().await;
        test.inbox.clear();
        for _ in 0..30 {
            test.auth
                .sign_in()
                .forgot_password(&address(ADA), Door::Api, &test.stranger())
                .await
                .unwrap();
        }
        test.deliver().await;
        assert_eq!(test.inbox.to(ADA).len(), 10, "B21");
        let here = test.stranger();
        let bob = address("bob@example.com");
        for _ in 0..3 {
            test.auth.sign_in().forgot_password(&bob, Door::Api, &here).await.unwrap();
        }
        let fourth = test.auth.sign_in().forgot_password(&bob, Door::Api, &here).await;
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
            name: None,
            arrival: Arrival::new(client.clone()),
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
