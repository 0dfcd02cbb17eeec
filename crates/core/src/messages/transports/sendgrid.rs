//! `SendGrid`'s HTTP API, version 3: `POST /v3/mail/send`.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use reqwest::Client;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use serde_json::{Value, json};

use super::{http, rfc5322};
use crate::ports::{Mail, MailTransport, SendError, Token};
use crate::settings::Mistake;
use crate::time::seconds;

/// Where `SendGrid` is.
const BASE_URL: &str = "https://api.sendgrid.com";

/// An account at `SendGrid`.
#[derive(Debug, Clone)]
pub struct SendGridSettings {
    /// The key, allowed to send mail and nothing else.
    pub api_key: Token,
    /// The API's address. Plain `http` is taken for this machine only.
    pub base_url: String,
    /// How long handing over one mail may take.
    pub deadline: Duration,
}

impl SendGridSettings {
    /// The public API.
    #[must_use]
    pub fn new(api_key: Token) -> Self {
        Self { api_key, base_url: BASE_URL.to_owned(), deadline: seconds(25) }
    }
}

/// Mail by `SendGrid`.
pub struct SendGrid {
    client: Client,
    url: reqwest::Url,
    authorization: HeaderValue,
}

impl SendGrid {
    /// Checks the settings; nothing is connected yet.
    pub fn new(settings: &SendGridSettings) -> Result<Self, Vec<Mistake>> {
        let mistake = |key: &'static str, sentence: &str| {
            vec![Mistake { key: key.into(), sentence: sentence.to_owned() }]
        };
        let url = format!("{}/v3/mail/send", settings.base_url.trim_end_matches('/'));
        let url = http::endpoint(&url)
            .ok_or_else(|| mistake("mail.sendgrid.base_url", "must be a URL with https"))?;
        let mut authorization =
            HeaderValue::try_from(format!("Bearer {}", settings.api_key.reveal()))
                .map_err(|_| mistake("mail.sendgrid.api_key", "must be a key on one line"))?;
        authorization.set_sensitive(true);
        let client = http::client(settings.deadline).and_then(http::built);
        let client = client.map_err(|error| mistake("mail.sendgrid", &error))?;
        Ok(Self { client, url, authorization })
    }

    async fn deliver(&self, mail: &Mail) -> Result<(), SendError> {
        let body = body(mail)?;
        let request = self.client.post(self.url.clone()).json(&body);
        let answer = request.header(AUTHORIZATION, self.authorization.clone()).send().await;
        // The answer's body is not read: the status says it all, and it may be of any length.
        match answer {
            Ok(answer) => http::verdict("SendGrid", answer.status()),
            Err(error) if error.is_timeout() => {
                Err(SendError::Later("SendGrid did not answer in time".to_owned()))
            }
            Err(_) => Err(SendError::Later("SendGrid cannot be reached".to_owned())),
        }
    }
}

impl MailTransport for SendGrid {
    fn send<'a>(
        &'a self,
        mail: &'a Mail,
    ) -> Pin<Box<dyn Future<Output = Result<(), SendError>> + Send + 'a>> {
        Box::pin(self.deliver(mail))
    }
}

/// The mail as the API wants it, with everything switched off that would follow the reader or
/// rewrite the links.
fn body(mail: &Mail) -> Result<Value, SendError> {
    let from = rfc5322::mailbox(&mail.from)?;
    let to = rfc5322::mailbox(&mail.to)?;
    if mail.subject.contains(char::is_control) {
        return Err(SendError::Never("the subject is not one line".to_owned()));
    }
    let mut sender = json!({ "email": from.email.to_string() });
    if let (Some(sender), Some(name)) = (sender.as_object_mut(), &from.name) {
        sender.insert("name".to_owned(), name.as_str().into());
    }
    Ok(json!({
        "personalizations": [{ "to": [{ "email": to.email.to_string() }] }],
        "from": sender,
        "subject": mail.subject,
        "content": [
            { "type": "text/plain", "value": mail.text },
            { "type": "text/html", "value": mail.html },
        ],
        "headers": {
            "Message-ID": rfc5322::message_id(mail, &from),
            "Auto-Submitted": rfc5322::AUTO_GENERATED,
        },
        "tracking_settings": {
            "click_tracking": { "enable": false, "enable_text": false },
            "open_tracking": { "enable": false },
            "subscription_tracking": { "enable": false },
        },
    }))
}
