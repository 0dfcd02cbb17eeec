//! The development inbox: keeps mails and SMS in memory instead of sending them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use ironlatch_core::ports::{Clock as _, Mail, MailTransport, SendError, Sms, SmsTransport};
use ironlatch_core::time::Timestamp;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Development;
use super::clock::MovedClock;

/// How many messages are kept; the oldest go first.
const KEPT: usize = 1_000;

/// A mail or an SMS as shown; an SMS has a text only.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) channel: &'static str,
    pub(super) to: String,
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
    pub(super) sent_at: String,
}

/// Takes every mail and SMS.
#[derive(Default)]
pub(crate) struct Inbox {
    clock: Arc<MovedClock>,
    entries: Mutex<VecDeque<Entry>>,
}

impl Inbox {
    pub(super) fn new(clock: Arc<MovedClock>) -> Self {
        Self { clock, entries: Mutex::default() }
    }

    fn keep(&self, entry: Entry) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.push_front(entry);
        entries.truncate(KEPT);
    }

    /// Newest first.
    pub(super) fn newest_first(&self) -> Vec<Entry> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().cloned().collect()
    }
}

impl MailTransport for Inbox {
    fn send<'a>(
        &'a self,
        mail: &'a Mail,
    ) -> Pin<Box<dyn Future<Output = Result<(), SendError>> + Send + 'a>> {
        let entry = Entry {
            id: mail.id.to_string(),
            channel: "email",
            to: mail.to.clone(),
            subject: mail.subject.clone(),
            text: mail.text.clone(),
            html: mail.html.clone(),
            sent_at: rfc_3339(self.clock.now()),
        };
        self.keep(entry);
        Box::pin(std::future::ready(Ok(())))
    }
}

impl SmsTransport for Inbox {
    fn send<'a>(
        &'a self,
        sms: &'a Sms,
    ) -> Pin<Box<dyn Future<Output = Result<(), SendError>> + Send + 'a>> {
        self.keep(Entry {
            id: sms.id.to_string(),
            channel: "sms",
            to: sms.to.clone(),
            subject: String::new(),
            text: sms.text.clone(),
            html: String::new(),
            sent_at: rfc_3339(self.clock.now()),
        });
        Box::pin(std::future::ready(Ok(())))
    }
}

/// `GET /dev/inbox.json`.
pub(super) async fn list(State(development): State<Development>) -> Json<Vec<Entry>> {
    Json(development.inbox.newest_first())
}

/// A moment as people and programs read it, in UTC.
pub(super) fn rfc_3339(moment: Timestamp) -> String {
    let at = OffsetDateTime::from_unix_timestamp(moment.seconds()).ok();
    at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default()
}
