//! Subkeys: HKDF with SHA-256 (RFC 5869), one 32-byte block each.

use aws_lc_rs::hmac;
use zeroize::Zeroizing;

/// Keeps these keys apart from any other use somebody makes of the same master key.
const SALT: &[u8] = b"ironlatch master key v1";

/// What every subkey is expanded from; the master key cannot be computed from it.
pub(super) struct Root(hmac::Key);

impl Root {
    /// HKDF-Extract (RFC 5869 §2.2).
    pub(super) fn of(master_key: &[u8; 32]) -> Self {
        let salt = hmac::Key::new(hmac::HMAC_SHA256, SALT);
        let prk = Zeroizing::new(mac(&salt, master_key));
        Self(hmac::Key::new(hmac::HMAC_SHA256, &*prk))
    }

    /// HKDF-Expand to 32 bytes (RFC 5869 §2.3): with SHA-256 that is the first block alone,
    /// `HMAC(PRK, info || 0x01)`, which unlike the general function cannot fail.
    pub(super) fn subkey(&self, family: &str, purpose: &str) -> Zeroizing<[u8; 32]> {
        let mut context = hmac::Context::with_key(&self.0);
        // The zero byte keeps ("a", "bc") and ("ab", "c") apart.
        for part in [family.as_bytes(), &[0], purpose.as_bytes(), &[1]] {
            context.update(part);
        }
        Zeroizing::new(bytes_of(&context.sign()))
    }
}

/// HMAC-SHA-256 as an array.
pub(super) fn mac(key: &hmac::Key, value: &[u8]) -> [u8; 32] {
    bytes_of(&hmac::sign(key, value))
}

fn bytes_of(tag: &hmac::Tag) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(tag.as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The provider's HKDF is the oracle for the one-block form.
    #[test]
    fn subkeys_are_those_of_hkdf() {
        let master_key = [0x5a; 32];
        let ours = Root::of(&master_key).subkey("digest", "code");

        let mut theirs = [0; 32];
        let prk =
            aws_lc_rs::hkdf::Salt::new(aws_lc_rs::hkdf::HKDF_SHA256, SALT).extract(&master_key);
        prk.expand(&[b"digest\0code"], aws_lc_rs::hkdf::HKDF_SHA256)
            .unwrap()
            .fill(&mut theirs)
            .unwrap();
        assert_eq!(*ours, theirs);
    }
}
