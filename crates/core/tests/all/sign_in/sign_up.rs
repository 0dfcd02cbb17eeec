//! Sign-up: one account an address, and neutral sign-up that tells nobody which are taken.

use super::*;

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
                name: None,
                arrival: Arrival::new(test.stranger()),
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
async fn neutral_sign_up_answers_alike_and_tells_only_the_owner() {
    each_auth(async |plain| {
        let test = plain.node_with(|settings| settings.sign_up.neutral = true).await;
        test.verified_account(ADA).await;
        let wish = |email: &str| SignUp {
            username: None,
            email: address(email),
            password: secret(PASSWORD),
            name: None,
            arrival: Arrival::new(test.stranger()),
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
            name: None,
            arrival: Arrival::new(test.stranger()),
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
