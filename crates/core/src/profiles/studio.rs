//! Where pictures are taken in: few places, and one easel.
//!
//! Decoding is, after hashing, the second thing a stranger can make us do that costs real time
//! and memory (ASVS 15.1.3), so both are fixed beforehand: so many files in memory, one of an
//! account, and one being decoded. Who would wait too long is told so.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::avatar::AvatarError;
use super::picture::{Picture, PictureProblem};
use crate::error::InternalError;
use crate::ids::AccountId;
use crate::time::seconds;

/// Files in memory at a time, 5 MiB each.
const PLACES: usize = 8;
/// Accounts that have a place or wait for one.
const MOST_COMING: usize = 64;
/// How long somebody waits for a place.
const LONGEST_WAIT: Duration = seconds(5);
/// When trying again makes sense.
const COME_AGAIN: Duration = seconds(2);

/// What a file became.
type Drawn = Result<Picture, PictureProblem>;

/// Where pictures are taken in.
pub(crate) struct Studio {
    coming: Arc<Mutex<HashSet<AccountId>>>,
    places: Arc<Semaphore>,
    easel: Arc<Semaphore>,
}

/// One of the places, given back when dropped.
pub(super) struct Place {
    coming: Coming,
    _place: OwnedSemaphorePermit,
}

impl Place {
    pub(super) const fn account(&self) -> AccountId {
        self.coming.account
    }
}

/// An account on its way.
struct Coming {
    account: AccountId,
    all: Arc<Mutex<HashSet<AccountId>>>,
}

impl Drop for Coming {
    fn drop(&mut self) {
        lock(&self.all).remove(&self.account);
    }
}

impl Studio {
    pub(crate) fn new() -> Self {
        Self {
            coming: Arc::default(),
            places: Arc::new(Semaphore::new(PLACES)),
            easel: Arc::new(Semaphore::new(1)),
        }
    }

    /// Waits for a place.
    pub(super) async fn enter(&self, account: AccountId) -> Result<Place, AvatarError> {
        let coming = self.announce(account).ok_or_else(turned_away)?;
        match timeout(LONGEST_WAIT, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(place)) => Ok(Place { coming, _place: place }),
            Ok(Err(_)) | Err(_) => Err(turned_away()),
        }
    }

    fn announce(&self, account: AccountId) -> Option<Coming> {
        let mut coming = lock(&self.coming);
        if coming.len() >= MOST_COMING || !coming.insert(account) {
            return None;
        }
        Some(Coming { account, all: Arc::clone(&self.coming) })
    }

    /// Does the work at the easel, off the threads that answer requests. The work keeps its
    /// place until it is done: who hangs up gains nothing.
    pub(super) async fn work(
        &self,
        place: Place,
        draw: impl FnOnce() -> Drawn + Send + 'static,
    ) -> Result<Drawn, InternalError> {
        let easel = Arc::clone(&self.easel).acquire_owned().await;
        let easel = easel.map_err(|_| InternalError::fault("the studio is closed"))?;
        let done = tokio::task::spawn_blocking(move || {
            let drawn = draw();
            drop((easel, place));
            drawn
        });
        Ok(done.await.unwrap_or_else(|panic| {
            // A decoder's fault in a stranger's file: the file is to blame as far as they hear.
            tracing::error!(%panic, "a picture's decoder panicked");
            Err(PictureProblem::NotAPicture)
        }))
    }
}

fn turned_away() -> AvatarError {
    AvatarError::Busy { retry_after: COME_AGAIN }
}

/// Nothing that can panic runs under the lock, so a poisoned one is still whole.
fn lock(coming: &Mutex<HashSet<AccountId>>) -> MutexGuard<'_, HashSet<AccountId>> {
    coming.lock().unwrap_or_else(PoisonError::into_inner)
}
