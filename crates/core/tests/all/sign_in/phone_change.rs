//! Another number for an account, and taking it back (attacks A09, B01, B03, B04, C10, D09).

use ironlatch_core::accounts::{Contact, Phone};
use ironlatch_core::database::Statement;
use ironlatch_core::sign_in::{AddressError, AddressKind, CodeAttempt, UndoFacts};

use super::*;

const OLD: &str = "+491512345678";
const THIEFS: &str = "+491709876543";

fn number(text: &str) -> Phone {
    Phone::parse(text).unwrap()
}

async fn ask(test: &TestAuth, mine: &SignedIn, new: &str) -> Result<(), AddressError> {
    let present = test.auth.sessions().check(mine.started.access.reveal()).await.unwrap();
    let client = test.stranger();
    let asked = test.auth.sign_in().change_phone(&present, &number(new), &client).await;
    test.deliver().await;
    asked
}

async fn asked(test: &TestAuth, mine: &SignedIn, new: &str) -> String {
    ask(test, mine, new).await.unwrap();
    test.inbox.latest(new).code()
}

async fn confirm(
    test: &TestAuth,
    mine: &SignedIn,
    new: &str,
    code: &str,
) -> Result<(), AddressError> {
    let present = test.auth.sessions().check(mine.started.access.reveal()).await.unwrap();
    let (new, code, client) = (number(new), secret(code), test.stranger());
    let done = test.auth.sign_in().confirm_phone_change(&present, &new, &code, &client).await;
    test.deliver().await;
    done
}

async fn moved(test: &TestAuth, mine: &SignedIn, new: &str) {
    let code = asked(test, mine, new).await;
    confirm(test, mine, new, &code).await.unwrap();
}

async fn undo(test: &TestAuth, token: &str) -> Result<(), AddressError> {
    let done = test.auth.sign_in().undo_address_change(token, &test.stranger()).await;
    test.deliver().await;
    done
}

/// The number an account has, and whether it is proven.
async fn phone(test: &TestAuth, account: ironlatch_core::ids::AccountId) -> Option<String> {
    let select = "SELECT phone_key, phone_verified_at FROM accounts WHERE id = $1";
    let row = test.auth.database().read_one(Statement::new(select, [account.into()])).await;
    let row = row.unwrap().unwrap();
    let key = row.optional_text(0).unwrap();
    assert_eq!(key.is_some(), row.optional_time(1).unwrap().is_some(), "proven or not there");
    key
}

/// Takes the e-mail address from an account that has a number: as if made by a code.
async fn without_email(test: &TestAuth, account: ironlatch_core::ids::AccountId) {
    let update = "UPDATE accounts SET email = NULL, email_key = NULL, email_verified_at = NULL
                   WHERE id = $1";
    test.auth.database().write(Statement::new(update, [account.into()]).into()).await.unwrap();
}

#[tokio::test]
async fn a_number_is_added_and_changed_with_a_code_and_the_mailbox_is_told() {
    each_auth(async |test| {
        let ada = test.verified_account(ADA).await;
        let other = test.sign_in(ADA, PASSWORD).await;
        let mine = test.sign_in(ADA, PASSWORD).await;
        let code = asked(&test, &mine, OLD).await;
        assert_eq!(phone(&test, ada.id).await, None, "until then nothing changes");
        confirm(&test, &mine, OLD, &code).await.unwrap();
        assert_eq!(phone(&test, ada.id).await.as_deref(), Some(OLD));
        assert!(works(&test, &mine).await && !works(&test, &other).await);
        let again = confirm(&test, &mine, OLD, &code).await;
        assert!(matches!(again, Err(AddressError::WrongCode)), "B03: once");
        let same = ask(&test, &mine, "0049 151 2345678").await;
        assert!(matches!(same, Err(AddressError::Unchanged(AddressKind::Phone))));

        let added = test.inbox.latest_about(ADA, "phone number was changed").token();
        moved(&test, &mine, THIEFS).await;
        assert_eq!(phone(&test, ada.id).await.as_deref(), Some(THIEFS));
        let changed = test.inbox.latest_about(ADA, "phone number was changed").token();
        let sign_in = test.auth.sign_in();
        let facts = sign_in.look_at_undo(&changed, &test.stranger()).await.unwrap();
        let UndoFacts { kind, restored, has_mail, .. } = facts;
        assert_eq!((kind, restored.as_deref(), has_mail), (AddressKind::Phone, Some(OLD), true));
        undo(&test, &changed).await.unwrap();
        assert_eq!(phone(&test, ada.id).await.as_deref(), Some(OLD));
        undo(&test, &added).await.unwrap();
        assert_eq!(phone(&test, ada.id).await, None, "as it was: none");
        assert!(!works(&test, &mine).await);
        assert!(test.try_sign_in(ADA, PASSWORD).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn an_undo_of_the_address_takes_the_thiefs_number_along() {
    each_auth(async |test| {
        let ada = test.verified_account(ADA).await;
        let thief = test.sign_in(ADA, PASSWORD).await;
        let present = test.auth.sessions().check(thief.started.access.reveal()).await.unwrap();
        let (eve, client) = ("eve@evil.example", test.stranger());
        test.auth.sign_in().change_email(&present, &address(eve), &client).await.unwrap();
        test.deliver().await;
        let token = test.inbox.latest(eve).token();
        test.auth.sign_in().confirm_email_change(&token, &client).await.unwrap();
        test.deliver().await;
        moved(&test, &thief, THIEFS).await;
        let thiefs_undo = test.inbox.latest_about(eve, "phone number").token();
        undo(&test, &test.inbox.latest_about(ADA, "was changed").token()).await.unwrap();
        assert_eq!(test.account(ADA).await.id, ada.id);
        assert_eq!(phone(&test, ada.id).await, None);
        assert!(matches!(undo(&test, &thiefs_undo).await, Err(AddressError::InvalidLink)));
    })
    .await;
}

#[tokio::test]
async fn an_account_without_a_mailbox_is_told_by_sms() {
    each_auth(async |test| {
        let ada = test.verified_account(ADA).await;
        let mine = test.sign_in(ADA, PASSWORD).await;
        moved(&test, &mine, OLD).await;
        without_email(&test, ada.id).await;
        moved(&test, &mine, THIEFS).await;
        let told = test.inbox.latest(OLD);
        assert!(told.text.contains("Not you?") && told.channel == "sms", "{}", told.text);
        let facts = test.auth.sign_in().look_at_undo(&told.token(), &test.stranger()).await;
        assert!(!facts.unwrap().has_mail);
        undo(&test, &told.token()).await.unwrap();
        assert_eq!(phone(&test, ada.id).await.as_deref(), Some(OLD));
    })
    .await;
}

#[tokio::test]
async fn a_first_address_is_told_by_sms_and_taken_away_again() {
    each_auth(async |test| {
        let ada = test.verified_account(ADA).await;
        let mine = test.sign_in(ADA, PASSWORD).await;
        moved(&test, &mine, OLD).await;
        without_email(&test, ada.id).await;
        let present = test.auth.sessions().check(mine.started.access.reveal()).await.unwrap();
        let (eve, client) = ("eve@evil.example", test.stranger());
        test.auth.sign_in().change_email(&present, &address(eve), &client).await.unwrap();
        test.deliver().await;
        let token = test.inbox.latest(eve).token();
        test.auth.sign_in().confirm_email_change(&token, &client).await.unwrap();
        test.deliver().await;
        assert_eq!(test.account(eve).await.id, ada.id);
        undo(&test, &test.inbox.latest(OLD).token()).await.unwrap();
        let gone = test.auth.accounts().find(&AccountRef::Email(address(eve))).await.unwrap();
        assert!(gone.is_none());
        assert_eq!(phone(&test, ada.id).await.as_deref(), Some(OLD));
    })
    .await;
}

#[tokio::test]
async fn b01_b02_guesses_are_few_and_survive_a_new_code() {
    each_auth(async |test| {
        let ada = test.verified_account(ADA).await;
        let mine = test.sign_in(ADA, PASSWORD).await;
        let code = asked(&test, &mine, OLD).await;
        let wrong = if code == "000000" { "111111" } else { "000000" };
        for _ in 0..3 {
            let _ = confirm(&test, &mine, OLD, wrong).await;
        }
        let late = confirm(&test, &mine, OLD, &code).await;
        assert!(matches!(late, Err(AddressError::WrongCode)), "B01: three a code");
        let mut stopped = false;
        for _ in 0..5 {
            ask(&test, &mine, OLD).await.unwrap();
            let guess = confirm(&test, &mine, OLD, wrong).await;
            stopped |= matches!(guess, Err(AddressError::TooManyAttempts { .. }));
        }
        assert!(stopped, "B02: a new code does not forgive failures");
        assert_eq!(phone(&test, ada.id).await, None);
    })
    .await;
}

#[tokio::test]
async fn b07_a_code_to_a_new_number_dies_on_the_second() {
    each_auth(async |test| {
        let ada = test.verified_account(ADA).await;
        for (age, new, works) in
            [(minutes(5).saturating_sub(seconds(1)), OLD, true), (minutes(5), THIEFS, false)]
        {
            let mine = test.sign_in(ADA, PASSWORD).await;
            let code = asked(&test, &mine, new).await;
            test.clock.advance(age);
            let answer = confirm(&test, &mine, new, &code).await;
            assert_eq!(answer.is_ok(), works, "{answer:?}");
            assert!(works || matches!(answer, Err(AddressError::WrongCode)));
            assert_eq!(phone(&test, ada.id).await.as_deref(), Some(OLD));
        }
    })
    .await;
}

#[tokio::test]
async fn b04_a_code_is_for_one_account_and_one_number() {
    each_auth(async |test| {
        let ada = test.verified_account(ADA).await;
        let eve = test.verified_account("eve@evil.example").await;
        let mine = test.sign_in(ADA, PASSWORD).await;
        let hers = test.sign_in("eve@evil.example", PASSWORD).await;
        let code = asked(&test, &mine, OLD).await;
        let stolen = confirm(&test, &hers, OLD, &code).await;
        assert!(matches!(stolen, Err(AddressError::WrongCode)));
        let other = confirm(&test, &mine, THIEFS, &code).await;
        assert!(matches!(other, Err(AddressError::WrongCode)));
        ask(&test, &hers, OLD).await.unwrap();
        confirm(&test, &mine, OLD, &code).await.unwrap();
        assert_eq!(phone(&test, ada.id).await.as_deref(), Some(OLD));

        // A09: that it is somebody's now hears only who has the code.
        test.clock.advance(seconds(1));
        let code = asked(&test, &hers, OLD).await;
        assert!(matches!(confirm(&test, &hers, OLD, &code).await, Err(AddressError::Taken)));
        assert_eq!(phone(&test, eve.id).await, None);
    })
    .await;
}

#[tokio::test]
async fn d09_numbers_need_a_recent_strong_proof_and_a_proven_mailbox() {
    each_auth(async |test| {
        test.sign_up(ADA).await;
        let mine = test.sign_in(ADA, PASSWORD).await;
        assert!(matches!(ask(&test, &mine, OLD).await, Err(AddressError::Unproven)));
        let token = test.inbox.latest(ADA).token();
        let client = test.stranger();
        test.auth.sign_in().verify_email(&token, Evidence::ContractJson, &client).await.unwrap();
        let code = asked(&test, &mine, OLD).await;
        test.clock.advance(minutes(5));
        assert!(matches!(ask(&test, &mine, THIEFS).await, Err(AddressError::ProveAgain)));
        let late = confirm(&test, &mine, OLD, &code).await;
        assert!(matches!(late, Err(AddressError::WrongCode)), "B07: five minutes");

        let weak = test.sign_in(ADA, PASSWORD).await;
        let enrolled = test.enrol_in(&weak).await;
        assert!(matches!(ask(&test, &weak, OLD).await, Err(AddressError::ProveAgain)));
        let strong = test.sign_in_strongly(ADA, PASSWORD, &enrolled).await;
        moved(&test, &strong, OLD).await;
        let abroad = ask(&test, &strong, "+33612345678").await;
        assert!(matches!(abroad, Err(AddressError::NoSms)));

        // An old mailbox is no way around the second factor.
        let told = test.inbox.latest_about(ADA, "phone number was changed").token();
        undo(&test, &told).await.unwrap();
        let way_back = test.inbox.latest_about(ADA, "choose a new password").token();
        test.auth.sign_in().reset_password(&way_back, &secret(NEW), &client).await.unwrap();
        test.sign_in_strongly(ADA, NEW, &enrolled).await;
    })
    .await;
}

/// The code that somebody who has never been here gets in their mailbox and types.
async fn comes_by_code(test: &TestAuth, email: &str) -> SignedIn {
    let (sign_in, arrival) = (test.auth.sign_in(), Arrival::new(test.stranger()));
    let contact = Contact::Email(address(email));
    sign_in.request_code(&contact, None, &arrival).await.unwrap();
    test.deliver().await;
    let code = secret(&test.inbox.latest_about(email, "verification code").code());
    match sign_in.with_code(CodeAttempt { contact, code, arrival }).await.unwrap() {
        Step::SignedIn(signed_in) => *signed_in,
        Step::SecondFactor(_) => panic!("nobody who proved the address enrolled one"),
    }
}

#[tokio::test]
async fn c01_whoever_waits_in_an_unproven_account_leaves_no_way_to_another_address_behind() {
    each_auth(async |test| {
        let maker = test.sign_up(ADA).await;
        let thief = test.sign_in(ADA, PASSWORD).await;
        let present = test.auth.sessions().check(thief.started.access.reveal()).await.unwrap();
        let (eve, client) = ("eve@evil.example", test.stranger());
        assert!(matches!(ask(&test, &thief, THIEFS).await, Err(AddressError::Unproven)));
        test.auth.sign_in().change_email(&present, &address(eve), &client).await.unwrap();
        test.deliver().await;
        let token = test.inbox.latest(eve).token();

        let owner = comes_by_code(&test, ADA).await;
        assert_eq!(owner.account.id, maker.id);
        assert!(!works(&test, &thief).await);
        let late = test.auth.sign_in().confirm_email_change(&token, &client).await;
        assert!(matches!(late, Err(AddressError::InvalidLink)));
        assert_eq!(phone(&test, maker.id).await, None);
        for left in [
            "SELECT COUNT(*) FROM address_changes WHERE account_id = $1",
            "SELECT COUNT(*) FROM one_time_codes WHERE account_id = $1 AND consumed_at IS NULL",
        ] {
            let counted = Statement::new(left, [maker.id.into()]);
            let row = test.auth.database().read_one(counted).await.unwrap().unwrap();
            assert_eq!(row.int(0).unwrap(), 0, "{left}");
        }
        // The owner's own number is welcome from now on.
        moved(&test, &owner, OLD).await;
        assert_eq!(phone(&test, maker.id).await.as_deref(), Some(OLD));
    })
    .await;
}

#[tokio::test]
async fn of_fifty_that_type_the_code_one_changes_the_number() {
    each_auth(async |test| {
        let ada = test.verified_account(ADA).await;
        for (round, new) in [OLD, THIEFS, OLD].into_iter().enumerate() {
            test.clock.advance(hours(2));
            let mine = test.sign_in(ADA, PASSWORD).await;
            let code = asked(&test, &mine, new).await;
            let present = test.auth.sessions().check(mine.started.access.reveal()).await.unwrap();
            let client = test.stranger();
            let uses = (0..50).map(|_| {
                let (auth, present, client) = (test.auth.clone(), present.clone(), client.clone());
                let (new, code) = (number(new), secret(&code));
                tokio::spawn(async move {
                    auth.sign_in().confirm_phone_change(&present, &new, &code, &client).await
                })
            });
            let answers = futures_util::future::join_all(uses).await;
            let done = answers.iter().filter(|answer| matches!(answer, Ok(Ok(())))).count();
            assert_eq!(done, 1, "round {round}: {answers:?}");
            assert_eq!(phone(&test, ada.id).await.as_deref(), Some(new));
        }
    })
    .await;
}
