//! How often SMS are asked for, and the operator's stop.
//!
//! Whoever earns from a range of numbers asks for SMS to many of them (attack B22). So besides
//! countries and the day's budget, what one network asks for is counted, and what goes to
//! numbers that differ in their last digits only, whoever asks.

use super::{Limits, TooMany, store};
use crate::audit::{Entry, Event};
use crate::client::Network;
use crate::database::{Batch, Statement, WriteError};
use crate::error::InternalError;
use crate::messages::SmsRefusal;
use crate::time::{Timestamp, hours};

/// A range is at least so many numbers apart: ranges are handed out by the thousand and more.
const LAST_DIGITS: usize = 4;
/// No range's beginning has more digits.
const LONGEST_PREFIX: usize = 8;

/// Why an SMS is not asked for.
#[derive(Debug)]
pub(crate) enum SmsLimitError {
    /// None goes to this number now, whoever asks.
    Refused(SmsRefusal),
    /// This network asked for too many.
    TooMany(TooMany),
}

impl Limits<'_> {
    /// Counts an SMS that this network wants sent to a number (E.164), and looks whether one
    /// may go there at all. Asked before anything is promised or written; knows nothing of
    /// accounts, so neither does the answer.
    pub(crate) async fn admit_sms(
        &self,
        network: Network,
        number: &str,
    ) -> Result<(), SmsLimitError> {
        let messages = self.auth.messages();
        messages.reaches(number).map_err(SmsLimitError::Refused)?;
        let counter = &self.auth.inner.network_limits.sms;
        counter.admit(network, self.auth.clock().now()).map_err(SmsLimitError::TooMany)?;
        messages.admits_sms(number).await.map_err(SmsLimitError::Refused)
    }

    /// The must-change statements that count one more SMS, for its range of numbers and for the
    /// day; the batch conflicts when either has had too many.
    pub(crate) fn count_sms(&self, number: &str, now: Timestamp) -> [Statement; 2] {
        let subject = self.auth.secrets().digest("sms-to-prefix", prefix(number).as_bytes());
        let most = i64::from(self.auth.settings().sms.per_prefix_hour);
        [
            store::count_within(subject, most, now, now.plus(hours(1))),
            self.auth.messages().count_sms(now),
        ]
    }

    /// Stops SMS on every node; what waits stays and expires. Answers whether they went before.
    pub async fn stop_sms(&self) -> Result<bool, InternalError> {
        let now = self.auth.clock().now();
        self.switch_sms(self.auth.messages().stop_sms_statement(now), Event::SmsStopped, now).await
    }

    /// Lets SMS go again. Answers whether they were stopped.
    pub async fn start_sms(&self) -> Result<bool, InternalError> {
        let now = self.auth.clock().now();
        self.switch_sms(self.auth.messages().start_sms_statement(), Event::SmsStarted, now).await
    }

    async fn switch_sms(
        &self,
        switch: Statement,
        event: Event,
        now: Timestamp,
    ) -> Result<bool, InternalError> {
        let mut batch = Batch::new();
        batch.add(switch);
        batch.add(Entry::new(event).statement(now, self.auth.random()));
        match self.auth.database().write(batch).await {
            Ok(_) => Ok(true),
            Err(WriteError::Conflict { .. }) => Ok(false),
            Err(WriteError::Internal(error)) => Err(error),
        }
    }
}

/// What a number shares with its range: all but the last four digits, at most eight.
fn prefix(number: &str) -> &str {
    let digits = number.trim_start_matches('+');
    let length = digits.len().saturating_sub(LAST_DIGITS).min(LONGEST_PREFIX);
    digits.get(..length).unwrap_or(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_named_by_six_to_eight_digits() {
        for (number, range) in [
            ("+491701234567", "49170123"),
            ("+12125550123", "1212555"),
            ("+5511912345678", "55119123"),
            ("+3312345678", "331234"),
            ("+123", ""),
        ] {
            assert_eq!(prefix(number), range, "{number}");
        }
    }
}
