//! A database belongs to the master key it was first opened with.

use ironlatch_core::database::{Batch, Statement};
use ironlatch_core::{Auth, BuildError};
use ironlatch_testkit::{MASTER_KEY, TestAuth, each_engine};

const OTHER_KEY: [u8; 32] = *b"another key, 32 bytes long, too.";

async fn open(url: &str, key: [u8; 32]) -> Result<Auth, BuildError> {
    Box::pin(Auth::builder().database(url).master_key(key).build()).await
}

#[tokio::test]
async fn a_node_with_another_master_key_refuses_to_start() {
    each_engine(async |url| {
        let test = TestAuth::on(&url).await;
        let other = open(&test.database_url, OTHER_KEY).await;
        assert!(matches!(other, Err(BuildError::OtherMasterKey)));
        assert!(open(&test.database_url, MASTER_KEY).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn of_nodes_that_start_at_once_those_with_one_key_all_do() {
    each_engine(async |url| {
        let test = TestAuth::on(&url).await;
        for _ in 0..5 {
            // As on a new database: nothing is sealed yet.
            let mut forget = Batch::new();
            forget.add(Statement::new("DELETE FROM master_key_checks", []));
            forget.add(Statement::new("DELETE FROM signing_keys", []));
            test.auth.database().write(forget).await.unwrap();
            let (one, two, other) = tokio::join!(
                open(&test.database_url, MASTER_KEY),
                open(&test.database_url, MASTER_KEY),
                open(&test.database_url, OTHER_KEY),
            );
            assert_eq!(one.is_ok(), two.is_ok(), "{:?} {:?}", one.err(), two.err());
            assert_ne!(one.is_ok(), other.is_ok(), "one key holds, never both, never none");
            assert!(matches!(one.and(other), Err(BuildError::OtherMasterKey)));
        }
    })
    .await;
}
