//! The same at once: the unique index and the account's row decide, never a read.

use std::sync::Arc;

use tokio::sync::Barrier;

use super::kit::{Kit, each, github, google};
use crate::ids::AccountId;
use crate::sign_in::{DisconnectError, Step};
use crate::social::Vouched;

const CONTENDERS: usize = 50;

/// As the other races: CI runs 100 rounds, `cargo xtask races` as many as it is told.
fn rounds() -> usize {
    let told = std::env::var("IRONLATCH_RACE_ROUNDS").ok();
    told.map_or(100, |text| text.parse().expect("IRONLATCH_RACE_ROUNDS is a number"))
}

/// Signs in with all of them at the same moment, on two nodes in turn; answers whose accounts
/// they opened.
async fn at_once(nodes: &[Arc<Kit>], all: Vec<Vouched>) -> Vec<AccountId> {
    let barrier = Arc::new(Barrier::new(all.len()));
    let begun: Vec<_> = all
        .into_iter()
        .zip(nodes.iter().cycle())
        .map(|(vouched, node)| {
            let (barrier, node) = (Arc::clone(&barrier), Arc::clone(node));
            tokio::spawn(async move {
                barrier.wait().await;
                node.with(&vouched).await
            })
        })
        .collect();
    let mut accounts = Vec::new();
    for one in begun {
        match one.await.unwrap() {
            Ok(Step::SignedIn(signed_in)) => accounts.push(signed_in.account.id),
            other => panic!("{other:?}"),
        }
    }
    accounts.sort_unstable_by_key(|id| id.uuid());
    accounts.dedup();
    accounts
}

async fn nodes(kit: Kit) -> [Arc<Kit>; 2] {
    let second = kit.node(|_| ()).await;
    [Arc::new(kit), Arc::new(second)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_sign_ins_with_one_identity_make_one_account() {
    each(async |kit| {
        let nodes = nodes(kit).await;
        for round in 0..rounds() {
            let email = format!("r{round}@example.com");
            let vouched = match round % 2 {
                0 => google(&round.to_string(), Some(&email), true),
                _ => google(&round.to_string(), None, false),
            };
            let accounts = at_once(&nodes, vec![vouched; CONTENDERS]).await;
            assert_eq!(accounts.len(), 1, "round {round}");
            let connections = nodes[0].auth.sign_in().connections(accounts[0]).await.unwrap();
            assert_eq!(connections.len(), 1, "round {round}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identities_with_one_address_meet_in_one_account() {
    each(async |kit| {
        let nodes = nodes(kit).await;
        for round in 0..rounds() {
            let email = format!("r{round}@example.com");
            // Every other round somebody claims the address already.
            if round % 2 == 1 {
                nodes[0].unproven(&email).await;
            }
            let subject = round.to_string();
            let two = [google(&subject, Some(&email), true), github(&subject, Some(&email), true)];
            let all = two.iter().cycle().take(4).cloned().collect();
            let accounts = at_once(&nodes, all).await;
            assert_eq!(accounts.len(), 1, "round {round}");
            let connections = nodes[0].auth.sign_in().connections(accounts[0]).await.unwrap();
            assert_eq!(connections.len(), 2, "round {round}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_the_last_two_ways_in_one_is_left_however_they_are_removed() {
    each(async |kit| {
        let nodes = nodes(kit).await;
        for round in 0..rounds() {
            let kit = &nodes[0];
            let owner = kit.enter(&google(&round.to_string(), None, false)).await;
            let id = owner.account.id;
            let session = (id, owner.started.session);
            let second = github(&round.to_string(), None, false);
            let client = kit.stranger();
            kit.auth.sign_in().connect_on_return(session, &second, &client).await.unwrap();
            let connections = kit.auth.sign_in().connections(id).await.unwrap();
            let present = kit.present(&owner).await;
            let barrier = Arc::new(Barrier::new(8));
            let removals: Vec<_> = (0..8)
                .map(|n| {
                    let (node, barrier) = (Arc::clone(&nodes[n % 2]), Arc::clone(&barrier));
                    let (present, which) = (present.clone(), connections[(n / 2) % 2].id);
                    tokio::spawn(async move {
                        barrier.wait().await;
                        let client = node.stranger();
                        node.auth.sign_in().disconnect(&present, which, &client).await
                    })
                })
                .collect();
            let mut removed = 0;
            for one in removals {
                match one.await.unwrap() {
                    Ok(()) => removed += 1,
                    Err(
                        DisconnectError::LastWayIn
                        | DisconnectError::Unknown
                        | DisconnectError::Changed,
                    ) => {}
                    Err(other) => panic!("{other:?}"),
                }
            }
            assert_eq!(removed, 1, "round {round}");
            let left = kit.auth.sign_in().connections(id).await.unwrap();
            assert_eq!(left.len(), 1, "round {round}");
        }
    })
    .await;
}
