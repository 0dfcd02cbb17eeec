//! Where a provider is: what is configured, and for the rest its own metadata (OpenID Connect
//! Discovery §4).

use std::sync::Arc;

use serde::Deserialize;
use url::Url;

use super::directory::Directory;
use super::kept::{FetchError, Kept, Lifetimes};
use crate::outbound::{Ask, Line};
use crate::settings::Endpoints;
use crate::time::{Timestamp, hours};

/// Endpoints seldom move; a provider that is away does not keep us from knowing where it was.
pub(super) const LIFETIMES: Lifetimes = Lifetimes { fresh: hours(1), stale: hours(24) };
/// Of the document.
const LARGEST: usize = 256 * 1024;

/// Where a provider is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Metadata {
    /// `iss` of its tokens, byte for byte.
    pub(super) issuer: String,
    /// Where browsers are sent.
    pub(super) authorization_endpoint: String,
    /// Where codes are exchanged.
    pub(super) token_endpoint: String,
    /// Who somebody is.
    pub(super) userinfo_endpoint: Option<String>,
    /// Its keys.
    pub(super) jwks_uri: String,
    /// Whether it names itself on the way back (RFC 9207 §3): then it must.
    pub(super) names_itself: bool,
    /// Whether it takes our secret in the form only (`client_secret_post`), not in the header.
    pub(super) wants_secret_in_form: bool,
}

/// The document, as far as we read it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Document {
    issuer: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    userinfo_endpoint: Option<String>,
    jwks_uri: Option<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

impl Directory {
    /// Where the provider behind this line is. What is configured wins; the document is fetched
    /// only where something is missing. An issuer is needed.
    pub(super) async fn metadata(
        &self,
        line: &Line<'_>,
        configured: &Endpoints,
        now: Timestamp,
    ) -> Result<Metadata, FetchError> {
        let issuer = configured.issuer.as_deref();
        let issuer = issuer.ok_or(FetchError::Unusable("no issuer is configured"))?;
        let is_complete = configured.authorization_endpoint.is_some()
            && configured.token_endpoint.is_some()
            && configured.jwks_uri.is_some();
        if is_complete {
            return merged(issuer, configured, None, line);
        }
        let document = self.document(line, issuer, now).await?;
        merged(issuer, configured, Some(&document), line)
    }

    async fn document(
        &self,
        line: &Line<'_>,
        issuer: &str,
        now: Timestamp,
    ) -> Result<Arc<Document>, FetchError> {
        let kept: Arc<Kept<Document>> = self.provider(line.name()).document;
        kept.current(now, async || fetch(line, issuer).await).await
    }
}

async fn fetch(line: &Line<'_>, issuer: &str) -> Result<Document, FetchError> {
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let answer = line.ask(Ask::get(&url).at_most(LARGEST)).await?;
    if answer.status != 200 {
        return Err(FetchError::Unusable("there is no metadata at the issuer"));
    }
    let document: Option<Document> = answer.json();
    let document = document.ok_or(FetchError::Unusable("the metadata cannot be read"))?;
    // Discovery §4.3: or one provider could pass for another (mix-up, attack F14).
    if document.issuer == issuer {
        Ok(document)
    } else {
        Err(FetchError::Unusable("the metadata is of another issuer"))
    }
}

fn merged(
    issuer: &str,
    configured: &Endpoints,
    document: Option<&Document>,
    line: &Line<'_>,
) -> Result<Metadata, FetchError> {
    let pick = |ours: &Option<String>, theirs: Option<&Option<String>>| {
        ours.clone().or_else(|| theirs.cloned().flatten())
    };
    let needed = |found: Option<String>| {
        let found = found.ok_or(FetchError::Unusable("the metadata lacks an endpoint"))?;
        let is_usable = is_endpoint(&found, line.allows_private());
        is_usable.then_some(found).ok_or(FetchError::Unusable("an endpoint is no https URL"))
    };
    let theirs = |field: fn(&Document) -> &Option<String>| document.map(field);
    let userinfo =
        pick(&configured.userinfo_endpoint, theirs(|document| &document.userinfo_endpoint));
    let methods = document.and_then(|one| one.token_endpoint_auth_methods_supported.as_ref());
    let takes = |methods: &Vec<String>, one: &str| methods.iter().any(|method| method == one);
    Ok(Metadata {
        issuer: issuer.to_owned(),
        authorization_endpoint: needed(pick(
            &configured.authorization_endpoint,
            theirs(|document| &document.authorization_endpoint),
        ))?,
        token_endpoint: needed(pick(
            &configured.token_endpoint,
            theirs(|document| &document.token_endpoint),
        ))?,
        userinfo_endpoint: userinfo.map(|found| needed(Some(found))).transpose()?,
        jwks_uri: needed(pick(&configured.jwks_uri, theirs(|document| &document.jwks_uri)))?,
        names_itself: document
            .is_some_and(|one| one.authorization_response_iss_parameter_supported),
        wants_secret_in_form: methods.is_some_and(|methods| {
            takes(methods, "client_secret_post") && !takes(methods, "client_secret_basic")
        }),
    })
}

/// Browsers are sent to one of them, so nothing but the web's own schemes will do.
fn is_endpoint(text: &str, allows_http: bool) -> bool {
    Url::parse(text).is_ok_and(|url| match url.scheme() {
        "https" => url.has_host(),
        "http" => url.has_host() && allows_http,
        _ => false,
    })
}
