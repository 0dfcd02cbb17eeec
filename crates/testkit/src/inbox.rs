//! An inbox to read: mail and SMS go here instead of to their servers.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ironlatch_core::ports::{Mail, MailTransport, SendError, Sms, SmsTransport};

/// Captures every mail and SMS; can be told to refuse the next ones.
#[derive(Default)]
pub struct Inbox {
    shelf: Mutex<Shelf>,
}

#[derive(Default)]
struct Shelf {
    mails: Vec<Received>,
    refusals: VecDeque<SendError>,
    attempts: usize,
}

impl Inbox {
    /// An empty inbox.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything so far, the oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<Received> {
        self.shelf().mails.clone()
    }

    /// Everything to one address or number, the oldest first.
    #[must_use]
    pub fn to(&self, address: &str) -> Vec<Received> {
        self.all().into_iter().filter(|mail| mail.to == address).collect()
    }

    /// The newest mail or SMS to an address or number; fails the test when there is none.
    #[must_use]
    #[track_caller]
    pub fn latest(&self, address: &str) -> Received {
        let all = self.all();
        let seen: Vec<_> =
            all.iter().map(|mail| format!("{}: {}", mail.to, mail.subject)).collect();
        match all.into_iter().rfind(|mail| mail.to == address) {
            Some(mail) => mail,
            None => panic!("no mail to {address}; the inbox holds {seen:?}"),
        }
    }

    /// The newest mail to an address whose subject holds `words`; fails the test when there is
    /// none.
    #[must_use]
    #[track_caller]
    pub fn latest_about(&self, address: &str, words: &str) -> Received {
        let mails = self.to(address);
        let seen: Vec<_> = mails.iter().map(|mail| mail.subject.clone()).collect();
        match mails.into_iter().rfind(|mail| mail.subject.contains(words)) {
            Some(mail) => mail,
            None => panic!("no mail about {words:?} to {address}, only {seen:?}"),
        }
    }

    /// Forgets what came so far.
    pub fn clear(&self) {
        self.shelf().mails.clear();
    }

    /// Makes the next attempt to send fail; called twice, the next two.
    pub fn fail_next(&self, error: SendError) {
        self.shelf().refusals.push_back(error);
    }

    /// How often somebody tried to send, failures included.
    #[must_use]
    pub fn attempts(&self) -> usize {
        self.shelf().attempts
    }

    fn take(&self, arrived: Received) -> Result<(), SendError> {
        let mut kept = self.shelf();
        kept.attempts += 1;
        if let Some(refusal) = kept.refusals.pop_front() {
            return Err(refusal);
        }
        kept.mails.push(arrived);
        Ok(())
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MailTransport for Inbox {
    fn send<'a>(
        &'a self,
        mail: &'a Mail,
    ) -> Pin<Box<dyn Future<Output = Result<(), SendError>> + Send + 'a>> {
        let answer = self.take(Received { channel: "email", content: mail.clone() });
        Box::pin(std::future::ready(answer))
    }
}

impl SmsTransport for Inbox {
    fn send<'a>(
        &'a self,
        sms: &'a Sms,
    ) -> Pin<Box<dyn Future<Output = Result<(), SendError>> + Send + 'a>> {
        let content = Mail {
            id: sms.id,
            from: String::new(),
            to: sms.to.clone(),
            subject: String::new(),
            text: sms.text.clone(),
            html: String::new(),
        };
        let answer = self.take(Received { channel: "sms", content });
        Box::pin(std::future::ready(answer))
    }
}

/// A mail that arrived, or an SMS: a mail without subject and HTML.
#[derive(Clone)]
pub struct Received {
    /// `email` or `sms`.
    pub channel: &'static str,
    content: Mail,
}

impl std::ops::Deref for Received {
    type Target = Mail;

    fn deref(&self) -> &Mail {
        &self.content
    }
}

impl Received {
    /// The six digits that stand alone in the text.
    #[must_use]
    #[track_caller]
    pub fn code(&self) -> String {
        let words = self.text.split(|c: char| !c.is_ascii_alphanumeric());
        let is_code = |word: &&str| word.len() == 6 && word.bytes().all(|it| it.is_ascii_digit());
        match words.filter(is_code).collect::<Vec<_>>()[..] {
            [code] => code.to_owned(),
            _ => panic!("there is not exactly one code in {:?}", self.text),
        }
    }

    /// The first link in the plain text.
    #[must_use]
    #[track_caller]
    pub fn link(&self) -> String {
        let start = match (self.text.find("https://"), self.text.find("http://")) {
            (Some(a), Some(b)) => a.min(b),
            (Some(a), None) | (None, Some(a)) => a,
            (None, None) => panic!("the mail {:?} has no link: {}", self.subject, self.text),
        };
        self.text.split_at(start).1.split_whitespace().collect::<Vec<_>>().remove(0).to_owned()
    }

    /// The link without scheme and host, as a browser of [`TestServer`](crate::TestServer)
    /// visits it.
    #[must_use]
    #[track_caller]
    pub fn path(&self) -> String {
        let link = self.link();
        let after_scheme = link.split_once("://").map_or(link.as_str(), |(_, rest)| rest);
        match after_scheme.find('/') {
            Some(slash) => after_scheme.split_at(slash).1.to_owned(),
            None => "/".to_owned(),
        }
    }

    /// The secret in the link.
    #[must_use]
    #[track_caller]
    pub fn token(&self) -> String {
        let link = self.link();
        match link.split_once("token=") {
            Some((_, rest)) => rest.split(['&', '#']).next().unwrap_or_default().to_owned(),
            None => panic!("the link {link} carries no token"),
        }
    }
}
