//! One request and its answer.

use std::fmt;
use std::time::Duration;

use data_encoding::BASE64;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, HeaderValue};
use reqwest::{Client, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};
use url::{Host, Url, form_urlencoded};
use zeroize::Zeroizing;

use super::addresses::Reach;
use super::client::OutOfReach;
use super::{Line, OutboundError};
use crate::ports::Token;

/// The largest answer where nothing else is said.
const LARGEST: usize = 1024 * 1024;

/// What is asked. It has no `Debug`: forms, queries and headers hold secrets.
pub(crate) struct Ask<'a> {
    url: &'a str,
    query: &'a [(&'a str, &'a str)],
    form: Option<&'a [(&'a str, &'a str)]>,
    authorization: Option<Zeroizing<String>>,
    largest: usize,
}

/// A whole answer that is no redirect, whatever its status.
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// The body; tokens may be in it.
    pub(crate) body: Zeroizing<Vec<u8>>,
}

impl<'a> Ask<'a> {
    /// `GET`.
    pub(crate) const fn get(url: &'a str) -> Self {
        Self { url, query: &[], form: None, authorization: None, largest: LARGEST }
    }

    /// `POST` with a form.
    pub(crate) const fn post(url: &'a str, form: &'a [(&'a str, &'a str)]) -> Self {
        Self { url, query: &[], form: Some(form), authorization: None, largest: LARGEST }
    }

    /// Adds to the URL's query.
    #[must_use]
    pub(crate) const fn query(mut self, query: &'a [(&'a str, &'a str)]) -> Self {
        self.query = query;
        self
    }

    /// With an access token (RFC 6750 §2.1).
    #[must_use]
    pub(crate) fn bearer(mut self, token: &Token) -> Self {
        self.authorization = Some(Zeroizing::new(format!("Bearer {}", token.reveal())));
        self
    }

    /// As a client with its secret (RFC 6749 §2.3.1: both encoded as in forms, then Basic).
    #[must_use]
    pub(crate) fn basic(mut self, client_id: &str, secret: &Token) -> Self {
        let encoded =
            |text: &str| -> String { form_urlencoded::byte_serialize(text.as_bytes()).collect() };
        let pair = format!("{}:{}", encoded(client_id), encoded(secret.reveal()));
        let pair = Zeroizing::new(pair);
        let header = format!("Basic {}", BASE64.encode(pair.as_bytes()));
        self.authorization = Some(Zeroizing::new(header));
        self
    }

    /// Another largest answer than a mebibyte.
    #[must_use]
    pub(crate) const fn at_most(mut self, bytes: usize) -> Self {
        self.largest = bytes;
        self
    }
}

impl Answer {
    /// Whether the status is of the 2xx.
    pub(crate) const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// The body as JSON, whatever it is called.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Whether the provider says that it is away (RFC 9110 §15.6.3 to §15.6.5). Not 500, with
    /// which some answer codes they cannot read: strangers could shut the way for everybody.
    const fn is_failure(&self) -> bool {
        matches!(self.status, 502..=504)
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}

impl Line<'_> {
    /// Asks, and takes the whole answer.
    pub(crate) async fn ask(&self, ask: Ask<'_>) -> Result<Answer, OutboundError> {
        let begun = Instant::now();
        let result = self.ask_within_bounds(ask, begun).await;
        let word = match &result {
            Ok(answer) if answer.is_failure() => "away",
            Ok(_) => "answered",
            Err(error) => error.word(),
        };
        let labels = [("provider", self.name.clone()), ("result", word.to_owned())];
        metrics::counter!("ironlatch_outbound_total", &labels).increment(1);
        metrics::histogram!("ironlatch_outbound_seconds", "provider" => self.name.clone())
            .record(begun.elapsed());
        result
    }

    async fn ask_within_bounds(
        &self,
        ask: Ask<'_>,
        begun: Instant,
    ) -> Result<Answer, OutboundError> {
        let url = Url::parse(ask.url).map_err(|_| OutboundError::BadUrl)?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let client = self.client_for(&url).inspect_err(|error| self.log(&host, *error))?;

        let options = &self.outbound.options;
        let full = OutboundError::Unavailable { retry_after: Duration::from_secs(1) };
        let _place = self.state.under_way.try_acquire().map_err(|_| full)?;
        let open = |left: Duration| OutboundError::Unavailable { retry_after: rounded_up(left) };
        let now = self.outbound.clock.now();
        let pass = self.state.breaker.admit(now, options.rest).map_err(open)?;

        let end = self.until.min(begun + options.deadline);
        let asked = timeout_at(end, exchange(client, url, ask)).await;
        let result = asked.unwrap_or(Err(OutboundError::TimedOut));
        let has_failed = match &result {
            Ok(answer) => answer.is_failure(),
            Err(error) => error.is_failure(),
        };
        // What came before may have eaten the errand's time: no fault of the provider's.
        let had_its_time = end >= begun + options.deadline;
        let is_late = matches!(result, Err(OutboundError::TimedOut));
        if !has_failed {
            pass.succeeded();
        } else if is_late && !had_its_time {
            drop(pass);
        } else if pass.failed(self.outbound.clock.now(), options.failures) {
            tracing::warn!(provider = self.name, host, "does not answer and is left alone");
        }
        result.inspect_err(|error| self.log(&host, *error))
    }

    /// The client for this URL. Hosts that are addresses are checked here, as nobody looks them
    /// up; the URL's parser has read every other spelling of them (`127.1`, `0x7f000001`).
    fn client_for(&self, url: &Url) -> Result<&Client, OutboundError> {
        let clients = &self.outbound.clients;
        let (reach, client) = match (url.scheme(), self.allows_private) {
            ("https", false) => (Reach::Public, &clients.public),
            ("https", true) => (Reach::Anywhere, &clients.anywhere),
            ("http", true) => (Reach::Private, &clients.private),
            _ => return Err(OutboundError::BadUrl),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(OutboundError::BadUrl);
        }
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
            Some(Host::Domain(_)) => None,
            None => return Err(OutboundError::BadUrl),
        };
        match literal.filter(|address| !reach.allows(*address)) {
            Some(address) => Err(OutboundError::Refused(address)),
            None => Ok(client),
        }
    }

    fn log(&self, host: &str, error: OutboundError) {
        tracing::warn!(provider = self.name, host, %error, "a provider was asked in vain");
    }
}

/// As `Retry-After` has it: whole seconds, never none (RFC 9110 §10.2.3).
fn rounded_up(span: Duration) -> Duration {
    Duration::from_secs((span.as_secs() + u64::from(span.subsec_nanos() > 0)).max(1))
}

async fn exchange(client: &Client, mut url: Url, ask: Ask<'_>) -> Result<Answer, OutboundError> {
    if !ask.query.is_empty() {
        url.query_pairs_mut().extend_pairs(ask.query);
    }
    let largest = ask.largest;
    let request = request(client, url, ask)?;
    let answer = request.send().await.map_err(|error| meaning(&error))?;
    if answer.status().is_redirection() {
        return Err(OutboundError::Redirected);
    }
    whole(answer, largest).await
}

fn request(client: &Client, url: Url, ask: Ask<'_>) -> Result<RequestBuilder, OutboundError> {
    let request = match ask.form {
        Some(form) => client.post(url).form(form),
        None => client.get(url),
    };
    let request = request.header(ACCEPT, "application/json");
    let Some(authorization) = ask.authorization else { return Ok(request) };
    let mut value = HeaderValue::from_str(&authorization).map_err(|_| OutboundError::BadUrl)?;
    value.set_sensitive(true);
    Ok(request.header(AUTHORIZATION, value))
}

/// Reads the body up to its bound and not a piece further.
async fn whole(mut answer: Response, largest: usize) -> Result<Answer, OutboundError> {
    let told = answer.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let told = told.and_then(|length| length.parse::<usize>().ok());
    if told.is_some_and(|length| length > largest) {
        return Err(OutboundError::TooLarge);
    }
    let status = answer.status().as_u16();
    let mut body = Zeroizing::new(Vec::new());
    while let Some(piece) = answer.chunk().await.map_err(|error| meaning(&error))? {
        if body.len() + piece.len() > largest {
            return Err(OutboundError::TooLarge);
        }
        body.extend_from_slice(&piece);
    }
    Ok(Answer { status, body })
}

/// What a failure means. Its own words are not used, as they repeat the URL.
fn meaning(error: &reqwest::Error) -> OutboundError {
    match OutOfReach::among(error) {
        Some(OutOfReach(address)) => OutboundError::Refused(address),
        None if error.is_timeout() => OutboundError::TimedOut,
        // Nothing was sent: what was to be asked cannot be, e.g. a query longer than any URL.
        None if error.is_builder() => OutboundError::BadUrl,
        None => OutboundError::Unreachable,
    }
}
