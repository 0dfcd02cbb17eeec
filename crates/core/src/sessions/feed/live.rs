//! The live set: every revocation that some unexpired access token could run into.

use std::collections::{HashMap, HashSet, VecDeque};

use super::{Event, Heard};
use crate::ids::{AccountId, SessionId};
use crate::time::Timestamp;
use crate::tokens::AccessClaims;

/// Revocations in force. Bounded by what is revoked within one access token's life.
#[derive(Default)]
pub(in crate::sessions) struct Live {
    seen: i64,
    sessions: HashSet<SessionId>,
    accounts: HashMap<AccountId, OfAccount>,
    /// In the order heard, so that what has expired is found at the front.
    leaving: VecDeque<Leaving>,
}

/// What was heard about one account.
#[derive(Default)]
struct OfAccount {
    /// The number of the last event; a cached account read before it is stale.
    last: i64,
    ends: Vec<End>,
}

/// One "all sessions ended".
struct End {
    n: i64,
    below_version: i64,
    except: Option<SessionId>,
}

struct Leaving {
    n: i64,
    event: Event,
    expires_at: Timestamp,
}

/// What the live set says about a token's session and account.
pub(in crate::sessions) struct Standing {
    /// The session was ended.
    pub(in crate::sessions) is_ended: bool,
    /// The number of the last event about the account; zero for none.
    pub(in crate::sessions) account_event: i64,
}

impl Live {
    /// The number up to which everything is known.
    pub(in crate::sessions) fn seen(&self) -> i64 {
        self.seen
    }

    /// What is known about a token's session and account.
    pub(in crate::sessions) fn standing(&self, claims: &AccessClaims) -> Standing {
        let of_account = self.accounts.get(&claims.account);
        let is_ended = self.sessions.contains(&claims.session)
            || of_account.is_some_and(|known| known.ends.iter().any(|end| end.covers(claims)));
        Standing { is_ended, account_event: of_account.map_or(0, |known| known.last) }
    }

    /// The number of the last event about an account; zero for none.
    pub(in crate::sessions) fn account_event(&self, account: AccountId) -> i64 {
        self.accounts.get(&account).map_or(0, |known| known.last)
    }

    /// Takes in events; taking one in twice does nothing. `counter` is where the feed stands
    /// when these were all.
    pub(super) fn take_in(&mut self, heard: Vec<Heard>, counter: Option<i64>, now: Timestamp) {
        for heard in heard {
            if heard.n > self.seen {
                self.seen = heard.n;
                self.take_one(&heard);
            }
        }
        self.seen = self.seen.max(counter.unwrap_or(0));
        self.forget_expired(now);
    }

    fn take_one(&mut self, heard: &Heard) {
        let Heard { n, event, below_version, expires_at } = *heard;
        match event {
            Event::Session(session) => {
                self.sessions.insert(session);
            }
            Event::AllOf { account, except } => {
                let known = self.accounts.entry(account).or_default();
                known.last = n;
                // A later end with the same exception covers the earlier one.
                known.ends.retain(|end| end.except != except);
                known.ends.push(End { n, below_version, except });
            }
            Event::Changed(account) => self.accounts.entry(account).or_default().last = n,
            Event::Keys => return,
        }
        self.leaving.push_back(Leaving { n, event, expires_at });
    }

    fn forget_expired(&mut self, now: Timestamp) {
        while self.leaving.front().is_some_and(|next| next.expires_at <= now) {
            let Some(gone) = self.leaving.pop_front() else { return };
            match gone.event {
                Event::Session(session) => {
                    self.sessions.remove(&session);
                }
                Event::AllOf { account, .. } | Event::Changed(account) => {
                    if let Some(known) = self.accounts.get_mut(&account) {
                        known.ends.retain(|end| end.n != gone.n);
                        if known.last == gone.n {
                            self.accounts.remove(&account);
                        }
                    }
                }
                Event::Keys => {}
            }
        }
    }
}

impl End {
    fn covers(&self, claims: &AccessClaims) -> bool {
        claims.security_version < self.below_version && self.except != Some(claims.session)
    }
}
