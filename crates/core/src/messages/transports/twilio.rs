//! Twilio's HTTP API: `POST /2010-04-01/Accounts/{sid}/Messages.json`.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use reqwest::Client;

use super::http;
use crate::ports::{SendError, Sms, SmsTransport, Token};
use crate::settings::Mistake;
use crate::time::seconds;

/// Where Twilio is.
const BASE_URL: &str = "https://api.twilio.com";
/// The longest `ValidityPeriod` in seconds that Twilio has taken at all times.
const LONGEST_VALIDITY: u64 = 14_400;
/// How it is named in logs.
const NAME: &str = "Twilio";

/// Who an SMS is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TwilioSender {
    /// A number (E.164), a short code or a name that the account may send as.
    From(String),
    /// A messaging service, which chooses one: `MG` and 32 hexadecimal digits.
    MessagingService(String),
}

/// An account at Twilio.
#[derive(Debug, Clone)]
pub struct TwilioSettings {
    /// The account: `AC` and 32 hexadecimal digits.
    pub account_sid: String,
    /// The API key whose secret is given; without one it is the account's own token.
    pub key_sid: Option<String>,
    /// The account's token, or the key's secret.
    pub auth_token: Token,
    /// Who an SMS is from.
    pub sender: TwilioSender,
    /// The API's address. Plain `http` is taken for this machine only.
    pub base_url: String,
    /// How long handing over one SMS may take.
    pub deadline: Duration,
}

impl TwilioSettings {
    /// The public API, signed in with the account's own token.
    #[must_use]
    pub fn new(account_sid: String, auth_token: Token, sender: TwilioSender) -> Self {
        Self {
            account_sid,
            key_sid: None,
            auth_token,
            sender,
            base_url: BASE_URL.to_owned(),
            deadline: seconds(25),
        }
    }
}

/// SMS by Twilio.
pub struct Twilio {
    client: Client,
    url: reqwest::Url,
    user: String,
    password: Token,
    sender: TwilioSender,
}

impl Twilio {
    /// Checks the settings; nothing is connected yet.
    pub fn new(settings: &TwilioSettings) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = mistakes(settings);
        let account = &settings.account_sid;
        let base = settings.base_url.trim_end_matches('/');
        let url = http::endpoint(&format!("{base}/2010-04-01/Accounts/{account}/Messages.json"));
        if url.is_none() {
            mistakes.push(mistake("sms.twilio.base_url", "must be a URL with https"));
        }
        let client = http::sms_client(settings.deadline);
        match (client, url) {
            (Ok(client), Some(url)) if mistakes.is_empty() => Ok(Self {
                client,
                url,
                user: settings.key_sid.as_ref().unwrap_or(account).clone(),
                password: settings.auth_token.clone(),
                sender: settings.sender.clone(),
            }),
            (client, _) => {
                mistakes.extend(client.err().map(|error| mistake("sms.twilio", &error)));
                Err(mistakes)
            }
        }
    }

    async fn deliver(&self, sms: &Sms) -> Result<(), SendError> {
        let sender = match &self.sender {
            TwilioSender::From(from) => ("From", from.as_str()),
            TwilioSender::MessagingService(sid) => ("MessagingServiceSid", sid.as_str()),
        };
        // After that Twilio drops it, so that no code arrives when it is of no use any more.
        let validity = sms.valid_for.as_secs().clamp(1, LONGEST_VALIDITY).to_string();
        let form = [
            ("To", sms.to.as_str()),
            sender,
            ("Body", sms.text.as_str()),
            ("ValidityPeriod", validity.as_str()),
        ];
        let request = self.client.post(self.url.clone()).form(&form);
        let answer = request.basic_auth(&self.user, Some(self.password.reveal())).send().await;
        // The answer's body is not read: it repeats the text and may be of any length.
        match answer {
            Ok(answer) => http::verdict(NAME, answer.status()),
            Err(error) => Err(http::unanswered_sms(NAME, &error)),
        }
    }
}

impl SmsTransport for Twilio {
    fn send<'a>(
        &'a self,
        sms: &'a Sms,
    ) -> Pin<Box<dyn Future<Output = Result<(), SendError>> + Send + 'a>> {
        Box::pin(self.deliver(sms))
    }
}

/// What is wrong with everything but the address.
fn mistakes(settings: &TwilioSettings) -> Vec<Mistake> {
    let token = settings.auth_token.reveal();
    let sender = match &settings.sender {
        TwilioSender::From(from) => (
            is_sender(from),
            mistake(
                "sms.twilio.from",
                "must be a number like +15005550006, a short code, or a name of at most 11 \
                 letters and digits",
            ),
        ),
        TwilioSender::MessagingService(sid) => (
            is_sid("MG", sid),
            mistake(
                "sms.twilio.messaging_service_sid",
                "must be MG and 32 hexadecimal digits, as the console shows it",
            ),
        ),
    };
    let checks = [
        (
            is_sid("AC", &settings.account_sid),
            mistake(
                "sms.twilio.account_sid",
                "must be AC and 32 hexadecimal digits, as the console shows it",
            ),
        ),
        (
            settings.key_sid.as_ref().is_none_or(|key| is_sid("SK", key)),
            mistake("sms.twilio.key_sid", "must be SK and 32 hexadecimal digits"),
        ),
        (
            !token.is_empty() && !token.contains(|c: char| c.is_control() || c == ' '),
            mistake("sms.twilio.auth_token_file", "must hold the token alone, on one line"),
        ),
        sender,
    ];
    checks.into_iter().filter(|(fine, _)| !fine).map(|(_, mistake)| mistake).collect()
}

fn mistake(key: &'static str, sentence: &str) -> Mistake {
    Mistake { key: key.into(), sentence: sentence.to_owned() }
}

/// Whether a text is one of Twilio's identifiers; the account's stands in the URL.
fn is_sid(kind: &str, text: &str) -> bool {
    let rest = text.strip_prefix(kind).unwrap_or_default();
    rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a text can be a sender: a number or a short code, or a name (GSM 03.40 §9.1.2.5).
fn is_sender(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let is_number =
        (3..=15).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit());
    let is_name = (1..=11).contains(&text.len())
        && text.bytes().all(|it| it.is_ascii_alphanumeric() || it == b' ')
        && text.bytes().any(|it| it.is_ascii_alphabetic());
    is_number || is_name
}
