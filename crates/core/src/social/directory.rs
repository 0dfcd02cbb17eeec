//! What we know of providers: copies of what they publish, one shelf each.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::discovery::{self, Document};
use super::jwks;
use super::kept::Kept;
use crate::tokens::KeySet;

/// The shelves by the names of the configuration, so there are never more than a few.
#[derive(Default)]
pub(crate) struct Directory {
    shelves: Mutex<BTreeMap<String, Shelf>>,
}

/// What one provider publishes.
#[derive(Clone)]
pub(super) struct Shelf {
    pub(super) document: Arc<Kept<Document>>,
    pub(super) keys: Arc<Kept<KeySet>>,
}

impl Directory {
    /// The shelf of a configured provider.
    pub(super) fn provider(&self, name: &str) -> Shelf {
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = shelves.entry(name.to_owned()).or_insert_with(|| Shelf {
            document: Arc::new(Kept::new(discovery::LIFETIMES)),
            keys: Arc::new(Kept::new(jwks::LIFETIMES)),
        });
        kept.clone()
    }
}
