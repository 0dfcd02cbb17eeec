//! Opening a session.

use std::time::Duration;

use super::store::NewSession;
use super::{Door, Lifetimes, Proof, Sessions, Started, store};
use crate::client::Client;
use crate::database::{Batch, WriteError};
use crate::error::InternalError;
use crate::ids::SessionId;
use crate::ports::Token;
use crate::time::Timestamp;
use crate::tokens::{AccessClaims, Chain, RefreshClaims};

/// Live sessions of one account.
const MOST_SESSIONS: i64 = 100;

impl Sessions<'_> {
    /// Opens a session for somebody who has passed every step. `Conflict` means that the
    /// account changed while they were proving themselves: they must start again.
    pub async fn start(
        &self,
        mut proof: Proof,
        door: Door,
        client: &Client,
    ) -> Result<Started, WriteError> {
        let now = self.auth.clock().now();
        let id = SessionId::new(now, self.auth.random());
        let cookie = (door == Door::OtpSession).then(|| self.auth.random().token());
        let batch = self.opening(&mut proof, id, (door, client, cookie.as_ref()), now);
        let oldest = self.auth.database().write(batch).await?;
        self.state().accounts.forget(proof.account);
        if !oldest.is_empty() {
            self.catch_up().await?;
        }
        Ok(self.hand_out(&proof, id, (door, cookie), now)?)
    }

    /// The proof's statements, which refuse everything if the account has changed, then the
    /// session, then the end of the oldest one, if this is one too many.
    fn opening(
        &self,
        proof: &mut Proof,
        id: SessionId,
        (door, client, cookie): (Door, &Client, Option<&Token>),
        now: Timestamp,
    ) -> Batch {
        let lifetimes = self.lifetimes(door);
        let mut batch = std::mem::take(&mut proof.batch);
        batch.add(store::insert(&NewSession {
            id,
            account: proof.account,
            door: door.word(),
            amr: proof.methods.join(" "),
            auth_time: proof.proven_at,
            user_agent: &client.user_agent,
            network: client.network().to_string(),
            cookie_digest: cookie.map(|cookie| self.cookie_digest(cookie)),
            now,
            idle_for: lifetimes.idle,
            ends_at: now.plus(lifetimes.absolute),
        }));
        batch.add(store::insert_chains(id, now));
        batch.add(store::end_oldest(proof.account, MOST_SESSIONS, now));
        let [number, told] = self.tell_if_oldest_ended(proof.account, now);
        batch.add(number);
        batch.add_returning(told);
        batch
    }

    /// The first tokens of a session.
    fn hand_out(
        &self,
        proof: &Proof,
        session: SessionId,
        (door, cookie): (Door, Option<Token>),
        now: Timestamp,
    ) -> Result<Started, InternalError> {
        let lifetimes = self.lifetimes(door);
        let ends_at = now.plus(lifetimes.absolute);
        let amr: Vec<String> = proof.methods.iter().map(|&method| method.to_owned()).collect();
        let access = AccessClaims {
            account: proof.account,
            number: proof.number,
            session,
            amr: amr.clone(),
            auth_time: proof.proven_at.seconds(),
            security_version: proof.security_version,
            issued_at: now.seconds(),
            expires_at: end_of(now, lifetimes.access, ends_at).seconds(),
        };
        let first = |chain| RefreshClaims {
            session,
            door,
            chain,
            generation: 1,
            issued_at: now.seconds(),
            expires_at: end_of(now, lifetimes.idle, ends_at).seconds(),
            account: proof.account,
            number: proof.number,
            amr: amr.clone(),
            auth_time: proof.proven_at.seconds(),
            security_version: proof.security_version,
        };
        let tokens = self.auth.tokens();
        Ok(Started {
            session,
            access: tokens.write_access(&access)?,
            refresh_cookie: tokens.write_refresh(&first(Chain::Cookie))?,
            refresh_body: tokens.write_refresh(&first(Chain::Body))?,
            refresh_lifetime: end_of(now, lifetimes.idle, ends_at).since(now),
            access_lifetime: end_of(now, lifetimes.access, ends_at).since(now),
            cookie: cookie.map(|cookie| (cookie, ends_at.since(now))),
        })
    }

    /// How long sessions and tokens of a door live.
    pub(super) fn lifetimes(&self, door: Door) -> Lifetimes {
        self.auth.settings().tokens.of(door)
    }
}

/// When something ends that may live for `life`, but not beyond its session.
pub(super) fn end_of(now: Timestamp, life: Duration, session_end: Timestamp) -> Timestamp {
    now.plus(life).min(session_end)
}
