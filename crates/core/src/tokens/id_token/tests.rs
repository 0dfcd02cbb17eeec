//! ID tokens as attackers would have them: keys and signatures (attacks G01, G02, G04, G07).

mod claims;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING,
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use serde_json::json;

use super::*;
use crate::time::{hours, minutes};

const NOW: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);
const ISSUER: &str = "https://idp.example/tenant";
const NONCE: &str = "n-0S6_WzA2Mj";

/// A key pair and how it signs.
enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Pair {
    fn rsa(size: KeySize) -> Self {
        Self::Rsa(RsaKeyPair::generate(size).unwrap())
    }

    fn all() -> [(&'static str, Self); 5] {
        [
            ("RS256", Self::rsa(KeySize::Rsa2048)),
            ("PS256", Self::rsa(KeySize::Rsa2048)),
            ("ES256", Self::p256()),
            (
                "ES384",
                Self::P384(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap()),
            ),
            ("EdDSA", Self::Ed25519(Ed25519KeyPair::generate().unwrap())),
        ]
    }

    fn p256() -> Self {
        Self::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    fn jwk(&self, kid: &str) -> Value {
        let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let point = |curve: &str, point: &[u8]| {
            let (x, y) = point[1..].split_at(point.len() / 2);
            json!({ "kty": "EC", "crv": curve, "kid": kid, "x": text(x), "y": text(y) })
        };
        match self {
            Self::Rsa(pair) => {
                let key = pair.public_key();
                let n = text(key.modulus().big_endian_without_leading_zero());
                let e = text(key.exponent().big_endian_without_leading_zero());
                json!({ "kty": "RSA", "kid": kid, "n": n, "e": e })
            }
            Self::P256(pair) => point("P-256", pair.public_key().as_ref()),
            Self::P384(pair) => point("P-384", pair.public_key().as_ref()),
            Self::Ed25519(pair) => {
                let x = text(pair.public_key().as_ref());
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x })
            }
        }
    }

    fn sign(&self, alg: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let padding: &dyn RsaEncoding = match alg {
                    "PS256" => &RSA_PSS_SHA256,
                    "RS512" => &RSA_PKCS1_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, message, &mut signature).unwrap();
                signature
            }
            Self::P256(pair) | Self::P384(pair) => {
                pair.sign(&random, message).unwrap().as_ref().to_vec()
            }
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let alg = header["alg"].as_str().unwrap_or_default();
        assembled(header, claims, |message| self.sign(alg, message))
    }
}

fn part(json: &Value) -> String {
    BASE64URL_NOPAD.encode(json.to_string().as_bytes())
}

fn assembled(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", part(header), part(claims));
    let signature = sign(message.as_bytes());
    format!("{message}.{}", BASE64URL_NOPAD.encode(&signature))
}

fn set(keys: &[Value]) -> KeySet {
    KeySet::read(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn claims() -> Value {
    let now = NOW.seconds();
    json!({
        "iss": ISSUER, "aud": "client-1", "sub": "248289761001", "nonce": NONCE,
        "iat": now - 2, "exp": now + 300, "email": "ada@example.com",
    })
}

/// The claims with these instead; `null` takes one away.
fn but(changes: &Value) -> Value {
    let mut all = claims();
    for (name, value) in changes.as_object().unwrap() {
        let members = all.as_object_mut().unwrap();
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    all
}

fn expected() -> Expected<'static> {
    Expected {
        issuers: &[ISSUER],
        client_id: "client-1",
        nonce: Some(NONCE),
        access_token: None,
        longest_age: minutes(10),
        now: NOW,
    }
}

/// A key, its set, and what it signs of these claims.
struct Provider {
    pair: Pair,
    keys: KeySet,
}

impl Provider {
    fn new() -> Self {
        let pair = Pair::p256();
        let keys = set(&[pair.jwk("one")]);
        Self { pair, keys }
    }

    fn says(&self, claims: &Value) -> Result<IdClaims, IdTokenError> {
        self.says_to(expected(), claims)
    }

    fn says_to(&self, expected: Expected<'_>, claims: &Value) -> Result<IdClaims, IdTokenError> {
        let token = self.pair.token(&json!({ "alg": "ES256", "kid": "one" }), claims);
        verify(&self.keys, &token, expected)
    }

    fn refuses(&self, changes: &Value) -> IdTokenError {
        self.says(&but(changes)).expect_err(&changes.to_string())
    }
}

#[test]
fn every_algorithm_we_take_is_checked() {
    for (alg, pair) in Pair::all() {
        let keys = set(&[pair.jwk("one")]);
        let token = pair.token(&json!({ "alg": alg, "kid": "one", "typ": "JWT" }), &claims());
        let read = verify(&keys, &token, expected()).unwrap();
        assert_eq!((read.issuer.as_str(), read.subject.as_str()), (ISSUER, "248289761001"));
        assert_eq!(read.claims["email"], "ada@example.com");

        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (header, _) = signed.split_once('.').unwrap();
        let forged = format!("{header}.{}.{signature}", part(&but(&json!({ "sub": "1" }))));
        assert_eq!(verify(&keys, &forged, expected()).unwrap_err(), IdTokenError::Signature);
    }
}

#[test]
fn g01_nothing_unsigned_is_taken() {
    let provider = Provider::new();
    for alg in ["none", "None", "nOnE", "NONE", "", "ES256 ", "es256", "ES512", "RS1", "HS256"] {
        for signature in ["", "AA", "e30"] {
            let head = part(&json!({ "alg": alg, "kid": "one" }));
            let token = format!("{head}.{}.{signature}", part(&claims()));
            let refused = verify(&provider.keys, &token, expected()).unwrap_err();
            assert_eq!(refused, IdTokenError::Algorithm, "{alg:?}");
        }
    }
    let signed = provider.pair.token(&json!({ "alg": "ES256", "kid": "one" }), &claims());
    let (message, _) = signed.rsplit_once('.').unwrap();
    for token in
        [format!("{message}."), format!("{message}.AA"), format!("{message}.{}", "A".repeat(86))]
    {
        let refused = verify(&provider.keys, &token, expected()).unwrap_err();
        assert_eq!(refused, IdTokenError::Signature, "{token}");
    }
    for token in ["", ".", "..", "...", message, &format!("{signed}.x"), &"A".repeat(20_000)] {
        assert!(verify(&provider.keys, token, expected()).is_err(), "{token}");
    }
    for header in
        [json!({ "kid": "one" }), json!({ "alg": 1 }), json!({ "alg": ["ES256"] }), json!([])]
    {
        let token = assembled(&header, &claims(), |message| provider.pair.sign("ES256", message));
        let refused = verify(&provider.keys, &token, expected()).unwrap_err();
        assert_eq!(refused, IdTokenError::Malformed, "{header}");
    }
}

#[test]
fn g02_a_public_key_is_no_macs_secret() {
    let pair = Pair::rsa(KeySize::Rsa2048);
    let jwk = pair.jwk("one");
    let Pair::Rsa(rsa) = &pair else { unreachable!() };
    let der = AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(rsa.public_key());
    let secrets = [
        BASE64URL_NOPAD.decode(jwk["n"].as_str().unwrap().as_bytes()).unwrap(),
        jwk["n"].as_str().unwrap().as_bytes().to_vec(),
        rsa.public_key().as_ref().to_vec(),
        der.unwrap().as_ref().to_vec(),
        jwk.to_string().into_bytes(),
        Vec::new(),
    ];
    let oct = json!({ "kty": "oct", "kid": "one", "k": jwk["n"] });
    let sets = [&[jwk.clone()][..], &[jwk, oct.clone()], &[oct]].map(set);
    assert_eq!(sets[2].len(), 0, "a secret in a public set is no key");
    for secret in &secrets {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        for alg in ["HS256", "HS384", "HS512"] {
            let token = assembled(&json!({ "alg": alg, "kid": "one" }), &claims(), |message| {
                hmac::sign(&key, message).as_ref().to_vec()
            });
            for keys in &sets {
                let refused = verify(keys, &token, expected()).unwrap_err();
                assert_eq!(refused, IdTokenError::Algorithm);
            }
        }
    }
}

#[test]
fn g02_a_key_checks_its_own_algorithms_only() {
    let rsa = Pair::rsa(KeySize::Rsa2048);
    let mut only_ps = rsa.jwk("one");
    only_ps["alg"] = "PS256".into();
    let rs256 = rsa.token(&json!({ "alg": "RS256", "kid": "one" }), &claims());
    let ps256 = rsa.token(&json!({ "alg": "PS256", "kid": "one" }), &claims());
    let keys = set(&[only_ps]);
    assert!(verify(&keys, &ps256, expected()).is_ok());
    assert_eq!(verify(&keys, &rs256, expected()).unwrap_err(), IdTokenError::UnknownKey);
    let rs512 = rsa.token(&json!({ "alg": "RS512", "kid": "one" }), &claims());
    assert_eq!(verify(&keys, &rs512, expected()).unwrap_err(), IdTokenError::Algorithm);
    for alg in ["ES256", "EdDSA", "ES384"] {
        let token = rsa.token(&json!({ "alg": alg, "kid": "one" }), &claims());
        assert_eq!(verify(&keys, &token, expected()).unwrap_err(), IdTokenError::UnknownKey);
    }
}

#[test]
fn keys_that_are_not_for_this_are_passed_over() {
    let pair = Pair::rsa(KeySize::Rsa2048);
    let good = pair.jwk("one");
    let with = |name: &str, value: Value| {
        let mut jwk = good.clone();
        jwk[name] = value;
        jwk
    };
    let bad = [
        with("use", json!("enc")),
        with("key_ops", json!(["sign"])),
        with("alg", json!("HS256")),
        with("alg", json!("RS512")),
        with("alg", json!("RSA-OAEP")),
        with("n", json!(BASE64URL_NOPAD.encode(&[0xC1; 128]))),
        with("n", json!(BASE64URL_NOPAD.encode(&[0xC1; 1025]))),
        with("n", json!("not base64url!")),
        with("kty", json!("XYZ")),
        json!({ "kty": "EC", "crv": "secp256k1", "kid": "one", "x": "AA", "y": "AA" }),
        json!({ "kty": "EC", "crv": "Ed25519", "kid": "one", "x": "AA", "y": "AA" }),
        json!({ "kty": "AKP", "alg": "ML-DSA-44", "kid": "one", "pub": "AA" }),
        json!("text"),
        json!(null),
    ];
    assert_eq!(set(&bad).len(), 0);
    let mut mixed = bad.to_vec();
    mixed.push(with("use", json!("sig")));
    let token = pair.token(&json!({ "alg": "RS256", "kid": "one" }), &claims());
    assert!(verify(&set(&mixed), &token, expected()).is_ok(), "and the others are used");
    for text in ["", "[]", "{}", r#"{"keys":1}"#, "null", "<html>"] {
        assert!(KeySet::read(text.as_bytes()).is_none(), "{text}");
    }
    let many: Vec<_> = (0..1_000).map(|n| pair.jwk(&n.to_string())).collect();
    assert_eq!(set(&many).len(), MOST_KEYS);
}

#[test]
fn g04_the_token_does_not_bring_its_own_key() {
    let (provider, attacker) = (Provider::new(), Pair::p256());
    let jwk = attacker.jwk("one");
    let tricks = [
        json!({ "jwk": jwk }),
        json!({ "jku": "https://evil.example/keys" }),
        json!({ "x5u": "https://evil.example/chain" }),
        json!({ "x5c": ["MIIB"] }),
        json!({ "kid": "../../dev/null" }),
        json!({ "kid": "' OR 1=1 --" }),
    ];
    for trick in tricks {
        let mut header = json!({ "alg": "ES256", "kid": "one" });
        header.as_object_mut().unwrap().extend(trick.as_object().unwrap().clone());
        let token = attacker.token(&header, &claims());
        let refused = verify(&provider.keys, &token, expected()).unwrap_err();
        let is_wrong = matches!(refused, IdTokenError::Signature | IdTokenError::UnknownKey);
        assert!(is_wrong, "{trick}: {refused:?}");
    }
}

#[test]
fn a_key_is_chosen_by_its_name_or_because_it_is_the_only_one() {
    let [one, two] = [Pair::p256(), Pair::p256()];
    let both = set(&[one.jwk("one"), two.jwk("two")]);
    let token = |kid: Option<&str>| {
        let header =
            kid.map_or(json!({ "alg": "ES256" }), |kid| json!({ "alg": "ES256", "kid": kid }));
        two.token(&header, &claims())
    };
    assert!(verify(&both, &token(Some("two")), expected()).is_ok());
    let refused = |keys: &KeySet, kid| verify(keys, &token(kid), expected()).unwrap_err();
    assert_eq!(refused(&both, Some("one")), IdTokenError::Signature);
    assert_eq!(refused(&both, Some("three")), IdTokenError::UnknownKey);
    assert_eq!(refused(&both, None), IdTokenError::UnknownKey, "not by trying them out");
    let alone = set(&[two.jwk("two"), Pair::rsa(KeySize::Rsa2048).jwk("rsa")]);
    assert!(verify(&alone, &token(None), expected()).is_ok());
    let twice = set(&[one.jwk("two"), two.jwk("two")]);
    assert!(verify(&twice, &token(Some("two")), expected()).is_ok());
}

#[test]
fn tokens_of_other_kinds_are_no_id_tokens() {
    let provider = Provider::new();
    for header in [
        json!({ "alg": "ES256", "kid": "one", "typ": "at+jwt" }),
        json!({ "alg": "ES256", "kid": "one", "typ": "logout+jwt" }),
        json!({ "alg": "ES256", "kid": "one", "typ": "secevent+jwt" }),
        json!({ "alg": "ES256", "kid": "one", "crit": ["exp"], "exp": 1 }),
        json!({ "alg": "ES256", "kid": "one", "crit": [], "b64": false }),
        json!({ "alg": "ES256", "kid": "one", "enc": "A128GCM" }),
    ] {
        let token = provider.pair.token(&header, &claims());
        let refused = verify(&provider.keys, &token, expected()).unwrap_err();
        assert_eq!(refused, IdTokenError::Malformed, "{header}");
    }
    let event = json!({ "events": { "http://schemas.openid.net/event/backchannel-logout": {} } });
    assert_eq!(provider.refuses(&event), IdTokenError::Malformed, "a logout token without typ");
    for claims in [json!([]), json!("text"), json!(null)] {
        assert!(provider.says(&claims).is_err());
    }
}

#[test]
fn g07_signatures_have_one_form() {
    let provider = Provider::new();
    let header = json!({ "alg": "ES256", "kid": "one" });
    let token = provider.pair.token(&header, &claims());
    let (message, signature) = token.rsplit_once('.').unwrap();
    let bytes = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
    let Pair::P256(pair) = &provider.pair else { unreachable!() };
    let private = pair.to_pkcs8v1().unwrap();
    let der = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, private.as_ref()).unwrap();
    let der = der.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
    let order = "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551";
    let order = data_encoding::HEXUPPER.decode(order.as_bytes()).unwrap();
    let forms = [
        vec![0; 64],
        [order.clone(), order].concat(),
        der.as_ref().to_vec(),
        bytes[..63].to_vec(),
        [&bytes[..], &[0]].concat(),
        [&[0; 8][..], &bytes[..32], &[0; 8], &bytes[32..]].concat(),
    ];
    for form in forms {
        let token = format!("{message}.{}", BASE64URL_NOPAD.encode(&form));
        let refused = verify(&provider.keys, &token, expected()).unwrap_err();
        assert_eq!(refused, IdTokenError::Signature, "{form:?}");
    }
    // The last character of 64 bytes carries two bits; the other four must be zero.
    let last = signature.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let trailing = alphabet.chars().nth(alphabet.find(last).unwrap() + 1).unwrap();
    for text in [
        format!("{}{trailing}", &signature[..85]),
        format!("{signature}=="),
        format!("{signature}\n"),
        signature.replace(['-', '_'], "+"),
    ] {
        let same = text == signature;
        assert!(same || verify(&provider.keys, &format!("{message}.{text}"), expected()).is_err());
    }
}
