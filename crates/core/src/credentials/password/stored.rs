//! Reading stored hashes: ours (PHC strings) and those of other systems.

use std::num::NonZeroU32;

use data_encoding::{BASE64, BASE64_NOPAD, Encoding, Specification};
use ironlatch_argon2id::{Variant, Version};
use phc::PasswordHash;
use subtle::ConstantTimeEq;

use super::recipe::{Function, OUR_OUTPUT, OUR_SALT, Pbkdf2Digest, Prehash, Recipe, SHA1_OUTPUT};
use crate::error::InternalError;

/// A hash taken apart: how it was made, and what came out.
pub(super) struct Parsed {
    pub(super) recipe: Recipe,
    expected: Vec<u8>,
}

impl Parsed {
    /// Reads any form we verify; `None` for others, and for costs beyond the caps.
    pub(super) fn of(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once('$')?;
        let parsed = match name {
            "" => phc_or_bcrypt(text),
            // Django puts its own name before the PHC string and the bcrypt string.
            "argon2" => argon2(&format!("${rest}")),
            "bcrypt" => bcrypt(rest, Prehash::None),
            "bcrypt_sha256" => bcrypt(rest, Prehash::Sha256Hex),
            "pbkdf2_sha256" => pbkdf2(rest, Pbkdf2Digest::Sha256, OUR_OUTPUT),
            "pbkdf2_sha1" => pbkdf2(rest, Pbkdf2Digest::Sha1, SHA1_OUTPUT),
            "scrypt" => django_scrypt(rest),
            _ => None,
        }?;
        parsed.recipe.function.is_within_caps().then_some(parsed)
    }

    /// Whether this is what came out before, in a time that does not tell how much of it is.
    pub(super) fn matches(&self, output: &[u8]) -> bool {
        self.expected.ct_eq(output).into()
    }

    /// Whether it should be made anew: another function or other costs than today's, or a
    /// shorter salt or result than we use.
    pub(super) fn is_dated(&self, today: Function) -> bool {
        self.recipe.function != today
            || self.recipe.salt.len() < OUR_SALT
            || self.recipe.length < OUR_OUTPUT
    }
}

/// Writes a hash of ours: `$argon2id$v=19$m=…,t=…,p=…$salt$hash`. Nothing else is ever written.
pub(super) fn phc_string(recipe: &Recipe, output: &[u8]) -> Result<String, InternalError> {
    let Function::Argon2 {
        variant: Variant::Id,
        version: Version::V0x13,
        memory_kib,
        passes,
        lanes,
    } = recipe.function
    else {
        return Err(InternalError::fault("new passwords are hashed with Argon2id only"));
    };
    Ok(format!(
        "$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${}${}",
        BASE64_NOPAD.encode(&recipe.salt),
        BASE64_NOPAD.encode(output),
    ))
}

fn phc_or_bcrypt(text: &str) -> Option<Parsed> {
    match text.split('$').nth(1)? {
        "2a" | "2b" | "2y" => bcrypt(text, Prehash::None),
        "scrypt" => phc_scrypt(text),
        _ => argon2(text),
    }
}

fn argon2(text: &str) -> Option<Parsed> {
    let phc = PasswordHash::new(text).ok()?;
    let variant = match phc.algorithm.as_str() {
        "argon2id" => Variant::Id,
        "argon2i" => Variant::I,
        _ => return None,
    };
    let version = match phc.version {
        // Without a version it is the first one, 1.0.
        None | Some(0x10) => Version::V0x10,
        Some(0x13) => Version::V0x13,
        Some(_) => return None,
    };
    let [memory_kib, passes, lanes] = costs(&phc, ["m", "t", "p"])?;
    let function = Function::Argon2 { variant, version, memory_kib, passes, lanes };
    taken_apart(&phc, function)
}

fn phc_scrypt(text: &str) -> Option<Parsed> {
    let phc = PasswordHash::new(text).ok()?;
    let [log_n, r, p] = costs(&phc, ["ln", "r", "p"])?;
    taken_apart(&phc, Function::Scrypt { log_n: u8::try_from(log_n).ok()?, r, p })
}

/// The three costs of a PHC string, in the order in which it must name them and with nothing
/// beside them: a string with `keyid` or `data` is nothing we can verify.
fn costs(phc: &PasswordHash, [first, second, third]: [&str; 3]) -> Option<[u32; 3]> {
    let mut given = phc.params.iter();
    let mut next = |wanted: &str| {
        let (name, value) = given.next()?;
        if name.as_str() == wanted { value.decimal().ok() } else { None }
    };
    let costs = [next(first)?, next(second)?, next(third)?];
    given.next().is_none().then_some(costs)
}

fn taken_apart(phc: &PasswordHash, function: Function) -> Option<Parsed> {
    let (salt, expected) = (phc.salt?.to_vec(), phc.hash?.as_bytes().to_vec());
    // Shorter results could be met by chance.
    let is_long_enough = expected.len() >= 16;
    let recipe = Recipe { function, salt, length: expected.len() };
    is_long_enough.then_some(Parsed { recipe, expected })
}

/// `<iterations>$<salt>$<base64>`; the salt is text and is used as it stands.
fn pbkdf2(rest: &str, digest: Pbkdf2Digest, length: usize) -> Option<Parsed> {
    let &[iterations, salt, hash] = rest.split('$').collect::<Vec<_>>().as_slice() else {
        return None;
    };
    let iterations: NonZeroU32 = iterations.parse().ok()?;
    let expected = BASE64.decode(hash.as_bytes()).ok()?;
    let function = Function::Pbkdf2 { digest, iterations };
    let recipe = Recipe { function, salt: salt.as_bytes().to_vec(), length };
    (expected.len() == length).then_some(Parsed { recipe, expected })
}

/// `<N>$<salt>$<r>$<p>$<base64>`, 64 bytes long.
fn django_scrypt(rest: &str) -> Option<Parsed> {
    let &[n, salt, r, p, hash] = rest.split('$').collect::<Vec<_>>().as_slice() else {
        return None;
    };
    let n: u64 = n.parse().ok()?;
    let log_n = u8::try_from(n.checked_ilog2()?).ok()?;
    let function = Function::Scrypt { log_n, r: r.parse().ok()?, p: p.parse().ok()? };
    let expected = BASE64.decode(hash.as_bytes()).ok()?;
    let recipe = Recipe { function, salt: salt.as_bytes().to_vec(), length: 64 };
    (n.is_power_of_two() && expected.len() == 64).then_some(Parsed { recipe, expected })
}

/// `$2b$<cost>$` and then 22 characters of salt and 31 of hash. `$2a$`, `$2b$` and `$2y$` name
/// the same function for passwords without zero bytes; `$2x$` names a faulty one.
fn bcrypt(text: &str, prehash: Prehash) -> Option<Parsed> {
    let &["", "2a" | "2b" | "2y", cost, data] = text.split('$').collect::<Vec<_>>().as_slice()
    else {
        return None;
    };
    let (salt, hash) = data.split_at_checked(22)?;
    let cost = if cost.len() == 2 { cost.parse().ok()? } else { return None };
    let base64 = bcrypt_base64()?;
    let salt = base64.decode(salt.as_bytes()).ok()?;
    let expected = base64.decode(hash.as_bytes()).ok()?;
    let recipe = Recipe { function: Function::Bcrypt { prehash, cost }, salt, length: 23 };
    (recipe.salt.len() == 16 && expected.len() == 23).then_some(Parsed { recipe, expected })
}

/// Base64 in bcrypt's own alphabet. Some programs leave arbitrary bits behind the last whole
/// byte, so those are not looked at.
fn bcrypt_base64() -> Option<Encoding> {
    let mut specification = Specification::new();
    specification
        .symbols
        .push_str("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");
    specification.check_trailing_bits = false;
    specification.encoding().ok()
}

#[cfg(test)]
mod tests {
    use ironlatch_argon2id::Arena;

    use super::*;

    fn ours() -> Function {
        Function::Argon2 {
            variant: Variant::Id,
            version: Version::V0x13,
            memory_kib: 16,
            passes: 1,
            lanes: 1,
        }
    }

    #[test]
    fn what_we_write_we_read() {
        let recipe = Recipe { function: ours(), salt: (0..16).collect(), length: 32 };
        let output = recipe.derive(b"correct horse", &mut Arena::new()).unwrap();
        let text = phc_string(&recipe, &output).unwrap();
        assert!(text.starts_with("$argon2id$v=19$m=16,t=1,p=1$AAECAwQFBgcICQoLDA0ODw$"), "{text}");

        let parsed = Parsed::of(&text).unwrap();
        assert_eq!(parsed.recipe, recipe);
        assert!(parsed.matches(&output));
        assert!(!parsed.is_dated(ours()));
    }

    /// From the reference implementation's own tests (argon2id, version 0x13, 2 passes, 2^8 KiB,
    /// one lane, "password", "somesalt").
    #[test]
    fn a_hash_of_the_reference_implementation_verifies() {
        let parsed = Parsed::of(
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        )
        .unwrap();
        let mut arena = Arena::new();
        assert!(parsed.matches(&parsed.recipe.derive(b"password", &mut arena).unwrap()));
        assert!(!parsed.matches(&parsed.recipe.derive(b"Password", &mut arena).unwrap()));
        assert!(parsed.is_dated(ours()));
    }

    #[test]
    fn a_hash_is_dated_when_anything_about_it_is_weaker_than_todays() {
        let hash = BASE64_NOPAD.encode(&[1; 32]);
        for dated in [
            format!("$argon2i$v=19$m=16,t=1,p=1$AAECAwQFBgcICQoLDA0ODw${hash}"),
            format!("$argon2id$v=16$m=16,t=1,p=1$AAECAwQFBgcICQoLDA0ODw${hash}"),
            format!("$argon2id$v=19$m=17,t=1,p=1$AAECAwQFBgcICQoLDA0ODw${hash}"),
            format!("$argon2id$v=19$m=16,t=2,p=1$AAECAwQFBgcICQoLDA0ODw${hash}"),
            format!("$argon2id$v=19$m=16,t=1,p=2$AAECAwQFBgcICQoLDA0ODw${hash}"),
            format!("$argon2id$v=19$m=16,t=1,p=1$AAECAwQFBgcICQoLDA0${hash}"),
        ] {
            assert!(Parsed::of(&dated).unwrap().is_dated(ours()), "{dated}");
        }
    }

    #[test]
    fn costs_beyond_the_caps_are_not_believed() {
        let (salt, hash) = ("AAECAwQFBgcICQoLDA0ODw", BASE64_NOPAD.encode(&[1; 32]));
        let padded = BASE64.encode(&[1; 32]);
        let long = BASE64.encode(&[1; 64]);
        for refused in [
            format!("$argon2id$v=19$m=4294967295,t=1,p=1${salt}${hash}"),
            format!("$argon2id$v=19$m=131073,t=1,p=1${salt}${hash}"),
            format!("$argon2id$v=19$m=131072,t=9,p=1${salt}${hash}"),
            format!("$argon2id$v=19$m=65536,t=1,p=65${salt}${hash}"),
            format!("$argon2id$v=19$m=64,t=1,p=16777215${salt}${hash}"),
            format!("$argon2id$v=19$m=64,t=4294967295,p=1${salt}${hash}"),
            format!("$argon2id$v=19$m=64,t=0,p=1${salt}${hash}"),
            format!("$argon2id$v=19$m=64,t=1,p=0${salt}${hash}"),
            format!("pbkdf2_sha256$4000001$salt${padded}"),
            format!("pbkdf2_sha256$0$salt${padded}"),
            format!("pbkdf2_sha256$99999999999$salt${padded}"),
            format!("scrypt$262144$salt$8$1${long}"),
            format!("scrypt$2$salt$8$4194304${long}"),
            format!("scrypt$16384$salt$8$999999999${long}"),
            format!("scrypt$16384$salt$0$1${long}"),
            format!("scrypt$9223372036854775808$salt$8$1${long}"),
            format!("$scrypt$ln=63,r=8,p=1${salt}${hash}"),
            "$2b$17$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie".to_owned(),
        ] {
            assert!(Parsed::of(&refused).is_none(), "{refused}");
        }
    }

    #[test]
    fn anything_else_is_not_a_hash() {
        let (salt, hash) = ("AAECAwQFBgcICQoLDA0ODw", BASE64_NOPAD.encode(&[1; 32]));
        for refused in [
            String::new(),
            "$".to_owned(),
            "$$$$$".to_owned(),
            "!unusable".to_owned(),
            "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99".to_owned(),
            format!("$argon2d$v=19$m=64,t=1,p=1${salt}${hash}"),
            format!("$argon2id$v=18$m=64,t=1,p=1${salt}${hash}"),
            format!("$argon2id$v=19$m=64,t=1${salt}${hash}"),
            format!("$argon2id$v=19$m=64,t=1,p=1,data=AAAA${salt}${hash}"),
            format!("$argon2id$v=19$m=64,t=1,p=1${salt}$AAAAAAAAAAAAAA"),
            format!("$argon2id$v=19$m=64,t=1,p=1${salt}"),
            "pbkdf2_sha256$1000$salt$AAAA".to_owned(),
            "pbkdf2_sha256$1000$salt".to_owned(),
            "scrypt$16383$salt$8$1$AAAA".to_owned(),
            "scrypt$0$salt$8$1$AAAA".to_owned(),
            "$2x$05$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie".to_owned(),
            "$2b$5$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie".to_owned(),
            "$2b$05$EGdrhbKUv8Oc9vGiXX0HQé".to_owned(),
            "$2b$05$short".to_owned(),
        ] {
            assert!(Parsed::of(&refused).is_none(), "{refused}");
        }
    }

    #[derive(serde::Deserialize)]
    struct DjangoCase {
        kind: String,
        hash: String,
    }

    #[test]
    fn the_kind_of_a_hash_is_read_from_it() {
        let cases = include_str!("../../../tests/all/fixtures/django_hashes.json");
        let cases: Vec<DjangoCase> = serde_json::from_str(cases).unwrap();
        assert_eq!(cases.len(), 74);
        for case in cases {
            let parsed = Parsed::of(&case.hash).unwrap();
            assert_eq!(parsed.recipe.function.to_string(), case.kind, "{}", case.hash);
        }
    }

    #[test]
    fn kinds_are_read_as_they_are_written() {
        for kind in [
            "argon2id:19456:2:1",
            "argon2i:102400:2:8",
            "pbkdf2_sha256:600000",
            "pbkdf2_sha1:1000",
            "scrypt:16384:8:5",
            "bcrypt:12",
            "bcrypt_sha256:12",
        ] {
            assert_eq!(Function::from_kind(kind).unwrap().to_string(), kind);
        }
        for kind in
            ["", "argon2id", "argon2id:8", "argon2id:999999999:1:1", "md5:1", "scrypt:3:8:1"]
        {
            assert!(Function::from_kind(kind).is_none(), "{kind}");
        }
    }
}
