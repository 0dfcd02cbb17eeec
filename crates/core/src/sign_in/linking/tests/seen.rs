//! What a sign-in with a password remembers of the account is what was read with the credential;
//! whatever happens to the account since then has it read again.

use super::kit::{ADA, each, google};
use crate::accounts::{Contact, Email};

#[tokio::test]
async fn an_identity_belongs_to_it_from_the_moment_it_is_connected() {
    each(async |kit| {
        let id = kit.proven(ADA).await;
        let signed_in = kit.with_password(ADA).await.unwrap();
        assert!(signed_in.account.identities.is_empty());
        let joined = kit.node(|_| ()).await.enter(&google("1", Some(ADA), true)).await;
        assert_eq!(joined.account.identities.len(), 1);

        assert!(kit.account(id).await.identities.is_empty(), "not heard of yet");
        kit.auth.sessions().catch_up().await.unwrap();
        assert_eq!(kit.account(id).await.identities.len(), 1);
        let signed_in = kit.with_password(ADA).await.unwrap();
        assert_eq!(signed_in.account.identities.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_proof_that_changes_the_account_has_it_read_again() {
    each(async |kit| {
        kit.unproven(ADA).await;
        let email = Email::parse(ADA).unwrap();
        let find = kit.auth.sign_in().find(&email.clone().into(), &kit.stranger()).await;
        let mut found = find.unwrap().unwrap();
        assert!(found.plain.is_some());
        found.proven_by(&Contact::Email(email), kit.auth.clock().now());
        assert!(found.plain.is_none());
    })
    .await;
}
