//! The feed's counter is one row for everybody: whoever holds it must not wait for anything else.

use super::super::{Federated, Joining};
use super::kit::{ADA, Kit, each, google};
use crate::accounts::{self, Contact, Email};
use crate::database::Batch;
use crate::sign_in::Way;
use crate::sign_in::candidate::Candidate;
use crate::sign_in::complete::Passed;

async fn find(kit: &Kit) -> Candidate {
    let email = Email::parse(ADA).unwrap();
    kit.auth.sign_in().find(&email.into(), &kit.stranger()).await.unwrap().unwrap()
}

/// Fails unless a session's batch ends with the feed, whatever is added to it.
#[track_caller]
fn expect_the_feed_last(kit: &Kit, passed: Passed) {
    let now = kit.auth.clock().now();
    let opening = kit.auth.sign_in().opening(passed, &kit.arrival(), now).unwrap();
    let (account, mut batch) = (opening.proof.account, opening.proof.batch);
    batch.add(accounts::changed(account, 1));
    let texts = batch.texts();
    let tells = |text: &&'static str| text.contains("revocation");
    let first = texts.iter().position(tells).expect("nodes are told");
    assert!(first > 5 && texts[first..].iter().all(tells), "{texts:#?}");
}

#[tokio::test]
async fn a_first_proof_tells_the_nodes_last() {
    each(async |kit| {
        kit.unproven(ADA).await;
        let email = Email::parse(ADA).unwrap();
        let vouched = google("1", Some(ADA), true);
        let sign_in = kit.auth.sign_in();
        let passed = sign_in.first_vouched(&vouched, (find(&kit).await, &email), &kit.stranger());
        expect_the_feed_last(&kit, passed.unwrap());

        let found = find(&kit).await;
        let contact = Contact::Email(email);
        let used = Batch::new();
        let passed = sign_in.first_proof(Way::Code, (&contact, found), &used, vec!["email"]);
        expect_the_feed_last(&kit, passed.unwrap());
    })
    .await;
}

#[tokio::test]
async fn what_joins_an_account_tells_the_nodes_last() {
    each(async |kit| {
        kit.proven(ADA).await;
        let vouched = google("1", Some(ADA), true);
        let joining = Some(Joining::from(&vouched));
        let federated = Federated { joining, ..Federated::by(&vouched) };
        let passed = Passed::existing(Way::Social, find(&kit).await, vec!["fed"], Batch::new());
        expect_the_feed_last(&kit, passed.vouched(Some(federated)));
    })
    .await;
}
