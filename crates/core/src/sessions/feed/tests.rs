//! A node that hears nothing refuses rather than guesses.

use super::*;
use crate::Auth;
use crate::accounts::{Email, Username};
use crate::client::Client;
use crate::ports::Token;
use crate::sessions::CheckError;
use crate::settings::Settings;
use crate::sign_in::{Arrival, PasswordAttempt, SignUp, Step};

#[test]
fn five_seconds_without_a_poll_make_blind() {
    let now = Instant::now();
    let ago = |seconds| now.checked_sub(Duration::from_secs(seconds)).unwrap();
    let feed = Feed { born: ago(60), ..Feed::new() };
    assert!(feed.is_blind(), "nothing was loaded yet");
    feed.heard_since(ago(6));
    assert!(feed.is_blind());
    feed.heard_since(ago(3));
    assert!(!feed.is_blind());
    feed.heard_since(ago(6));
    assert!(!feed.is_blind(), "an answer that comes late takes nothing back");
}

async fn signed_in(when_blind: WhenBlind) -> (tempfile::TempDir, Auth, Token) {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings { when_blind, ..Settings::default() };
    settings.passwords.allow_weak_hashing_for_tests = true;
    settings.passwords.argon2_memory_kib = 8;
    settings.passwords.argon2_passes = 1;
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    let builder = Auth::builder().settings(settings).database(url).master_key([7; 32]);
    let auth = builder.build().await.unwrap();
    let client = Client {
        address: std::net::Ipv4Addr::LOCALHOST.into(),
        user_agent: "a test".to_owned(),
        device: None,
    };
    let email = Email::parse("ada@example.com").unwrap();
    let password = Token::new("vierzehn Igel im Regen".to_owned());
    let wish = SignUp {
        username: Some(Username::parse("ada").unwrap()),
        email: email.clone(),
        password: password.clone(),
        name: None,
        arrival: Arrival::new(client.clone()),
    };
    auth.sign_in().sign_up(wish).await.unwrap();
    let attempt = PasswordAttempt {
        identifier: email.into(),
        password,
        expects_second_factor: false,
        arrival: Arrival::new(client),
    };
    let Step::SignedIn(signed_in) = auth.sign_in().with_password(attempt).await.unwrap() else {
        panic!("nobody enrolled a second factor")
    };
    (folder, auth, signed_in.started.access)
}

#[tokio::test]
async fn a_blind_node_refuses_checks_until_a_poll_succeeds() {
    let (_folder, auth, access) = signed_in(WhenBlind::Refuse).await;
    auth.sessions().check(access.reveal()).await.unwrap();
    assert!(auth.sessions().is_ready());
    auth.inner.sessions.feed.is_loaded.store(false, Ordering::SeqCst);
    let blind = auth.sessions().check(access.reveal()).await;
    assert!(matches!(blind, Err(CheckError::Blind)), "{blind:?}");
    assert!(!auth.sessions().is_ready());
    auth.sessions().poll_feed().await.unwrap();
    auth.sessions().check(access.reveal()).await.unwrap();
    assert!(auth.sessions().is_ready());
}

#[tokio::test]
async fn an_operator_may_let_a_blind_node_go_on() {
    let (_folder, auth, access) = signed_in(WhenBlind::Allow).await;
    auth.inner.sessions.feed.is_loaded.store(false, Ordering::SeqCst);
    auth.sessions().check(access.reveal()).await.unwrap();
    assert!(!auth.sessions().is_ready(), "it says so all the same");
}
