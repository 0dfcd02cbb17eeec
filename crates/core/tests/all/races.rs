//! Changes that race with sign-ins still hashing: no session outlives the change.

use ironlatch_core::accounts::AccountRef;
use ironlatch_core::ports::Token;
use ironlatch_core::sign_in::{PasswordAttempt, SignInError, SignedIn, Step};
use ironlatch_testkit::{PASSWORD, TestAuth, address, each_auth};
use tokio::task::JoinHandle;

const ADA: &str = "ada@example.com";
const ROUNDS: usize = 500;
const SIGN_INS: usize = 3;

fn secret(text: &str) -> Token {
    Token::new(text.to_owned())
}

/// Sign-ins under way, each from a browser the account knows, so that no limit stops them.
fn begin_sign_ins(
    test: &TestAuth,
    device: &Token,
    password: &str,
) -> Vec<JoinHandle<Result<SignedIn, SignInError>>> {
    let begin = |_| {
        let mut client = test.stranger();
        client.device = Some(device.clone());
        let attempt = PasswordAttempt {
            email: address(ADA),
            password: secret(password),
            previous_cookie: None,
            client,
        };
        let auth = test.auth.clone();
        tokio::spawn(async move {
            let Step::SignedIn(signed_in) = auth.sign_in().with_password(attempt).await?;
            Ok(*signed_in)
        })
    };
    (0..SIGN_INS).map(begin).collect()
}

async fn finish(
    sign_ins: Vec<JoinHandle<Result<SignedIn, SignInError>>>,
) -> Vec<Result<SignedIn, SignInError>> {
    let mut ended = Vec::new();
    for sign_in in sign_ins {
        ended.push(sign_in.await.expect("a sign-in does not panic"));
    }
    ended
}

async fn is_live(test: &TestAuth, signed_in: &SignedIn) -> bool {
    let sessions = test.auth.sessions();
    let refresh = signed_in.started.refresh_body.reveal();
    let chain = ironlatch_core::tokens::Chain::Body;
    sessions.check(signed_in.started.access.reveal()).await.is_ok()
        || sessions.refresh(refresh, chain, &test.stranger()).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_session_outlives_a_disabling() {
    each_auth(async |test| {
        let ada = test.verified_account(ADA).await;
        let device = test.sign_in(ADA, PASSWORD).await.device;
        let ada = AccountRef::Id(ada.id);
        let mut in_time = 0;
        for round in 0..ROUNDS {
            let sign_ins = begin_sign_ins(&test, &device, PASSWORD);
            for _ in 0..round % 7 {
                tokio::task::yield_now().await;
            }
            test.auth.accounts().disable(&ada).await.unwrap();
            for ended in finish(sign_ins).await {
                if let Ok(signed_in) = ended {
                    in_time += 1;
                    assert!(!is_live(&test, &signed_in).await, "round {round}");
                }
            }
            test.auth.accounts().enable(&ada).await.unwrap();
        }
        println!("{in_time} of {} sign-ins were in before the disabling", ROUNDS * SIGN_INS);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_session_outlives_a_new_password() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        let mut owner = test.sign_in(ADA, PASSWORD).await;
        let mut password = PASSWORD.to_owned();
        for round in 0..ROUNDS {
            let access = owner.started.access.reveal();
            let present = test.auth.sessions().check(access).await.unwrap();
            let next = format!("chosen in round {round}");
            let mut client = test.stranger();
            client.device = Some(owner.device.clone());
            let sign_ins = begin_sign_ins(&test, &owner.device, &password);
            for _ in 0..round % 7 {
                tokio::task::yield_now().await;
            }
            let (old, new) = (secret(&password), secret(&next));
            let changed = test.auth.sign_in().change_password(&present, &old, &new, &client).await;
            for ended in finish(sign_ins).await.into_iter().flatten() {
                assert!(changed.is_err() || !is_live(&test, &ended).await, "round {round}");
            }
            if changed.is_ok() {
                password = next;
            }
            if round % 50 == 49 {
                test.clock.advance(ironlatch_core::time::hours(2));
                owner = test.sign_in(ADA, &password).await;
            }
        }
        assert_ne!(password, PASSWORD, "the password was changed at least once");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_session_that_was_proven_before_outlives_ending_all_others() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        let owner = test.sign_in(ADA, PASSWORD).await;
        let present = test.auth.sessions().check(owner.started.access.reveal()).await.unwrap();
        for round in 0..ROUNDS {
            let sign_ins = begin_sign_ins(&test, &owner.device, PASSWORD);
            for _ in 0..round % 7 {
                tokio::task::yield_now().await;
            }
            let version = test.account(ADA).await.security_version;
            test.auth.sign_in().end_other_sessions(&present, &test.stranger()).await.unwrap();
            for ended in finish(sign_ins).await.into_iter().flatten() {
                // A sign-in that read the account only after the change is a new one.
                let claims = test.auth.tokens().read_access(ended.started.access.reveal(), test.now());
                if claims.unwrap().version <= version {
                    assert!(!is_live(&test, &ended).await, "round {round}");
                }
            }
            assert!(is_live(&test, &owner).await, "the owner stays");
            test.auth.sign_in().end_other_sessions(&present, &test.stranger()).await.unwrap();
            assert_eq!(test.auth.sessions().list(present.account.id).await.unwrap().len(), 1);
        }
    })
    .await;
}
