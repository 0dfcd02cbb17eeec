//! Where people came from: registration sources and their analytics.
//!
//! Owns the tables `registration_sources`, `account_sources` and `source_days`.

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
