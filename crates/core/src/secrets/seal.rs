//! The envelope: which key, which nonce, what was sealed.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use data_encoding::HEXLOWER;

use super::{Place, keys};
use crate::error::InternalError;

/// AES-256-GCM under one subkey, with the name that stands in each envelope.
///
/// Random nonces of 96 bits are good for 2^32 messages under one key at a chance of 2^-32 that
/// two are alike (NIST SP 800-38D §8.3).
pub(super) struct SealingKey {
    key: LessSafeKey,
    /// `v1.<key id>.`: says how to open a value, so that keys can be changed one value at a time.
    prefix: Vec<u8>,
}

impl SealingKey {
    pub(super) fn new(root: &keys::Root) -> Result<Self, InternalError> {
        let key = UnboundKey::new(&AES_256_GCM, &*root.subkey("seal", "aes-256-gcm"))
            .map_err(|_| InternalError::fault("the sealing key was not accepted"))?;
        let id = root.subkey("seal", "key id");
        let id = HEXLOWER.encode(id.get(..4).unwrap_or_default());
        Ok(Self { key: LessSafeKey::new(key), prefix: format!("v1.{id}.").into_bytes() })
    }

    pub(super) fn seal(
        &self,
        place: Place<'_>,
        clear: &[u8],
        nonce: [u8; NONCE_LEN],
    ) -> Result<Vec<u8>, InternalError> {
        let mut sealed =
            Vec::with_capacity(self.prefix.len() + NONCE_LEN + clear.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(&self.prefix);
        sealed.extend_from_slice(&nonce);
        let begin = sealed.len();
        sealed.extend_from_slice(clear);
        let (_, text) = sealed.split_at_mut(begin);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag =
            self.key.seal_in_place_separate_tag(nonce, Aad::from(bound_to(place)), text).map_err(
                |_| InternalError::fault(format_args!("sealing failed for {}", name(place))),
            )?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    pub(super) fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, InternalError> {
        let refuse = |why: &str| InternalError::fault(format_args!("{}: {why}", name(place)));
        let sealed = sealed
            .strip_prefix(self.prefix.as_slice())
            .ok_or_else(|| refuse("sealed with another key, or not sealed at all"))?;
        let (nonce, sealed) =
            sealed.split_first_chunk::<NONCE_LEN>().ok_or_else(|| refuse("cut short"))?;
        let mut text = sealed.to_vec();
        let length = self
            .key
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(bound_to(place)),
                &mut text,
            )
            .map_err(|_| refuse("the seal does not open here"))?
            .len();
        text.truncate(length);
        Ok(text)
    }
}

/// Names of tables and columns hold no zero byte, so no two places look alike.
fn bound_to(place: Place<'_>) -> Vec<u8> {
    [b"v1", place.table.as_bytes(), place.column.as_bytes(), place.row].join(&0)
}

fn name(place: Place<'_>) -> String {
    format!("{}.{}", place.table, place.column)
}
