//! Another address for an account, and taking it back (attacks A09, C07, C09, C10, B05, B21, D09).

use ironlatch_core::sign_in::{AddressError, AddressKind};
use ironlatch_core::workers::sweep;

use super::*;

const BOB: &str = "bob@example.com";
const EVE: &str = "eve@evil.example";

async fn ask(test: &TestAuth, mine: &SignedIn, new: &str) -> Result<(), AddressError> {
    let present = test.auth.sessions().check(mine.started.access.reveal()).await.unwrap();
    let client = test.stranger();
    let asked = test.auth.sign_in().change_email(&present, &address(new), &client).await;
    test.deliver().await;
    asked
}

/// Somebody signs up with an address and leaves it unproven.
async fn claim(test: &TestAuth, email: &str) {
    let wish = SignUp {
        username: None,
        email: address(email),
        password: secret(PASSWORD),
        name: None,
        arrival: Arrival::new(test.stranger()),
    };
    test.auth.sign_in().sign_up(wish).await.unwrap();
    test.deliver().await;
}

/// Asks for another address and answers the token that was mailed to it.
async fn asked(test: &TestAuth, mine: &SignedIn, new: &str) -> String {
    ask(test, mine, new).await.unwrap();
    test.inbox.latest_about(new, "Confirm your new").token()
}

async fn confirm(test: &TestAuth, token: &str) -> Result<(), AddressError> {
    let done = test.auth.sign_in().confirm_email_change(token, &test.stranger()).await;
    test.deliver().await;
    done
}

async fn undo(test: &TestAuth, token: &str) -> Result<(), AddressError> {
    let done = test.auth.sign_in().undo_address_change(token, &test.stranger()).await;
    test.deliver().await;
    done
}

/// Somebody with this session moves the account to another address.
async fn moved(test: &TestAuth, mine: &SignedIn, new: &str) {
    let token = asked(test, mine, new).await;
    confirm(test, &token).await.unwrap();
}

fn undo_token(test: &TestAuth, old: &str) -> String {
    test.inbox.latest_about(old, "was changed").token()
}

#[tokio::test]
async fn the_address_changes_when_the_new_one_is_proven_and_the_old_one_is_told() {
    each_auth(async |test| {
        let ada = test.verified_account(ADA).await;
        let other = test.sign_in(ADA, PASSWORD).await;
        let mine = test.sign_in(ADA, PASSWORD).await;
        let token = asked(&test, &mine, "Ada.New@Example.com").await;
        let sign_in = test.auth.sign_in();
        for _ in 0..20 {
            let facts = sign_in.look_at_email_change(&token, &test.stranger()).await.unwrap();
            assert_eq!((facts.account.as_str(), facts.new.as_str()), (ADA, "Ada.New@Example.com"));
            assert!(!facts.closes_another);
        }
        assert_eq!(test.account(ADA).await.id, ada.id, "until then nothing changes");

        confirm(&test, &token).await.unwrap();
        let account = test.account("ada.new@example.com").await;
        assert_eq!((account.id, account.email.as_deref()), (ada.id, Some("Ada.New@Example.com")));
        assert_eq!(account.email_verified_at, Some(test.now()));
        assert!(works(&test, &mine).await, "the session that asked stays");
        assert!(!works(&test, &other).await, "the others end");
        test.sign_in("ada.new@example.com", PASSWORD).await;
        let old = test.try_sign_in(ADA, PASSWORD).await;
        assert!(matches!(old, Err(SignInError::WrongCredentials)));

        let told = test.inbox.latest_about(ADA, "was changed");
        assert!(told.text.contains("/undo-address?token="), "{}", told.text);
        assert!(told.text.contains("7 days"), "{}", told.text);
        assert!(!told.text.to_lowercase().contains("ada.new"), "{}", told.text);
        let told = test.inbox.latest("Ada.New@Example.com");
        assert_eq!(told.subject, "This is your new e-mail address");
        assert!(!told.text.contains("token="), "only the old address may take it back");

        let again = confirm(&test, &token).await;
        assert!(matches!(again, Err(AddressError::InvalidLink)), "once");
        claim(&test, ADA).await;
    })
    .await;
}

#[tokio::test]
async fn d09_a_session_that_is_not_fresh_or_not_strong_changes_nothing() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        let mine = test.sign_in(ADA, PASSWORD).await;
        test.clock.advance(minutes(5));
        assert!(matches!(ask(&test, &mine, BOB).await, Err(AddressError::ProveAgain)));
        assert!(test.inbox.to(BOB).is_empty());
        let mine = test.sign_in(ADA, PASSWORD).await;
        test.clock.advance(minutes(4));
        ask(&test, &mine, BOB).await.unwrap();
        assert!(matches!(
            ask(&test, &mine, "ADA@example.com").await,
            Err(AddressError::Unchanged(AddressKind::Email))
        ));
    })
    .await;
}

#[tokio::test]
async fn the_old_address_is_told_whatever_the_changing_session_does_next() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        let mine = test.sign_in(ADA, PASSWORD).await;
        let token = asked(&test, &mine, EVE).await;
        let client = test.stranger();
        let sign_in = test.auth.sign_in();
        sign_in.confirm_email_change(&token, &client).await.unwrap();
        let present = test.auth.sessions().check(mine.started.access.reveal()).await.unwrap();
        let password = secret(PASSWORD);
        sign_in.change_password(&present, Some(&password), &secret(NEW), &client).await.unwrap();
        let (account, session) = (present.account.id, present.claims.session);
        test.auth.sessions().end(account, session, &client).await.unwrap();
        test.deliver().await;
        undo(&test, &undo_token(&test, ADA)).await.unwrap();
        assert_eq!(test.account(ADA).await.id, account);
    })
    .await;
}

#[tokio::test]
async fn b07_links_die_on_the_second() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        let mine = test.sign_in(ADA, PASSWORD).await;
        let late = asked(&test, &mine, BOB).await;
        test.clock.advance(hours(1).saturating_sub(seconds(1)));
        let sign_in = test.auth.sign_in();
        sign_in.look_at_email_change(&late, &test.stranger()).await.unwrap();
        test.clock.advance(seconds(1));
        assert!(matches!(confirm(&test, &late).await, Err(AddressError::InvalidLink)));

        let mine = test.sign_in(ADA, PASSWORD).await;
        moved(&test, &mine, BOB).await;
        let token = undo_token(&test, ADA);
        test.clock.advance(days(7).saturating_sub(seconds(1)));
        let facts = sign_in.look_at_undo(&token, &test.stranger()).await.unwrap();
        assert_eq!((facts.kind, facts.restored.as_deref()), (AddressKind::Email, Some(ADA)));
        test.clock.advance(seconds(1));
        assert!(matches!(undo(&test, &token).await, Err(AddressError::InvalidLink)));
        sweep(&test.auth).await.unwrap();
        assert_eq!(test.account(BOB).await.email.as_deref(), Some(BOB));
    })
    .await;
}

#[tokio::test]
async fn a09_a_taken_address_gets_the_same_answer_and_its_owner_a_mail_without_a_link() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        test.verified_account(BOB).await;
        let mine = test.sign_in(ADA, PASSWORD).await;
        test.deliver().await;
        test.inbox.clear();
        ask(&test, &mine, "BOB@Example.com").await.unwrap();
        ask(&test, &mine, "free@example.com").await.unwrap();
        let told = test.inbox.to(BOB);
        assert_eq!(told.len(), 1, "as its owner typed it, not as the asker spells it");
        assert_eq!(told[0].subject, "You already have an account");
        assert!(!told[0].text.contains("token="), "{}", told[0].text);
        assert_eq!(test.inbox.all().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn b21_neither_one_mailbox_nor_many_are_flooded() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        let mine = test.sign_in(ADA, PASSWORD).await;
        for _ in 0..15 {
            ask(&test, &mine, BOB).await.unwrap();
        }
        assert_eq!(test.inbox.to(BOB).len(), 10, "ten an hour to one mailbox, whoever asks");
        for n in 0..15 {
            ask(&test, &mine, &format!("someone{n}@example.com")).await.unwrap();
        }
        let others = test.inbox.all().iter().filter(|mail| mail.to.starts_with("someone")).count();
        assert_eq!(others, 0, "and ten an hour by one account");
        let present = test.auth.sessions().check(mine.started.access.reveal()).await.unwrap();
        let client = test.stranger();
        let ask = async || test.auth.sign_in().change_email(&present, &address(EVE), &client).await;
        for _ in 0..3 {
            ask().await.unwrap();
        }
        assert!(matches!(ask().await, Err(AddressError::TooManyAttempts { .. })));
    })
    .await;
}

#[tokio::test]
async fn c09_a_link_proves_the_address_it_was_mailed_to_and_no_other() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        let mine = test.sign_in(ADA, PASSWORD).await;
        let eve = asked(&test, &mine, EVE).await;
        let bob = asked(&test, &mine, BOB).await;
        confirm(&test, &eve).await.unwrap();
        let account = test.account(EVE).await;
        assert_eq!(account.email.as_deref(), Some(EVE), "the one asked for later is not proven");
        assert!(matches!(confirm(&test, &bob).await, Err(AddressError::InvalidLink)));
    })
    .await;
}

#[tokio::test]
async fn a_thiefs_link_does_not_outlive_the_owners_answer() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        let thief = test.sign_in(ADA, PASSWORD).await;
        let token = asked(&test, &thief, EVE).await;
        let mine = test.sign_in(ADA, PASSWORD).await;
        change(&test, &mine, PASSWORD, NEW).await.unwrap();
        assert!(matches!(confirm(&test, &token).await, Err(AddressError::InvalidLink)));

        let mine = test.sign_in(ADA, NEW).await;
        let token = asked(&test, &mine, EVE).await;
        test.auth.accounts().disable(&AccountRef::Email(address(ADA))).await.unwrap();
        assert!(matches!(confirm(&test, &token).await, Err(AddressError::InvalidLink)));
    })
    .await;
}

#[tokio::test]
async fn who_proves_an_address_gets_it_from_who_only_claimed_it() {
    each_auth(async |test| {
        let ada = test.verified_account(ADA).await;
        test.sign_up(BOB).await;
        let squatter = test.sign_in(BOB, PASSWORD).await;
        let mine = test.sign_in(ADA, PASSWORD).await;
        let token = asked(&test, &mine, BOB).await;
        let sign_in = test.auth.sign_in();
        let facts = sign_in.look_at_email_change(&token, &test.stranger()).await.unwrap();
        assert!(facts.closes_another, "the page says so");
        confirm(&test, &token).await.unwrap();
        assert_eq!(test.account(BOB).await.id, ada.id);
        assert!(!works(&test, &squatter).await);
    })
    .await;
}

#[tokio::test]
async fn a_disabled_account_keeps_the_address_it_only_claimed() {
    each_auth(async |test| {
        let ada = test.verified_account(ADA).await;
        let mine = test.sign_in(ADA, PASSWORD).await;
        let token = asked(&test, &mine, BOB).await;
        let bob = test.sign_up(BOB).await;
        test.auth.accounts().disable(&AccountRef::Id(bob.id)).await.unwrap();
        assert!(matches!(confirm(&test, &token).await, Err(AddressError::Taken)));
        assert_eq!(test.account(BOB).await.id, bob.id);
        assert_eq!(test.account(ADA).await.id, ada.id);
    })
    .await;
}

#[tokio::test]
async fn c07_an_address_proven_meanwhile_stays_where_it_is() {
    each_auth(async |test| {
        let ada = test.verified_account(ADA).await;
        let mine = test.sign_in(ADA, PASSWORD).await;
        let token = asked(&test, &mine, BOB).await;
        let bob = test.verified_account(BOB).await;
        let sign_in = test.auth.sign_in();
        let seen = sign_in.look_at_email_change(&token, &test.stranger()).await;
        assert!(matches!(seen, Err(AddressError::Taken)));
        assert!(matches!(confirm(&test, &token).await, Err(AddressError::Taken)));
        assert_eq!(test.account(BOB).await.id, bob.id);
        assert_eq!(test.account(ADA).await.id, ada.id, "nothing half done");
        assert!(works(&test, &mine).await);
    })
    .await;
}

#[tokio::test]
async fn c10_the_old_mailbox_takes_the_account_back_for_good() {
    each_auth(async |test| {
        let ada = test.verified_account(ADA).await;
        let thief = test.sign_in(ADA, PASSWORD).await;
        moved(&test, &thief, EVE).await;
        let sign_in = test.auth.sign_in();
        let client = test.stranger();
        sign_in.forgot_password(&address(EVE), Door::Api, &client).await.unwrap();
        test.deliver().await;
        let thiefs_reset = test.inbox.latest_about(EVE, "password").token();
        let next = asked(&test, &thief, "eve2@evil.example").await;

        let token = undo_token(&test, ADA);
        for _ in 0..20 {
            sign_in.look_at_undo(&token, &test.stranger()).await.unwrap();
        }
        assert_eq!(test.account(EVE).await.id, ada.id, "looking takes nothing back");
        test.clock.advance(days(6));
        undo(&test, &token).await.unwrap();

        let account = test.account(ADA).await;
        assert_eq!(account.id, ada.id);
        assert!(account.email_verified_at.is_some(), "proven as before");
        assert!(!works(&test, &thief).await);
        let known = test.try_sign_in(ADA, PASSWORD).await;
        assert!(matches!(known, Err(SignInError::WrongCredentials)), "no longer the password");
        let reset = sign_in.look_at_reset(&thiefs_reset).await;
        assert!(matches!(reset, Err(LinkError::Invalid)));
        assert!(matches!(confirm(&test, &next).await, Err(AddressError::InvalidLink)));
        assert!(matches!(undo(&test, &token).await, Err(AddressError::InvalidLink)), "once");
        assert!(!test.inbox.latest_about(EVE, "removed from an account").text.contains("token="));

        let way_back = test.inbox.latest_about(ADA, "choose a new password").token();
        sign_in.reset_password(&way_back, &secret(NEW), &client).await.unwrap();
        test.sign_in(ADA, NEW).await;
    })
    .await;
}

#[tokio::test]
async fn c10_a_thief_gains_nothing_by_changing_twice() {
    each_auth(async |test| {
        let ada = test.verified_account(ADA).await;
        let thief = test.sign_in(ADA, PASSWORD).await;
        moved(&test, &thief, EVE).await;
        let owners = undo_token(&test, ADA);
        moved(&test, &thief, "eve2@evil.example").await;
        let thiefs = undo_token(&test, EVE);
        undo(&test, &owners).await.unwrap();
        assert_eq!(test.account(ADA).await.id, ada.id);
        assert!(matches!(undo(&test, &thiefs).await, Err(AddressError::InvalidLink)));
        claim(&test, EVE).await;

        // The other way round: taking one's own change back does not make the owner's link worthless.
        test.verified_account(BOB).await;
        let thief = test.sign_in(BOB, PASSWORD).await;
        moved(&test, &thief, "eve3@evil.example").await;
        let owners = undo_token(&test, BOB);
        moved(&test, &thief, "eve4@evil.example").await;
        undo(&test, &undo_token(&test, "eve3@evil.example")).await.unwrap();
        assert_eq!(test.account("eve3@evil.example").await.email_verified_at, Some(test.now()));
        undo(&test, &owners).await.unwrap();
        assert!(test.account(BOB).await.email_verified_at.is_some());
    })
    .await;
}

#[tokio::test]
async fn an_undo_wins_over_a_claim_and_yields_to_a_proof() {
    each_auth(async |test| {
        let ada = test.verified_account(ADA).await;
        let thief = test.sign_in(ADA, PASSWORD).await;
        moved(&test, &thief, EVE).await;
        claim(&test, ADA).await;
        let squatter = test.sign_in(ADA, PASSWORD).await;
        undo(&test, &undo_token(&test, ADA)).await.unwrap();
        assert_eq!(test.account(ADA).await.id, ada.id);
        assert!(!works(&test, &squatter).await, "who only claimed it is closed");

        test.verified_account(BOB).await;
        let mine = test.sign_in(BOB, PASSWORD).await;
        moved(&test, &mine, "bobby@example.com").await;
        let token = undo_token(&test, BOB);
        claim(&test, BOB).await;
        let link = test.inbox.latest_about(BOB, "Verify").token();
        let client = test.stranger();
        let sign_in = test.auth.sign_in();
        sign_in.verify_email(&link, Evidence::ContractJson, &client).await.unwrap();
        let stranger = test.account(BOB).await;
        let seen = test.auth.sign_in().look_at_undo(&token, &test.stranger()).await;
        assert!(matches!(seen, Err(AddressError::Taken)));
        assert!(matches!(undo(&test, &token).await, Err(AddressError::Taken)));
        assert_eq!(test.account(BOB).await.id, stranger.id);
        assert!(works(&test, &mine).await, "nothing half done");
    })
    .await;
}

#[tokio::test]
async fn an_address_nobody_proved_is_not_written_to_and_takes_nothing_back() {
    each_auth(async |test| {
        test.sign_up(ADA).await;
        let mine = test.sign_in(ADA, PASSWORD).await;
        let verify = test.inbox.latest(ADA).token();
        let before = test.inbox.to(ADA).len();
        moved(&test, &mine, BOB).await;
        assert_eq!(test.inbox.to(ADA).len(), before);
        let client = test.stranger();
        let old = test.auth.sign_in().verify_email(&verify, Evidence::ContractJson, &client).await;
        assert!(matches!(old, Err(LinkError::Invalid)));
        assert!(test.account(BOB).await.email_verified_at.is_some());
    })
    .await;
}

#[tokio::test]
async fn b05_links_to_addresses_open_nothing_else() {
    each_auth(async |test| {
        test.verified_account(ADA).await;
        let mine = test.sign_in(ADA, PASSWORD).await;
        let client = test.stranger();
        let sign_in = test.auth.sign_in();
        sign_in.forgot_password(&address(ADA), Door::Api, &client).await.unwrap();
        test.deliver().await;
        let reset = test.inbox.latest_about(ADA, "password").token();
        let change = asked(&test, &mine, BOB).await;
        moved(&test, &mine, EVE).await;
        let undo_link = undo_token(&test, ADA);
        for token in [&reset, &change, &undo_link, &String::new(), &"\0".to_owned()] {
            let password = secret(NEW);
            let refused = sign_in.reset_password(token, &password, &client).await;
            assert!(matches!(refused, Err(LinkError::Invalid)));
            let refused = sign_in.verify_email(token, Evidence::ContractJson, &client).await;
            assert!(matches!(refused, Err(LinkError::Invalid)));
            assert!(matches!(confirm(&test, token).await, Err(AddressError::InvalidLink)));
            if *token != undo_link {
                assert!(matches!(undo(&test, token).await, Err(AddressError::InvalidLink)));
            }
        }
        undo(&test, &undo_link).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn of_fifty_clicks_one_changes_the_address_and_one_takes_it_back() {
    each_auth(async |test| {
        let ada = test.verified_account(ADA).await;
        let mut address_now = ADA.to_owned();
        for round in 0..5 {
            test.clock.advance(hours(2));
            test.inbox.clear();
            let password = if round == 0 { PASSWORD } else { NEW };
            let mine = test.sign_in(&address_now, password).await;
            let token = asked(&test, &mine, BOB).await;
            let done = race(&test, &token, async |auth, token, client| {
                auth.sign_in().confirm_email_change(&token, &client).await
            });
            assert_eq!(done.await, 1, "round {round}");
            assert_eq!(test.account(BOB).await.id, ada.id);
            let token = undo_token(&test, ADA);
            let done = race(&test, &token, async |auth, token, client| {
                auth.sign_in().undo_address_change(&token, &client).await
            });
            assert_eq!(done.await, 1, "round {round}");
            assert_eq!(test.account(ADA).await.id, ada.id);
            let resets = test.inbox.to(ADA);
            let resets = resets.iter().filter(|mail| mail.subject.contains("choose a new"));
            assert_eq!(resets.count(), 1);
            let way_back = test.inbox.latest_about(ADA, "choose a new").token();
            let client = test.stranger();
            let sign_in = test.auth.sign_in();
            sign_in.reset_password(&way_back, &secret(NEW), &client).await.unwrap();
            address_now = ADA.to_owned();
        }
    })
    .await;
}

/// Fifty at once; how many succeeded. Whoever comes late is told that the link is used.
async fn race<F>(
    test: &TestAuth,
    token: &str,
    act: impl Fn(ironlatch_core::Auth, String, Client) -> F,
) -> usize
where
    F: Future<Output = Result<(), AddressError>> + Send + 'static,
{
    let uses =
        (0..50).map(|_| tokio::spawn(act(test.auth.clone(), token.to_owned(), test.stranger())));
    let answers = futures_util::future::join_all(uses).await;
    test.deliver().await;
    for answer in &answers {
        let answer = answer.as_ref().unwrap();
        assert!(matches!(answer, Ok(()) | Err(AddressError::InvalidLink)), "{answer:?}");
    }
    answers.iter().filter(|answer| matches!(answer, Ok(Ok(())))).count()
}
