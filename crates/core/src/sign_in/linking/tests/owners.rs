//! What owners do with their identities.

use super::kit::{ADA, Kit, PASSWORD, each, each_with, github, google};
use super::rows::{code, enrol};
use crate::client::Client;
use crate::ports::Token;
use crate::sign_in::{
    Anew, AnewError, Connection, DisconnectError, OwnerError, RECENT, SecondFactor,
    SecondFactorAttempt, SignedIn, SocialSignInError, Step,
};
use crate::social::Vouched;
use crate::time::{minutes, seconds};

/// Connects as a browser that comes back does.
async fn connect(
    kit: &Kit,
    owner: &SignedIn,
    vouched: &Vouched,
) -> Result<Connection, SocialSignInError> {
    let session = (owner.account.id, owner.started.session);
    kit.auth.sign_in().connect_on_return(session, vouched, &kit.stranger()).await
}

async fn disconnect(kit: &Kit, owner: &SignedIn, which: usize) -> Result<(), DisconnectError> {
    let sign_in = kit.auth.sign_in();
    let id = sign_in.connections(owner.account.id).await.unwrap()[which].id;
    sign_in.disconnect(&kit.present(owner).await, id, &kit.stranger()).await
}

/// The first password of somebody without one.
async fn set_password(kit: &Kit, owner: &SignedIn) -> Result<(), OwnerError> {
    let (new, client) = (Token::new(PASSWORD.to_owned()), kit.stranger());
    let present = kit.present(owner).await;
    kit.auth.sign_in().change_password(&present, None, &new, &client).await
}

#[tokio::test]
async fn an_owner_connects_an_identity_whatever_its_address_and_is_told() {
    each(async |kit| {
        kit.proven(ADA).await;
        let owner = kit.with_password(ADA).await.unwrap();
        let connected = connect(&kit, &owner, &google("1", Some("x@y.example"), false)).await;
        let connected = connected.unwrap();
        assert_eq!((&*connected.provider, &*connected.subject), ("google", "1"));
        assert_eq!(connected.email.as_deref(), Some("x@y.example"));
        let present = kit.present(&owner).await;
        assert_eq!(present.account.identities.len(), 1, "known at once");
        assert_eq!(present.account.security_version, owner.account.security_version + 1);
        let (subjects, text) = kit.mailed(ADA).await;
        assert_eq!(subjects.last().unwrap(), "A way to sign in was added");
        assert!(text.contains("The Google was connected"), "{text}");
        assert_eq!(kit.enter(&google("1", None, false)).await.account.id, owner.account.id);

        // Again: nothing is written, nobody is told.
        let again = connect(&kit, &owner, &google("1", None, false)).await.unwrap();
        assert_eq!(again.id, connected.id);
        let version = kit.account(owner.account.id).await.security_version;
        assert_eq!(version, present.account.security_version);
        let told = kit.mailed(ADA).await.0;
        let told = told.iter().filter(|subject| subject.contains("was added")).count();
        assert_eq!(told, 1);
    })
    .await;
}

#[tokio::test]
async fn somebody_elses_identity_stays_theirs() {
    each(async |kit| {
        let others = kit.enter(&google("1", Some("bob@example.com"), true)).await;
        kit.proven(ADA).await;
        let owner = kit.with_password(ADA).await.unwrap();
        let taken = connect(&kit, &owner, &google("1", Some(ADA), true)).await;
        assert!(matches!(taken, Err(SocialSignInError::IdentityTaken)), "{taken:?}");
        assert_eq!(kit.enter(&google("1", None, false)).await.account.id, others.account.id);
        assert!(kit.providers(owner.account.id).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn d09_connecting_and_removing_need_a_recent_session_that_lives() {
    each(async |kit| {
        kit.proven(ADA).await;
        let owner = kit.with_password(ADA).await.unwrap();
        connect(&kit, &owner, &google("1", None, false)).await.unwrap();
        let sign_in = kit.auth.sign_in();
        kit.advance(RECENT);
        let present = kit.present(&owner).await;
        let departs = sign_in.depart_to_connect(&present, "google", None).await;
        assert!(matches!(departs, Err(SocialSignInError::ProveAgain)), "{departs:?}");
        let grant = crate::social::Grant::default();
        let linked = sign_in.connect(&present, "google", grant, &kit.stranger()).await;
        assert!(matches!(linked, Err(SocialSignInError::ProveAgain)), "{linked:?}");
        let gone = disconnect(&kit, &owner, 0).await;
        assert!(matches!(gone, Err(DisconnectError::ProveAgain)), "{gone:?}");
        // Who left in time comes back a while later.
        assert!(connect(&kit, &owner, &github("2", None, false)).await.is_ok());
        kit.advance(minutes(10));
        let late = connect(&kit, &owner, &github("3", None, false)).await;
        assert!(matches!(late, Err(SocialSignInError::ProveAgain)), "{late:?}");

        let fresh = kit.with_password(ADA).await.unwrap();
        let client: Client = kit.stranger();
        kit.auth.sessions().end(fresh.account.id, fresh.started.session, &client).await.unwrap();
        let ended = connect(&kit, &fresh, &github("4", None, false)).await;
        assert!(matches!(ended, Err(SocialSignInError::ProveAgain)), "D04: {ended:?}");
        // Another account's session is nobody's here.
        kit.proven("bob@example.com").await;
        let bob = kit.with_password("bob@example.com").await.unwrap();
        let mixed = (bob.account.id, kit.with_password(ADA).await.unwrap().started.session);
        let mixed = sign_in.connect_on_return(mixed, &github("5", None, false), &client).await;
        assert!(matches!(mixed, Err(SocialSignInError::ProveAgain)), "{mixed:?}");
    })
    .await;
}

#[tokio::test]
async fn the_last_way_in_stays() {
    each(async |kit| {
        let owner = kit.enter(&google("1", None, false)).await;
        let last = disconnect(&kit, &owner, 0).await;
        assert!(matches!(last, Err(DisconnectError::LastWayIn)), "{last:?}");

        kit.advance(seconds(1));
        connect(&kit, &owner, &github("2", None, false)).await.unwrap();
        disconnect(&kit, &owner, 0).await.unwrap();
        assert_eq!(kit.providers(owner.account.id).await, ["github"], "known at once");
        let last = disconnect(&kit, &owner, 0).await;
        assert!(matches!(last, Err(DisconnectError::LastWayIn)), "another identity is gone");
        // An identity of a provider that is no longer there opens nothing.
        kit.advance(seconds(1));
        connect(&kit, &owner, &google("1", None, false)).await.unwrap();
        let without = kit.node(|settings| drop(settings.social.remove("google"))).await;
        let last = disconnect(&without, &owner, 0).await;
        assert!(matches!(last, Err(DisconnectError::LastWayIn)), "{last:?}");
        disconnect(&kit, &owner, 1).await.unwrap();
    })
    .await;
}

/// The section of the remaining one is called otherwise: it still signs in. Another issuer's
/// does not.
#[tokio::test]
async fn an_identity_is_a_way_in_as_long_as_somebody_speaks_for_its_issuer() {
    each(async |kit| {
        let owner = kit.enter(&github("2", None, false)).await;
        kit.advance(seconds(1));
        connect(&kit, &owner, &google("1", None, false)).await.unwrap();
        let renamed = kit.node(|settings| {
            let google = settings.social.remove("google").unwrap();
            settings.social.insert("work".to_owned(), google);
        });
        let renamed = renamed.await;
        let reused = kit.node(|settings| {
            let google = settings.social.get_mut("google").unwrap();
            google.endpoints.issuer = Some("https://login.example.com".to_owned());
        });
        let last = disconnect(&reused.await, &owner, 0).await;
        assert!(matches!(last, Err(DisconnectError::LastWayIn)), "{last:?}");
        disconnect(&renamed, &owner, 0).await.unwrap();
        assert_eq!(kit.providers(owner.account.id).await, ["google"]);
        let vouched = Vouched { provider: "work".to_owned(), ..google("1", None, false) };
        assert_eq!(renamed.enter(&vouched).await.account.id, owner.account.id);
    })
    .await;
}

/// An address is asked for with a password by every door but one.
#[tokio::test]
async fn a_password_is_a_way_in_where_a_door_takes_it() {
    each(async |kit| {
        let owner = kit.enter(&github("2", None, false)).await;
        set_password(&kit, &owner).await.unwrap();
        let last = disconnect(&kit, &owner, 0).await;
        assert!(matches!(last, Err(DisconnectError::LastWayIn)), "no door takes names: {last:?}");
        let open = kit.node(|settings| settings.doors.otp_session.enabled = true).await;
        // That door has no second step.
        let app = enrol(&open, &owner).await;
        let vouched = github("2", None, false);
        let Ok(Step::SecondFactor(challenge)) = open.with(&vouched).await else { panic!("E01") };
        let attempt = SecondFactorAttempt {
            challenge: challenge.token,
            method: SecondFactor::Totp,
            code: code(&open, &app),
            arrival: open.arrival(),
        };
        let owner = open.auth.sign_in().second_factor(attempt).await.unwrap();
        let last = disconnect(&open, &owner, 0).await;
        assert!(matches!(last, Err(DisconnectError::LastWayIn)), "{last:?}");
    })
    .await;
    each_with(
        |settings| settings.doors.otp_session.enabled = true,
        async |kit| {
            let owner = kit.enter(&github("2", None, false)).await;
            set_password(&kit, &owner).await.unwrap();
            disconnect(&kit, &owner, 0).await.unwrap();
            let name = owner.account.username.clone().unwrap();
            assert_eq!(kit.with_password(&name).await.unwrap().account.id, owner.account.id);
            let stranger = kit.enter(&github("2", None, false)).await;
            assert_ne!(stranger.account.id, owner.account.id, "the identity is free");
        },
    )
    .await;
}

#[tokio::test]
async fn a_proven_address_is_a_way_in_and_its_owner_is_told_of_the_removal() {
    each(async |kit| {
        let owner = kit.enter(&google("1", Some(ADA), true)).await;
        let version = kit.account(owner.account.id).await.security_version;
        disconnect(&kit, &owner, 0).await.unwrap();
        assert!(kit.works(&owner).await, "nothing ends");
        let account = kit.account(owner.account.id).await;
        assert!(account.identities.is_empty());
        assert_eq!(account.security_version, version + 1);
        let (subjects, text) = kit.mailed(ADA).await;
        assert_eq!(subjects.last().unwrap(), "A way to sign in was removed");
        assert!(text.contains("The Google was removed"), "{text}");
        let unknown = kit.auth.sign_in();
        let id = crate::ids::IdentityId::new(kit.auth.clock().now(), kit.auth.random());
        let unknown = unknown.disconnect(&kit.present(&owner).await, id, &kit.stranger()).await;
        assert!(matches!(unknown, Err(DisconnectError::Unknown)), "{unknown:?}");
        // The mailbox that the provider proved joins again.
        let again = kit.enter(&google("1", Some(ADA), true)).await;
        assert_eq!(again.account.id, owner.account.id);
    })
    .await;
}

#[tokio::test]
async fn nobody_removes_another_accounts_identity() {
    each(async |kit| {
        let ada = kit.enter(&google("1", Some(ADA), true)).await;
        let bob = kit.enter(&google("2", Some("bob@example.com"), true)).await;
        let id = kit.auth.sign_in().connections(ada.account.id).await.unwrap()[0].id;
        let present = kit.present(&bob).await;
        let gone = kit.auth.sign_in().disconnect(&present, id, &kit.stranger()).await;
        assert!(matches!(gone, Err(DisconnectError::Unknown)), "{gone:?}");
        assert_eq!(kit.providers(ada.account.id).await, ["google"]);
    })
    .await;
}

#[tokio::test]
async fn an_account_has_so_many_identities_and_no_more() {
    each(async |kit| {
        let owner = kit.enter(&google("0", Some(ADA), true)).await;
        for n in 1..crate::social::MOST_IDENTITIES {
            connect(&kit, &owner, &google(&n.to_string(), None, false)).await.unwrap();
        }
        let one_more = google("999", Some(ADA), true);
        let refused = connect(&kit, &owner, &one_more).await;
        assert!(matches!(refused, Err(SocialSignInError::TooManyIdentities)), "H10: {refused:?}");
        let refused = kit.with(&one_more).await;
        assert!(matches!(refused, Err(SocialSignInError::TooManyIdentities)), "H10: {refused:?}");
        assert_eq!(kit.providers(owner.account.id).await.len(), 20);
    })
    .await;
}

#[tokio::test]
async fn an_account_of_an_identity_alone_can_do_everything_after_a_recent_sign_in() {
    each(async |kit| {
        let vouched = google("1", None, false);
        let owner = kit.enter(&vouched).await;
        let sign_in = kit.auth.sign_in();
        kit.advance(RECENT + seconds(1));
        let present = kit.present(&owner).await;
        let anew = Anew { password: None, second: None, arrival: kit.arrival() };
        let anew = sign_in.prove_anew(&present, anew).await;
        assert!(matches!(anew, Err(AnewError::NoPassword)), "the provider is asked again");
        let stale = set_password(&kit, &owner).await;
        assert!(matches!(stale, Err(OwnerError::ProveAgain)), "{stale:?}");
        assert!(sign_in.begin_totp(&present, RECENT).await.is_err());

        let fresh = kit.enter(&vouched).await;
        let present = kit.present(&fresh).await;
        sign_in.begin_totp(&present, RECENT).await.unwrap();
        let email = crate::accounts::Email::parse(ADA).unwrap();
        sign_in.change_email(&present, &email, &kit.stranger()).await.unwrap();
        let text = kit.mailed(ADA).await.1;
        let (_, token) = text.split_once("token=").expect("a link");
        let token = token.split_whitespace().next().unwrap();
        sign_in.confirm_email_change(token, &kit.stranger()).await.unwrap();
        assert_eq!(kit.account(fresh.account.id).await.email.as_deref(), Some(ADA));
        assert_eq!(kit.providers(fresh.account.id).await, ["google"], "stays connected");
        let closed = sign_in.close_account(&present, None, &kit.stranger()).await;
        closed.unwrap();
        assert!(sign_in.connections(fresh.account.id).await.unwrap().is_empty());
        let newcomer = kit.enter(&vouched).await;
        assert!(newcomer.is_new, "a closed account holds no identity");
        assert_ne!(newcomer.account.id, fresh.account.id);
    })
    .await;
}

#[tokio::test]
async fn a_reset_gives_a_first_password_and_leaves_identities_connected() {
    each(async |kit| {
        let owner = kit.enter(&google("1", Some(ADA), true)).await;
        let email = crate::accounts::Email::parse(ADA).unwrap();
        let (sign_in, client) = (kit.auth.sign_in(), kit.stranger());
        let door = crate::sessions::Door::Api;
        sign_in.forgot_password(&email, door, &client).await.unwrap();
        let text = kit.mailed(ADA).await.1;
        let token = text.split_once("token=").unwrap().1.split_whitespace().next().unwrap();
        let password = Token::new(PASSWORD.to_owned());
        sign_in.reset_password(token, &password, &client).await.unwrap();
        assert_eq!(kit.with_password(ADA).await.unwrap().account.id, owner.account.id);
        assert_eq!(kit.enter(&google("1", None, false)).await.account.id, owner.account.id);
        assert!(!kit.works(&owner).await, "a reset ends every session");
    })
    .await;
}

#[tokio::test]
async fn taking_an_address_change_back_removes_what_a_thief_connected() {
    each(async |kit| {
        kit.proven(ADA).await;
        let thief = kit.with_password(ADA).await.unwrap();
        connect(&kit, &thief, &google("666", None, false)).await.unwrap();
        let present = kit.present(&thief).await;
        let (sign_in, client) = (kit.auth.sign_in(), kit.stranger());
        let evil = crate::accounts::Email::parse("eve@evil.example").unwrap();
        sign_in.change_email(&present, &evil, &client).await.unwrap();
        let link = |text: &str| {
            text.split_once("token=").unwrap().1.split_whitespace().next().unwrap().to_owned()
        };
        let token = link(&kit.mailed("eve@evil.example").await.1);
        sign_in.confirm_email_change(&token, &client).await.unwrap();
        let undo = link(&kit.mailed(ADA).await.1);
        sign_in.undo_address_change(&undo, &client).await.unwrap();
        assert!(sign_in.connections(thief.account.id).await.unwrap().is_empty(), "C10");
        let stranger = kit.enter(&google("666", None, false)).await;
        assert_ne!(stranger.account.id, thief.account.id, "C10");
    })
    .await;
}

#[tokio::test]
async fn c20_provider_tokens_are_kept_only_where_configured_sealed_and_as_of_the_last_sign_in() {
    each_with(
        |settings| settings.social.get_mut("google").unwrap().store_tokens = true,
        async |kit| {
            let tokens = |text: &str| Some(Token::new(text.to_owned()));
            let mut vouched = google("1", Some(ADA), true);
            vouched.tokens = tokens(r#"{"access_token":"first"}"#);
            let owner = kit.enter(&vouched).await.account.id;
            let social = kit.auth.social();
            let kept = async |provider: &str| {
                let kept = social.provider_tokens(owner, provider).await.unwrap();
                kept.map(|kept| kept.reveal().to_owned())
            };
            assert_eq!(kept("google").await.as_deref(), Some(r#"{"access_token":"first"}"#));
            assert_eq!(kept("github").await, None);
            kit.advance(minutes(1));
            vouched.tokens = tokens(r#"{"access_token":"second"}"#);
            kit.enter(&vouched).await;
            assert_eq!(kept("google").await.as_deref(), Some(r#"{"access_token":"second"}"#));
            // Another section of the same issuer has tokens of its own.
            let mut other = Vouched { provider: "work".to_owned(), ..vouched.clone() };
            for others in [tokens(r#"{"access_token":"of work"}"#), None] {
                other.tokens = others;
                assert_eq!(kit.enter(&other).await.account.id, owner);
                let left = kept("google").await;
                assert_eq!(left.as_deref(), Some(r#"{"access_token":"second"}"#));
                assert_eq!(kept("work").await, None);
            }
            // Sealed for its row: it opens nowhere else.
            assert!(
                !format!("{:?}", social.provider_tokens(owner, "google").await).contains("second")
            );
            vouched.tokens = None;
            kit.enter(&vouched).await;
            assert_eq!(kept("google").await, None, "no longer handed out: no longer kept");
        },
    )
    .await;
}
