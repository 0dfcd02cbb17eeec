//! Ending sessions.

use super::feed::Event;
use super::{EndReason, PresentedTokens, RefreshError, SessionEntry, Sessions, store};
use crate::audit;
use crate::client::Client;
use crate::database::{Batch, Statement, WriteError};
use crate::error::InternalError;
use crate::ids::{AccountId, SessionId};
use crate::time::{Timestamp, days};
use crate::tokens::Chain;

/// How long an ended session's row is kept, for the list of what happened.
const KEPT_AFTER_END: std::time::Duration = days(7);

impl Sessions<'_> {
    /// Ends whichever sessions the presented tokens belong to; tokens nobody knows are ignored.
    /// Old refresh tokens of the session count, expired access tokens too.
    pub async fn sign_out(
        &self,
        tokens: &PresentedTokens<'_>,
        client: &Client,
    ) -> Result<(), InternalError> {
        let now = self.auth.clock().now();
        let reader = self.auth.tokens();
        let mut sessions: Vec<(AccountId, SessionId)> = Vec::new();
        if let Some(genuine) = tokens.bearer.and_then(|token| reader.genuine_access(token, now)) {
            sessions.push((genuine.claims.account, genuine.claims.session));
        }
        for token in [tokens.cookie, tokens.body].into_iter().flatten() {
            if let Some(genuine) = reader.genuine_refresh(token) {
                sessions.push((genuine.account, genuine.session));
            }
        }
        if let Some(cookie) = tokens.session {
            sessions.extend(self.of_cookie(cookie, now).await?);
        }
        sessions.sort_unstable_by_key(|(_, session)| session.uuid());
        sessions.dedup();
        for (account, session) in sessions {
            self.end_one(account, session, EndReason::SignedOut, (client, now)).await?;
        }
        Ok(())
    }

    /// Ends the session of a refresh token, an older one of it included, and refuses tokens
    /// whose session is over: for clients that are told.
    pub async fn end_by_refresh_token(
        &self,
        token: &str,
        chain: Chain,
        client: &Client,
    ) -> Result<(), RefreshError> {
        let now = self.auth.clock().now();
        let claims = self.auth.tokens().read_refresh(token, now)?;
        if claims.chain != chain {
            return Err(RefreshError::Invalid);
        }
        let reason = EndReason::SignedOut;
        let is_ended = self.end_one(claims.account, claims.session, reason, (client, now)).await?;
        if is_ended { Ok(()) } else { Err(RefreshError::Revoked) }
    }

    /// The statement that ends every live session of everybody (`restore`). Access tokens are
    /// not in it: the caller retires the key that signed them.
    #[expect(clippy::unused_self, reason = "an act like the others")]
    pub(crate) fn end_everything_statement(&self, now: Timestamp) -> Statement {
        store::end_everything(EndReason::Operator, now)
    }

    /// The live sessions of an account, the newest first.
    pub async fn list(&self, account: AccountId) -> Result<Vec<SessionEntry>, InternalError> {
        let now = self.auth.clock().now();
        let mut sessions = store::list(self.auth.database(), account, now).await?;
        for session in &mut sessions {
            let noted = self.state().last_use.of(session.id);
            session.last_used_at = session.last_used_at.max(noted.unwrap_or(session.created_at));
        }
        Ok(sessions)
    }

    /// Ends one session of an account; `false` when it has no such live session.
    pub async fn end(
        &self,
        account: AccountId,
        session: SessionId,
        client: &Client,
    ) -> Result<bool, InternalError> {
        let now = self.auth.clock().now();
        self.end_one(account, session, EndReason::EndedByOwner, (client, now)).await
    }

    /// Ends another account's session, found in the cookie of a browser that now signs in;
    /// `false` when it was over already.
    pub(crate) async fn end_replaced(
        &self,
        account: AccountId,
        session: SessionId,
        client: &Client,
    ) -> Result<bool, InternalError> {
        let now = self.auth.clock().now();
        self.end_one(account, session, EndReason::Replaced, (client, now)).await
    }

    /// Ends all sessions of an account except one. Sign-ins that are still hashing do not
    /// survive it: the handed in batch begins with the statement that raises the account's
    /// `security_version`.
    pub async fn end_all(
        &self,
        account: AccountId,
        except: Option<SessionId>,
        reason: EndReason,
        mut batch: Batch,
    ) -> Result<(), WriteError> {
        let now = self.auth.clock().now();
        batch.append(self.end_all_statements(account, except, reason, now));
        self.auth.database().write(batch).await?;
        Ok(self.catch_up().await?)
    }

    /// The statements that end all sessions of an account (except one) for somebody else's
    /// batch: the rows, and the feed row, which comes last in it. The batch must
    /// raise the account's `security_version` before: that is what the feed row goes by, and
    /// what keeps sessions from starting with what was proven earlier.
    #[must_use]
    pub fn end_all_statements(
        &self,
        account: AccountId,
        except: Option<SessionId>,
        reason: EndReason,
        now: Timestamp,
    ) -> Batch {
        let mut batch = Batch::from(store::end_all(account, except, reason, now));
        batch.append(self.tell(Event::AllOf { account, except }, now));
        batch
    }

    /// The statements that tell every node to read an account anew; last in the batch.
    #[must_use]
    pub fn changed_statements(&self, account: AccountId, now: Timestamp) -> Batch {
        self.tell(Event::Changed(account), now)
    }

    /// Deletes what is long over: sessions, feed rows, keys; at most `limit` rows of a table.
    /// Answers how many went.
    pub async fn sweep(&self, limit: i64) -> Result<usize, InternalError> {
        let now = self.auth.clock().now();
        let ended = store::delete_ended(now.minus(KEPT_AFTER_END), limit);
        let sessions = self.auth.database().write_returning(ended).await;
        let sessions = sessions.map_err(WriteError::unexpected)?.len();
        let told = self.sweep_feed(now, limit).await?;
        self.auth.tokens().sweep(now).await?;
        Ok(sessions + told)
    }

    /// Ends a session, records it and tells every node; `false` when it was not live.
    async fn end_one(
        &self,
        account: AccountId,
        session: SessionId,
        reason: EndReason,
        (client, now): (&Client, Timestamp),
    ) -> Result<bool, InternalError> {
        let entry = audit::Entry::new(audit::Event::SignedOut)
            .account(account)
            .session(session)
            .network(client.network())
            .details(serde_json::json!({ "because": reason.word() }));
        let mut batch = Batch::from(store::end(account, session, reason, now));
        batch.add(entry.statement(now, self.auth.random()));
        batch.append(self.tell(Event::Session(session), now));
        match self.auth.database().write(batch).await {
            Ok(_) => self.catch_up().await.map(|()| true),
            Err(WriteError::Conflict { .. }) => Ok(false),
            Err(WriteError::Internal(error)) => Err(error),
        }
    }
}
