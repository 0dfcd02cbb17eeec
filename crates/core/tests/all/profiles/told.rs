//! Names and words.

use ironlatch_core::accounts::{AccountRef, Contact};
use ironlatch_core::database::Statement;
use ironlatch_core::ports::Token;
use ironlatch_core::profiles::{
    Bio, BirthDate, ContactPhone, FullName, Line, ProfileChange, ProfileError,
};
use ironlatch_core::sign_in::{Arrival, CodeAttempt, NewAccount, SignUp};
use ironlatch_core::time::minutes;
use ironlatch_testkit::{PASSWORD, TestAuth, address, each_auth};

use super::{ADA, profile};

async fn accounts_without_profile(test: &TestAuth) -> i64 {
    let counted = Statement::new(
        "SELECT COUNT(*) FROM accounts a
           LEFT JOIN profiles p ON p.account_id = a.id
          WHERE p.account_id IS NULL",
        [],
    );
    test.auth.database().read_one(counted).await.unwrap().unwrap().int(0).unwrap()
}

/// Makes the account by its first code.
async fn sign_in_by_code(test: &TestAuth, email: &str) {
    let arrival = Arrival::new(test.stranger());
    let contact = Contact::Email(address(email));
    let sign_in = test.auth.sign_in();
    sign_in.request_code(&contact, None, &arrival).await.unwrap();
    test.deliver().await;
    let code = Token::new(test.inbox.latest(email).code());
    sign_in.with_code(CodeAttempt { contact, code, arrival }).await.unwrap();
}

#[tokio::test]
async fn every_account_is_made_with_a_profile() {
    each_auth(async |test| {
        test.sign_up(ADA).await;
        let wish = SignUp {
            username: None,
            email: address("bob@example.com"),
            name: Some(FullName::parse("Bob Builder").unwrap()),
            password: Token::new(PASSWORD.to_owned()),
            arrival: Arrival::new(test.stranger()),
        };
        test.auth.sign_in().sign_up(wish).await.unwrap();
        let new = NewAccount {
            email: address("cy@example.com"),
            username: None,
            password: None,
            is_staff: false,
            is_superuser: false,
            role: None,
        };
        test.auth.sign_in().create_account(new).await.unwrap();
        sign_in_by_code(&test, "di@example.com").await;
        assert_eq!(accounts_without_profile(&test).await, 0);
        assert_eq!(profile(&test, "di@example.com").await.name, "");
        assert_eq!(profile(&test, "bob@example.com").await.name, "Bob Builder");
        assert_eq!(profile(&test, "cy@example.com").await.name, "");
    })
    .await;
}

#[tokio::test]
async fn what_is_not_told_stays_and_what_is_told_blank_goes() {
    each_auth(async |test| {
        let ada = test.sign_up(ADA).await;
        let profiles = test.auth.profiles();
        let made = profile(&test, ADA).await;
        test.clock.advance(minutes(1));
        let change = ProfileChange {
            first_name: Some(Line::parse("Ada").unwrap()),
            last_name: Some(Line::parse("<b>Lovelace</b>").unwrap()),
            company: Some(Line::parse("Engines").unwrap()),
            position: Some(Line::parse("Countess").unwrap()),
            bio: Some(Bio::parse("a\nb").unwrap()),
            phone: Some(ContactPhone::parse("+44 20 1234567").unwrap()),
            date_of_birth: Some(Some(BirthDate::parse("1815-12-10", test.now()).unwrap())),
            name: None,
        };
        let told = profiles.update(ada.id, &change).await.unwrap();
        assert_eq!(told.first_name, "Ada");
        assert_eq!(told.last_name, "<b>Lovelace</b>", "H15: text is text; who shows it escapes");
        assert_eq!(told.date_of_birth.as_deref(), Some("1815-12-10"));
        assert_eq!(told.created_at, made.created_at);
        assert_eq!(told.updated_at, test.now());

        let change = ProfileChange {
            company: Some(Line::parse("").unwrap()),
            date_of_birth: Some(None),
            ..ProfileChange::default()
        };
        let told = profiles.update(ada.id, &change).await.unwrap();
        assert_eq!((told.company.as_str(), told.position.as_str()), ("", "Countess"));
        assert_eq!(told.date_of_birth, None);
        assert_eq!(told, profile(&test, ADA).await);
    })
    .await;
}

#[tokio::test]
async fn an_account_from_before_there_were_profiles_has_an_empty_one() {
    each_auth(async |test| {
        let ada = test.sign_up(ADA).await;
        let before = Statement::new("DELETE FROM profiles", []);
        test.auth.database().write(before.into()).await.unwrap();
        let empty = profile(&test, ADA).await;
        assert_eq!(empty.first_name, "");
        assert_eq!(empty.created_at, test.account(ADA).await.created_at);
        let change = ProfileChange {
            first_name: Some(Line::parse("Ada").unwrap()),
            ..ProfileChange::default()
        };
        let told = test.auth.profiles().update(ada.id, &change).await.unwrap();
        assert_eq!(told.first_name, "Ada");
        assert_eq!(accounts_without_profile(&test).await, 0);
    })
    .await;
}

#[tokio::test]
async fn nobody_tells_anything_about_a_closed_or_disabled_account() {
    each_auth(async |test| {
        let ada = test.verified_account(ADA).await;
        let bob = test.sign_up("bob@example.com").await;
        let present = test.sign_in(ADA, PASSWORD).await;
        let present = test.auth.sessions().check(present.started.access.reveal()).await.unwrap();
        let password = Token::new(PASSWORD.to_owned());
        let sign_in = test.auth.sign_in();
        sign_in.close_account(&present, Some(&password), &test.stranger()).await.unwrap();
        test.auth.accounts().disable(&AccountRef::Id(bob.id)).await.unwrap();
        for id in [ada.id, bob.id] {
            let change =
                ProfileChange { bio: Some(Bio::parse("x").unwrap()), ..Default::default() };
            let refused = test.auth.profiles().update(id, &change).await;
            assert!(matches!(refused, Err(ProfileError::Gone)));
        }
        assert_eq!(test.auth.profiles().find(ada.id).await.unwrap(), None);
        let left = Statement::new("SELECT account_id FROM profiles", []);
        let left = test.auth.database().read(left).await.unwrap();
        assert_eq!(left.len(), 1, "a closed account's profile is gone at once");
    })
    .await;
}

#[tokio::test]
async fn the_first_proof_elsewhere_takes_nothing_over_from_whoever_signed_up() {
    each_auth(async |test| {
        let squatted = test.sign_up(ADA).await;
        let token = test.inbox.latest(ADA).token();
        let change = ProfileChange {
            phone: Some(ContactPhone::parse("+44 900 666 666").unwrap()),
            ..ProfileChange::default()
        };
        test.auth.profiles().update(squatted.id, &change).await.unwrap();
        super::pictures::upload(&test, squatted.id).await.unwrap();
        let new = Token::new("a rather different one".to_owned());
        let sign_in = test.auth.sign_in();
        sign_in.verify_email_with_new_password(&token, &new, &test.stranger()).await.unwrap();
        let profile = profile(&test, ADA).await;
        assert_eq!(profile.phone, "");
        assert_eq!(profile.avatar, None);
    })
    .await;
}
