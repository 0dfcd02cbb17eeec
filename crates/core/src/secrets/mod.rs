//! The master key: seals what must be read again, digests what must only be recognised.
//!
//! Sealing is AES-256-GCM with a random 96-bit nonce, bound to table, column and row, so a
//! sealed value moved elsewhere does not open. Text form: `v1.<key id>.<nonce and ciphertext>`
//! as bytes. Digests are HMAC-SHA-256 under a subkey of their own per purpose (HKDF, RFC 5869).
//! A stolen database can therefore neither be read nor guessed against.
//!
//! Owns the table `master_key_checks`.

use crate::error::InternalError;

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

/// The keys that protect what is stored.
pub struct Secrets {}

impl Secrets {
    /// Derives everything from a master key of 32 bytes.
    pub fn new(master_key: &[u8; 32]) -> Result<Self, InternalError> {
        todo!("{master_key:?}")
    }

    /// Encrypts for one place.
    pub fn seal(&self, place: Place<'_>, clear: &[u8]) -> Result<Vec<u8>, InternalError> {
        todo!("{place:?} {clear:?}")
    }

    /// Decrypts what was sealed for the same place.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, InternalError> {
        todo!("{place:?} {sealed:?}")
    }

    /// A keyed digest for recognising a secret (a code, a link, an identifier) without storing
    /// it. Different purposes give unrelated digests.
    #[must_use]
    pub fn digest(&self, purpose: &'static str, value: &[u8]) -> [u8; 32] {
        todo!("{purpose} {value:?}")
    }

    /// A key of 32 bytes for one purpose, for MACs made elsewhere (refresh tokens).
    #[must_use]
    pub fn subkey(&self, purpose: &'static str) -> [u8; 32] {
        todo!("{purpose}")
    }
}
