//! The known-device cookie: proves that this browser has signed in to this account before.
//!
//! It never replaces a password; it only has failures of its own (OWASP, "Device Cookies").
//! Form: 16 random bytes, the second it was made, and a keyed digest over both, the account and
//! the date of its password: a new password makes every such cookie worthless (attack D14).

use data_encoding::BASE64URL_NOPAD;
use subtle::ConstantTimeEq;

use super::{DEVICE_LIFETIME, DeviceOwner};
use crate::ports::{Random, Token};
use crate::secrets::Secrets;
use crate::time::Timestamp;

const HEAD: usize = 24;
const LENGTH: usize = HEAD + 32;

/// A new cookie value for an account.
pub(super) fn make(
    secrets: &Secrets,
    random: &dyn Random,
    owner: DeviceOwner,
    now: Timestamp,
) -> Token {
    let mut bytes = Vec::with_capacity(LENGTH);
    bytes.extend_from_slice(&random.bytes::<16>());
    bytes.extend_from_slice(&now.seconds().to_be_bytes());
    let mac = mac(secrets, &bytes, owner);
    bytes.extend_from_slice(&mac);
    Token::new(BASE64URL_NOPAD.encode(&bytes))
}

/// Whether a cookie is genuine, of this account, and not too old.
pub(super) fn is_of(secrets: &Secrets, cookie: &Token, owner: DeviceOwner, now: Timestamp) -> bool {
    let Ok(bytes) = BASE64URL_NOPAD.decode(cookie.reveal().as_bytes()) else { return false };
    let Some((head, given)) = bytes.split_at_checked(HEAD) else { return false };
    let Some(made) = head.last_chunk::<8>().map(|at| i64::from_be_bytes(*at)) else { return false };
    let genuine: bool = mac(secrets, head, owner).ct_eq(given).into();
    let age = now.since(Timestamp::from_micros(made.saturating_mul(1_000_000)));
    genuine && age <= DEVICE_LIFETIME
}

fn mac(secrets: &Secrets, head: &[u8], owner: DeviceOwner) -> [u8; 32] {
    let mut message = head.to_vec();
    message.extend_from_slice(owner.account.uuid().as_bytes());
    let changed_at = owner.password_changed_at.map_or(0, Timestamp::micros);
    message.extend_from_slice(&changed_at.to_be_bytes());
    secrets.digest("known-device", &message)
}
