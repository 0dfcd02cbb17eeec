//! Every way in × every state of an account: one policy (E01, E09, A08, C01, C14).
//!
//! A way that is added must get its rows here: what it is done by ([`enter`]) and whether it
//! proves the address ([`proves_the_address`]) are matches without a default, and the list that
//! the test walks is compared with the source.

use std::sync::Arc;

use ironlatch_core::accounts::Contact;
use ironlatch_core::settings::ProviderKind;
use ironlatch_core::sign_in::{
    CameBack, Challenge, CodeAttempt, LinkStep, SecondFactor, SecondFactorError, SocialSignInError,
    Way,
};
use ironlatch_testkit::provider::{FakeProvider, Person};
use ironlatch_testkit::{Enrolled, MovedClock};

use super::*;

/// What an account can be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Proven, nothing enrolled.
    Plain,
    /// An app is enrolled.
    Enrolled,
    /// An app is enrolled, and stopped by guesses.
    Locked,
    /// Disabled by an operator.
    Disabled,
    /// The same with an app: nobody is even asked for it.
    DisabledEnrolled,
    /// Nobody has proven the address; sign-in waits for that.
    Unverified,
    /// The same, and its maker has enrolled an app.
    UnverifiedEnrolled,
}

const STATES: [State; 7] = [
    State::Plain,
    State::Enrolled,
    State::Locked,
    State::Disabled,
    State::DisabledEnrolled,
    State::Unverified,
    State::UnverifiedEnrolled,
];

/// What every way leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    /// One session, of one factor.
    In,
    /// No session before a code of the app, one of several factors after it.
    Asked,
    /// The same, but no code is compared.
    AskedInVain,
    /// As if the proof were wrong.
    Refused,
    /// Whoever proves the mailbox is in, and nothing of the maker's is left; nobody else is.
    OnlyTheMailbox,
}

const fn policy(state: State) -> Policy {
    match state {
        State::Plain => Policy::In,
        State::Enrolled => Policy::Asked,
        State::Locked => Policy::AskedInVain,
        State::Disabled | State::DisabledEnrolled => Policy::Refused,
        State::Unverified | State::UnverifiedEnrolled => Policy::OnlyTheMailbox,
    }
}

const fn proves_the_address(way: Way) -> bool {
    match way {
        Way::Password => false,
        Way::Code | Way::Link | Way::Social => true,
    }
}

/// Ada, as the provider knows her.
fn ada() -> Person {
    Person::new("1815").with_email(ADA)
}

/// A right proof, from a network nobody knows.
async fn enter(test: &TestAuth, google: &FakeProvider, way: Way) -> Result<Step, SignInError> {
    let arrival = Arrival::new(test.stranger());
    let sign_in = test.auth.sign_in();
    let contact = Contact::Email(address(ADA));
    let ask = async || {
        test.inbox.clear();
        let asked = sign_in.request_code(&contact, None, &arrival).await.expect("a code is sent");
        test.deliver().await;
        (test.inbox.latest(ADA), asked.browser)
    };
    match way {
        Way::Password => {
            let attempt = PasswordAttempt {
                identifier: address(ADA).into(),
                password: secret(PASSWORD),
                expects_second_factor: false,
                arrival: arrival.clone(),
            };
            sign_in.with_password(attempt).await
        }
        Way::Code => {
            let (mail, _) = ask().await;
            let code = secret(&mail.code());
            let (contact, arrival) = (contact.clone(), arrival.clone());
            sign_in.with_code(CodeAttempt { contact, code, arrival }).await
        }
        Way::Link => {
            let (mail, browser) = ask().await;
            match sign_in.with_link(&mail.token(), Some(&browser), arrival.clone()).await? {
                LinkStep::Step(step) => Ok(step),
                LinkStep::OtherBrowser => panic!("the link was asked for in this browser"),
            }
        }
        Way::Social => {
            let grant = google.code_for(&ada()).grant();
            match sign_in.with_social(google.name(), grant, arrival).await {
                Ok(step) => Ok(step),
                Err(SocialSignInError::SignIn(error)) => Err(error),
                Err(other) => panic!("{other:?}"),
            }
        }
    }
}

/// Connects what the provider knows of Ada, by the browser's way there and back.
async fn connect(test: &TestAuth, google: &FakeProvider, owner: &SignedIn) {
    let present = test.auth.sessions().check(owner.started.access.reveal()).await.unwrap();
    let sign_in = test.auth.sign_in();
    let next = Some("/account".to_owned());
    let departure = sign_in.depart_to_connect(&present, google.name(), next).await.unwrap();
    let returned = google.visit(&departure.authorization_url, &ada()).returned();
    let arrival = Arrival::new(test.stranger());
    let back = sign_in.come_back(google.name(), Some(&departure.flow), returned, arrival).await;
    let Ok(CameBack::Linked { provider, next }) = back else { panic!("{back:?}") };
    assert_eq!((&*provider, next.as_deref()), (google.name(), Some("/account")));
}

/// Puts a fresh account into a state; gives what its maker keeps: the app and a session.
async fn prepare(
    test: &TestAuth,
    state: State,
    connected: Option<&FakeProvider>,
) -> (Option<Enrolled>, SignedIn) {
    match state {
        State::Unverified | State::UnverifiedEnrolled => test.sign_up(ADA).await,
        _ => test.verified_account(ADA).await,
    };
    let lax = test.node_with(|settings| settings.sign_up.require_verified = false).await;
    let session = lax.sign_in(ADA, PASSWORD).await;
    if let Some(google) = connected {
        connect(test, google, &session).await;
    }
    let enrolled = match state {
        State::Plain | State::Disabled | State::Unverified => None,
        _ => Some(lax.enrol_in(&session).await),
    };
    test.clock.advance(seconds(30));
    match state {
        State::Disabled | State::DisabledEnrolled => {
            test.auth.accounts().disable(&AccountRef::Id(session.account.id)).await.unwrap();
        }
        State::Locked => {
            let challenge = test.challenge(ADA, PASSWORD).await;
            for _ in 0..6 {
                let wrong = secret("000000");
                let wrong = test.answer(&challenge, SecondFactor::Totp, &wrong).await;
                wrong.expect_err("a wrong code");
            }
        }
        _ => {}
    }
    (enrolled, session)
}

async fn live_sessions(test: &TestAuth, id: ironlatch_core::ids::AccountId) -> usize {
    test.auth.sessions().list(id).await.unwrap().len()
}

fn amr_of(test: &TestAuth, signed_in: &SignedIn) -> Vec<String> {
    let claims = test.auth.tokens().read_access(signed_in.started.access.reveal(), test.now());
    claims.unwrap().amr.clone()
}

/// Answers with the app's present code.
async fn answers(
    test: &TestAuth,
    challenge: &Challenge,
    enrolled: &Enrolled,
) -> Result<SignedIn, SecondFactorError> {
    test.answer(challenge, SecondFactor::Totp, &enrolled.code(test.now())).await
}

async fn assert_policy(
    (test, google): (&TestAuth, &FakeProvider),
    way: Way,
    state: State,
    is_connected: bool,
) {
    let (enrolled, makers) = prepare(test, state, is_connected.then_some(google)).await;
    let id = makers.account.id;
    let before = live_sessions(test, id).await;
    let step = enter(test, google, way).await;
    let row = format!("{way:?} × {state:?}: {step:?}");
    match (policy(state), step) {
        (Policy::In, Ok(Step::SignedIn(signed_in))) => {
            assert_eq!(live_sessions(test, id).await, before + 1, "{row}");
            let amr = amr_of(test, &signed_in);
            assert!(!amr.contains(&"mfa".to_owned()), "{row}: {amr:?}");
        }
        (Policy::Asked, Ok(Step::SecondFactor(challenge))) => {
            assert_eq!(live_sessions(test, id).await, before, "E01: {row}");
            test.answer(&challenge, SecondFactor::Totp, &secret("000000")).await.unwrap_err();
            let signed_in = answers(test, &challenge, enrolled.as_ref().unwrap()).await.unwrap();
            assert!(amr_of(test, &signed_in).contains(&"mfa".to_owned()), "{row}");
            assert_eq!(live_sessions(test, id).await, before + 1, "{row}");
        }
        (Policy::AskedInVain, Ok(Step::SecondFactor(challenge))) => {
            let answer = answers(test, &challenge, enrolled.as_ref().unwrap()).await;
            let blocked = matches!(answer, Err(SecondFactorError::TooManyAttempts { .. }));
            assert!(blocked, "E09: {row}: {answer:?}");
            assert_eq!(live_sessions(test, id).await, before, "E09: {row}");
        }
        (Policy::Refused, Err(SignInError::WrongCredentials)) => {
            assert_eq!(live_sessions(test, id).await, 0, "C14: {row}");
        }
        (Policy::OnlyTheMailbox, Err(SignInError::NotVerified)) => {
            assert!(!proves_the_address(way), "{row}");
            assert_eq!(live_sessions(test, id).await, before, "{row}");
        }
        (Policy::OnlyTheMailbox, Ok(Step::SignedIn(signed_in))) => {
            assert!(proves_the_address(way), "{row}");
            assert!(signed_in.account.email_verified_at.is_some(), "{row}");
            assert_eq!(live_sessions(test, id).await, 1, "C01: {row}: the owner's alone");
            assert!(!works(test, &makers).await, "C01: {row}");
            assert!(!test.auth.totp().is_enrolled(id).await.unwrap(), "C01: {row}");
            assert!(test.try_sign_in(ADA, PASSWORD).await.is_err(), "C01: {row}");
        }
        _ => panic!("the policy is {:?}; {row}", policy(state)),
    }
}

/// A fresh house with a provider, on each engine.
async fn each_house(test: impl AsyncFn(TestAuth, FakeProvider)) {
    each_engine(async |url| {
        let clock = Arc::new(MovedClock::new());
        let google =
            FakeProvider::start(ProviderKind::Google, Arc::<MovedClock>::clone(&clock)).await;
        let house = TestAuth::builder().database(&url).clock(&clock).settings(|settings| {
            settings.sign_up.require_verified = true;
            google.offer_in(settings);
        });
        test(house.build().await, google.clone()).await;
    })
    .await;
}

#[tokio::test]
async fn every_way_in_follows_one_policy_in_every_state_of_an_account() {
    for way in Way::ALL {
        for state in STATES {
            each_house(async |test, google| {
                assert_policy((&test, &google), way, state, false).await;
            })
            .await;
        }
    }
}

/// Where nobody has proven the address nothing is connected, and the row above is the only one.
#[tokio::test]
async fn a_connected_identity_follows_it_too() {
    let proven = STATES.into_iter().filter(|state| policy(*state) != Policy::OnlyTheMailbox);
    for state in proven {
        each_house(async |test, google| {
            assert_policy((&test, &google), Way::Social, state, true).await;
        })
        .await;
    }
}

#[test]
fn the_matrix_walks_every_way_there_is() {
    let source = include_str!("../../../src/sign_in/complete.rs");
    let (_, body) = source.split_once("pub enum Way {").expect("the ways are an enum");
    let (body, _) = body.split_once("\n}").expect("it ends");
    let named =
        body.lines().map(str::trim).filter(|line| line.ends_with(',') && !line.starts_with("//"));
    let named: Vec<_> = named.map(|line| line.trim_end_matches(',').to_owned()).collect();
    assert_eq!(named, Way::ALL.map(|way| format!("{way:?}")));
}
