//! Exchanging a refresh token for new tokens.
//!
//! Each use of a parent gives a child of its own, and the first use of a child kills its
//! siblings. So a lost answer, a retry and a second tab are the same harmless case, and two
//! holders of one token part ways until one of them comes with something outlived. One
//! conditional `UPDATE` decides; what it leaves alone, a read only names.

mod store;

use std::time::Duration;

use self::store::{Found, Presented, Rotated};
use super::feed::Event;
use super::start::end_of;
use super::{EndReason, RefreshError, Refreshed, Sessions};
use crate::audit;
use crate::client::Client;
use crate::database::{Batch, WriteError};
use crate::error::InternalError;
use crate::messages::Message;
use crate::ports::Token;
use crate::time::{Timestamp, days, minutes, seconds};
use crate::tokens::{AccessClaims, Chain, RefreshClaims, TokenError};

/// W of the design: a burst of overlapping refreshes settles within it.
const BURST: Duration = seconds(30);
/// A child younger than this is answered with itself inside a burst.
const YOUNG: Duration = minutes(2);
/// A notice of theft that could not be sent for so long is dropped.
const NOTICE_LIFETIME: Duration = days(7);
/// How often a refresh that finds the chain moved under it looks again.
const TRIES: usize = 8;

/// What the table of the design says about a token that wrote nothing.
enum Row {
    /// An unused child within the burst: the same token again.
    Same,
    /// The chain moved since; the `UPDATE` must decide again.
    Again,
    /// Newer than the database.
    FromTheFuture,
    /// Its sibling or successor was used by another holder.
    Outlived,
}

impl Sessions<'_> {
    /// Exchanges a refresh token by the rule of the design, section 5.
    pub async fn refresh(
        &self,
        token: &str,
        chain: Chain,
        client: &Client,
    ) -> Result<Refreshed, RefreshError> {
        let now = self.auth.clock().now();
        let claims = self.auth.tokens().read_refresh(token, now)?;
        if claims.chain != chain {
            return Err(RefreshError::Invalid);
        }
        let presented = presented(&claims, now);
        // Only a young token can be answered with itself, and pages that are loaded again ask
        // for just that: then the writer need not be asked.
        if presented.is_young
            && let Some(found) = self.find_live(&claims, now).await?
            && matches!(row(&presented, &found), Row::Same)
        {
            return Ok(self.same(token, &claims, &found, now)?);
        }
        for _ in 0..TRIES {
            let rotated = self.auth.database().write_returning(store::rotate(&presented)).await;
            if let Some(row) = rotated.map_err(WriteError::unexpected)?.first() {
                let rotated = Rotated::from_row(row)?;
                let session = claims.session;
                self.notice_network(session, &rotated.networks, (client, now)).await;
                return Ok(self.next(claims, &rotated, now)?);
            }
            let found = self.find_live(&claims, now).await?.ok_or(RefreshError::Invalid)?;
            match row(&presented, &found) {
                Row::Same => return Ok(self.same(token, &claims, &found, now)?),
                Row::Again => {}
                Row::FromTheFuture => {
                    let reason = EndReason::TokenFromTheFuture;
                    return Err(self.end_for(reason, &claims, None, (client, now)).await?);
                }
                Row::Outlived => {
                    let reason = EndReason::TokenTheft;
                    let told = found.email.as_deref();
                    return Err(self.end_for(reason, &claims, told, (client, now)).await?);
                }
            }
        }
        Err(InternalError::unavailable("a refresh was overtaken too often").into())
    }

    /// The chain as it is stored; refuses one whose session or account is over.
    async fn find_live(
        &self,
        claims: &RefreshClaims,
        now: Timestamp,
    ) -> Result<Option<Found>, RefreshError> {
        let database = self.auth.database();
        let found = store::find_chain(database, claims.session, claims.chain).await?;
        if let Some(found) = &found {
            refuse_over(found, now)?;
        }
        Ok(found)
    }

    /// A new generation was written: a new token of the chain.
    fn next(
        &self,
        claims: RefreshClaims,
        rotated: &Rotated,
        now: Timestamp,
    ) -> Result<Refreshed, InternalError> {
        let idle = Duration::from_micros(rotated.idle_for.max(0).cast_unsigned());
        let kept_until = end_of(now, idle, rotated.ends_at);
        let access = self.access_of(&claims, rotated.ends_at, now)?;
        let refresh = self.auth.tokens().write_refresh(&RefreshClaims {
            generation: rotated.generation,
            issued_at: now.seconds(),
            expires_at: kept_until.seconds(),
            ..claims
        })?;
        Ok(Refreshed { access, refresh, refresh_lifetime: kept_until.since(now) })
    }

    /// Nothing was written: the presented token stays the one to keep.
    fn same(
        &self,
        token: &str,
        claims: &RefreshClaims,
        found: &Found,
        now: Timestamp,
    ) -> Result<Refreshed, InternalError> {
        self.state().last_use.note(claims.session, now);
        let kept_until = Timestamp::from_micros(claims.expires_at.saturating_mul(1_000_000));
        Ok(Refreshed {
            access: self.access_of(claims, found.ends_at, now)?,
            refresh: Token::new(token.to_owned()),
            refresh_lifetime: kept_until.since(now),
        })
    }

    /// A new access token; everything in it stands in the refresh token.
    fn access_of(
        &self,
        claims: &RefreshClaims,
        session_end: Timestamp,
        now: Timestamp,
    ) -> Result<Token, InternalError> {
        let lifetime = self.lifetimes(claims.door).access;
        self.auth.tokens().write_access(&AccessClaims {
            account: claims.account,
            number: claims.number,
            session: claims.session,
            amr: claims.amr.clone(),
            auth_time: claims.auth_time,
            security_version: claims.security_version,
            issued_at: now.seconds(),
            expires_at: end_of(now, lifetime, session_end).seconds(),
        })
    }

    /// Ends the session of a token that should not exist any more (or not yet), records it, and
    /// tells the owner where somebody else may hold it. Answers the refusal.
    async fn end_for(
        &self,
        reason: EndReason,
        claims: &RefreshClaims,
        told: Option<&str>,
        (client, now): (&Client, Timestamp),
    ) -> Result<RefreshError, InternalError> {
        let event = match reason {
            EndReason::TokenFromTheFuture => audit::Event::TokenFromTheFuture,
            _ => audit::Event::TokenTheftSuspected,
        };
        let entry = audit::Entry::new(event)
            .account(claims.account)
            .session(claims.session)
            .network(client.network())
            .details(serde_json::json!({
                "chain": claims.chain.word(),
                "generation": claims.generation,
            }));
        let mut batch = Batch::from(super::store::end(claims.account, claims.session, reason, now));
        batch.add(entry.statement(now, self.auth.random()));
        if let Some(address) = told {
            let from = format!("{}, {}", client.network(), client.user_agent);
            let notice = Message::TokenTheft { at: now, from };
            let expires_at = now.plus(NOTICE_LIFETIME);
            batch.add(self.auth.messages().queue(address, &notice, now, expires_at)?);
        }
        batch.append(self.tell(Event::Session(claims.session), now));
        match self.auth.database().write(batch).await {
            Ok(_) => {
                self.catch_up().await?;
                self.auth.messages().wake();
                Ok(RefreshError::Revoked)
            }
            // Somebody else has ended it in the meantime, and recorded that.
            Err(WriteError::Conflict { .. }) => Ok(RefreshError::Revoked),
            Err(WriteError::Internal(error)) => Err(error),
        }
    }
}

fn presented(claims: &RefreshClaims, now: Timestamp) -> Presented {
    let issued_at = Timestamp::from_micros(claims.issued_at.saturating_mul(1_000_000));
    Presented {
        session: claims.session,
        chain: claims.chain,
        generation: claims.generation,
        is_young: now.since(issued_at) < YOUNG,
        now,
        recent_since: now.minus(BURST),
    }
}

/// Refuses what no token can refresh any more: the account first, since that says most.
fn refuse_over(found: &Found, now: Timestamp) -> Result<(), RefreshError> {
    if !found.is_account_active {
        return Err(RefreshError::Inactive);
    }
    if found.is_revoked {
        return Err(RefreshError::Revoked);
    }
    let last_use = found.last_used_at.max(found.rotated_at).micros();
    if found.ends_at <= now || last_use.saturating_add(found.idle_for) <= now.micros() {
        return Err(RefreshError::Expired);
    }
    Ok(())
}

/// The table of the design for a chain whose session is live.
fn row(presented: &Presented, found: &Found) -> Row {
    let g = presented.generation;
    if g > found.generation {
        return Row::FromTheFuture;
    }
    if g == found.parent {
        return Row::Again;
    }
    if g < found.first_child {
        return Row::Outlived;
    }
    let is_recent = found.rotated_at >= presented.recent_since;
    if is_recent && presented.is_young { Row::Same } else { Row::Again }
}

impl From<TokenError> for RefreshError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Invalid => Self::Invalid,
            TokenError::Expired => Self::Expired,
            TokenError::WrongType => Self::WrongType,
        }
    }
}
