//! The master key: seals what must be read again, digests what must only be recognised.
//!
//! Sealing is AES-256-GCM with a random 96-bit nonce, bound to table, column and row, so a
//! sealed value moved elsewhere does not open. Form: `v1.<key id>.` as text, then nonce and
//! ciphertext as bytes. Digests are HMAC-SHA-256 under a subkey of their own per purpose
//! (HKDF, RFC 5869). A stolen database can therefore neither be read nor guessed against.
//!
//! Owns the table `master_key_checks`.

mod check;
mod keys;
mod seal;
mod store;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::hmac;

pub(crate) use check::is_ours;

use crate::error::InternalError;
use crate::ports::Random;

/// Where a sealed value lives; the seal opens only there.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The table's name.
    pub table: &'static str,
    /// The column's name.
    pub column: &'static str,
    /// The row's key as bytes (a UUID's 16 bytes, or text).
    pub row: &'a [u8],
}

/// The keys that protect what is stored; the master key itself is forgotten once they are made.
pub struct Secrets {
    random: Arc<dyn Random>,
    root: keys::Root,
    seal: seal::SealingKey,
    /// Digests are on hot paths: the keys are kept ready. There are as many as purposes named
    /// in the source, so this does not grow by use.
    digests: ArcSwap<HashMap<&'static str, hmac::Key>>,
}

impl Secrets {
    /// Derives everything from a master key of 32 bytes.
    pub fn new(master_key: &[u8; 32], random: Arc<dyn Random>) -> Result<Self, InternalError> {
        let root = keys::Root::of(master_key);
        let seal = seal::SealingKey::new(&root)?;
        Ok(Self { random, root, seal, digests: ArcSwap::default() })
    }

    /// Encrypts for one place.
    pub fn seal(&self, place: Place<'_>, clear: &[u8]) -> Result<Vec<u8>, InternalError> {
        self.seal.seal(place, clear, self.random.bytes())
    }

    /// Decrypts what was sealed for the same place.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, InternalError> {
        self.seal.open(place, sealed)
    }

    /// A keyed digest for recognising a secret (a code, a link, an identifier) without storing
    /// it. Different purposes give unrelated digests.
    #[must_use]
    pub fn digest(&self, purpose: &'static str, value: &[u8]) -> [u8; 32] {
        if let Some(key) = self.digests.load().get(purpose) {
            return keys::mac(key, value);
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*self.root.subkey("digest", purpose));
        let answer = keys::mac(&key, value);
        self.digests.rcu(|known| {
            let mut known = HashMap::clone(known);
            known.insert(purpose, key.clone());
            known
        });
        answer
    }

    /// A key of 32 bytes for one purpose, for MACs made elsewhere (refresh tokens). Deriving
    /// costs two hashes, so callers on hot paths keep what they make of it.
    #[must_use]
    pub fn subkey(&self, purpose: &'static str) -> [u8; 32] {
        *self.root.subkey("subkey", purpose)
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secrets(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::SystemRandom;

    const PLACE: Place<'static> = Place { table: "passwords", column: "sealed_hash", row: b"ada" };

    fn secrets(first_byte: u8) -> Secrets {
        let mut key = [7; 32];
        key[0] = first_byte;
        Secrets::new(&key, Arc::new(SystemRandom)).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_and_nowhere_else() {
        let secrets = secrets(0);
        let sealed = secrets.seal(PLACE, b"a secret").unwrap();
        assert_eq!(secrets.open(PLACE, &sealed).unwrap(), b"a secret");

        let elsewhere = [
            Place { table: "messages", ..PLACE },
            Place { column: "kind", ..PLACE },
            Place { row: b"bob", ..PLACE },
            Place { row: b"", ..PLACE },
        ];
        for place in elsewhere {
            assert!(secrets.open(place, &sealed).is_err(), "{place:?}");
        }
    }

    #[test]
    fn a_sealed_value_that_was_changed_or_cut_anywhere_does_not_open() {
        let secrets = secrets(0);
        let sealed = secrets.seal(PLACE, b"a secret").unwrap();
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert!(secrets.open(PLACE, &changed).is_err(), "byte {position}");
            assert!(secrets.open(PLACE, &sealed[..position]).is_err(), "cut at {position}");
        }
    }

    #[test]
    fn sealing_twice_gives_different_bytes_and_none_of_the_clear_ones() {
        let secrets = secrets(0);
        let (one, two) =
            (secrets.seal(PLACE, b"a secret").unwrap(), secrets.seal(PLACE, b"a secret").unwrap());
        assert_ne!(one, two);
        assert!(!one.windows(8).any(|window| window == b"a secret"));
    }

    #[test]
    fn another_master_key_neither_opens_nor_digests_alike() {
        let (ours, theirs) = (secrets(0), secrets(1));
        let sealed = ours.seal(PLACE, b"a secret").unwrap();
        assert!(theirs.open(PLACE, &sealed).is_err());
        assert_ne!(ours.digest("code", b"123456"), theirs.digest("code", b"123456"));
        assert_ne!(ours.subkey("refresh"), theirs.subkey("refresh"));
    }

    #[test]
    fn purposes_give_unrelated_digests_the_first_time_and_every_time() {
        let secrets = secrets(0);
        let first = secrets.digest("code", b"123456");
        assert_ne!(first, secrets.digest("link", b"123456"));
        assert_eq!(first, secrets.digest("code", b"123456"));
        assert_ne!(first, secrets.digest("code", b"123457"));
        assert_ne!(secrets.subkey("code"), secrets.subkey("link"));
    }

    #[test]
    fn keys_are_never_printed() {
        assert_eq!(format!("{:?}", secrets(0)), "Secrets(…)");
    }
}
