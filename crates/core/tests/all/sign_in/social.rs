//! What a sign-in with a provider leaves behind, with a provider that speaks as the real ones do.
//! Whose account it is has its tests beside the table (`sign_in/linking`).

use std::sync::Arc;

use ironlatch_core::database::Statement;
use ironlatch_core::settings::ProviderKind;
use ironlatch_core::sign_in::{CameBack, DisconnectError, SocialSignInError};
use ironlatch_core::sources::{SourceHint, Wish};
use ironlatch_testkit::MovedClock;
use ironlatch_testkit::provider::{FakeProvider, Person};

use super::*;

const PAGE: &str = "https://shop.example.com/spring";

struct House {
    test: TestAuth,
    google: FakeProvider,
}

/// A fresh house with a provider whose tokens are kept, on each engine.
async fn each_house(test: impl AsyncFn(House)) {
    each_engine(async |url| {
        let clock = Arc::new(MovedClock::new());
        let shared = Arc::<MovedClock>::clone(&clock);
        let google = FakeProvider::start(ProviderKind::Google, shared).await;
        let builder = TestAuth::builder().database(&url).clock(&clock).settings(|settings| {
            google.offer_in(settings);
            if let Some(provider) = settings.social.get_mut(google.name()) {
                provider.store_tokens = true;
            }
        });
        test(House { test: builder.build().await, google }).await;
    })
    .await;
}

impl House {
    async fn enter(&self, person: &Person, source: SourceHint) -> SignedIn {
        let arrival = Arrival { source, ..Arrival::new(self.test.stranger()) };
        let grant = self.google.code_for(person).grant();
        let step = self.test.auth.sign_in().with_social(self.google.name(), grant, arrival).await;
        match step {
            Ok(Step::SignedIn(signed_in)) => *signed_in,
            other => panic!("{other:?}"),
        }
    }

    /// Everything in a column, as text or bytes.
    async fn column(&self, statement: Statement) -> Vec<Vec<u8>> {
        let rows = self.test.auth.database().read(statement).await.unwrap();
        let cell = |row: &ironlatch_core::database::Row| match row.optional_text(0) {
            Ok(text) => text.unwrap_or_default().into_bytes(),
            Err(_) => row.optional_bytes(0).unwrap().unwrap_or_default(),
        };
        rows.iter().map(cell).collect()
    }
}

fn ada() -> Person {
    Person::new("1815").with_email(ADA).named("Ada Lovelace")
}

fn holds(cell: &[u8], needle: &str) -> bool {
    cell.windows(needle.len()).any(|window| window == needle.as_bytes())
}

#[tokio::test]
async fn c20_the_providers_tokens_stand_nowhere_in_the_clear() {
    each_house(async |house| {
        let signed_in = house.enter(&ada(), SourceHint::default()).await;
        let social = house.test.auth.social();
        let kept = social.provider_tokens(signed_in.account.id, "google").await.unwrap();
        let kept = kept.expect("they are kept here").reveal().to_owned();
        let tokens: serde_json::Value = serde_json::from_str(&kept).unwrap();
        let needles: Vec<String> = tokens
            .as_object()
            .unwrap()
            .values()
            .map(|token| token.as_str().map_or_else(|| token.to_string(), str::to_owned))
            .filter(|token| token.len() >= 12)
            .collect();
        assert!(!needles.is_empty(), "{kept}");
        let columns = [
            Statement::new("SELECT profile FROM identities", []),
            Statement::new("SELECT sealed_tokens FROM identities", []),
            Statement::new("SELECT digest FROM spent_proofs", []),
            Statement::new("SELECT details FROM audit_entries", []),
            Statement::new("SELECT sealed_body FROM messages", []),
        ];
        let mut sealed = 0;
        for column in columns {
            for cell in house.column(column).await {
                sealed += usize::from(cell.starts_with(b"v1."));
                for needle in &needles {
                    assert!(
                        !holds(&cell, needle),
                        "a token in {:?}",
                        String::from_utf8_lossy(&cell)
                    );
                }
            }
        }
        assert!(sealed >= 1, "the tokens are there, sealed");
    })
    .await;
}

#[tokio::test]
async fn the_audit_says_which_provider_and_not_who_somebody_is_there() {
    each_house(async |house| {
        let signed_in = house.enter(&ada(), SourceHint::default()).await;
        let present =
            house.test.auth.sessions().check(signed_in.started.access.reveal()).await.unwrap();
        let sign_in = house.test.auth.sign_in();
        let identity = sign_in.connections(signed_in.account.id).await.unwrap()[0].id;
        let client = house.test.stranger();
        sign_in.disconnect(&present, identity, &client).await.unwrap();
        house.enter(&ada(), SourceHint::default()).await;
        let written =
            Statement::new("SELECT event || ' ' || details FROM audit_entries ORDER BY at, id", []);
        let written = house.column(written).await;
        let written: Vec<String> =
            written.into_iter().map(|cell| String::from_utf8(cell).unwrap()).collect();
        for (event, detail) in [
            ("signed_up", r#""provider":"google""#),
            ("signed_in", r#""way":"social""#),
            ("signed_in", r#""provider":"google""#),
            ("identity_removed", r#""provider":"google""#),
            ("identity_connected", r#""provider":"google""#),
        ] {
            let found =
                written.iter().any(|entry| entry.starts_with(event) && entry.contains(detail));
            assert!(found, "{event} {detail}: {written:?}");
        }
        assert!(written.iter().all(|entry| !entry.contains("1815")), "{written:?}");
    })
    .await;
}

#[tokio::test]
async fn an_account_that_an_identity_makes_counts_for_where_its_owner_came_from() {
    each_house(async |house| {
        let source = SourceHint { source_url: Some(PAGE.to_owned()), ..SourceHint::default() };
        house.enter(&ada(), source.clone()).await;
        house.enter(&ada(), source).await;
        let sources = house.test.auth.sources();
        let wish = Wish::default();
        let counted = sources.over_period(&wish).await.unwrap().rows;
        assert_eq!(counted.len(), 1);
        assert_eq!((&*counted[0].source.url, counted[0].users), (PAGE, 1));
        assert_eq!(counted[0].sign_ups, 1);
        // Nobody asked for a code, so nobody came back with one.
        let conversions = sources.conversion(&wish).await.unwrap().rows;
        assert!(conversions.iter().all(|row| row.verified == 0), "{conversions:?}");
    })
    .await;
}

#[tokio::test]
async fn an_identity_is_connected_and_removed_by_both_ways() {
    each_house(async |house| {
        let House { test, google } = &house;
        test.verified_account(ADA).await;
        let owner = test.sign_in(ADA, PASSWORD).await;
        let present = test.auth.sessions().check(owner.started.access.reveal()).await.unwrap();
        let sign_in = test.auth.sign_in();
        // What the client brings; the address is another's, and does not matter.
        let work = Person::new("2").with_email("ada@work.example").unverified();
        let grant = google.code_for(&work).grant();
        let client = test.stranger();
        let connected = sign_in.connect(&present, "google", grant, &client).await.unwrap();
        assert_eq!(connected.email.as_deref(), Some("ada@work.example"));
        // And the browser's way, for somebody who signs out meanwhile.
        let departure = sign_in.depart_to_connect(&present, "google", None).await.unwrap();
        let returned = google.visit(&departure.authorization_url, &ada()).returned();
        assert!(
            test.auth
                .sessions()
                .end(owner.account.id, owner.started.session, &client)
                .await
                .unwrap()
        );
        let arrival = Arrival::new(test.stranger());
        let back = sign_in.come_back("google", Some(&departure.flow), returned, arrival).await;
        assert!(matches!(back, Err(SocialSignInError::ProveAgain)), "C05, D04: {back:?}");
        assert_eq!(sign_in.connections(owner.account.id).await.unwrap().len(), 1);
        // Now the work account signs in, and cannot take itself away from a stale session.
        let signed_in = house.enter(&work, SourceHint::default()).await;
        assert_eq!(signed_in.account.id, owner.account.id);
        let present = test.auth.sessions().check(signed_in.started.access.reveal()).await.unwrap();
        test.clock.advance(minutes(5));
        let stale = sign_in.disconnect(&present, connected.id, &client).await;
        assert!(matches!(stale, Err(DisconnectError::ProveAgain)), "D09: {stale:?}");
    })
    .await;
}

#[tokio::test]
async fn a_way_that_was_to_sign_in_connects_nothing_and_signs_in_once() {
    each_house(async |house| {
        let House { test, google } = &house;
        let source = SourceHint { source_url: Some(PAGE.to_owned()), ..SourceHint::default() };
        let arrival = Arrival { source, ..Arrival::new(test.stranger()) };
        let sign_in = test.auth.sign_in();
        let departure = sign_in.depart("google", Some("/after".to_owned()), &arrival).await;
        let departure = departure.unwrap();
        let returned = google.visit(&departure.authorization_url, &ada()).returned();
        let arrive = async || {
            let arrival = Arrival::new(test.stranger());
            sign_in.come_back("google", Some(&departure.flow), returned.clone(), arrival).await
        };
        let Ok(CameBack::SignIn { step, next }) = arrive().await else { panic!("not signed in") };
        assert!(matches!(*step, Step::SignedIn(_)));
        assert_eq!(next.as_deref(), Some("/after"));
        let counted = test.auth.sources().over_period(&Wish::default()).await.unwrap().rows;
        assert_eq!((&*counted[0].source.url, counted[0].users), (PAGE, 1));
        let again = arrive().await;
        assert!(matches!(again, Err(SocialSignInError::Social(_))), "used up: {again:?}");
    })
    .await;
}

/// A flood of sign-ins is turned away before the provider hears of it.
#[tokio::test]
async fn networks_that_ask_too_often_do_not_reach_the_provider() {
    each_house(async |house| {
        let House { test, google } = &house;
        let test = test.node_with(|settings| settings.limits.sign_ins_per_network_minute = 1).await;
        let client = test.stranger();
        let bring = async || {
            let grant = google.code_for(&ada()).grant();
            let arrival = Arrival::new(client.clone());
            test.auth.sign_in().with_social("google", grant, arrival).await
        };
        let mut asked = 0;
        let mut outcome = Ok(());
        for _ in 0..12 {
            asked = google.asked().len();
            outcome = bring().await.map(|_| ());
            if outcome.is_err() {
                break;
            }
        }
        let is_refused =
            matches!(outcome, Err(SocialSignInError::SignIn(SignInError::TooManyAttempts { .. })));
        assert!(is_refused, "{outcome:?}");
        assert_eq!(google.asked().len(), asked);
        let departure = test.auth.sign_in().depart("google", None, &Arrival::new(client)).await;
        let is_refused = matches!(
            departure,
            Err(SocialSignInError::SignIn(SignInError::TooManyAttempts { .. }))
        );
        assert!(is_refused, "nor does the server seal ways to it");
    })
    .await;
}
