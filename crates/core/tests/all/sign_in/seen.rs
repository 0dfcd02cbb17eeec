//! A sign-in with a password answers the account as it was read with the credential, which must
//! be what any other reading of it says.

use ironlatch_core::database::{Batch, Statement};
use ironlatch_core::ids::AccountId;
use ironlatch_core::sessions::Account;
use ironlatch_core::time::hours;
use ironlatch_testkit::{PASSWORD, TestAuth, each_auth};
use uuid::Uuid;

use super::ADA;

async fn write(test: &TestAuth, statements: impl IntoIterator<Item = Statement>) {
    let mut batch = Batch::new();
    batch.extend(statements);
    test.auth.database().write(batch).await.unwrap();
}

/// Signs in; compares with what a node reads that has nothing in its cache, and with what this
/// one remembers.
async fn sign_in(test: &TestAuth, id: AccountId) -> Account {
    test.clock.advance(hours(1));
    let answered = test.sign_in(ADA, PASSWORD).await.account;
    let other = test.second_node().await;
    let read = other.auth.sessions().account(id).await.unwrap().unwrap();
    let remembered = test.auth.sessions().account(id).await.unwrap().unwrap();
    assert_eq!((&answered, &answered), (&*read, &*remembered));
    assert_eq!(answered.last_sign_in_at, Some(test.now()));
    answered
}

#[tokio::test]
async fn the_answer_is_what_any_other_reading_says() {
    each_auth(async |test| {
        let id = test.verified_account(ADA).await.id;
        let plain = sign_in(&test, id).await;
        assert!(plain.groups.is_empty() && plain.permissions.is_empty());

        let group = Uuid::from_u128(7);
        let made = "INSERT INTO groups (id, name, name_key) VALUES ($1, 'Editors', 'editors')";
        let joined = "INSERT INTO account_groups (account_id, group_id) VALUES ($1, $2)";
        let statements = [
            Statement::new(made, [group.into()]),
            Statement::new(joined, [id.into(), group.into()]),
        ];
        write(&test, statements).await;
        assert_eq!(sign_in(&test, id).await.groups, ["Editors"]);

        let left = "DELETE FROM account_groups WHERE account_id = $1";
        let granted =
            "INSERT INTO account_permissions (account_id, permission) VALUES ($1, 'notes.read')";
        write(&test, [left, granted].map(|sql| Statement::new(sql, [id.into()]))).await;
        let account = sign_in(&test, id).await;
        assert!(account.groups.is_empty());
        assert_eq!(account.permissions, ["notes.read"]);
    })
    .await;
}
