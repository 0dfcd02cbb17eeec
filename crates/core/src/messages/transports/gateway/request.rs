//! The request of a gateway, from the operator's texts.

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Url};

use super::super::fields::{Field, Gap};
use super::super::http;
use super::content::Content;
use super::{GatewayFormat, GatewayMethod, GatewaySettings};
use crate::ports::{SendError, Sms, Token};
use crate::settings::Mistake;

/// Headers that the connection itself decides.
const NOT_YOURS: [&str; 6] =
    ["host", "content-length", "transfer-encoding", "connection", "te", "upgrade"];

/// Everything about the request that does not depend on the SMS.
pub(super) struct Shape {
    url: Url,
    method: GatewayMethod,
    content: Content,
    headers: Vec<(HeaderName, Field)>,
    token: Option<Token>,
}

impl Shape {
    /// Reads the settings; every mistake is named.
    pub(super) fn read(settings: &GatewaySettings) -> Result<Self, Vec<Mistake>> {
        let url = http::endpoint(&settings.url).ok_or_else(|| {
            let sentence = "must be a URL with https and without a password in it";
            mistake("sms.http.url", sentence)
        });
        let content = Content::read(settings);
        let content = content.map_err(|sentence| mistake("sms.http.body", &sentence));
        let headers = headers(&settings.headers);
        let headers = headers.map_err(|sentence| mistake("sms.http.headers", &sentence));
        match (url, content, headers) {
            (Ok(url), Ok(content), Ok(headers)) => {
                let token = settings.token.clone();
                let mut shape = Self { url, method: settings.method, content, headers, token };
                let mistakes = shape.mistakes(settings.format);
                if !mistakes.is_empty() {
                    return Err(mistakes);
                }
                shape.show_token();
                Ok(shape)
            }
            (url, content, headers) => {
                Err([url.err(), content.err(), headers.err()].into_iter().flatten().collect())
            }
        }
    }

    fn mistakes(&self, format: GatewayFormat) -> Vec<Mistake> {
        let has = |gap| self.content.has(gap);
        let token = self.token.as_ref().map(Token::reveal);
        let is_line = |token: &str| !token.is_empty() && HeaderValue::from_str(token).is_ok();
        let checks = [
            (
                self.method != GatewayMethod::Get || format == GatewayFormat::Form,
                mistake("sms.http.format", "must be form with the method get"),
            ),
            (
                has(Gap::To) || has(Gap::Digits),
                mistake("sms.http.body", "must hold {to} or {digits}"),
            ),
            (has(Gap::Text), mistake("sms.http.body", "must hold {text}")),
            (
                !self.headers.iter().any(|(_, field)| field.has(Gap::Text)),
                mistake("sms.http.headers", "must not hold {text}: logs on the way keep headers"),
            ),
            (
                token.is_some() || !self.shows_token(),
                mistake("sms.http.token_file", "must be given: {token} stands for what it holds"),
            ),
            (
                token.is_none_or(is_line),
                mistake("sms.http.token_file", "must hold a secret on one line"),
            ),
        ];
        checks.into_iter().filter(|(fine, _)| !fine).map(|(_, mistake)| mistake).collect()
    }

    fn shows_token(&self) -> bool {
        self.content.has(Gap::Token) || self.headers.iter().any(|(_, field)| field.has(Gap::Token))
    }

    /// A secret that no text mentions is a bearer token (RFC 6750 §2.1).
    fn show_token(&mut self) {
        if self.token.is_some() && !self.shows_token() {
            self.headers.push((AUTHORIZATION, Field::bearer()));
        }
    }

    /// The request for one SMS.
    pub(super) fn request(&self, client: &Client, sms: &Sms) -> Result<RequestBuilder, SendError> {
        let token = self.token.as_ref();
        let mut headers = HeaderMap::new();
        for (name, field) in &self.headers {
            let mut value = HeaderValue::try_from(field.fill(sms, token))
                .map_err(|_| SendError::Never(format!("the header {name} cannot be sent")))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let mut url = self.url.clone();
        let method = match self.method {
            GatewayMethod::Get => Method::GET,
            GatewayMethod::Post => Method::POST,
            GatewayMethod::Put => Method::PUT,
        };
        Ok(match &self.content {
            Content::Json(node) => {
                client.request(method, url).headers(headers).json(&node.fill(sms, token))
            }
            Content::Form(fields) => {
                let filled = fields.iter().map(|(name, field)| (name, field.fill(sms, token)));
                if self.method == GatewayMethod::Get {
                    url.query_pairs_mut().extend_pairs(filled);
                    client.request(method, url).headers(headers)
                } else {
                    let filled: Vec<_> = filled.collect();
                    client.request(method, url).headers(headers).form(&filled)
                }
            }
        })
    }
}

fn headers(given: &[(String, String)]) -> Result<Vec<(HeaderName, Field)>, String> {
    let mut headers = Vec::new();
    for (name, value) in given {
        let known = HeaderName::try_from(name.as_str()).ok();
        let Some(known) = known.filter(|name| !NOT_YOURS.contains(&name.as_str())) else {
            return Err(format!("{name:?} cannot be set"));
        };
        if HeaderValue::from_str(value).is_err() {
            return Err(format!("the value of {name} must be text on one line"));
        }
        headers.push((known, Field::parse(value)?));
    }
    Ok(headers)
}

fn mistake(key: &'static str, sentence: &str) -> Mistake {
    Mistake { key: key.into(), sentence: sentence.to_owned() }
}
