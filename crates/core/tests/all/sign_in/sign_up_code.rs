//! Sign-up with a code that proves the address before there is an account.

use ironlatch_core::accounts::{AccountRef, Contact};
use ironlatch_core::ids::AccountId;
use ironlatch_core::sign_in::{CodeAttempt, CodeSignUp, CodeSignUpError, SignUpCodeRequest};
use ironlatch_core::sources::{SourceHint, Wish};

use super::*;

const BOB: &str = "bob@example.com";

fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

/// How somebody in a network of their own comes.
fn somebody(test: &TestAuth) -> Arrival {
    Arrival::new(test.stranger()).through(Door::OtpSession)
}

async fn ask(
    test: &TestAuth,
    username: &str,
    email: &str,
    arrival: &Arrival,
) -> Result<(), SignUpError> {
    let (username, email) = (name(username), address(email));
    let wish = SignUpCodeRequest { username, email, arrival: arrival.clone() };
    let asked = test.auth.sign_in().request_sign_up_code(&wish).await;
    test.deliver().await;
    asked
}

fn wish(username: &str, email: &str, code: &str, arrival: &Arrival) -> CodeSignUp {
    CodeSignUp {
        username: name(username),
        email: address(email),
        password: secret(PASSWORD),
        code: secret(code),
        arrival: arrival.clone(),
    }
}

async fn tell(
    test: &TestAuth,
    username: &str,
    email: &str,
    code: &str,
    arrival: &Arrival,
) -> Result<AccountId, CodeSignUpError> {
    test.auth.sign_in().sign_up_with_code(wish(username, email, code, arrival)).await
}

/// Asks and takes the code out of the mailbox.
async fn code_for(test: &TestAuth, username: &str, email: &str, arrival: &Arrival) -> String {
    ask(test, username, email, arrival).await.unwrap();
    test.inbox.latest(email).code()
}

fn other_than(code: &str) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
}

async fn exists(test: &TestAuth, email: &str) -> bool {
    let found = test.auth.accounts().find(&AccountRef::Email(address(email))).await;
    found.unwrap().is_some()
}

/// Many guesses in a row are slowed down; here the code's own bound is what is tried.
async fn each_patient_auth(test: impl AsyncFn(TestAuth)) {
    each_engine(async |url| {
        let patient = TestAuth::builder().database(&url).settings(|settings| {
            settings.limits.failures_before_delay = 10_000;
            settings.limits.failures_before_stop = 10_000;
        });
        test(patient.build().await).await;
    })
    .await;
}

#[tokio::test]
async fn nothing_is_made_before_the_code_and_everything_with_it() {
    each_auth(async |test| {
        let bob = somebody(&test);
        let code = code_for(&test, "Bob", BOB, &bob).await;
        assert!(!exists(&test, BOB).await, "nothing of an account at the request");

        let id = tell(&test, "bob", "BOB@example.com", &code, &bob).await.unwrap();
        let account = test.account(BOB).await;
        assert_eq!(account.id, id);
        assert_eq!(account.username.as_deref(), Some("Bob"), "as it was asked with");
        assert_eq!(account.email.as_deref(), Some(BOB), "as the mail was addressed");
        assert!(account.email_verified_at.is_some());
        assert!(!account.is_staff && !account.is_superuser);
        assert!(account.last_sign_in_at.is_none());
        assert!(test.auth.sessions().list(id).await.unwrap().is_empty(), "no session");
        assert!(test.auth.profiles().find(id).await.unwrap().is_some());
        test.deliver().await;
        let _ = test.inbox.latest_about(BOB, "Welcome");
        test.sign_in(BOB, PASSWORD).await;
        let attempt = PasswordAttempt {
            identifier: name("BOB").into(),
            password: secret(PASSWORD),
            expects_second_factor: false,
            arrival: bob.clone(),
        };
        assert!(test.auth.sign_in().with_password(attempt).await.is_ok(), "by the name as well");

        let again = tell(&test, "bob", BOB, &code, &bob).await;
        assert!(matches!(again, Err(CodeSignUpError::Unknown)), "once: {again:?}");
    })
    .await;
}

#[tokio::test]
async fn b04_b05_a_code_is_good_for_its_name_its_address_and_its_purpose_alone() {
    each_auth(async |test| {
        let bob = somebody(&test);
        let code = code_for(&test, "bob", BOB, &bob).await;
        for (username, email) in [("eve", BOB), ("bob", "eve@example.com")] {
            let other = tell(&test, username, email, &code, &bob).await;
            assert!(matches!(other, Err(CodeSignUpError::Unknown)), "{username}: {other:?}");
        }
        let eves = code_for(&test, "eve", BOB, &bob).await;
        if eves != code {
            let crossed = tell(&test, "bob", BOB, &eves, &bob).await;
            assert!(matches!(crossed, Err(CodeSignUpError::WrongCode)), "{crossed:?}");
        }
        let contact = Contact::Email(address(BOB));
        let attempt =
            CodeAttempt { contact: contact.clone(), code: secret(&code), arrival: bob.clone() };
        let as_sign_in = test.auth.sign_in().with_code(attempt).await;
        assert!(matches!(as_sign_in, Err(SignInError::WrongCredentials)), "B05");
        test.auth.sign_in().request_code(&contact, None, &bob).await.unwrap();
        test.deliver().await;
        let to_sign_in = test.inbox.latest_about(BOB, "verification code").code();
        if to_sign_in != code {
            let as_sign_up = tell(&test, "bob", BOB, &to_sign_in, &bob).await;
            assert!(matches!(as_sign_up, Err(CodeSignUpError::WrongCode)), "B05: {as_sign_up:?}");
        }
        tell(&test, "bob", BOB, &code, &bob).await.unwrap();
        let late = tell(&test, "eve", BOB, &eves, &bob).await;
        assert!(matches!(late, Err(CodeSignUpError::Unknown)), "gone with the first: {late:?}");
    })
    .await;
}

#[tokio::test]
async fn b01_b07_a_code_dies_of_five_wrong_tries_or_of_ten_minutes() {
    each_patient_auth(async |test| {
        let bob = somebody(&test);
        let code = code_for(&test, "bob", BOB, &bob).await;
        for _ in 0..5 {
            let wrong = tell(&test, "bob", BOB, &other_than(&code), &bob).await;
            assert!(matches!(wrong, Err(CodeSignUpError::WrongCode)), "{wrong:?}");
        }
        let dead = tell(&test, "bob", BOB, &code, &bob).await;
        assert!(matches!(dead, Err(CodeSignUpError::Expired)), "B01: {dead:?}");

        let code = code_for(&test, "bob", BOB, &bob).await;
        test.clock.advance(seconds(599));
        tell(&test, "bob", BOB, &code, &bob).await.unwrap();

        let ada = somebody(&test);
        let code = code_for(&test, "ada", ADA, &ada).await;
        test.clock.advance(seconds(600));
        ironlatch_core::workers::sweep(&test.auth).await.unwrap();
        let late = tell(&test, "ada", ADA, &code, &ada).await;
        assert!(matches!(late, Err(CodeSignUpError::Expired)), "B07: {late:?}");
        test.clock.advance(hours(1));
        ironlatch_core::workers::sweep(&test.auth).await.unwrap();
        let swept = tell(&test, "ada", ADA, &code, &ada).await;
        assert!(matches!(swept, Err(CodeSignUpError::Unknown)), "H10: {swept:?}");
    })
    .await;
}

#[tokio::test]
async fn b02_failures_survive_a_new_code_and_looking_for_pairs_is_counted() {
    each_auth(async |test| {
        let bob = somebody(&test);
        let code = code_for(&test, "bob", BOB, &bob).await;
        for _ in 0..5 {
            tell(&test, "bob", BOB, &other_than(&code), &bob).await.unwrap_err();
        }
        let code = code_for(&test, "bob", BOB, &bob).await;
        let blocked = tell(&test, "bob", BOB, &other_than(&code), &bob).await;
        assert!(matches!(blocked, Err(CodeSignUpError::TooManyAttempts { .. })), "{blocked:?}");

        let mut throttled = 0;
        for n in 0..8 {
            let eve = somebody(&test);
            let looked = tell(&test, &format!("bob{n}"), BOB, "123456", &eve).await;
            throttled +=
                usize::from(matches!(looked, Err(CodeSignUpError::TooManyAttempts { .. })));
        }
        assert!(throttled > 0, "names cannot be tried out for ever");
        test.clock.advance(seconds(2));
        tell(&test, "bob", BOB, &code, &bob).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_taken_name_is_told_and_a_taken_address_only_to_its_owner() {
    each_patient_auth(async |test| {
        test.verified_account(ADA).await;
        test.deliver().await;
        test.inbox.clear();
        let eve = somebody(&test);
        let name_taken = ask(&test, "ADA", "eve@example.com", &eve).await;
        let told = matches!(name_taken, Err(SignUpError::Taken { username: true, email: false }));
        assert!(told, "{name_taken:?}");
        assert!(test.inbox.all().is_empty());

        for (username, email) in [("eve", "Ada@Example.com"), ("free", "free@example.com")] {
            let eve = somebody(&test);
            ask(&test, username, email, &eve).await.unwrap();
            for _ in 0..5 {
                let wrong = tell(&test, username, email, "not-it", &eve).await;
                assert!(
                    matches!(wrong, Err(CodeSignUpError::WrongCode)),
                    "A03: {email}: {wrong:?}"
                );
            }
            let dead = tell(&test, username, email, "not-it", &eve).await;
            assert!(matches!(dead, Err(CodeSignUpError::Expired)), "A03: {email}: {dead:?}");
        }
        assert_eq!(test.inbox.to("Ada@Example.com").len(), 0, "to the spelling of its owner");
        let told = test.inbox.latest_about(ADA, "already");
        let page =
            format!("{}/reset-password", test.auth.settings().public_url.trim_end_matches('/'));
        assert_eq!(told.link(), page);
        assert!(test.inbox.latest("free@example.com").subject.contains("verification"));
    })
    .await;
}

#[tokio::test]
async fn c01_whoever_only_claimed_the_address_gives_way() {
    each_auth(async |test| {
        let claimed = test.sign_up(ADA).await;
        let session = test.sign_in(ADA, PASSWORD).await;
        let owner = somebody(&test);
        let code = code_for(&test, "lovelace", ADA, &owner).await;
        let id = tell(&test, "lovelace", ADA, &code, &owner).await.unwrap();
        assert_ne!(id, claimed.id);
        assert!(!works(&test, &session).await, "the maker's session is gone");
        assert_eq!(test.account(ADA).await.id, id);
        let old = test.auth.accounts().find(&AccountRef::Id(claimed.id)).await.unwrap().unwrap();
        assert!(old.deleted_at.is_some());
    })
    .await;
}

#[tokio::test]
async fn c14_an_account_that_was_disabled_is_not_got_round_by_its_address() {
    each_auth(async |test| {
        let banned = test.sign_up(ADA).await;
        test.auth.accounts().disable(&AccountRef::Id(banned.id)).await.unwrap();
        test.inbox.clear();
        ask(&test, "lovelace", ADA, &somebody(&test)).await.unwrap();
        assert!(test.inbox.latest(ADA).subject.contains("already"), "no code");

        let bob = somebody(&test);
        let code = code_for(&test, "bob", BOB, &bob).await;
        let made = test.sign_up(BOB).await;
        test.auth.accounts().disable(&AccountRef::Id(made.id)).await.unwrap();
        let late = tell(&test, "bob", BOB, &code, &bob).await;
        assert!(matches!(late, Err(CodeSignUpError::Taken { email: true, .. })), "{late:?}");
    })
    .await;
}

#[tokio::test]
async fn strangers_neither_cancel_nor_wear_out_a_code() {
    each_auth(async |test| {
        let bob = somebody(&test);
        let code = code_for(&test, "bob", BOB, &bob).await;
        for _ in 0..12 {
            let stranger = somebody(&test);
            let _ = ask(&test, "bob", BOB, &stranger).await;
            for _ in 0..3 {
                tell(&test, "bob", BOB, &other_than(&code), &stranger).await.unwrap_err();
            }
        }
        tell(&test, "bob", BOB, &code, &bob).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn b21_over_the_limit_a_live_code_is_sent_once_more() {
    each_auth(async |test| {
        let bob = somebody(&test);
        let mut code = String::new();
        for _ in 0..3 {
            code = code_for(&test, "bob", "Bob@Example.com", &bob).await;
        }
        ask(&test, "bob", BOB, &bob).await.unwrap();
        assert_eq!(test.inbox.to("Bob@Example.com").len(), 4, "to where it went before");
        assert_eq!(test.inbox.latest("Bob@Example.com").code(), code);
        let refused = ask(&test, "bob", BOB, &bob).await;
        assert!(matches!(refused, Err(SignUpError::TooManyAttempts { .. })), "{refused:?}");
        let other_name = ask(&test, "bobby", BOB, &bob).await;
        assert!(matches!(other_name, Err(SignUpError::TooManyAttempts { .. })), "{other_name:?}");
        tell(&test, "bob", BOB, &code, &bob).await.unwrap();
        for n in 0..30 {
            let _ = ask(&test, &format!("any{n}"), "flood@example.com", &somebody(&test)).await;
        }
        assert_eq!(test.inbox.to("flood@example.com").len(), 10, "whatever the names");
    })
    .await;
}

#[tokio::test]
async fn b01_two_hundred_guesses_at_once_are_five() {
    each_patient_auth(async |test| {
        let bob = somebody(&test);
        let code = code_for(&test, "bob", BOB, &bob).await;
        let right: u32 = code.parse().unwrap();
        let all = (1..=200).map(|n| {
            let guess = format!("{:06}", (right + n) % 1_000_000);
            let (auth, wish) = (test.auth.clone(), wish("bob", BOB, &guess, &bob));
            tokio::spawn(async move { auth.sign_in().sign_up_with_code(wish).await })
        });
        for answer in futures_util::future::join_all(all).await {
            let answer = answer.unwrap();
            let refused =
                matches!(answer, Err(CodeSignUpError::WrongCode | CodeSignUpError::Expired));
            assert!(refused, "{answer:?}");
        }
        let dead = tell(&test, "bob", BOB, &code, &bob).await;
        assert!(matches!(dead, Err(CodeSignUpError::Expired)), "{dead:?}");
    })
    .await;
}

#[tokio::test]
async fn a_bad_password_costs_no_try_and_makes_nothing() {
    each_auth(async |test| {
        let bob = somebody(&test);
        let code = code_for(&test, "bobby-tables", BOB, &bob).await;
        for _ in 0..10 {
            for (password, problem) in [
                ("short", PasswordProblem::TooShort { least: 8 }),
                ("bobby-tables", PasswordProblem::AboutYou),
                ("password", PasswordProblem::TooCommon),
            ] {
                let wish = CodeSignUp {
                    password: secret(password),
                    ..wish("bobby-tables", BOB, &code, &bob)
                };
                let refused = test.auth.sign_in().sign_up_with_code(wish).await;
                let named =
                    matches!(&refused, Err(CodeSignUpError::Password(it)) if *it == problem);
                assert!(named, "{password}: {refused:?}");
            }
        }
        tell(&test, "bobby-tables", BOB, &code, &bob).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_address_proven_elsewhere_meanwhile_is_told_to_whoever_reads_its_mail() {
    each_auth(async |test| {
        let bob = somebody(&test);
        let code = code_for(&test, "bob", BOB, &bob).await;
        let contact = Contact::Email(address(BOB));
        test.auth.sign_in().request_code(&contact, None, &bob).await.unwrap();
        test.deliver().await;
        let attempt = CodeAttempt {
            contact,
            code: secret(&test.inbox.latest_about(BOB, "Your verification code").code()),
            arrival: bob.clone(),
        };
        assert!(matches!(test.auth.sign_in().with_code(attempt).await, Ok(Step::SignedIn(_))));
        let late = tell(&test, "bob", BOB, &code, &bob).await;
        let told = matches!(late, Err(CodeSignUpError::Taken { username: false, email: true }));
        assert!(told, "{late:?}");
    })
    .await;
}

#[tokio::test]
async fn a_decoy_is_in_no_mail_even_when_its_address_is_free_again() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        let mine = test.sign_in(ADA, PASSWORD).await;
        let eve = somebody(&test);
        for _ in 0..3 {
            ask(&test, "eve", ADA, &eve).await.unwrap();
        }
        let present = test.auth.sessions().check(mine.started.access.reveal()).await.unwrap();
        let password = secret(PASSWORD);
        let sign_in = test.auth.sign_in();
        sign_in.close_account(&present, Some(&password), &test.stranger()).await.unwrap();
        test.inbox.clear();
        let refused = ask(&test, "eve", ADA, &eve).await;
        assert!(matches!(refused, Err(SignUpError::TooManyAttempts { .. })), "{refused:?}");
        assert!(test.inbox.all().iter().all(|mail| !mail.subject.contains("verification")));
    })
    .await;
}

#[tokio::test]
async fn the_page_somebody_asked_from_is_the_accounts_source() {
    each_auth(async |test| {
        let page = "https://news.example/a";
        let source = SourceHint { source_url: Some(page.to_owned()), ..SourceHint::default() };
        let plain = somebody(&test);
        let from_page = Arrival { source, ..plain.clone() };
        let code = code_for(&test, "bob", BOB, &from_page).await;
        tell(&test, "bob", BOB, &code, &plain).await.unwrap();
        let top = test.auth.sources().top(&Wish::default()).await.unwrap().rows;
        assert_eq!(top.len(), 1);
        assert_eq!((top[0].source.url.as_str(), top[0].sign_ups), (page, 1));
        let conversion = test.auth.sources().conversion(&Wish::default()).await.unwrap().rows;
        assert_eq!((conversion[0].requested, conversion[0].verified), (1, 1));
    })
    .await;
}
