//! Signing keys: published, changed, withdrawn.

use ironlatch_core::ports::Token;
use ironlatch_core::settings::SigningAlgorithm;
use ironlatch_core::time::{minutes, seconds};
use ironlatch_core::tokens::TokenError;
use ironlatch_testkit::TestAuth;

use super::{count, is_in, sign_in, with_ada};

/// Which key signed a token.
fn kid(token: &Token) -> String {
    jsonwebtoken::decode_header(token.reveal()).unwrap().kid.expect("ours name their key")
}

fn published(test: &TestAuth) -> usize {
    test.auth.tokens().jwks()["keys"].as_array().expect("a set of keys").len()
}

#[tokio::test]
async fn a_retired_key_verifies_until_its_last_token_has_expired() {
    with_ada(async |test| {
        let other = test.second_node().await;
        let first = sign_in(&test).await.started;
        let signs_from = test.auth.tokens().rotate(false).await.unwrap();
        assert!(signs_from > test.now().plus(seconds(300)), "verifiers keep the set for so long");
        other.auth.sessions().poll_feed().await.unwrap();
        test.clock.set(signs_from.minus(seconds(1)));
        let old = sign_in(&test).await.started;
        assert_eq!(kid(&old.access), kid(&first.access), "G09: published, but silent yet");
        test.clock.set(signs_from);
        let new = sign_in(&other).await.started;
        assert_ne!(kid(&new.access), kid(&old.access));
        for node in [&test, &other] {
            assert!(is_in(node, &old.access).await, "G09: no failure in the overlap");
            assert!(is_in(node, &new.access).await);
            assert_eq!(published(node), 2);
        }
        test.clock.advance(minutes(15));
        let expired = test.auth.tokens().read_access(old.access.reveal(), test.now());
        assert_eq!(expired, Err(TokenError::Expired));
        // Tokens of another door live longest.
        let longest = test.auth.settings().tokens.longest_access();
        test.clock.set(signs_from.plus(longest).plus(seconds(60)));
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
async fn a_key_not_heard_of_yet_is_asked_for_but_not_again_and_again() {
    with_ada(async |test| {
        let other = test.second_node().await;
        let asked = async |token: &Token| other.auth.sessions().check(token.reveal()).await.is_ok();
        test.auth.tokens().rotate(true).await.unwrap();
        let new = sign_in(&test).await.started.access;
        let all = futures_util::future::join_all((0..8).map(|_| asked(&new))).await;
        assert_eq!(all, [true; 8], "whoever comes meanwhile waits for the answer");
        test.auth.tokens().rotate(true).await.unwrap();
        let newer = sign_in(&test).await.started.access;
        assert!(!asked(&newer).await, "anybody can make up names of keys");
        test.clock.advance(seconds(1));
        assert!(asked(&newer).await);
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
        for wait in [seconds(0), seconds(400)] {
            test.clock.advance(wait);
            for node in &nodes {
                node.auth.sessions().poll_feed().await.unwrap();
                tokens.push(sign_in(node).await.started.access);
            }
        }
        assert_ne!(kid(&tokens[0]), kid(&tokens[7]), "the new key's turn has come");
        assert_eq!(kid(&tokens[4]), kid(&tokens[7]), "to all of them the same");
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
            // Until then the other algorithm signs, as its key is the one everybody knows.
            test.clock.advance(seconds(310));
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
