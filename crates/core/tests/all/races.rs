//! Changes that race with sign-ins still hashing: no session outlives the change.

use ironlatch_core::sessions::Door;
use std::time::Duration;

use ironlatch_core::accounts::AccountRef;
use ironlatch_core::ports::Token;
use ironlatch_core::sign_in::{Arrival, PasswordAttempt, SignInError, SignedIn, Step};
use ironlatch_core::time::hours;
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
            identifier: address(ADA).into(),
            password: secret(password),
            expects_second_factor: false,
            arrival: Arrival::new(client),
        };
        let auth = test.auth.clone();
        tokio::spawn(async move {
            let Step::SignedIn(signed_in) = auth.sign_in().with_password(attempt).await? else {
                panic!("nobody enrolled a second factor")
            };
            Ok(*signed_in)
        })
    };
    (0..SIGN_INS).map(begin).collect()
}

/// Lets the sign-ins come a different way each round: from not begun to all but done.
async fn pause(round: usize) {
    let micros = u64::try_from(round * 137 % 5_000).unwrap();
    tokio::time::sleep(Duration::from_micros(micros)).await;
}

/// An `Auth` on the same store whose hashing takes long enough to be raced with.
async fn slower(plain: &TestAuth) -> TestAuth {
    plain.node_with(|settings| settings.passwords.argon2_memory_kib = 1_024).await
}

/// What became of the sign-ins of all rounds; a race that is never run proves nothing.
#[derive(Debug, Default)]
struct Tally {
    in_time: usize,
    overtaken: usize,
    too_late: usize,
}

impl Tally {
    fn count(&mut self, ended: &Result<SignedIn, SignInError>) {
        match ended {
            Ok(_) => self.in_time += 1,
            Err(SignInError::Busy { .. }) => self.overtaken += 1,
            Err(SignInError::WrongCredentials | SignInError::TooManyAttempts { .. }) => {
                self.too_late += 1;
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    fn assert_raced(&self) {
        println!("{self:?}");
        assert!(self.in_time > 0 && self.overtaken > 0, "the race was not run: {self:?}");
    }
}

/// The owner signs in anew an hour later, which also forgets what the last round counted.
async fn an_hour_later(test: &TestAuth, device: &Token, password: &str) -> SignedIn {
    test.clock.advance(hours(1));
    let mut client = test.stranger();
    client.device = Some(device.clone());
    let attempt = PasswordAttempt {
        identifier: address(ADA).into(),
        password: secret(password),
        expects_second_factor: false,
        arrival: Arrival::new(client),
    };
    let Step::SignedIn(signed_in) = test.auth.sign_in().with_password(attempt).await.unwrap()
    else {
        panic!("nobody enrolled a second factor")
    };
    *signed_in
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
    each_auth(async |plain| {
        let test = slower(&plain).await;
        let ada = test.verified_account(ADA).await;
        let device = test.sign_in(ADA, PASSWORD).await.device;
        let ada = AccountRef::Id(ada.id);
        let mut tally = Tally::default();
        for round in 0..ROUNDS {
            let sign_ins = begin_sign_ins(&test, &device, PASSWORD);
            pause(round).await;
            test.auth.accounts().disable(&ada).await.unwrap();
            let ended = finish(sign_ins).await;
            // Enabled again, only what was really ended stays dead.
            test.auth.accounts().enable(&ada).await.unwrap();
            for ended in ended {
                tally.count(&ended);
                if let Ok(signed_in) = ended {
                    assert!(!is_live(&test, &signed_in).await, "round {round}");
                }
            }
            an_hour_later(&test, &device, PASSWORD).await;
        }
        tally.assert_raced();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_session_outlives_a_new_password() {
    each_auth(async |plain| {
        let test = slower(&plain).await;
        test.verified_account(ADA).await;
        let mut owner = test.sign_in(ADA, PASSWORD).await;
        let mut tally = Tally::default();
        let mut password = PASSWORD.to_owned();
        for round in 0..ROUNDS {
            let access = owner.started.access.reveal();
            let present = test.auth.sessions().check(access).await.unwrap();
            let next = format!("chosen in round {round}");
            let mut client = test.stranger();
            client.device = Some(owner.device.clone());
            let sign_ins = begin_sign_ins(&test, &owner.device, &password);
            pause(round).await;
            let (old, new) = (secret(&password), secret(&next));
            let changed =
                test.auth.sign_in().change_password(&present, Some(&old), &new, &client).await;
            for ended in finish(sign_ins).await {
                tally.count(&ended);
                if let (Ok(()), Ok(signed_in)) = (&changed, ended) {
                    assert!(!is_live(&test, &signed_in).await, "round {round}");
                }
            }
            if changed.is_ok() {
                password = next;
            }
            owner = an_hour_later(&test, &owner.device, &password).await;
        }
        tally.assert_raced();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_session_that_was_proven_before_outlives_ending_all_others() {
    each_auth(async |plain| {
        let test = slower(&plain).await;
        test.verified_account(ADA).await;
        let mut owner = test.sign_in(ADA, PASSWORD).await;
        let mut tally = Tally::default();
        for round in 0..ROUNDS {
            let access = owner.started.access.reveal();
            let present = test.auth.sessions().check(access).await.unwrap();
            let sign_ins = begin_sign_ins(&test, &owner.device, PASSWORD);
            pause(round).await;
            let version = test.account(ADA).await.security_version;
            test.auth.sign_in().end_other_sessions(&present, &test.stranger()).await.unwrap();
            for ended in finish(sign_ins).await {
                tally.count(&ended);
                let Ok(ended) = ended else { continue };
                // A sign-in that read the account only after the change is a new one.
                let claims =
                    test.auth.tokens().read_access(ended.started.access.reveal(), test.now());
                if claims.unwrap().security_version <= version {
                    assert!(!is_live(&test, &ended).await, "round {round}");
                }
            }
            assert!(test.auth.sessions().check(access).await.is_ok(), "the owner stays");
            test.auth.sign_in().end_other_sessions(&present, &test.stranger()).await.unwrap();
            assert_eq!(test.auth.sessions().list(present.account.id).await.unwrap().len(), 1);
            owner = an_hour_later(&test, &owner.device, PASSWORD).await;
        }
        tally.assert_raced();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_session_outlives_a_reset() {
    each_auth(async |plain| {
        let test = slower(&plain).await;
        test.verified_account(ADA).await;
        let mut device = test.sign_in(ADA, PASSWORD).await.device;
        let mut password = PASSWORD.to_owned();
        let mut tally = Tally::default();
        for round in 0..ROUNDS {
            let client = test.stranger();
            test.auth.sign_in().forgot_password(&address(ADA), Door::Api, &client).await.unwrap();
            test.deliver().await;
            let link = test.inbox.latest_about(ADA, "Reset your").token();
            let next = secret(&format!("chosen in round {round}"));
            let sign_ins = begin_sign_ins(&test, &device, &password);
            pause(round).await;
            test.auth.sign_in().reset_password(&link, &next, &client).await.unwrap();
            for ended in finish(sign_ins).await {
                tally.count(&ended);
                if let Ok(signed_in) = ended {
                    assert!(!is_live(&test, &signed_in).await, "round {round}");
                }
            }
            next.reveal().clone_into(&mut password);
            device = an_hour_later(&test, &device, &password).await.device;
        }
        tally.assert_raced();
    })
    .await;
}
