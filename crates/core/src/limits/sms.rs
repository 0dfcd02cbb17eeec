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
        messages.reaches(number).map_err(refused)?;
        let counter = &self.auth.inner.network_limits.sms;
        counter.admit(&network, self.auth.clock().now()).map_err(SmsLimitError::TooMany)?;
        messages.admits_sms(number).await.map_err(refused)
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

/// Counts refusals, so that an operator sees a spent budget before anybody complains.
fn refused(refusal: SmsRefusal) -> SmsLimitError {
    metrics::counter!("ironlatch_sms_refused_total", "why" => refusal.word()).increment(1);
    SmsLimitError::Refused(refusal)
}

/// What a number shares with its range: all but the last four digits, at most eight.
fn prefix(number: &str) -> &str {
    let digits = number.trim_start_matches('+');
    let length = digits.len().saturating_sub(LAST_DIGITS).min(LONGEST_PREFIX);
    digits.get(..length).unwrap_or(digits)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ironlatch_testkit::each_engine;

    use super::*;
    use crate::Auth;
    use crate::messages::LogTransport;
    use crate::settings::Settings;
    use crate::time::minutes;

    async fn node(url: &str) -> Auth {
        let mut settings = Settings::default();
        settings.sms.countries = vec!["DE".to_owned()];
        settings.sms.per_prefix_hour = 5;
        settings.sms.per_network_hour = 3;
        let builder = Auth::builder().settings(settings).database(url).master_key([7; 32]);
        builder.sms(Arc::new(LogTransport)).build().await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn b22_a_range_of_numbers_gets_few_sms_whoever_asks_and_wherever() {
        each_engine(async |url| {
            let nodes = [node(&url).await, node(&url).await];
            let count = |n: usize, number: String, now| {
                let auth = &nodes[n % 2];
                let mut batch = Batch::new();
                batch.extend(auth.limits().count_sms(&number, now));
                async move { auth.database().write(batch).await.is_ok() }
            };
            let now = nodes[0].clock().now();
            let range = |n| format!("+49170123{n:04}");
            let counted = (0..50).map(|n| count(n, range(n), now));
            let counted = futures_util::future::join_all(counted).await;
            assert_eq!(counted.iter().filter(|counted| **counted).count(), 5);
            assert!(count(0, "+491719990001".to_owned(), now).await, "another range");
            assert!(!count(1, range(99), now.plus(minutes(59))).await);
            assert!(count(1, range(99), now.plus(minutes(60))).await, "an hour later");
            // What a range refused took nothing from the day's budget.
            let status = nodes[1].messages().sms_status().await.unwrap();
            assert_eq!(status.sent_today, 7);
        })
        .await;
    }

    #[tokio::test]
    async fn b22_a_network_asks_for_few_sms() {
        each_engine(async |url| {
            let auth = node(&url).await;
            let network = |last| Network::of([192, 0, 2, last].into());
            let ask = async |last, number| auth.limits().admit_sms(network(last), number).await;
            for number in ["+491701234560", "+491701234561", "+491701234562"] {
                ask(1, number).await.unwrap();
            }
            let fourth = ask(1, "+491709999999").await;
            assert!(matches!(fourth, Err(SmsLimitError::TooMany(_))));
            ask(2, "+491709999999").await.unwrap();
            for _ in 0..9 {
                let abroad = ask(3, "+18765550123").await;
                assert!(matches!(
                    abroad,
                    Err(SmsLimitError::Refused(SmsRefusal::CountryNotAllowed))
                ));
            }
            ask(3, "+491709999999").await.unwrap();
            auth.limits().stop_sms().await.unwrap();
            let stopped = ask(4, "+491709999999").await;
            assert!(matches!(stopped, Err(SmsLimitError::Refused(SmsRefusal::Stopped))));
        })
        .await;
    }

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
