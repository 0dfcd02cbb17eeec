//! Signing keys: published, changed, withdrawn.

use ironlatch_core::settings::SigningAlgorithm;
use ironlatch_core::time::{minutes, seconds};
use ironlatch_core::tokens::TokenError;
use ironlatch_testkit::TestAuth;

use super::{count, is_in, sign_in, with_ada};

fn published(test: &TestAuth) -> usize {
    test.auth.tokens().jwks()["keys"].as_array().expect("a set of keys").len()
}

#[tokio::test]
async fn a_retired_key_verifies_until_its_last_token_has_expired() {
    with_ada(async |test| {
        let other = test.second_node().await;
        let old = sign_in(&test).await.started;
        test.auth.tokens().rotate(false).await.unwrap();
        assert_eq!(published(&test), 2);
        let new = sign_in(&test).await.started;
        other.auth.sessions().poll_feed().await.unwrap();
        for node in [&test, &other] {
            assert!(is_in(node, &old.access).await, "G09: no failure in the overlap");
            assert!(is_in(node, &new.access).await);
            assert_eq!(published(node), 2);
        }
        test.clock.advance(minutes(15));
        let expired = test.auth.tokens().read_access(old.access.reveal(), test.now());
        assert_eq!(expired, Err(TokenError::Expired));
        test.clock.advance(seconds(60));
        assert_eq!(published(&test), 1, "gone without anybody's doing");
        let gone = test.auth.tokens().read_access(old.access.reveal(), test.now());
        assert_eq!(gone, Err(TokenError::Invalid));
        test.auth.sessions().sweep(10).await.unwrap();
        assert_eq!(count(&test, "SELECT count(*) FROM signing_keys").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_compromised_key_is_gone_at_once_from_memory_too() {
    with_ada(async |test| {
        let other = test.second_node().await;
        let old = sign_in(&test).await.started;
        assert!(is_in(&test, &old.access).await);
        assert!(is_in(&other, &old.access).await, "remembered on both nodes");
        test.auth.tokens().rotate(true).await.unwrap();
        assert!(!is_in(&test, &old.access).await);
        other.auth.sessions().poll_feed().await.unwrap();
        let refused = other.auth.tokens().read_access(old.access.reveal(), test.now());
        assert_eq!(refused, Err(TokenError::Invalid));
        assert_eq!((published(&test), published(&other)), (1, 1));
        assert_eq!(count(&test, "SELECT count(*) FROM signing_keys").await, 1, "sealed half too");
        let new = sign_in(&test).await.started;
        assert!(is_in(&other, &new.access).await);
    })
    .await;
}

#[tokio::test]
async fn nodes_that_start_or_rotate_at_once_end_with_keys_that_all_of_them_take() {
    with_ada(async |test| {
        let withdraw = ironlatch_core::database::Statement::new("DELETE FROM signing_keys", []);
        test.auth.database().write(withdraw.into()).await.unwrap();
        let nodes = futures_util::future::join_all((0..4).map(|_| test.second_node())).await;
        let rotations = nodes.iter().map(|node| async { node.auth.tokens().rotate(false).await });
        for done in futures_util::future::join_all(rotations).await {
            done.unwrap();
        }
        let mut tokens = Vec::new();
        for node in &nodes {
            node.auth.sessions().poll_feed().await.unwrap();
            tokens.push(sign_in(node).await.started.access);
        }
        for node in &nodes {
            for token in &tokens {
                assert!(is_in(node, token).await);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn each_algorithm_signs_and_is_published_as_what_it_is() {
    with_ada(async |test| {
        let old = sign_in(&test).await.started;
        for (algorithm, kty) in [(SigningAlgorithm::Es256, "EC"), (SigningAlgorithm::Rs256, "RSA")]
        {
            let node = test.node_with(|settings| settings.tokens.algorithm = algorithm).await;
            let new = sign_in(&node).await.started;
            assert!(is_in(&node, &new.access).await);
            assert!(is_in(&node, &old.access).await, "the old key is only retired");
            let header = jsonwebtoken::decode_header(new.access.reveal()).unwrap();
            let jwks = node.auth.tokens().jwks();
            let keys = jwks["keys"].as_array().unwrap();
            let own = keys.iter().find(|key| key["kid"] == header.kid.clone().unwrap()).unwrap();
            assert_eq!(own["kty"], kty);
            assert_eq!(own["alg"], algorithm.word());
            assert_eq!(own["use"], "sig");
            for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
                assert!(own.get(private).is_none());
            }
            test.auth.sessions().poll_feed().await.unwrap();
            assert!(is_in(&test, &new.access).await, "nodes take each other's algorithms");
        }
    })
    .await;
}
