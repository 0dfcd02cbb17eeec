//! Codes become tokens (RFC 6749 §4.1.3).

use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Desk, Failure, Places, SocialError, TokenRequest};
use crate::outbound::{Answer, Ask};
use crate::ports::Token;
use crate::time::Timestamp;

/// Of an answer with tokens.
const LARGEST: usize = 256 * 1024;
/// Longer ones are no provider's, and are sent to none: RFC 6749 §4.1.2 leaves the length open,
/// and the longest in use have about a thousand bytes.
const LONGEST_CODE: usize = 2_048;

/// What a token endpoint gave.
pub(in crate::social) struct Tokens {
    pub(super) access: Option<Token>,
    pub(super) id: Option<Token>,
    refresh: Option<Token>,
    scope: Option<String>,
    expires_at: Option<i64>,
}

/// Nothing of it but that it is there.
impl fmt::Debug for Tokens {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Tokens(…)")
    }
}

/// RFC 6749 §5.1 and §5.2; GitHub answers both with 200.
#[derive(Deserialize)]
struct Given {
    access_token: Option<String>,
    token_type: Option<String>,
    id_token: Option<String>,
    refresh_token: Option<String>,
    scope: Option<String>,
    expires_in: Option<Value>,
    error: Option<Value>,
}

impl Tokens {
    /// For a client that brought an ID token and nothing else.
    pub(super) const fn only_id_token(id: Token) -> Self {
        Self { access: None, id: Some(id), refresh: None, scope: None, expires_at: None }
    }

    /// The access token, which goes to the provider's own endpoints and nowhere else.
    pub(super) fn access(&self) -> Result<&Token, Failure> {
        self.access.as_ref().ok_or_else(|| Failure::because("there is no access token"))
    }

    /// What is kept where the provider's tokens are kept: a JSON object. Not the ID token, which
    /// has done its work.
    pub(super) fn kept(&self) -> Option<Token> {
        let text = |token: &Token| Value::from(token.reveal());
        let mut members = Map::new();
        members.insert("access_token".to_owned(), self.access.as_ref().map(text)?);
        if let Some(refresh) = &self.refresh {
            members.insert("refresh_token".to_owned(), text(refresh));
        }
        if let Some(scope) = &self.scope {
            members.insert("scope".to_owned(), scope.as_str().into());
        }
        if let Some(expires_at) = self.expires_at {
            members.insert("expires_at".to_owned(), expires_at.into());
        }
        Some(Token::new(Value::Object(members).to_string()))
    }

    fn read(answer: &Answer, now: Timestamp) -> Result<Self, Failure> {
        let status = answer.status;
        let given: Option<Given> = answer.json();
        let given = given
            .ok_or_else(|| Failure::because(format!("the token endpoint answered {status}")))?;
        if let Some(error) = given.error {
            // Facebook has an object there, whose `type` says most.
            let word = error.as_str().or_else(|| error.get("type").and_then(Value::as_str));
            let word = error_word(word.unwrap_or_default());
            let reason = format!("the token endpoint answered {status} with the error {word}");
            return Err(Failure::because(reason));
        }
        if !answer.is_success() {
            return Err(Failure::because(format!("the token endpoint answered {status}")));
        }
        let is_bearer = |kind: &String| kind.eq_ignore_ascii_case("bearer");
        if !given.token_type.as_ref().is_none_or(is_bearer) {
            return Err(Failure::because("the access token is no bearer token"));
        }
        let token = |text: Option<String>| text.filter(|text| !text.is_empty()).map(Token::new);
        // Some send the seconds as text.
        let seconds = given.expires_in.and_then(|value| {
            value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
        });
        Ok(Self {
            access: token(given.access_token),
            id: token(given.id_token),
            refresh: token(given.refresh_token),
            scope: given.scope,
            expires_at: seconds.map(|seconds| now.seconds().saturating_add(seconds)),
        })
    }
}

impl Desk<'_> {
    /// Sends a code to the provider, once: whatever comes of it, the code is gone.
    pub(in crate::social) async fn exchange(
        &self,
        code: &Token,
        verifier: Option<&Token>,
        redirect_uri: &str,
    ) -> Result<Tokens, SocialError> {
        if code.reveal().len() > LONGEST_CODE {
            return Err(SocialError::ExchangeFailed);
        }
        let asked = async {
            let places = self.places().await?;
            self.ask_for_tokens(&places, code, verifier, redirect_uri).await
        };
        asked.await.map_err(|failure| self.told(failure, SocialError::ExchangeFailed))
    }

    async fn ask_for_tokens(
        &self,
        places: &Places,
        code: &Token,
        verifier: Option<&Token>,
        redirect_uri: &str,
    ) -> Result<Tokens, Failure> {
        let client_id = self.settings.client_id.as_str();
        let secret = self.settings.client_secret.as_ref();
        let mut pairs = vec![("code", code.reveal()), ("redirect_uri", redirect_uri)];
        if let Some(verifier) = verifier {
            pairs.push(("code_verifier", verifier.reveal()));
        }
        let request = self.dialect.token_request;
        if request != TokenRequest::Query {
            pairs.push(("grant_type", "authorization_code"));
        }
        let in_header = request == TokenRequest::ByMetadata && !places.wants_secret_in_form;
        let header = secret.filter(|_| in_header);
        if header.is_none() {
            pairs.push(("client_id", client_id));
            pairs.extend(secret.map(|secret| ("client_secret", secret.reveal())));
        }
        let ask = match request {
            TokenRequest::Query => Ask::get(&places.token).query(&pairs),
            TokenRequest::Form | TokenRequest::ByMetadata => Ask::post(&places.token, &pairs),
        };
        let ask = match header {
            Some(secret) => ask.basic(client_id, secret),
            None => ask,
        };
        let answer = self.line.ask(ask.at_most(LARGEST)).await?;
        Tokens::read(&answer, self.auth.clock().now())
    }
}

/// An error's code for the log: a word as RFC 6749 §5.2 has them, and nothing that a provider
/// may have been told by a stranger.
pub(super) fn error_word(error: &str) -> &str {
    let is_word = error.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if is_word && (1..=60).contains(&error.len()) { error } else { "(unreadable)" }
}
