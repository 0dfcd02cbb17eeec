//! Last use of sessions: kept in memory, written in one go once a minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::{Sessions, store};
use crate::database::Batch;
use crate::error::InternalError;
use crate::ids::SessionId;
use crate::time::Timestamp;

/// Sessions remembered between two flushes; further ones are not noted, which only makes a
/// list of sessions less exact.
const MOST: usize = 200_000;
/// Rows in one batch, so that nobody waits long behind it.
const IN_ONE_BATCH: usize = 500;

/// When sessions were used since the last flush.
#[derive(Default)]
pub(super) struct LastUse(Mutex<HashMap<SessionId, Timestamp>>);

impl LastUse {
    pub(super) fn note(&self, session: SessionId, now: Timestamp) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() < MOST || noted.contains_key(&session) {
            let latest = noted.entry(session).or_insert(now);
            *latest = now.max(*latest);
        }
    }

    pub(super) fn of(&self, session: SessionId) -> Option<Timestamp> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&session).copied()
    }

    fn take(&self) -> Vec<(SessionId, Timestamp)> {
        let noted = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut noted: Vec<_> = noted.into_iter().collect();
        // All nodes write in the same order, so that no two wait for each other.
        noted.sort_unstable_by_key(|(session, _)| session.uuid());
        noted
    }
}

impl Sessions<'_> {
    /// Writes what is known about last uses; what fails is kept for the next time. The worker
    /// calls it once a minute and at the end.
    pub async fn flush_last_use(&self) -> Result<(), InternalError> {
        let last_use = &self.state().last_use;
        let noted = last_use.take();
        for (written, chunk) in noted.chunks(IN_ONE_BATCH).enumerate() {
            let mut batch = Batch::new();
            batch.extend(chunk.iter().map(|(session, used_at)| store::touch(*session, *used_at)));
            if let Err(error) = self.auth.database().write(batch).await {
                for (session, used_at) in noted.iter().skip(written * IN_ONE_BATCH) {
                    last_use.note(*session, *used_at);
                }
                return Err(error.unexpected());
            }
        }
        Ok(())
    }
}
