//! The rows of the table.

use super::kit::{ADA, Kit, PASSWORD, each, each_with, github, google};
use crate::accounts::{AccountRef, Phone};
use crate::credentials::totp::Enrolment;
use crate::ports::Token;
use crate::settings::Settings;
use crate::sign_in::{
    Confirmation, RECENT, SecondFactor, SecondFactorAttempt, SignInError, SignedIn,
    SocialSignInError, Step,
};
use crate::time::{days, minutes, seconds};

fn is_taken(step: &Result<Step, SocialSignInError>) -> bool {
    matches!(step, Err(SocialSignInError::AddressTaken))
}

fn is_refused(step: &Result<Step, SocialSignInError>) -> bool {
    matches!(step, Err(SocialSignInError::SignIn(SignInError::WrongCredentials)))
}

/// What an app shows.
pub(super) fn code(kit: &Kit, enrolment: &Enrolment) -> Token {
    let now = kit.auth.clock().now().seconds().unsigned_abs();
    let at = ironlatch_testkit::START;
    let at = at.plus(seconds(now).saturating_sub(seconds(at.seconds().unsigned_abs())));
    Token::new(ironlatch_testkit::totp_code(enrolment.secret.reveal(), at))
}

/// Enrols an app in a session.
pub(super) async fn enrol(kit: &Kit, signed_in: &SignedIn) -> Enrolment {
    let present = kit.present(signed_in).await;
    let begun = kit.auth.sign_in().begin_totp(&present, RECENT).await.unwrap();
    let confirmation = Confirmation { code: code(kit, &begun), wants_recovery_codes: false };
    let client = kit.stranger();
    kit.auth.sign_in().confirm_totp(&present, &confirmation, &client).await.unwrap();
    kit.advance(seconds(30));
    begun
}

#[tokio::test]
async fn a_connected_identity_opens_its_account_and_no_other_whatever_address_it_says() {
    each(async |kit| {
        let first = kit.enter(&google("1", Some(ADA), true)).await;
        let bob = kit.proven("bob@example.com").await;
        kit.advance(minutes(1));
        let again = kit.enter(&google("1", Some("bob@example.com"), true)).await;
        assert_eq!(again.account.id, first.account.id);
        assert!(first.is_new && !again.is_new);
        assert_eq!(kit.amr(&again), ["fed"]);
        let connections = kit.auth.sign_in().connections(first.account.id).await.unwrap();
        assert_eq!(connections.len(), 1);
        assert_eq!(connections[0].email.as_deref(), Some("bob@example.com"), "told last");
        assert!(connections[0].last_used_at > connections[0].created_at);
        assert_eq!(kit.account(first.account.id).await.email.as_deref(), Some(ADA));
        assert!(kit.providers(bob).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn the_same_subject_of_another_issuer_is_somebody_else() {
    each(async |kit| {
        let first = kit.enter(&google("1", Some(ADA), true)).await;
        let other = kit.enter(&github("1", None, false)).await;
        assert_ne!(first.account.id, other.account.id, "C03");
        assert_eq!(kit.providers(first.account.id).await, ["google"]);
        assert_eq!(kit.providers(other.account.id).await, ["github"]);
    })
    .await;
}

#[tokio::test]
async fn a_disabled_account_is_refused_like_any_wrong_proof_and_nothing_is_written() {
    each(async |kit| {
        let first = kit.enter(&google("1", Some(ADA), true)).await;
        let before = kit.auth.sign_in().connections(first.account.id).await.unwrap();
        kit.auth.accounts().disable(&AccountRef::Id(first.account.id)).await.unwrap();
        kit.advance(minutes(1));
        assert!(is_refused(&kit.with(&google("1", Some(ADA), true)).await), "C14");
        assert!(is_refused(&kit.with(&google("2", Some(ADA), true)).await), "by its address");
        let after = kit.auth.sign_in().connections(first.account.id).await.unwrap();
        assert_eq!(before, after);
        assert!(kit.auth.sessions().list(first.account.id).await.unwrap().is_empty());
        kit.auth.accounts().enable(&AccountRef::Id(first.account.id)).await.unwrap();
        assert_eq!(kit.enter(&google("1", None, false)).await.account.id, first.account.id);
    })
    .await;
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_the_session_says_both() {
    each(async |kit| {
        let vouched = google("1", Some(ADA), true);
        let first = kit.enter(&vouched).await;
        let app = enrol(&kit, &first).await;
        let before = kit.auth.sessions().list(first.account.id).await.unwrap().len();
        let Step::SecondFactor(challenge) = kit.with(&vouched).await.unwrap() else {
            panic!("E01: in without the second factor")
        };
        assert_eq!(kit.auth.sessions().list(first.account.id).await.unwrap().len(), before, "E01");
        let attempt = SecondFactorAttempt {
            challenge: challenge.token,
            method: SecondFactor::Totp,
            code: code(&kit, &app),
            arrival: kit.arrival(),
        };
        let answered = kit.auth.sign_in().second_factor(attempt).await.unwrap();
        assert_eq!(kit.amr(&answered), ["fed", "otp", "mfa"]);
    })
    .await;
}

#[tokio::test]
async fn without_a_proven_address_an_account_without_one_is_made() {
    each(async |kit| {
        for (subject, email) in [("1", None), ("2", Some(ADA)), ("3", Some(ADA))] {
            let made = kit.enter(&google(subject, email, false)).await;
            assert!(made.is_new);
            assert_eq!(made.account.email, None, "C02: what nobody proved is nobody's");
            assert_eq!(made.account.email_verified_at, None);
            assert_eq!(made.account.identities.len(), 1, "the session's account says who vouched");
        }
        assert!(kit.mailed(ADA).await.0.is_empty(), "nobody is written to");
        // Nor is the address taken.
        let owner = kit.enter(&github("9", Some(ADA), true)).await;
        assert!(owner.is_new);
        assert_eq!(owner.account.email.as_deref(), Some(ADA));
    })
    .await;
}

#[tokio::test]
async fn an_unproven_address_that_somebody_has_is_refused() {
    each(async |kit| {
        let ada = kit.proven(ADA).await;
        let claims = kit.unproven("eve@example.com").await;
        for email in [ADA, "ADA@EXAMPLE.com", "eve@example.com"] {
            assert!(is_taken(&kit.with(&google("1", Some(email), false)).await), "C02: {email}");
        }
        assert!(kit.providers(ada).await.is_empty());
        assert!(kit.providers(claims.id).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn neutral_sign_up_does_not_tell_whose_address_it_is() {
    each_with(
        |settings| settings.sign_up.neutral = true,
        async |kit| {
            let ada = kit.proven(ADA).await;
            let made = kit.enter(&google("1", Some(ADA), false)).await;
            assert!(made.is_new && made.account.id != ada);
            assert_eq!(made.account.email, None);
            let other = kit.enter(&google("2", Some("Ada@example.com"), true)).await;
            assert!(other.is_new && other.account.email.is_none(), "perhaps another mailbox");
            assert!(kit.providers(ada).await.is_empty());
        },
    )
    .await;
}

#[tokio::test]
async fn a_proven_address_that_nobody_has_makes_an_account_with_it() {
    each(async |kit| {
        let made = kit.enter(&google("1", Some(ADA), true)).await;
        assert!(made.is_new);
        assert_eq!(made.account.email.as_deref(), Some(ADA));
        assert!(made.account.email_verified_at.is_some());
        assert_eq!(made.account.username.as_deref(), Some("adalovelace"));
        let profile = kit.auth.profiles().find(made.account.id).await.unwrap().unwrap();
        assert_eq!(profile.name, "Ada Lovelace");
        let (subjects, _) = kit.mailed(ADA).await;
        assert_eq!(subjects.len(), 1, "{subjects:?}");
        assert!(subjects[0].contains("Welcome"));
        assert!(matches!(kit.with_password(ADA).await, Err(SignInError::WrongCredentials)));
    })
    .await;
}

#[tokio::test]
async fn names_are_legal_and_numbered_when_taken() {
    each(async |kit| {
        let mut names = Vec::new();
        for subject in 0..11 {
            let made = kit.enter(&google(&subject.to_string(), None, false)).await;
            names.push(made.account.username.unwrap());
        }
        assert_eq!(names[..3], ["adalovelace", "adalovelace2", "adalovelace3"]);
        assert_eq!(names[8], "adalovelace9");
        assert!(names[9] != names[10] && names[9].starts_with("adalovelace"));
        for (subject, name, wanted) in [
            ("20", Some("  Zoë  O'Neil "), "zoëoneil"),
            ("21", Some("victim@example.com"), "victimexample.com"),
            ("22", Some("+49 151 1"), "491511"),
            ("23", Some("\u{1f600}"), "google_23"),
            ("24", None, "google_24"),
            ("a|b c", None, "google_abc"),
        ] {
            let mut vouched = google(subject, None, false);
            vouched.name = name.map(str::to_owned);
            let made = kit.enter(&vouched).await;
            assert_eq!(made.account.username.as_deref(), Some(wanted));
        }
        let mut long = google("30", None, false);
        long.name = Some("x".repeat(5_000));
        assert_eq!(kit.enter(&long).await.account.username.unwrap().len(), 100);
        let mut nameless = google("31", Some("grace.hopper@example.com"), true);
        nameless.name = None;
        let made = kit.enter(&nameless).await;
        assert_eq!(made.account.username.as_deref(), Some("grace.hopper"));
    })
    .await;
}

#[tokio::test]
async fn both_sides_proven_connects_and_tells_the_owner() {
    each(async |kit| {
        let ada = kit.proven(ADA).await;
        let other_node = kit.node(|_| ()).await;
        let by_password = kit.with_password(ADA).await.unwrap();
        assert!(other_node.present(&by_password).await.account.identities.is_empty());
        let version = kit.account(ada).await.security_version;
        // Servers do not tell spellings of a domain apart.
        let signed_in = kit.enter(&google("1", Some("ada@EXAMPLE.com"), true)).await;
        assert_eq!(signed_in.account.id, ada);
        assert!(!signed_in.is_new);
        assert_eq!(signed_in.account.security_version, version + 1);
        assert_eq!(signed_in.account.email.as_deref(), Some(ADA), "as its owner spells it");
        assert!(kit.works(&signed_in).await && kit.works(&by_password).await, "nothing ends");
        let (subjects, text) = kit.mailed(ADA).await;
        assert!(subjects.contains(&"A way to sign in was added".to_owned()), "{subjects:?}");
        assert!(text.contains("10.0.0."), "{text}");
        // The other node hears of it.
        other_node.auth.sessions().poll_feed().await.unwrap();
        let seen = other_node.present(&by_password).await;
        assert_eq!(seen.account.identities.len(), 1);
        assert_eq!(seen.account.identities[0].subject, "1");
        // Both ways lead to it from now on.
        assert_eq!(kit.with_password(ADA).await.unwrap().account.id, ada);
        assert_eq!(kit.enter(&google("1", None, false)).await.account.id, ada);
    })
    .await;
}

#[tokio::test]
async fn nothing_is_connected_before_the_second_factor() {
    each(async |kit| {
        let ada = kit.proven(ADA).await;
        let app = enrol(&kit, &kit.with_password(ADA).await.unwrap()).await;
        let vouched = google("1", Some(ADA), true);
        let Step::SecondFactor(challenge) = kit.with(&vouched).await.unwrap() else {
            panic!("E01: in without the second factor")
        };
        assert!(kit.auth.sign_in().connections(ada).await.unwrap().is_empty());
        let answer = async |code: Token| {
            let attempt = SecondFactorAttempt {
                challenge: challenge.token.clone(),
                method: SecondFactor::Totp,
                code,
                arrival: kit.arrival(),
            };
            kit.auth.sign_in().second_factor(attempt).await
        };
        answer(Token::new("000000".to_owned())).await.unwrap_err();
        assert!(kit.auth.sign_in().connections(ada).await.unwrap().is_empty());
        let signed_in = answer(code(&kit, &app)).await.unwrap();
        assert_eq!(signed_in.account.id, ada);
        assert_eq!(kit.providers(ada).await, ["google"]);
        assert!(kit.works(&signed_in).await);
        let (subjects, _) = kit.mailed(ADA).await;
        assert!(subjects.contains(&"A way to sign in was added".to_owned()), "{subjects:?}");
    })
    .await;
}

#[tokio::test]
async fn another_spelling_of_the_local_part_is_perhaps_another_mailbox() {
    each(async |kit| {
        let ada = kit.proven(ADA).await;
        assert!(is_taken(&kit.with(&google("1", Some("Ada@example.com"), true)).await));
        assert!(kit.providers(ada).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn c01_a_provider_that_proves_the_address_first_finds_nothing_of_the_makers() {
    each(async |kit| {
        // In the maker's spelling, too.
        let trap = kit.unproven("ADA@example.com").await;
        let makers = kit.with_password(ADA).await.unwrap();
        let held_back = kit.present(&makers).await;
        enrol(&kit, &makers).await;
        // The maker's own identity, connected by whatever hole.
        let mine =
            (&super::super::Joining::from(&google("666", None, false)), kit.auth.clock().now());
        let (_, row) = kit.auth.social().connecting(trap.id, mine.0, mine.1).unwrap();
        kit.auth.database().write(row.into()).await.unwrap();

        let owners = kit.enter(&google("1", Some(ADA), true)).await;
        assert_eq!(owners.account.id, trap.id);
        assert_eq!(owners.account.email.as_deref(), Some(ADA), "as the provider spells it");
        assert!(owners.account.email_verified_at.is_some());
        assert!(!owners.is_new);
        assert!(kit.works(&owners).await);
        assert!(!kit.works(&makers).await, "C01: the maker's session");
        assert!(kit.with_password(ADA).await.is_err(), "C01: the maker's password");
        assert!(!kit.auth.totp().is_enrolled(trap.id).await.unwrap(), "C01: the maker's app");
        let left = kit.account(trap.id).await.identities;
        assert_eq!(left.len(), 1, "C01: the maker's identity");
        assert_eq!(left[0].subject, "1");
        let maker = kit.with(&google("666", None, false)).await.unwrap();
        let Step::SignedIn(maker) = maker else { panic!("{maker:?}") };
        assert_ne!(maker.account.id, trap.id, "C01: is a stranger again");
        let (grant, client) = (crate::social::Grant::default(), kit.stranger());
        let linked = kit.auth.sign_in().connect(&held_back, "google", grant, &client).await;
        assert!(matches!(linked, Err(SocialSignInError::ProveAgain)), "C01: a held back request");
        let (subjects, text) = kit.mailed(ADA).await;
        assert!(subjects.iter().any(|subject| subject.contains("Welcome")), "{subjects:?}");
        assert!(!text.contains("vierzehn"));
        assert_eq!(kit.enter(&google("1", None, false)).await.account.id, trap.id);
    })
    .await;
}

#[tokio::test]
async fn c01_the_maker_gains_nothing_by_coming_first_with_an_identity() {
    each(async |kit| {
        // An identity without a proven address can neither claim nor be given one.
        let makers = kit.enter(&google("666", Some(ADA), false)).await;
        let owner = kit.enter(&github("1", Some(ADA), true)).await;
        assert_ne!(owner.account.id, makers.account.id);
        // Nor is anything connected to an account that claims an address.
        kit.unproven("bob@example.com").await;
        let claims = kit.with_password("bob@example.com").await.unwrap();
        let client = kit.stranger();
        let present = kit.present(&claims).await;
        let session = (present.account.id, present.claims.session);
        let vouched = google("2", None, false);
        let linked = kit.auth.sign_in().connect_on_return(session, &vouched, &client).await;
        assert!(matches!(linked, Err(SocialSignInError::ProveAgain)), "{linked:?}");
    })
    .await;
}

#[tokio::test]
async fn an_account_that_has_proven_only_a_number_is_not_joined() {
    // No way leads there today; the table says what would happen all the same.
    each(async |kit| {
        let claims = kit.unproven(ADA).await;
        let phone = Phone::parse("+491512345678").unwrap();
        let number = Some((phone.as_typed(), phone.key()));
        let now = Some(kit.auth.clock().now());
        let set = crate::accounts::set_phone(claims.id, claims.security_version, number, now);
        kit.auth.database().write(set.into()).await.unwrap();
        assert!(is_taken(&kit.with(&google("1", Some(ADA), true)).await));
        assert!(kit.auth.sign_in().connections(claims.id).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn waiting_for_verification_keeps_nobody_out_who_has_nothing_to_verify() {
    each_with(
        |settings| settings.sign_up.require_verified = true,
        async |kit| {
            let made = kit.enter(&google("1", None, false)).await;
            let present = kit.present(&made).await;
            let (new, client) = (Token::new(PASSWORD.to_owned()), kit.stranger());
            kit.auth.sign_in().change_password(&present, None, &new, &client).await.unwrap();
            let name = made.account.username.unwrap();
            assert_eq!(kit.with_password(&name).await.unwrap().account.id, made.account.id);
            kit.unproven(ADA).await;
            let waits = kit.with_password(ADA).await;
            assert!(matches!(waits, Err(SignInError::NotVerified)), "{waits:?}");
        },
    )
    .await;
}

/// A provider gives anybody as many identities as they ask for (H10).
#[tokio::test]
async fn h10_identities_make_so_many_accounts_for_a_network_and_sign_in_to_more() {
    let few = |settings: &mut Settings| settings.limits.identity_accounts_per_network_hour = 2;
    each_with(few, async |kit| {
        let arrival = kit.arrival();
        let enter = async |vouched| kit.auth.sign_in().with_identity(&vouched, &arrival).await;
        enter(google("1", None, false)).await.unwrap();
        enter(google("2", Some(ADA), true)).await.unwrap();
        for refused in [google("3", None, false), google("3", Some("c@example.com"), true)] {
            let refused = enter(refused).await;
            let is_it = matches!(
                refused,
                Err(SocialSignInError::SignIn(SignInError::TooManyAttempts { .. }))
            );
            assert!(is_it, "{refused:?}");
        }
        // Whoever is known, or joins an account, is not counted.
        enter(google("1", None, false)).await.unwrap();
        enter(github("2", Some(ADA), true)).await.unwrap();
        kit.enter(&google("3", None, false)).await;
        kit.advance(minutes(31));
        enter(google("4", None, false)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_sweeper_of_never_proven_accounts_leaves_those_that_an_identity_made() {
    let doors = |settings: &mut Settings| settings.doors.otp_session.enabled = true;
    each_with(doors, async |kit| {
        let made = kit.enter(&google("1", None, false)).await.account.id;
        // One with a name and a password, whose identity is gone.
        let former = kit.enter(&google("2", None, false)).await;
        let present = kit.present(&former).await;
        let (new, client) = (Token::new(PASSWORD.to_owned()), kit.stranger());
        let sign_in = kit.auth.sign_in();
        sign_in.change_password(&present, None, &new, &client).await.unwrap();
        let identity = sign_in.connections(former.account.id).await.unwrap()[0].id;
        sign_in.disconnect(&present, identity, &client).await.unwrap();
        kit.unproven(ADA).await;
        kit.advance(days(100));
        assert_eq!(kit.auth.accounts().sweep_never_proven(100).await.unwrap(), 1, "Ada's alone");
        assert_eq!(kit.enter(&google("1", None, false)).await.account.id, made);
        assert!(kit.with_password(&former.account.username.unwrap()).await.is_ok());
    })
    .await;
}
