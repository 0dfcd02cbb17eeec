//! The account cache: what checks read instead of the database.

use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;

use super::feed::Live;
use super::{Account, Sessions, store};
use crate::error::InternalError;
use crate::ids::AccountId;
use crate::time::{Timestamp, seconds};

/// Accounts kept; an account takes some hundred bytes, so this stays below 20 MiB.
const MOST: usize = 20_000;
/// How old a cached account may get. The feed drops it sooner when it changes; this bounds
/// what a change outside of our code could do.
const KEPT: Duration = seconds(60);

/// Accounts by identifier, each with what it takes to say whether it still holds.
pub(super) struct Accounts(Cache<AccountId, Remembered>);

#[derive(Clone)]
struct Remembered {
    account: Arc<Account>,
    reading: Reading,
}

/// The moment before an account's row is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// Where this node's feed stood: any later event about the account may be missing in the
    /// row.
    seen: i64,
    at: Timestamp,
}

impl Accounts {
    pub(super) fn new() -> Self {
        Self(Cache::new(MOST))
    }

    /// This node has just written to it, in a way that other nodes need not hear of.
    pub(super) fn forget(&self, id: AccountId) {
        self.0.remove(&id);
    }

    pub(super) fn clear(&self) {
        self.0.clear();
    }

    /// A cached account on which no event came after it was read.
    fn find(&self, id: AccountId, last_event: i64, now: Timestamp) -> Option<Arc<Account>> {
        let found = self.0.get(&id)?;
        // A clock set back makes an entry look unborn; such a one is read again.
        let Reading { seen, at } = found.reading;
        let is_fresh = at <= now && now < at.plus(KEPT);
        (is_fresh && seen >= last_event).then_some(found.account)
    }
}

impl Sessions<'_> {
    /// The account, from the cache or the store.
    pub async fn account(&self, id: AccountId) -> Result<Option<Arc<Account>>, InternalError> {
        let last_event = self.state().feed.with(|live| live.account_event(id));
        self.account_since(id, last_event, self.auth.clock().now()).await
    }

    /// The account as it was after the feed's event `last_event`, or later.
    pub(super) async fn account_since(
        &self,
        id: AccountId,
        last_event: i64,
        now: Timestamp,
    ) -> Result<Option<Arc<Account>>, InternalError> {
        if let Some(account) = self.state().accounts.find(id, last_event, now) {
            return Ok(Some(account));
        }
        let reading = Reading { at: now, ..self.reading() };
        let account = store::find_account(self.auth.database(), id).await?;
        Ok(account.map(|account| self.remember(account, reading)))
    }

    /// Asked for before an account is read that [`Sessions::remember`] is then told of.
    pub(crate) fn reading(&self) -> Reading {
        Reading { seen: self.state().feed.with(Live::seen), at: self.auth.clock().now() }
    }

    /// Keeps an account for the checks to come; whatever happened to it since the reading makes
    /// them read it again.
    pub(crate) fn remember(&self, account: Account, reading: Reading) -> Arc<Account> {
        let account = Arc::new(account);
        let remembered = Remembered { account: Arc::clone(&account), reading };
        self.state().accounts.0.insert(account.id, remembered);
        account
    }
}
