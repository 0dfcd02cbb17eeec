//! A way to send mail that does what a test tells it.

use std::collections::HashMap;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use ironlatch_core::ids::MessageId;
use ironlatch_core::ports::{Mail, MailTransport, SendError, Sms, SmsTransport};
use tokio::sync::Notify;

/// What happens to a mail.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate {
    Taken,
    Later,
    Never,
    Panic,
    /// Nothing is answered, and nothing taken.
    Hang,
    /// The other side has the mail and its answer never comes.
    TakenUnanswered,
}

type Rule = Box<dyn Fn(&Mail) -> Fate + Send>;

/// Takes mails and SMS, or does not, as a rule says.
pub(super) struct Post {
    rule: Mutex<Rule>,
    tried: Mutex<Vec<String>>,
    taken: Mutex<Vec<(MessageId, String)>>,
    /// Rings at every try.
    pub(super) bell: Notify,
}

impl Post {
    pub(super) fn new(rule: impl Fn(&Mail) -> Fate + Send + 'static) -> Arc<Self> {
        Arc::new(Self {
            rule: Mutex::new(Box::new(rule)),
            tried: Mutex::default(),
            taken: Mutex::default(),
            bell: Notify::new(),
        })
    }

    /// From now on another rule.
    pub(super) fn follow(&self, rule: impl Fn(&Mail) -> Fate + Send + 'static) {
        *self.rule.lock().unwrap() = Box::new(rule);
    }

    /// To whom mails were tried to be sent, in order.
    pub(super) fn tries(&self) -> usize {
        self.tried.lock().unwrap().len()
    }

    /// Recipients of the mails that were taken, in order.
    pub(super) fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().iter().map(|(_, to)| to.clone()).collect()
    }

    /// How often each mail was taken.
    pub(super) fn copies(&self) -> HashMap<MessageId, usize> {
        let mut copies = HashMap::new();
        for (id, _) in &*self.taken.lock().unwrap() {
            *copies.entry(*id).or_default() += 1;
        }
        copies
    }

    async fn try_one(&self, mail: Mail) -> Result<(), SendError> {
        self.tried.lock().unwrap().push(mail.to.clone());
        let fate = (self.rule.lock().unwrap())(&mail);
        if matches!(fate, Fate::Taken | Fate::TakenUnanswered) {
            self.take(&mail);
        }
        self.bell.notify_one();
        tokio::task::yield_now().await;
        match fate {
            Fate::Taken => Ok(()),
            Fate::Later => Err(SendError::Later("not now".to_owned())),
            Fate::Never => Err(SendError::Never("not ever".to_owned())),
            Fate::Panic => panic!("the transport is broken"),
            Fate::Hang | Fate::TakenUnanswered => pending().await,
        }
    }

    fn take(&self, mail: &Mail) {
        self.taken.lock().unwrap().push((mail.id, mail.to.clone()));
    }
}

impl MailTransport for Post {
    fn send<'a>(
        &'a self,
        mail: &'a Mail,
    ) -> Pin<Box<dyn Future<Output = Result<(), SendError>> + Send + 'a>> {
        Box::pin(self.try_one(mail.clone()))
    }
}

impl SmsTransport for Post {
    fn send<'a>(
        &'a self,
        sms: &'a Sms,
    ) -> Pin<Box<dyn Future<Output = Result<(), SendError>> + Send + 'a>> {
        let mail = Mail { id: sms.id, text: sms.text.clone(), ..super::mail(&sms.to) };
        Box::pin(self.try_one(mail))
    }
}
