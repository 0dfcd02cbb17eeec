//! What other rooms write when somebody comes from somewhere: plain statements for their
//! batches, with nothing read beforehand.

use super::{Day, Source, Sources, store};
use crate::client::Network;
use crate::database::Statement;
use crate::ids::{AccountId, SourceId};
use crate::time::Timestamp;

/// Sources kept of one account; those after them are not noted.
const MOST_AN_ACCOUNT: i64 = 20;

/// Somebody came to an account from somewhere.
pub(crate) struct Touch<'a> {
    /// Whose account; its row must be there, or be made earlier in the batch.
    pub(crate) account: AccountId,
    /// From where; nothing is written for somebody who came from nowhere.
    pub(crate) source: Option<&'a Source>,
    /// Whose network: each may bring so many new sources an hour.
    pub(crate) network: Network,
    /// Whether this made the account. A later touch of the same source changes nothing.
    pub(crate) is_first: bool,
}

impl Sources<'_> {
    /// Notes where somebody came from. The statements conflict with nothing; they stand
    /// after the account's own.
    pub(crate) fn touch_statements(&self, touch: &Touch<'_>, now: Timestamp) -> Vec<Statement> {
        let Some(source) = touch.source else { return Vec::new() };
        let mut statements = self.made(source, touch.network, now);
        let note = store::NewTouch { account: touch.account, is_first: touch.is_first };
        statements.push(store::touch(&note, source, now, MOST_AN_ACCOUNT));
        statements
    }

    /// Counts a code request by its source. Where the identifier has an account, or was
    /// sent a code already, `counts` is false and the same statements add nothing: what is
    /// written tells nobody which identifiers have accounts.
    pub(crate) fn count_requested(
        &self,
        source: Option<&Source>,
        network: Network,
        counts: bool,
        now: Timestamp,
    ) -> Vec<Statement> {
        let Some(source) = source else { return Vec::new() };
        let mut statements = self.made(source, network, now);
        let counted = store::Counted { requested: i64::from(counts), verified: 0 };
        statements.push(store::count(source, Day::of(now), counted));
        statements
    }

    /// Counts an account that was made by proving a code; it stands after its touch, which
    /// makes the source.
    #[expect(clippy::unused_self, reason = "entered like the others")]
    pub(crate) fn count_verified(
        &self,
        source: Option<&Source>,
        now: Timestamp,
    ) -> Option<Statement> {
        let counted = store::Counted { requested: 0, verified: 1 };
        source.map(|source| store::count(source, Day::of(now), counted))
    }

    /// Makes the source's row where there is none yet. A network that brought too many new ones
    /// makes no more: what it says still counts for sources that are there.
    fn made(&self, source: &Source, network: Network, now: Timestamp) -> Vec<Statement> {
        if !self.auth.limits().admits_source(network, source.url()) {
            return Vec::new();
        }
        let id = SourceId::new(now, self.auth.random());
        vec![store::insert(id, source, self.auth.settings().limits.most_sources, now)]
    }
}
