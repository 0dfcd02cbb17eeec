//! `SendGrid`'s HTTP API, version 3: `POST /v3/mail/send`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, StatusCode, redirect};
use serde_json::{Value, json};

use super::rfc5322;
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
        let mistake = |key, sentence: &str| vec![Mistake { key, sentence: sentence.to_owned() }];
        let url = format!("{}/v3/mail/send", settings.base_url.trim_end_matches('/'));
        let url = reqwest::Url::parse(&url)
            .ok()
            .filter(|url| url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url)))
            .ok_or_else(|| mistake("mail.sendgrid.base_url", "must be a URL with https"))?;
        let mut authorization =
            HeaderValue::try_from(format!("Bearer {}", settings.api_key.reveal()))
                .map_err(|_| mistake("mail.sendgrid.api_key", "must be a key on one line"))?;
        authorization.set_sensitive(true);
        let client = client(settings.deadline).map_err(|error| mistake("mail.sendgrid", &error))?;
        Ok(Self { client, url, authorization })
    }

    async fn deliver(&self, mail: &Mail) -> Result<(), SendError> {
        let body = body(mail)?;
        let request = self.client.post(self.url.clone()).json(&body);
        let answer = request.header(AUTHORIZATION, self.authorization.clone()).send().await;
        // The answer's body is not read: the status says it all, and it may be of any length.
        match answer {
            Ok(answer) => verdict(answer.status()),
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

/// A refused mail (400, 413, …) is refused for good. A refused key (401, 403), a redirect and a
/// wrong address (404) are our configuration's fault: the mail waits until it is set right.
fn verdict(status: StatusCode) -> Result<(), SendError> {
    let sentence = format!("SendGrid answered {}", status.as_u16());
    match status.as_u16() {
        200..=299 => Ok(()),
        401 | 403 | 404 | 405 | 408 | 425 | 429 => Err(SendError::Later(sentence)),
        400..=499 => Err(SendError::Never(sentence)),
        _ => Err(SendError::Later(sentence)),
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

/// A client that follows no redirect, asks no proxy of the environment, and trusts the public
/// roots it was built with: `reqwest` alone would look for the system's, which a bare container
/// does not have.
fn client(deadline: Duration) -> Result<Client, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .timeout(deadline)
        .connect_timeout(deadline / 2)
        .build()
        .map_err(|error| format!("the HTTP client cannot be set up: {error}"))
}

fn is_loopback(url: &reqwest::Url) -> bool {
    url.host_str().is_some_and(|host| {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost"
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}
