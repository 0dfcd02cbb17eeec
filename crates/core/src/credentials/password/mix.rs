//! What the pretended hashes of unknown accounts are made of: the kinds that are stored, as
//! often as they are stored. Otherwise a sign-in that takes as long as today's Argon2id would
//! tell that nobody with an older hash has this address.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::recipe::Function;
use crate::time::{Timestamp, minutes};

/// Counting walks over an index of all passwords, so it is done rarely; the mix moves slowly.
const FRESH_FOR: Duration = minutes(10);

/// The stored kinds and how many there are of each.
pub(super) struct Mix {
    kinds: ArcSwap<Vec<(Function, u64)>>,
    due_at: AtomicI64,
}

impl Mix {
    /// Nothing counted yet.
    pub(super) fn new() -> Self {
        Self { kinds: ArcSwap::default(), due_at: AtomicI64::new(i64::MIN) }
    }

    /// Whether it is time to count again. Answers yes once: who asked counts.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let due_at = self.due_at.load(Ordering::Relaxed);
        now.micros() >= due_at
            && self
                .due_at
                .compare_exchange(
                    due_at,
                    now.plus(FRESH_FOR).micros(),
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                )
                .is_ok()
    }

    /// Takes over a new count. Kinds that we could not verify are left out: nobody signs in
    /// with them.
    pub(super) fn replace(&self, mut counts: Vec<(String, u64)>) {
        // In one order always, so that an identifier keeps its kind while the shares hold.
        counts.sort();
        let kinds = counts.iter().filter_map(|(kind, n)| Some((Function::from_kind(kind)?, *n)));
        self.kinds.store(kinds.collect::<Vec<_>>().into());
    }

    /// The kind for an identifier, by its digest; `otherwise` where nothing is stored yet.
    pub(super) fn pick(&self, digest: [u8; 32], otherwise: Function) -> Function {
        let kinds = self.kinds.load();
        let total: u128 = kinds.iter().map(|(_, n)| u128::from(*n)).sum();
        let (first, _) = digest.split_first_chunk().unwrap_or((&[0; 8], &[]));
        // A place among all passwords, each as likely as the other.
        let mut place = (u128::from(u64::from_be_bytes(*first)) * total) >> 64;
        for (function, n) in kinds.iter() {
            match place.checked_sub(u128::from(*n)) {
                Some(beyond) => place = beyond,
                None => return *function,
            }
        }
        otherwise
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::seconds;

    fn function(kind: &str) -> Function {
        Function::from_kind(kind).unwrap()
    }

    /// Evenly spread digests, as HMAC gives them.
    fn digests() -> impl Iterator<Item = [u8; 32]> {
        (0..=255_u8).map(|first| {
            let mut digest = [0; 32];
            digest[0] = first;
            digest
        })
    }

    #[test]
    fn pretended_kinds_come_in_the_shares_of_the_stored_ones() {
        let mix = Mix::new();
        let today = function("argon2id:19456:2:1");
        mix.replace(vec![
            ("pbkdf2_sha256:600000".to_owned(), 3_000),
            ("argon2id:19456:2:1".to_owned(), 1_000),
            ("crypt:1".to_owned(), 50_000),
        ]);
        let old = digests().filter(|d| mix.pick(*d, today) == function("pbkdf2_sha256:600000"));
        assert_eq!(old.count(), 192);
        let new = digests().filter(|d| mix.pick(*d, today) == today);
        assert_eq!(new.count(), 64);
    }

    #[test]
    fn an_identifier_keeps_its_kind_when_the_same_is_counted_again() {
        let counts = vec![("bcrypt:12".to_owned(), 5), ("bcrypt:10".to_owned(), 5)];
        let (one, two) = (Mix::new(), Mix::new());
        one.replace(counts.clone());
        two.replace(counts.into_iter().rev().collect());
        let today = function("argon2id:19456:2:1");
        assert!(digests().all(|digest| one.pick(digest, today) == two.pick(digest, today)));
    }

    #[test]
    fn before_anything_is_counted_it_is_todays() {
        let today = function("argon2id:19456:2:1");
        assert!(digests().all(|digest| Mix::new().pick(digest, today) == today));
    }

    #[test]
    fn counting_is_due_at_once_and_then_rarely() {
        let mix = Mix::new();
        let now = Timestamp::from_micros(0);
        assert!(mix.is_due(now));
        assert!(!mix.is_due(now));
        assert!(!mix.is_due(now.plus(seconds(599))));
        assert!(mix.is_due(now.plus(seconds(600))));
    }
}
