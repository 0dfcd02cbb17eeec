//! Third-party tokens that the account's own application keeps with it.

use ironlatch_core::accounts::AccountError;
use ironlatch_core::database::Statement;
use ironlatch_core::ids::AccountId;
use ironlatch_core::ports::Token;
use ironlatch_core::sessions::Door;
use ironlatch_testkit::{PASSWORD, TestAuth, address, each_auth};

fn token(text: &str) -> Token {
    Token::new(text.to_owned())
}

async fn kept(test: &TestAuth, id: AccountId) -> Option<String> {
    let kept = test.auth.accounts().application_token(id).await.unwrap();
    kept.map(|token| token.reveal().to_owned())
}

#[tokio::test]
async fn a_token_is_kept_replaced_and_removed() {
    each_auth(async |test| {
        let ada = test.sign_up("ada@example.com").await.id;
        let bob = test.sign_up("bob@example.com").await.id;
        let accounts = test.auth.accounts();
        assert_eq!(kept(&test, ada).await, None);
        accounts.set_application_token(ada, &token("first-þ")).await.unwrap();
        assert_eq!(kept(&test, ada).await.as_deref(), Some("first-þ"));
        accounts.set_application_token(ada, &token("second")).await.unwrap();
        assert_eq!(kept(&test, ada).await.as_deref(), Some("second"));
        assert_eq!(kept(&test.second_node().await, ada).await.as_deref(), Some("second"));
        assert_eq!(kept(&test, bob).await, None);
        for _ in 0..2 {
            accounts.remove_application_token(ada).await.unwrap();
            assert_eq!(kept(&test, ada).await, None);
        }
    })
    .await;
}

#[tokio::test]
async fn a_token_is_sealed_for_its_own_account() {
    each_auth(async |test| {
        let ada = test.sign_up("ada@example.com").await.id;
        let bob = test.sign_up("bob@example.com").await.id;
        let accounts = test.auth.accounts();
        accounts.set_application_token(ada, &token("EAAB-secret")).await.unwrap();
        accounts.set_application_token(bob, &token("EAAB-other")).await.unwrap();
        let found = Statement::new("SELECT sealed_token FROM application_tokens", []);
        for row in test.auth.database().read(found).await.unwrap() {
            let sealed = row.bytes(0).unwrap();
            assert!(!sealed.windows(4).any(|bytes| bytes == b"EAAB"));
        }
        // Somebody who can write to the database still cannot read it through their own account.
        let moved = Statement::new(
            "UPDATE application_tokens
                SET sealed_token = (SELECT o.sealed_token FROM application_tokens o
                                     WHERE o.account_id = $1)
              WHERE account_id = $2",
            [ada.into(), bob.into()],
        );
        test.auth.database().write(moved.into()).await.unwrap();
        let refused = accounts.application_token(bob).await.unwrap_err();
        assert!(!format!("{refused:?}").contains("EAAB"));
    })
    .await;
}

#[tokio::test]
async fn a_token_has_a_length_an_account_and_goes_with_it() {
    each_auth(async |test| {
        let ada = test.sign_up("ada@example.com").await.id;
        let accounts = test.auth.accounts();
        for wrong in [String::new(), "x".repeat(8 * 1024 + 1)] {
            let refused = accounts.set_application_token(ada, &token(&wrong)).await;
            assert!(matches!(refused, Err(AccountError::TokenLength { .. })), "{refused:?}");
        }
        let longest = token(&"x".repeat(8 * 1024));
        accounts.set_application_token(ada, &longest).await.unwrap();

        let present = test.sign_in("ada@example.com", PASSWORD).await;
        let present = test.auth.sessions().check(present.started.access.reveal()).await.unwrap();
        let closed = test
            .auth
            .sign_in()
            .close_account(&present, Some(&token(PASSWORD)), &test.stranger())
            .await;
        closed.unwrap();
        assert_eq!(kept(&test, ada).await, None);
        let refused = accounts.set_application_token(ada, &token("late")).await;
        assert!(matches!(refused, Err(AccountError::Unknown)), "{refused:?}");
        let nobody = AccountId::new(test.now(), test.auth.random());
        let refused = accounts.set_application_token(nobody, &token("x")).await;
        assert!(matches!(refused, Err(AccountError::Unknown)), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn what_was_kept_for_a_stranger_goes_with_the_first_proof() {
    each_auth(async |test| {
        let ada = test.sign_up("ada@example.com").await.id;
        let accounts = test.auth.accounts();
        let sign_in = test.auth.sign_in();
        accounts.set_application_token(ada, &token("the stranger's")).await.unwrap();
        for (password, left) in [("another one of mine", None), ("a third one", Some("mine"))] {
            let client = test.stranger();
            let email = address("ada@example.com");
            sign_in.forgot_password(&email, Door::Api, &client).await.unwrap();
            test.deliver().await;
            let link = test.inbox.latest_about("ada@example.com", "Reset").token();
            sign_in.reset_password(&link, &token(password), &client).await.unwrap();
            assert_eq!(kept(&test, ada).await.as_deref(), left);
            accounts.set_application_token(ada, &token("mine")).await.unwrap();
        }
    })
    .await;
}
