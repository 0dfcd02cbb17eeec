//! Any SMS gateway that is spoken to over HTTP: one request for each SMS, as its documents say.

mod content;
mod request;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use reqwest::{Client, Response};

use self::request::Shape;
use super::http;
use crate::ports::{SendError, Sms, SmsTransport, Token};
use crate::settings::Mistake;
use crate::time::seconds;

/// How it is named in logs; its address may hold a secret.
const NAME: &str = "the SMS gateway";
/// How much of an answer is read when it is looked at.
const LONGEST_ANSWER: usize = 64 * 1_024;

/// The request's method.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GatewayMethod {
    /// `POST`.
    #[default]
    Post,
    /// `PUT`.
    Put,
    /// `GET`, with the form in the query. Logs on the way keep it: for gateways that know
    /// nothing else.
    Get,
}

/// What the template of the body is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GatewayFormat {
    /// JSON; what an SMS fills in stands in its strings.
    #[default]
    Json,
    /// `name=value&name=value`; the values are encoded when they are sent.
    Form,
}

/// A gateway. Texts may hold `{to}`, `{digits}` (the number without `+`), `{text}`, `{id}`,
/// `{seconds}` (how long it is of use) and `{token}`.
#[derive(Debug, Clone)]
pub struct GatewaySettings {
    /// Where requests go. Plain `http` is taken for this machine only.
    pub url: String,
    /// The request's method.
    pub method: GatewayMethod,
    /// What `body` is.
    pub format: GatewayFormat,
    /// The template of the body.
    pub body: String,
    /// Further headers, by name.
    pub headers: Vec<(String, String)>,
    /// The gateway's secret; a bearer token where no text holds `{token}`.
    pub token: Option<Token>,
    /// What an answer of success must hold, for gateways that report failures with 200.
    pub answer_contains: Option<String>,
    /// How long handing over one SMS may take.
    pub deadline: Duration,
}

impl GatewaySettings {
    /// `POST` of JSON without a secret.
    #[must_use]
    pub fn new(url: String, body: String) -> Self {
        Self {
            url,
            method: GatewayMethod::default(),
            format: GatewayFormat::default(),
            body,
            headers: Vec::new(),
            token: None,
            answer_contains: None,
            deadline: seconds(25),
        }
    }
}

/// SMS by an HTTP gateway.
pub struct Gateway {
    client: Client,
    shape: Shape,
    answer_contains: Option<String>,
}

impl Gateway {
    /// Checks the settings; nothing is connected yet.
    pub fn new(settings: &GatewaySettings) -> Result<Self, Vec<Mistake>> {
        let shape = Shape::read(settings)?;
        let client = http::sms_client(settings.deadline);
        let client =
            client.map_err(|sentence| vec![Mistake { key: "sms.http".into(), sentence }])?;
        Ok(Self { client, shape, answer_contains: settings.answer_contains.clone() })
    }

    async fn deliver(&self, sms: &Sms) -> Result<(), SendError> {
        match self.shape.request(&self.client, sms)?.send().await {
            Ok(answer) => {
                http::verdict(NAME, answer.status())?;
                self.look_at(answer).await
            }
            Err(error) => Err(http::unanswered_sms(NAME, &error)),
        }
    }

    /// Looks for the words of success, where there are some, in the beginning of an answer.
    async fn look_at(&self, mut answer: Response) -> Result<(), SendError> {
        let Some(words) = &self.answer_contains else { return Ok(()) };
        let mut read = Vec::new();
        while read.len() < LONGEST_ANSWER {
            match answer.chunk().await {
                Ok(Some(chunk)) => {
                    let room = LONGEST_ANSWER - read.len();
                    read.extend(chunk.iter().take(room));
                }
                Ok(None) => break,
                Err(error) => return Err(http::unanswered_sms(NAME, &error)),
            }
            if String::from_utf8_lossy(&read).contains(words) {
                return Ok(());
            }
        }
        // Whether it left is not known, so it is not sent again.
        Err(SendError::Never(format!("{NAME} did not say that it took the SMS")))
    }
}

impl SmsTransport for Gateway {
    fn send<'a>(
        &'a self,
        sms: &'a Sms,
    ) -> Pin<Box<dyn Future<Output = Result<(), SendError>> + Send + 'a>> {
        Box::pin(self.deliver(sms))
    }
}
