//! Which providers cannot stand, each mistake by its key.

use std::collections::BTreeMap;

use url::Url;

use super::{Endpoints, ProviderKind, ProviderSettings, SocialSettings};
use crate::settings::Mistake;
use crate::settings::check::is_loopback_url;

/// Words that paths have where a provider's name could stand.
const WORDS_OF_PATHS: [&str; 4] = ["link", "start", "callback", "connections"];

/// Every mistake of every provider.
pub(in crate::settings) fn mistakes(providers: &SocialSettings) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    for (name, provider) in providers {
        let mut report = Report { name, mistakes: &mut mistakes };
        report.unless(is_name(name), "", "its name must be 1 to 20 of a-z, 0-9, _ and -");
        report.unless(
            !WORDS_OF_PATHS.contains(&name.as_str()),
            "",
            "its name is a word of our paths: choose another",
        );
        check_client(provider, &mut report);
        check_scopes(provider, &mut report);
        check_addresses(provider, &mut report);
    }
    check_issuers(providers, &mut mistakes);
    mistakes
}

/// Notes mistakes of one provider.
struct Report<'a> {
    name: &'a str,
    mistakes: &'a mut Vec<Mistake>,
}

impl Report<'_> {
    fn unless(&mut self, fine: bool, member: &str, sentence: &str) {
        if !fine {
            let dot = if member.is_empty() { "" } else { "." };
            let key = format!("social.{}{dot}{member}", self.name);
            self.mistakes.push(Mistake { key: key.into(), sentence: sentence.to_owned() });
        }
    }
}

fn check_client(provider: &ProviderSettings, report: &mut Report<'_>) {
    let id = &provider.client_id;
    report.unless(
        is_visible(id) && id.len() <= 255,
        "client_id",
        "must be given: the name that the provider knows us by (visible ASCII)",
    );
    match &provider.client_secret {
        Some(secret) => report.unless(
            is_visible(secret.reveal()),
            "client_secret",
            "must be one line of visible ASCII, and not empty",
        ),
        None => report.unless(
            provider.kind == ProviderKind::Oidc,
            "client_secret",
            "must be given, or client_secret_file",
        ),
    }
    report.unless(
        provider.title.as_deref().is_none_or(is_title),
        "title",
        "must be 1 to 40 characters on one line",
    );
    let domain = |text: &String| {
        text.contains('.')
            && !text.contains(['@', '*'])
            && idna::domain_to_ascii_strict(text).is_ok()
    };
    report.unless(
        provider.email_domains.iter().all(domain),
        "email_domains",
        "must be domains as they stand after the @, e.g. example.com",
    );
}

/// Scopes are `scope-token`s (RFC 6749 §3.3); without `openid` there is no ID token (OpenID
/// Connect Core §3.1.2.1).
fn check_scopes(provider: &ProviderSettings, report: &mut Report<'_>) {
    let is_scope = |scope: &String| {
        is_visible(scope) && !scope.contains(['"', '\\', ' ']) && !scope.is_empty()
    };
    let scopes = &provider.scopes;
    report.unless(scopes.iter().all(is_scope), "scopes", "must be a list of plain words");
    let is_openid = matches!(provider.kind, ProviderKind::Google | ProviderKind::Oidc);
    report.unless(
        !is_openid || scopes.is_empty() || scopes.iter().any(|scope| scope == "openid"),
        "scopes",
        "must hold openid: without it there is no ID token",
    );
}

fn check_addresses(provider: &ProviderSettings, report: &mut Report<'_>) {
    let Endpoints {
        issuer,
        authorization_endpoint,
        token_endpoint,
        userinfo_endpoint,
        emails_endpoint,
        jwks_uri,
    } = &provider.endpoints;
    let sentence = if provider.allow_private_addresses {
        "must be a URL with https or http, without user and fragment"
    } else {
        "must be a URL with https, without user and fragment; http is for providers with \
         allow_private_addresses = true"
    };
    for (member, url) in [
        ("issuer", issuer),
        ("authorization_endpoint", authorization_endpoint),
        ("token_endpoint", token_endpoint),
        ("userinfo_endpoint", userinfo_endpoint),
        ("emails_endpoint", emails_endpoint),
        ("jwks_uri", jwks_uri),
    ] {
        let fine = |url: &String| is_endpoint(url, provider.allow_private_addresses);
        report.unless(url.as_ref().is_none_or(fine), member, sentence);
    }
    // OpenID Connect Discovery §3: an issuer has neither query nor fragment.
    report.unless(
        issuer.as_ref().is_none_or(|issuer| !issuer.contains('?')),
        "issuer",
        "must have no query",
    );
    report.unless(
        provider.kind != ProviderKind::Oidc || issuer.is_some(),
        "issuer",
        "must be given for this kind, e.g. https://login.example.com",
    );
    // Codes travel there (RFC 9700 §2.6).
    let redirect_uri = |url: &String| {
        let may_be_http = provider.allow_private_addresses || is_loopback_url(url);
        is_endpoint(url, may_be_http)
    };
    report.unless(
        provider.redirect_uri.as_ref().is_none_or(redirect_uri),
        "redirect_uri",
        "must be a URL with https, without user and fragment; http for this machine only",
    );
}

/// Providers of one issuer share its subjects. Two that ask different servers must not: the
/// same number there is somebody else (attack C03).
fn check_issuers(providers: &SocialSettings, mistakes: &mut Vec<Mistake>) {
    let mut seen: BTreeMap<String, (&str, ProviderKind, Endpoints)> = BTreeMap::new();
    for (name, provider) in providers {
        let Some(issuer) = provider.issuer() else { continue };
        let asked =
            Endpoints { issuer: None, authorization_endpoint: None, ..provider.endpoints.clone() };
        let (kind, issuer) = (provider.kind, issuer.into_owned());
        match seen.get(&issuer) {
            Some((other, other_kind, endpoints)) if *other_kind != kind || *endpoints != asked => {
                let sentence = format!(
                    "is {issuer}, as that of social.{other}, but its kind or its endpoints are \
                     others: give it an issuer of its own"
                );
                let key = format!("social.{name}.issuer").into();
                mistakes.push(Mistake { key, sentence });
            }
            Some(_) => {}
            None => {
                seen.insert(issuer, (name, kind, asked));
            }
        }
    }
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=20).contains(&name.len()) && name.bytes().all(|byte| allowed(byte) || byte == b'-')
}

fn is_title(title: &str) -> bool {
    (1..=40).contains(&title.chars().count())
        && !title.contains(char::is_control)
        && title.trim() == title
}

/// `VSCHAR`s, at least one (RFC 6749 §A.1 and §A.2), blanks not at the ends.
fn is_visible(text: &str) -> bool {
    !text.is_empty()
        && text.trim() == text
        && text.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
}

fn is_endpoint(text: &str, may_be_http: bool) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let scheme = url.scheme();
    (scheme == "https" || (scheme == "http" && may_be_http))
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none()
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Token;

    fn github() -> ProviderSettings {
        ProviderSettings::new(
            ProviderKind::Github,
            "Iv1.8a61f9b3".to_owned(),
            Some(Token::new("hunter2".to_owned())),
        )
    }

    fn oidc(issuer: &str) -> ProviderSettings {
        let mut oidc = ProviderSettings::new(ProviderKind::Oidc, "us".to_owned(), None);
        oidc.endpoints.issuer = Some(issuer.to_owned());
        oidc
    }

    fn keys(providers: impl IntoIterator<Item = (&'static str, ProviderSettings)>) -> Vec<String> {
        let providers = providers.into_iter().map(|(name, one)| (name.to_owned(), one)).collect();
        mistakes(&providers).into_iter().map(|mistake| mistake.key.into_owned()).collect()
    }

    /// The mistakes of one provider after a change, without the section's name.
    fn after(change: impl FnOnce(&mut ProviderSettings)) -> Vec<String> {
        let mut one = github();
        change(&mut one);
        let members = keys([("x", one)]).into_iter();
        members.map(|key| key.trim_start_matches("social.x.").to_owned()).collect()
    }

    #[test]
    fn names_are_short_words_that_no_path_has() {
        for fine in ["google", "a", "my-idp_2", "abcdefghijklmnopqrst"] {
            assert_eq!(keys([(fine, github())]), [] as [&str; 0], "{fine}");
        }
        for wrong in ["", "Google", "a.b", "a/b", "abcdefghijklmnopqrstu", "ö", "link", "start"] {
            assert_eq!(keys([(wrong, github())]), [format!("social.{wrong}")], "{wrong}");
        }
    }

    #[test]
    fn every_mistake_of_a_provider_is_named_at_once() {
        let wrong = after(|one| {
            one.kind = ProviderKind::Oidc;
            one.client_id = String::new();
            one.client_secret = Some(Token::new("two\nlines".to_owned()));
            one.title = Some("x".repeat(41));
            one.email_domains = vec!["@example.com".to_owned()];
            one.scopes = vec!["open id".to_owned()];
            one.redirect_uri = Some("http://app.example.com/cb".to_owned());
            one.endpoints.token_endpoint = Some("http://127.0.0.1:1/token".to_owned());
            one.endpoints.jwks_uri = Some("file:///etc/passwd".to_owned());
        });
        assert_eq!(
            wrong,
            [
                "client_id",
                "client_secret",
                "title",
                "email_domains",
                "scopes",
                "scopes",
                "token_endpoint",
                "jwks_uri",
                "issuer",
                "redirect_uri"
            ]
        );
    }

    #[test]
    fn http_is_for_providers_with_private_addresses() {
        let endpoint = "http://10.0.0.7/token";
        let with = |allowed: bool| {
            after(|one| {
                one.allow_private_addresses = allowed;
                one.endpoints.token_endpoint = Some(endpoint.to_owned());
            })
        };
        assert_eq!(with(true), [] as [&str; 0]);
        assert_eq!(with(false), ["token_endpoint"]);
        for wrong in ["https://me@idp.example/", "https://idp.example/#x", "idp.example", "https:"]
        {
            let keys = after(|one| one.endpoints.userinfo_endpoint = Some(wrong.to_owned()));
            assert_eq!(keys, ["userinfo_endpoint"], "{wrong}");
        }
        let local = after(|one| one.redirect_uri = Some("http://localhost:5173/cb".to_owned()));
        assert_eq!(local, [] as [&str; 0]);
    }

    #[test]
    fn only_openid_providers_may_have_no_secret() {
        assert_eq!(after(|one| one.client_secret = None), ["client_secret"]);
        assert_eq!(keys([("x", oidc("https://login.example.com"))]), [] as [&str; 0]);
    }

    #[test]
    fn one_issuer_is_one_server() {
        let mut enterprise = github();
        enterprise.endpoints.userinfo_endpoint = Some("https://git.example/user".to_owned());
        assert_eq!(enterprise.issuer().unwrap(), "https://git.example", "where it is");
        let mut spelled = github();
        spelled.endpoints.userinfo_endpoint = Some("https://api.github.com/user".to_owned());
        assert_eq!(spelled.issuer().unwrap(), "https://github.com", "at home");
        spelled.endpoints.userinfo_endpoint = Some("https://notgithub.com/user".to_owned());
        assert_eq!(spelled.issuer().unwrap(), "https://notgithub.com");
        let both = |other: &ProviderSettings| [("github", github()), ("work", other.clone())];
        assert_eq!(keys(both(&enterprise)), [] as [&str; 0]);
        for also in [ProviderKind::Github, ProviderKind::Facebook] {
            let mut other = ProviderSettings { kind: also, ..enterprise.clone() };
            other.endpoints.issuer = Some("https://github.com".to_owned());
            assert_eq!(keys(both(&other)), ["social.work.issuer"], "{also:?}");
        }
        let mut other = ProviderSettings { kind: ProviderKind::Facebook, ..github() };
        other.endpoints.issuer = Some("https://github.com".to_owned());
        assert_eq!(keys(both(&other)), ["social.work.issuer"], "another kind's numbers");
        let two_clients = [("github", github()), ("other", github())];
        assert_eq!(keys(two_clients), [] as [&str; 0], "two of our names at one server");
    }
}
