//! Passwords as they are set, compared, stored and pretended.

use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordVerifier, Version};
use data_encoding::BASE64_NOPAD;
use futures_util::FutureExt;
use ironlatch_core::Auth;
use ironlatch_core::client::Network;
use ironlatch_core::credentials::password::{StoredHash, Verdict};
use ironlatch_core::database::Statement;
use ironlatch_core::ids::AccountId;
use ironlatch_core::ports::Token;
use ironlatch_testkit::{TestAuth, each_engine};

const RIGHT: Verdict = Verdict::Right { upgrade: false };
const RIGHT_AND_DATED: Verdict = Verdict::Right { upgrade: true };
/// Of nobody; takes 2^10 rounds, a thousand times what the kit's own hashes take.
const BCRYPT: &str = "$2b$10$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie";

fn network() -> Network {
    Network::of([192, 0, 2, 1].into())
}

fn secret(text: &str) -> Token {
    Token::new(text.to_owned())
}

fn stored(text: &str) -> StoredHash {
    StoredHash(secret(text))
}

async fn hash(auth: &Auth, password: &str) -> StoredHash {
    auth.passwords().hash(&secret(password), network()).await.unwrap()
}

async fn check(auth: &Auth, hash: &StoredHash, password: &str) -> Verdict {
    let password = secret(password);
    auth.passwords().check_or_pretend(Some(hash), &password, "ada", network()).await.unwrap()
}

/// How long a wrong password takes, of a known or an unknown account; the best of three, which
/// a busy machine disturbs least.
async fn wrong(auth: &Auth, stored: Option<&StoredHash>) -> Duration {
    let (mut best, password) = (Duration::MAX, secret("a wrong password"));
    for _ in 0..3 {
        let begun = Instant::now();
        let verdict = auth.passwords().check_or_pretend(stored, &password, "bob", network()).await;
        assert_eq!(verdict.unwrap(), Verdict::Wrong);
        best = best.min(begun.elapsed());
    }
    best
}

#[derive(serde::Deserialize)]
struct DjangoCase {
    password: String,
    hash: String,
}

fn django_cases() -> Vec<DjangoCase> {
    serde_json::from_str(include_str!("fixtures/django_hashes.json")).unwrap()
}

#[tokio::test]
async fn what_django_hashed_signs_in_and_is_to_be_upgraded() {
    let test = TestAuth::new().await;
    for (number, case) in django_cases().into_iter().enumerate() {
        // The last ones have the costs that Django ships; one wrong password each will do.
        let wrong_ones = if number < 70 { 5 } else { 1 };
        let hash = stored(&case.hash);
        assert_eq!(
            check(&test.auth, &hash, &case.password).await,
            RIGHT_AND_DATED,
            "{}",
            case.hash
        );
        let wrong_passwords: [String; 5] = [
            case.password.chars().take(1).chain(['x']).collect(),
            format!("x{}", case.password),
            case.password.to_uppercase() + "!",
            case.password.chars().skip(1).collect(),
            String::new(),
        ];
        for wrong in wrong_passwords.iter().take(wrong_ones) {
            let verdict = check(&test.auth, &hash, wrong).await;
            assert_eq!(verdict, Verdict::Wrong, "{wrong:?} for {}", case.hash);
        }
    }
}

#[tokio::test]
async fn a_password_is_right_however_its_letters_were_composed_and_only_then() {
    let test = TestAuth::new().await;
    let composed = hash(&test.auth, "Am\u{e9}lie im Regen").await;
    assert_eq!(check(&test.auth, &composed, "Ame\u{301}lie im Regen").await, RIGHT);
    let decomposed = hash(&test.auth, "Ame\u{301}lie im Regen").await;
    assert_eq!(check(&test.auth, &decomposed, "Am\u{e9}lie im Regen").await, RIGHT);

    let ligature = hash(&test.auth, "ﬁnest quality").await;
    for other in ["finest quality", "ﬁnest Quality", " ﬁnest quality", "ﬁnest quality "] {
        assert_eq!(check(&test.auth, &ligature, other).await, Verdict::Wrong, "{other:?}");
    }
}

/// ASVS 6.2.8. bcrypt itself looks at 72 bytes; what replaces it at the next sign-in does not.
#[tokio::test]
async fn the_first_72_bytes_of_a_password_do_not_log_in_once_it_is_hashed_by_us() {
    let test = TestAuth::new().await;
    let long = "a long sentence that goes on well beyond the seventy-two bytes that bcrypt looks \
                at, and on";
    let ours = hash(&test.auth, long).await;
    assert_eq!(check(&test.auth, &ours, long).await, RIGHT);
    assert_eq!(check(&test.auth, &ours, &long[..72]).await, Verdict::Wrong);

    let of = |prefix: &str| {
        let mut cases = django_cases().into_iter();
        stored(&cases.find(|c| c.hash.starts_with(prefix) && c.password == long).unwrap().hash)
    };
    assert_eq!(check(&test.auth, &of("bcrypt$"), &long[..72]).await, RIGHT_AND_DATED);
    assert_eq!(check(&test.auth, &of("bcrypt_sha256$"), &long[..72]).await, Verdict::Wrong);
    assert_eq!(check(&test.auth, &of("argon2$"), &long[..72]).await, Verdict::Wrong);
}

/// H01: the answer is there without waiting, so nothing was hashed.
#[tokio::test]
async fn a_password_longer_than_any_may_be_is_wrong_before_anything_is_hashed() {
    let test = TestAuth::new().await;
    let (ours, long) = (hash(&test.auth, "correct horse").await, secret(&"x".repeat(1_000_000)));
    for known in [Some(&ours), None] {
        let answer =
            test.auth.passwords().check_or_pretend(known, &long, "ada", network()).now_or_never();
        assert_eq!(answer.unwrap().unwrap(), Verdict::Wrong);
    }
    assert!(test.auth.passwords().hash(&long, network()).await.is_err());
}

#[tokio::test]
async fn a_hash_nobody_can_read_is_wrong_and_not_an_error() {
    let test = TestAuth::new().await;
    for garbage in ["", "!", "md5$a$b", "$argon2id$v=19$m=4294967295,t=1,p=1$AAAAAAAAAAA$AAAA"] {
        assert_eq!(check(&test.auth, &stored(garbage), "correct horse").await, Verdict::Wrong);
    }
}

#[tokio::test]
async fn other_costs_than_todays_are_to_be_upgraded() {
    let test = TestAuth::new().await;
    let before = hash(&test.auth, "correct horse").await;
    let stricter = test.node_with(|settings| settings.passwords.argon2_memory_kib = 64).await;
    assert_eq!(check(&stricter.auth, &before, "correct horse").await, RIGHT_AND_DATED);
    let after = hash(&stricter.auth, "correct horse").await;
    assert_eq!(check(&stricter.auth, &after, "correct horse").await, RIGHT);
}

/// The `argon2` crate is the oracle: another implementation, by others.
#[tokio::test]
async fn what_the_gate_makes_the_oracle_takes() {
    let test = TestAuth::new().await;
    for (memory_kib, passes, lanes) in [(8, 1, 1), (67, 3, 1), (1_024, 2, 3), (19_456, 2, 1)] {
        let node = test.node_with(|settings| {
            settings.passwords.argon2_memory_kib = memory_kib;
            settings.passwords.argon2_passes = passes;
            settings.passwords.argon2_lanes = lanes;
        });
        let made = hash(&node.await.auth, "correct horse").await;
        let made = PasswordHash::new(made.0.reveal()).unwrap();
        let oracle = Argon2::default();
        assert!(oracle.verify_password(b"correct horse", &made).is_ok(), "{made}");
        assert!(oracle.verify_password(b"Correct horse", &made).is_err(), "{made}");
    }
}

#[tokio::test]
async fn what_the_oracle_makes_the_gate_takes() {
    let test = TestAuth::new().await;
    let salt = b"sixteen byte salt";
    for algorithm in [Algorithm::Argon2id, Algorithm::Argon2i] {
        for (version, written) in [
            (Version::V0x13, "$v=19"),
            (Version::V0x10, "$v=16"),
            // As the first version wrote it.
            (Version::V0x10, ""),
        ] {
            for (memory_kib, passes, lanes) in [(8, 1, 1), (131, 3, 2), (2_048, 2, 4)] {
                let params = Params::new(memory_kib, passes, lanes, None).unwrap();
                let mut output = [0; 32];
                Argon2::new(algorithm, version, params)
                    .hash_password_into(b"correct horse", salt, &mut output)
                    .unwrap();
                let (salt, output) = (BASE64_NOPAD.encode(salt), BASE64_NOPAD.encode(&output));
                let costs = format!("m={memory_kib},t={passes},p={lanes}");
                let made = format!("${algorithm}{written}${costs}${salt}${output}");
                let right = check(&test.auth, &stored(&made), "correct horse").await;
                assert!(matches!(right, Verdict::Right { .. }), "{made}");
                let wrong = check(&test.auth, &stored(&made), "wrong horse").await;
                assert_eq!(wrong, Verdict::Wrong, "{made}");
            }
        }
    }
}

async fn row(auth: &Auth, account: AccountId) -> Option<(Vec<u8>, String)> {
    let text = "SELECT sealed_hash, kind FROM passwords WHERE account_id = $1";
    let row = auth.database().read_one(Statement::new(text, [account.into()])).await.unwrap()?;
    Some((row.bytes(0).unwrap(), row.text(1).unwrap()))
}

#[tokio::test]
async fn a_hash_is_stored_sealed_for_its_account_and_replaced_and_removed() {
    each_engine(async |url| {
        let test = TestAuth::on(&url).await;
        let (ada, bob) =
            (test.sign_up("ada@example.com").await.id, test.sign_up("bob@b.org").await.id);
        let (auth, passwords) = (&test.auth, test.auth.passwords());
        let (sealed, kind) = row(auth, ada).await.unwrap();
        assert_eq!(kind, "argon2id:8:1:1");
        assert!(!sealed.windows(7).any(|bytes| bytes == b"argon2i"), "not in the clear");
        assert!(passwords.open(bob, &sealed).is_err(), "opens in its own row only");

        let statement = passwords.store(ada, &stored(BCRYPT), test.now()).unwrap();
        auth.database().write(statement.into()).await.unwrap();
        let (sealed, kind) = row(auth, ada).await.unwrap();
        assert_eq!(kind, "bcrypt:10");
        assert_eq!(passwords.open(ada, &sealed).unwrap().0.reveal(), BCRYPT);
        assert!(passwords.store(ada, &stored("md5$a$b"), test.now()).is_err());

        auth.database().write(passwords.remove(ada).into()).await.unwrap();
        assert_eq!(row(auth, ada).await, None);
        assert!(row(auth, bob).await.is_some());
    })
    .await;
}

/// A02, by work instead of by a clock: the costs differ by a factor of a hundred, so a
/// comparison of times cannot fail by chance.
#[tokio::test]
async fn an_unknown_account_takes_as_long_as_those_that_are_stored() {
    each_engine(async |url| {
        let test = TestAuth::on(&url).await;
        let ada = test.sign_up("ada@example.com").await.id;
        let known = wrong(&test.auth, Some(&stored(BCRYPT))).await;
        assert!(wrong(&test.auth, None).await < known / 4, "nothing but our own is stored yet");

        let statement = test.auth.passwords().store(ada, &stored(BCRYPT), test.now()).unwrap();
        test.auth.database().write(statement.into()).await.unwrap();
        // The change is noticed by itself, in the background of some later sign-in.
        test.clock.advance(Duration::from_secs(601));
        let noticed = async {
            while wrong(&test.auth, None).await < known / 4 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), noticed).await.unwrap();
    })
    .await;
}
