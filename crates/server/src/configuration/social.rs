//! `[social.<name>]`: from keys to providers.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use ironlatch_core::ports::Token;
use ironlatch_core::settings::{Endpoints, ProviderKind, ProviderSettings, SocialSettings};
use serde::{Deserialize, Serialize};

use super::Mistakes;
use super::mail::secret;

/// The providers by their names.
pub(super) type Social = BTreeMap<String, Provider>;

/// `[social.<name>]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Provider {
    kind: Option<ProviderKind>,
    title: Option<String>,
    client_id: String,
    client_secret: Option<Secret>,
    client_secret_file: Option<PathBuf>,
    redirect_uri: Option<String>,
    scopes: Vec<String>,
    issuer: Option<String>,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    userinfo_endpoint: Option<String>,
    emails_endpoint: Option<String>,
    jwks_uri: Option<String>,
    allow_private_addresses: bool,
    email_domains: Vec<String>,
    store_tokens: bool,
}

/// A secret that stands in the file or in the environment itself.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(…)")
    }
}

/// What the core is told; it checks the values themselves.
pub(super) fn core_settings(social: &Social, mistakes: &mut Mistakes) -> SocialSettings {
    let settings = social.iter().filter_map(|(name, provider)| {
        let settings = provider.core_settings(&format!("social.{name}"), mistakes)?;
        Some((name.clone(), settings))
    });
    settings.collect()
}

impl Provider {
    fn core_settings(&self, section: &str, mistakes: &mut Mistakes) -> Option<ProviderSettings> {
        let client_secret = self.secret(section, mistakes);
        let Some(kind) = self.kind else {
            let sentence = "must be google, github, facebook, linkedin or oidc";
            mistakes.add(&format!("{section}.kind"), sentence);
            return None;
        };
        let words = |text: &String| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        Some(ProviderSettings {
            title: self.title.clone(),
            redirect_uri: self.redirect_uri.clone(),
            // A request has them in one text, and people copy it (RFC 6749 §3.3).
            scopes: self.scopes.iter().flat_map(words).collect(),
            endpoints: Endpoints {
                issuer: self.issuer.clone(),
                authorization_endpoint: self.authorization_endpoint.clone(),
                token_endpoint: self.token_endpoint.clone(),
                userinfo_endpoint: self.userinfo_endpoint.clone(),
                emails_endpoint: self.emails_endpoint.clone(),
                jwks_uri: self.jwks_uri.clone(),
            },
            allow_private_addresses: self.allow_private_addresses,
            email_domains: self.email_domains.clone(),
            store_tokens: self.store_tokens,
            ..ProviderSettings::new(kind, self.client_id.clone(), client_secret)
        })
    }

    fn secret(&self, section: &str, mistakes: &mut Mistakes) -> Option<Token> {
        let key = format!("{section}.client_secret_file");
        mistakes.unless(
            self.client_secret.is_none() || self.client_secret_file.is_none(),
            &key,
            "or client_secret must be given, not both",
        );
        let from_file = self.client_secret_file.as_deref();
        // A file that cannot be read is one mistake, not two.
        let read = |path| secret(&key, path, mistakes).or(Some(Token::new("unread".to_owned())));
        let given = self.client_secret.as_ref().map(|Secret(text)| Token::new(text.clone()));
        from_file.and_then(read).or(given)
    }
}
