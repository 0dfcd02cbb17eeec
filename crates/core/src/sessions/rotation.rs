//! Changing the signing key: told through the feed, so it is written in this room.

use super::Sessions;
use super::feed::Event;
use crate::Auth;
use crate::audit;
use crate::database::WriteError;
use crate::error::InternalError;
use crate::time::Timestamp;
use crate::tokens::Tokens;

impl Tokens<'_> {
    /// Publishes a new signing key and answers when it begins to sign: when those who keep our
    /// key set must have fetched it. Until then the old one signs, and it verifies until its
    /// last token has expired. When `compromised`, the new one signs at once and the old one is
    /// gone. Every node knows within a poll.
    pub async fn rotate(&self, compromised: bool) -> Result<Timestamp, InternalError> {
        rotate(self.auth, compromised).await
    }
}

impl Sessions<'_> {
    /// Loads the keys and the live set, making the first signing key where there is none (or
    /// none of the configured algorithm). Two nodes that do so at once tell each other: both
    /// keys are published, and the later one signs.
    pub(crate) async fn open(&self) -> Result<(), InternalError> {
        self.measure_clock().await?;
        self.poll_feed().await?;
        if self.auth.tokens().needs_key() {
            rotate(self.auth, false).await?;
        }
        Ok(())
    }
}

async fn rotate(auth: &Auth, compromised: bool) -> Result<Timestamp, InternalError> {
    let now = auth.clock().now();
    let (mut batch, signs_from) = auth.tokens().rotation(compromised, now).await?;
    let entry = audit::Entry::new(audit::Event::KeysRotated)
        .details(serde_json::json!({ "compromised": compromised }));
    batch.add(entry.statement(now, auth.random()));
    batch.append(auth.sessions().tell(Event::Keys, now));
    auth.database().write(batch).await.map_err(WriteError::unexpected)?;
    auth.sessions().catch_up().await?;
    Ok(signs_from)
}
