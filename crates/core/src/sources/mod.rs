//! Where people came from: registration sources and their analytics.
//!
//! A source is a page's URL in one form ([`Source`]). What a request says of it is a hint that
//! anybody can make up, so it decides nothing but counts, costs no read, and is bounded: so many
//! new sources a network and hour, so many in all, so many an account (decision 0090).
//!
//! Other rooms add this room's statements to the batches of their acts; the rows of sources are
//! got or made in them, so two that come first from the same page share one row.
//!
//! Owns the tables `registration_sources`, `account_sources` and `source_days`.

mod analytics;
mod day;
mod naming;
mod page;
mod store;
#[cfg(test)]
mod tests;
mod touch;

pub use analytics::{
    Conversion, DailySignUps, Period, Registration, Report, ReportError, SourceChange, SourceCount,
    Wish, WishProblem,
};
pub use day::Day;
pub use page::Source;
pub(crate) use touch::Touch;

use crate::Auth;

/// What a request says about where somebody came from, exactly as it came: nothing of it is
/// trusted, and nothing of it decides anything but a count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceHint {
    /// The contract's `source_url`.
    pub source_url: Option<String>,
    /// The `Referer` header.
    pub referrer: Option<String>,
    /// `utm_source`, `utm_medium`, `utm_campaign`, `utm_term` and `utm_content` of the request's
    /// own query or body, by name.
    pub utm: Vec<(String, String)>,
}

/// Registration sources of an `Auth`.
pub struct Sources<'a> {
    pub(crate) auth: &'a Auth,
}
