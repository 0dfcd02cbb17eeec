//! The second step: codes of the app, recovery codes, challenges, and how often.

use ironlatch_core::sign_in::{
    Anew, AnewError, Challenge, FactorError, SecondFactor, SecondFactorError, SecondProof,
};
use ironlatch_testkit::Enrolled;

use super::*;

async fn enrolled(test: &TestAuth) -> Enrolled {
    test.verified_account(ADA).await;
    let enrolled = test.enrol(ADA, PASSWORD).await;
    test.clock.advance(seconds(30));
    enrolled
}

async fn with_app(
    test: &TestAuth,
    challenge: &Challenge,
    code: &Token,
) -> Result<SignedIn, SecondFactorError> {
    test.answer(challenge, SecondFactor::Totp, code).await
}

async fn with_recovery(
    test: &TestAuth,
    challenge: &Challenge,
    code: &Token,
) -> Result<SignedIn, SecondFactorError> {
    test.answer(challenge, SecondFactor::RecoveryCode, code).await
}

fn amr(signed_in: &SignedIn, test: &TestAuth) -> Vec<String> {
    let claims = test.auth.tokens().read_access(signed_in.started.access.reveal(), test.now());
    claims.unwrap().amr.clone()
}

#[tokio::test]
async fn a_right_code_opens_a_strong_session_as_old_as_its_first_step() {
    each_auth(async |test| {
        let enrolled = enrolled(&test).await;
        let challenge = test.challenge(ADA, PASSWORD).await;
        let first_step = test.now();
        assert_eq!(challenge.methods, SecondFactor::ALL);
        test.clock.advance(minutes(2));
        let signed_in = with_app(&test, &challenge, &enrolled.code(test.now())).await.unwrap();
        assert_eq!(amr(&signed_in, &test), ["pwd", "otp", "mfa"]);
        let access = signed_in.started.access.reveal();
        let claims = test.auth.tokens().read_access(access, test.now()).unwrap();
        assert_eq!(claims.auth_time, first_step.seconds());
    })
    .await;
}

#[tokio::test]
async fn codes_of_the_steps_before_and_after_work_those_further_away_do_not() {
    each_auth(async |test| {
        let enrolled = enrolled(&test).await;
        for (away, works) in [(-60_i64, false), (-30, true), (0, true), (30, true), (60, false)] {
            test.clock.advance(minutes(10));
            let challenge = test.challenge(ADA, PASSWORD).await;
            let at = Timestamp::from_micros(test.now().micros() + away * 1_000_000);
            let answer = with_app(&test, &challenge, &enrolled.code(at)).await;
            assert_eq!(answer.is_ok(), works, "{away} s: {answer:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn no_step_is_accepted_twice_nor_one_before_it_on_any_node() {
    each_auth(async |test| {
        let enrolled = enrolled(&test).await;
        let other = test.second_node().await;
        let (before, code) = (enrolled.code(test.now()), {
            test.clock.advance(seconds(30));
            enrolled.code(test.now())
        });
        with_app(&test, &test.challenge(ADA, PASSWORD).await, &code).await.unwrap();
        for node in [&test, &other] {
            for again in [&code, &before] {
                let challenge = node.challenge(ADA, PASSWORD).await;
                let answer = with_app(node, &challenge, again).await;
                assert!(matches!(answer, Err(SecondFactorError::WrongCode)), "B23: {answer:?}");
            }
        }
        test.clock.advance(minutes(1));
        let challenge = other.challenge(ADA, PASSWORD).await;
        with_app(&other, &challenge, &enrolled.code(test.now())).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_challenge_works_once_for_five_minutes_and_not_after_a_change_of_the_account() {
    each_auth(async |test| {
        let enrolled = enrolled(&test).await;
        let invalid = |answer: Result<SignedIn, SecondFactorError>| {
            assert!(matches!(answer, Err(SecondFactorError::InvalidChallenge)), "{answer:?}");
        };
        let challenge = test.challenge(ADA, PASSWORD).await;
        let wrong = with_app(&test, &challenge, &secret("000000")).await;
        assert!(matches!(wrong, Err(SecondFactorError::WrongCode)), "and the challenge stays");
        with_app(&test, &challenge, &enrolled.code(test.now())).await.unwrap();
        test.clock.advance(seconds(30));
        invalid(with_app(&test, &challenge, &enrolled.code(test.now())).await);

        let challenge = test.challenge(ADA, PASSWORD).await;
        test.clock.advance(minutes(5));
        invalid(with_app(&test, &challenge, &enrolled.code(test.now())).await);

        let challenge = test.challenge(ADA, PASSWORD).await;
        let mine = test.sign_in_strongly(ADA, PASSWORD, &enrolled).await;
        change(&test, &mine, PASSWORD, NEW).await.unwrap();
        test.clock.advance(seconds(30));
        invalid(with_app(&test, &challenge, &enrolled.code(test.now())).await);

        let challenge = test.challenge(ADA, NEW).await;
        let ada = AccountRef::Id(mine.account.id);
        test.auth.accounts().disable(&ada).await.unwrap();
        invalid(with_app(&test, &challenge, &enrolled.code(test.now())).await);
        invalid(
            with_app(
                &test,
                &Challenge { token: secret("made up"), ..challenge },
                &secret("000000"),
            )
            .await,
        );
    })
    .await;
}

#[tokio::test]
async fn a_recovery_code_works_once_however_it_is_typed_and_the_owner_is_told() {
    each_auth(async |test| {
        let enrolled = enrolled(&test).await;
        assert_eq!(enrolled.recovery_codes.len(), 10);
        let code = &enrolled.recovery_codes[3];
        let sloppy = secret(&code.reveal().to_lowercase().replace('-', " "));
        let challenge = test.challenge(ADA, PASSWORD).await;
        let signed_in = with_recovery(&test, &challenge, &sloppy).await.unwrap();
        assert_eq!(amr(&signed_in, &test), ["pwd", "otp", "mfa"]);
        test.deliver().await;
        let mail = test.inbox.latest_about(ADA, "recovery code");
        assert!(mail.text.contains("Codes left: 9"), "{}", mail.text);

        let challenge = test.challenge(ADA, PASSWORD).await;
        let again = with_recovery(&test, &challenge, code).await;
        assert!(matches!(again, Err(SecondFactorError::WrongCode)), "B26");
        let as_totp = with_app(&test, &challenge, &enrolled.recovery_codes[4]).await;
        assert!(matches!(as_totp, Err(SecondFactorError::WrongCode)));
        let id = signed_in.account.id;
        assert_eq!(test.auth.recovery_codes().left(id).await.unwrap(), 9);
    })
    .await;
}

#[tokio::test]
async fn nobody_elses_codes_work() {
    each_auth(async |test| {
        let adas = enrolled(&test).await;
        let eve = "eve@example.com";
        test.verified_account(eve).await;
        test.enrol(eve, PASSWORD).await;
        test.clock.advance(seconds(30));
        let challenge = test.challenge(eve, PASSWORD).await;
        for (method, code) in [
            (SecondFactor::Totp, adas.code(test.now())),
            (SecondFactor::RecoveryCode, adas.recovery_codes[0].clone()),
        ] {
            let answer = test.answer(&challenge, method, &code).await;
            assert!(matches!(answer, Err(SecondFactorError::WrongCode)), "{method:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn guesses_are_slowed_down_from_the_fifth_however_many_challenges_there_are() {
    each_auth(async |test| {
        let enrolled = enrolled(&test).await;
        for _ in 0..5 {
            let challenge = test.challenge(ADA, PASSWORD).await;
            let wrong = with_app(&test, &challenge, &secret("000000")).await;
            assert!(matches!(wrong, Err(SecondFactorError::WrongCode)), "{wrong:?}");
        }
        let challenge = test.challenge(ADA, PASSWORD).await;
        let code = enrolled.code(test.now());
        let blocked = with_app(&test, &challenge, &code).await;
        assert!(matches!(blocked, Err(SecondFactorError::TooManyAttempts { .. })), "B25");
        test.clock.advance(seconds(1));
        with_app(&test, &challenge, &code).await.expect("after the delay it works");
        test.clock.advance(seconds(30));
        let challenge = test.challenge(ADA, PASSWORD).await;
        with_app(&test, &challenge, &secret("000000")).await.unwrap_err();
        let answer = with_app(&test, &challenge, &enrolled.code(test.now())).await;
        answer.expect("success forgot the failures");
    })
    .await;
}

#[tokio::test]
async fn parallel_guesses_at_one_challenge_are_counted_before_they_are_compared() {
    each_auth(async |test| {
        enrolled(&test).await;
        let challenge = test.challenge(ADA, PASSWORD).await;
        let guesses = (0..50).map(|n| {
            let (test, challenge) = (&test, &challenge);
            async move { with_app(test, challenge, &secret(&format!("{n:06}"))).await }
        });
        let answers = futures_util::future::join_all(guesses).await;
        let compared =
            answers.iter().filter(|answer| matches!(answer, Err(SecondFactorError::WrongCode)));
        assert_eq!(compared.count(), 5);
    })
    .await;
}

#[tokio::test]
async fn a_hundred_failures_stop_the_app_and_a_recovery_code_starts_it_again() {
    each_auth(async |test| {
        let enrolled = enrolled(&test).await;
        for _ in 0..100 {
            test.clock.advance(hours(1));
            let challenge = test.challenge(ADA, PASSWORD).await;
            let wrong = with_app(&test, &challenge, &secret("000000")).await;
            assert!(matches!(wrong, Err(SecondFactorError::WrongCode)), "{wrong:?}");
        }
        test.clock.advance(days(1));
        let challenge = test.challenge(ADA, PASSWORD).await;
        let stopped = with_app(&test, &challenge, &enrolled.code(test.now())).await;
        assert!(matches!(stopped, Err(SecondFactorError::TooManyAttempts { .. })), "B25");
        with_recovery(&test, &challenge, &enrolled.recovery_codes[0]).await.unwrap();
        test.clock.advance(seconds(30));
        let challenge = test.challenge(ADA, PASSWORD).await;
        with_app(&test, &challenge, &enrolled.code(test.now())).await.expect("it works again");
    })
    .await;
}

#[tokio::test]
async fn a_reset_of_the_password_does_not_get_round_the_app() {
    each_auth(async |test| {
        let enrolled = enrolled(&test).await;
        let (sign_in, client) = (test.auth.sign_in(), test.stranger());
        sign_in.forgot_password(&address(ADA), Door::Api, &client).await.unwrap();
        test.deliver().await;
        let token = test.inbox.latest_about(ADA, "Reset").token();
        sign_in.reset_password(&token, &secret(NEW), &client).await.unwrap();
        let challenge = test.challenge(ADA, NEW).await;
        with_app(&test, &challenge, &enrolled.code(test.now())).await.expect("E01");
    })
    .await;
}

#[tokio::test]
async fn whoever_proves_an_address_first_is_asked_for_no_app_of_its_maker() {
    each_auth(async |test| {
        test.sign_up(ADA).await;
        let makers = test.enrol(ADA, PASSWORD).await;
        let (sign_in, client) = (test.auth.sign_in(), test.stranger());
        sign_in.forgot_password(&address(ADA), Door::Api, &client).await.unwrap();
        test.deliver().await;
        let token = test.inbox.latest_about(ADA, "Reset").token();
        sign_in.reset_password(&token, &secret(NEW), &client).await.unwrap();
        let signed_in = test.sign_in(ADA, NEW).await;
        let id = signed_in.account.id;
        assert!(!test.auth.totp().is_enrolled(id).await.unwrap(), "C01");
        assert_eq!(test.auth.recovery_codes().left(id).await.unwrap(), 0);
        drop(makers);

        let bob = "bob@example.com";
        test.sign_up(bob).await;
        let link = test.inbox.latest(bob).token();
        test.enrol(bob, PASSWORD).await;
        sign_in.verify_email_with_new_password(&link, &secret(NEW), &client).await.unwrap();
        test.sign_in(bob, NEW).await;
    })
    .await;
}

#[tokio::test]
async fn old_challenges_are_swept() {
    each_auth(async |test| {
        enrolled(&test).await;
        test.challenge(ADA, PASSWORD).await;
        test.clock.advance(minutes(5));
        test.challenge(ADA, PASSWORD).await;
        assert_eq!(test.auth.sign_in().sweep_challenges(100).await.unwrap(), 1);
    })
    .await;
}

async fn anew(
    test: &TestAuth,
    signed_in: &SignedIn,
    password: &str,
    second: Option<SecondProof>,
) -> Result<SignedIn, AnewError> {
    let present = test.auth.sessions().check(signed_in.started.access.reveal()).await.unwrap();
    let arrival = Arrival::new(test.stranger());
    let proof = Anew { password: Some(secret(password)), second, arrival };
    test.auth.sign_in().prove_anew(&present, proof).await
}

#[tokio::test]
async fn a_proof_anew_takes_the_place_of_the_session_and_is_as_strong_as_what_is_enrolled() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        let weak = test.sign_in(ADA, PASSWORD).await;
        let enrolled = test.enrol_in(&weak).await;
        test.clock.advance(minutes(10));
        let code = |code: Token| Some(SecondProof { method: SecondFactor::Totp, code });
        let without = anew(&test, &weak, PASSWORD, None).await;
        assert!(matches!(without, Err(AnewError::CodeMissing)), "D09: {without:?}");
        let right = code(enrolled.code(test.now()));
        let proven = anew(&test, &weak, PASSWORD, right.clone()).await.unwrap();
        assert_eq!(amr(&proven, &test), ["pwd", "otp", "mfa"]);
        let claims = test.auth.tokens().read_access(proven.started.access.reveal(), test.now());
        assert_eq!(claims.unwrap().auth_time, test.now().seconds());
        assert!(!works(&test, &weak).await, "the old session ends");
        let again = anew(&test, &proven, PASSWORD, right).await;
        assert!(again.is_err() && works(&test, &proven).await, "B23: {again:?}");
    })
    .await;
}

#[tokio::test]
async fn guesses_at_a_proof_anew_count_with_those_at_signing_in() {
    each_auth(async |test| {
        let enrolled = enrolled(&test).await;
        let mine = test.sign_in_strongly(ADA, PASSWORD, &enrolled).await;
        test.clock.advance(seconds(30));
        for _ in 0..5 {
            let wrong = SecondProof { method: SecondFactor::Totp, code: secret("000000") };
            let wrong = anew(&test, &mine, PASSWORD, Some(wrong)).await;
            assert!(matches!(wrong, Err(AnewError::WrongCode)), "{wrong:?}");
        }
        let challenge = test.challenge(ADA, PASSWORD).await;
        let blocked = with_app(&test, &challenge, &enrolled.code(test.now())).await;
        assert!(matches!(blocked, Err(SecondFactorError::TooManyAttempts { .. })), "B25");

        // Wrong codes behind a right password are no wrong passwords, wrong passwords are.
        test.clock.advance(minutes(10));
        let code =
            Some(SecondProof { method: SecondFactor::Totp, code: enrolled.code(test.now()) });
        for _ in 0..5 {
            let wrong = anew(&test, &mine, "not the one", code.clone()).await;
            assert!(matches!(wrong, Err(AnewError::WrongPassword)), "{wrong:?}");
        }
        let blocked = anew(&test, &mine, PASSWORD, code).await;
        assert!(matches!(blocked, Err(AnewError::TooManyAttempts { .. })), "{blocked:?}");
    })
    .await;
}

#[tokio::test]
async fn an_operator_takes_a_lost_app_away_and_the_owner_is_told() {
    each_auth(async |test| {
        let enrolled = enrolled(&test).await;
        let mine = test.sign_in_strongly(ADA, PASSWORD, &enrolled).await;
        let open = test.challenge(ADA, PASSWORD).await;
        let id = mine.account.id;
        test.auth.sign_in().reset_second_factor(id).await.unwrap();
        assert!(!works(&test, &mine).await);
        test.clock.advance(seconds(30));
        let late = with_app(&test, &open, &enrolled.code(test.now())).await;
        assert!(matches!(late, Err(SecondFactorError::InvalidChallenge)), "{late:?}");
        assert_eq!(test.auth.recovery_codes().left(id).await.unwrap(), 0);
        test.deliver().await;
        let mail = test.inbox.latest_about(ADA, "authenticator app");
        assert!(mail.text.contains("the operator of this server"), "{}", mail.text);
        test.sign_in(ADA, PASSWORD).await;
        let none = test.auth.sign_in().reset_second_factor(id).await;
        assert!(matches!(none, Err(FactorError::NotEnrolled)), "{none:?}");
    })
    .await;
}

#[tokio::test]
async fn a_restored_database_has_no_open_challenge() {
    each_auth(async |test| {
        let app = enrolled(&test).await;
        test.clock.advance(seconds(30));
        let challenge = test.challenge(ADA, PASSWORD).await;
        test.auth.restore_finished().await.unwrap();
        let answered = test.answer(&challenge, SecondFactor::Totp, &app.code(test.now())).await;
        assert!(matches!(answered, Err(SecondFactorError::InvalidChallenge)));
        test.sign_in_strongly(ADA, PASSWORD, &app).await;
    })
    .await;
}
