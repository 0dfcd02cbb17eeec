//! What operators ask: which sources bring people, when, and how many of them stay.

use std::time::Duration;

use super::{Day, Sources, store};
use crate::audit::{Entry, Event};
use crate::database::{Batch, Row, Statement, WriteError};
use crate::error::InternalError;
use crate::ids::{AccountId, SourceId};
use crate::time::{Timestamp, days};

/// How long a source is kept that nobody comes from.
const UNUSED_KEPT: Duration = days(90);
/// How long days are kept, and so the longest period worth asking for.
const LONGEST_PERIOD: i64 = 400;
/// The period that is meant when none is given.
const USUAL_PERIOD: i64 = 30;
/// Rows of one answer.
const MOST_ROWS: u32 = 1_000;
/// How many make a list of the top.
const USUAL_TOP: u32 = 10;

/// A source as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Its identifier.
    pub id: SourceId,
    /// The page; nobody should follow it blindly, a stranger may have written it.
    pub url: String,
    /// What it is called as long as no operator names it.
    pub category: String,
    /// The operator's name for it, or empty.
    pub name: String,
    /// The operator's words about it.
    pub description: String,
    /// Whether reports show it.
    pub is_active: bool,
    /// When somebody first came from it.
    pub created_at: Timestamp,
    /// When an operator last changed it.
    pub updated_at: Timestamp,
}

impl Registration {
    /// The operator's name, else the category.
    #[must_use]
    pub fn display_name(&self) -> &str {
        if self.name.is_empty() { &self.category } else { &self.name }
    }

    /// The host, and the port where it is not the usual one.
    #[must_use]
    pub fn domain(&self) -> &str {
        let rest = self.url.split_once("://").map_or("", |(_, rest)| rest);
        rest.split(['/', '?']).next().unwrap_or_default()
    }
}

/// Who came from a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceCount {
    /// The source.
    pub source: Registration,
    /// Accounts linked to it, at sign-up or later.
    pub users: i64,
    /// Accounts made by somebody who came from it.
    pub sign_ups: i64,
}

/// Sign-ups of one day from one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DailySignUps {
    /// The day, in UTC.
    pub day: Day,
    /// The source.
    pub source: Registration,
    /// Accounts made that day.
    pub sign_ups: i64,
}

/// How many of those who asked for a first code proved their address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversion {
    /// The source.
    pub source: Registration,
    /// Code requests of identifiers without an account; who asks again while the code lives
    /// counts once.
    pub requested: i64,
    /// Accounts made by proving a code.
    pub verified: i64,
}

impl Conversion {
    /// The share of requests that became accounts; `None` without any request.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        let number = |count: i64| f64::from(i32::try_from(count).unwrap_or(i32::MAX));
        (self.requested > 0).then(|| number(self.verified) / number(self.requested))
    }
}

/// What a report is asked for. What is left open is filled in: the last 30 days, the top 10.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// The first day.
    pub from: Option<Day>,
    /// The last day, itself included.
    pub to: Option<Day>,
    /// How many rows, 1,000 at most.
    pub limit: Option<u32>,
    /// Also sources that operators have set aside.
    pub include_inactive: bool,
}

/// Days from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first day.
    pub from: Day,
    /// The last day, itself included.
    pub to: Day,
}

/// Rows of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report<T> {
    /// What it is about; a list of the top is about all time.
    pub period: Option<Period>,
    /// In order of weight, or of time.
    pub rows: Vec<T>,
    /// Whether there were more rows than asked for.
    pub is_cut: bool,
}

/// Why a report cannot be asked for like that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WishProblem {
    /// The first day lies behind the last.
    #[error("The first day must not lie after the last.")]
    Reversed,
    /// More days than are kept.
    #[error("A period has at most 400 days.")]
    TooLong,
    /// No rows, or too many.
    #[error("Ensure this value is between 1 and 1000.")]
    Limit,
}

impl WishProblem {
    /// The member of [`Wish`] it is about.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Reversed | Self::TooLong => "from",
            Self::Limit => "limit",
        }
    }
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// It cannot be asked for like that.
    #[error(transparent)]
    Wish(#[from] WishProblem),
    /// The store failed.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

/// What an operator changes; `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceChange {
    /// A name, or empty for the category.
    pub name: Option<String>,
    /// Words about it.
    pub description: Option<String>,
    /// Whether reports show it.
    pub is_active: Option<bool>,
}

impl Wish {
    fn period(&self, today: Day) -> Result<Period, WishProblem> {
        let to = self.to.unwrap_or(today);
        let from = self.from.unwrap_or(to.plus(1 - USUAL_PERIOD));
        if from > to {
            return Err(WishProblem::Reversed);
        }
        if from < to.plus(1 - LONGEST_PERIOD) {
            return Err(WishProblem::TooLong);
        }
        Ok(Period { from, to })
    }

    fn rows(&self, usual: u32) -> Result<usize, WishProblem> {
        let limit = self.limit.unwrap_or(usual);
        if (1..=MOST_ROWS).contains(&limit) {
            usize::try_from(limit).map_err(|_| WishProblem::Limit)
        } else {
            Err(WishProblem::Limit)
        }
    }
}

/// One row more than wanted tells whether there were more.
fn one_more(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX).saturating_add(1)
}

impl Sources<'_> {
    /// The sources that most accounts are linked to, of all time.
    pub async fn top(&self, wish: &Wish) -> Result<Report<SourceCount>, ReportError> {
        let rows = wish.rows(USUAL_TOP)?;
        let wanted = store::top(one_more(rows), wish.include_inactive);
        Ok(self.report(wanted, rows, None, source_count).await?)
    }

    /// Who came from where in a period: sign-ups, and accounts linked at sign-up or later.
    pub async fn over_period(&self, wish: &Wish) -> Result<Report<SourceCount>, ReportError> {
        let (period, rows) = self.bounds(wish)?;
        let wanted = store::over_period(&span(wish, period, rows));
        Ok(self.report(wanted, rows, Some(period), source_count).await?)
    }

    /// Sign-ups of each day by source, the earliest first.
    pub async fn daily(&self, wish: &Wish) -> Result<Report<DailySignUps>, ReportError> {
        let (period, rows) = self.bounds(wish)?;
        let wanted = store::daily(&span(wish, period, rows));
        let read = |row: &Row| {
            let source = store::registration(row)?;
            Ok(DailySignUps { source, day: Day(row.int(8)?), sign_ups: row.int(9)? })
        };
        Ok(self.report(wanted, rows, Some(period), read).await?)
    }

    /// How many first code requests became accounts, by source.
    pub async fn conversion(&self, wish: &Wish) -> Result<Report<Conversion>, ReportError> {
        let (period, rows) = self.bounds(wish)?;
        let Period { from, to } = period;
        let wanted = store::conversion(from, to, wish.include_inactive, one_more(rows));
        let read = |row: &Row| {
            let source = store::registration(row)?;
            Ok(Conversion { source, requested: row.int(8)?, verified: row.int(9)? })
        };
        Ok(self.report(wanted, rows, Some(period), read).await?)
    }

    /// Changes what an operator says of a source; `None` when there is no such source.
    pub async fn change(
        &self,
        id: SourceId,
        change: &SourceChange,
        operator: AccountId,
    ) -> Result<Option<Registration>, InternalError> {
        let now = self.auth.clock().now();
        let mut batch = Batch::new();
        batch.add_returning(store::change(id, change, now));
        let entry = Entry::new(Event::SourceChanged).account(operator);
        let entry = entry.details(serde_json::json!({ "source": id.to_string() }));
        batch.add(entry.statement(now, self.auth.random()));
        match self.auth.database().write(batch).await {
            Ok(rows) => rows.first().map(store::registration).transpose(),
            Err(WriteError::Conflict { .. }) => Ok(None),
            Err(WriteError::Internal(cause)) => Err(cause),
        }
    }

    /// Removes days older than 400 days, and sources that brought nobody for 90; at most `limit`
    /// of each. Answers how many went.
    pub async fn sweep(&self, limit: i64) -> Result<usize, InternalError> {
        let now = self.auth.clock().now();
        let database = self.auth.database();
        let oldest = Day::of(now).plus(1 - LONGEST_PERIOD);
        let days = database.write_returning(store::sweep_days(oldest, limit)).await;
        let days = days.map_err(WriteError::unexpected)?.len();
        let unused = store::sweep(now.minus(UNUSED_KEPT), limit);
        let unused = database.write_returning(unused).await.map_err(WriteError::unexpected)?;
        Ok(days.saturating_add(unused.len()))
    }

    fn bounds(&self, wish: &Wish) -> Result<(Period, usize), WishProblem> {
        let period = wish.period(Day::of(self.auth.clock().now()))?;
        Ok((period, wish.rows(MOST_ROWS)?))
    }

    async fn report<T>(
        &self,
        wanted: Statement,
        rows: usize,
        period: Option<Period>,
        read: impl Fn(&Row) -> Result<T, InternalError>,
    ) -> Result<Report<T>, InternalError> {
        let found = self.auth.database().read(wanted).await?;
        let is_cut = found.len() > rows;
        let rows = found.iter().take(rows).map(read).collect::<Result<_, _>>()?;
        Ok(Report { period, rows, is_cut })
    }
}

fn span(wish: &Wish, period: Period, rows: usize) -> store::Span {
    store::Span {
        from: period.from.begins_at(),
        until: period.to.plus(1).begins_at(),
        include_inactive: wish.include_inactive,
        rows: one_more(rows),
    }
}

fn source_count(row: &Row) -> Result<SourceCount, InternalError> {
    let source = store::registration(row)?;
    Ok(SourceCount { source, users: row.int(8)?, sign_ups: row.int(9)? })
}
