//! What keeps SMS from costing more than somebody decided (attack B22): the countries, the
//! day's budget, and the stop.

use super::{Messages, store};
use crate::database::{Statement, WriteError};
use crate::error::InternalError;
use crate::time::Timestamp;

/// Why no SMS goes to a number now. Nothing in it depends on who has an account.
#[derive(Debug, thiserror::Error)]
pub enum SmsRefusal {
    /// This server has no way to send SMS.
    #[error("SMS are not configured")]
    NotConfigured,
    /// The number's country is not among `sms.countries`.
    #[error("SMS do not go to this country")]
    CountryNotAllowed,
    /// An operator has stopped SMS.
    #[error("SMS are stopped")]
    Stopped,
    /// The day's budget is spent.
    #[error("the day's SMS are spent")]
    BudgetSpent,
    /// The store failed.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

impl SmsRefusal {
    /// The word for metrics.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::NotConfigured => "not_configured",
            Self::CountryNotAllowed => "country",
            Self::Stopped => "stopped",
            Self::BudgetSpent => "budget",
            Self::Internal(_) => "internal",
        }
    }
}

/// What an operator sees of the SMS of this day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SmsStatus {
    /// Whether this node has a way to send them.
    pub is_configured: bool,
    /// Since when an operator has stopped them.
    pub stopped_at: Option<Timestamp>,
    /// How many were queued today (UTC).
    pub sent_today: i64,
    /// How many may be.
    pub daily_budget: u32,
}

impl Messages<'_> {
    /// Whether SMS go to a number (E.164) at all, as far as that can be told without the store.
    pub(crate) fn reaches(&self, to: &str) -> Result<(), SmsRefusal> {
        if self.auth.inner.sms.is_none() {
            return Err(SmsRefusal::NotConfigured);
        }
        if !self.auth.inner.outbox.countries.allow(to) {
            return Err(SmsRefusal::CountryNotAllowed);
        }
        Ok(())
    }

    /// Whether an SMS may go to a number (E.164) now; asked before anything is promised. The
    /// budget is decided by [`Self::count_sms`], this only tells it beforehand.
    pub async fn admits_sms(&self, to: &str) -> Result<(), SmsRefusal> {
        self.reaches(to)?;
        let status = self.sms_status().await?;
        if status.stopped_at.is_some() {
            return Err(SmsRefusal::Stopped);
        }
        if status.sent_today >= i64::from(status.daily_budget) {
            return Err(SmsRefusal::BudgetSpent);
        }
        Ok(())
    }

    /// The must-change statement that takes one SMS from the day's budget; add it to the batch
    /// that queues the SMS. The batch conflicts when nothing is left.
    #[must_use]
    pub fn count_sms(&self, now: Timestamp) -> Statement {
        store::count_sms(now, self.auth.settings().sms.daily_budget)
    }

    /// How SMS stand.
    pub async fn sms_status(&self) -> Result<SmsStatus, InternalError> {
        let now = self.auth.clock().now();
        let row = self.auth.database().read_one(store::sms_today(now)).await?;
        let (stopped_at, sent_today) = match row {
            Some(row) => (row.optional_time(0)?, row.optional_int(1)?.unwrap_or(0)),
            None => (None, 0),
        };
        Ok(SmsStatus {
            is_configured: self.auth.inner.sms.is_some(),
            stopped_at,
            sent_today,
            daily_budget: self.auth.settings().sms.daily_budget,
        })
    }

    /// The must-change statement that stops SMS on every node; it conflicts when they are
    /// stopped already.
    #[expect(clippy::unused_self, reason = "an act like the others")]
    pub(crate) fn stop_sms_statement(&self, now: Timestamp) -> Statement {
        store::stop_sms(now)
    }

    /// The must-change statement that undoes a stop; it conflicts when there is none.
    #[expect(clippy::unused_self, reason = "an act like the others")]
    pub(crate) fn start_sms_statement(&self) -> Statement {
        store::start_sms()
    }

    /// Removes up to `limit` days of the budget that nobody asks about any more.
    pub(super) async fn sweep_budgets(&self, limit: i64) -> Result<usize, InternalError> {
        let swept = store::sweep_budgets(self.auth.clock().now(), limit);
        let rows = self.auth.database().write_returning(swept).await;
        Ok(rows.map_err(WriteError::unexpected)?.len())
    }
}
