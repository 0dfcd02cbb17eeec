//! Changing the signing key: told through the feed, so it is written in this room.

use super::Sessions;
use super::feed::Event;
use crate::Auth;
use crate::audit;
use crate::database::WriteError;
use crate::error::InternalError;
use crate::tokens::Tokens;

impl Tokens<'_> {
    /// Makes a new signing key the active one. The old one verifies until its last token has
    /// expired, or not at all any more when `compromised`. Every node knows within a poll.
    pub async fn rotate(&self, compromised: bool) -> Result<(), InternalError> {
        rotate(self.auth, compromised).await
    }
}

impl Sessions<'_> {
    /// Loads the keys and the live set, making the first signing key where there is none (or
    /// none of the configured algorithm). Two nodes that do so at once tell each other: both
    /// keys are published, and the newer one signs.
    pub(crate) async fn open(&self) -> Result<(), InternalError> {
        self.measure_clock().await?;
        self.poll_feed().await?;
        if self.auth.tokens().needs_key() {
            rotate(self.auth, false).await?;
        }
        Ok(())
    }
}

async fn rotate(auth: &Auth, compromised: bool) -> Result<(), InternalError> {
    let now = auth.clock().now();
    let mut batch = auth.tokens().rotation(compromised, now).await?;
    let entry = audit::Entry::new(audit::Event::KeysRotated)
        .details(serde_json::json!({ "compromised": compromised }));
    batch.add(entry.statement(now, auth.random()));
    batch.extend(auth.sessions().tell(Event::Keys, now));
    auth.database().write(batch).await.map_err(WriteError::unexpected)?;
    auth.sessions().catch_up().await
}
