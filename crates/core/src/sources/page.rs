//! Pages that people come from, in the one form in which they are counted.

use url::form_urlencoded;
use url::{Position, Url};

use super::naming::{self, Campaign};
use super::{SourceHint, Sources};
use crate::sessions::Door;
use crate::settings::Settings;

/// The contract's bound of a `source_url`, in characters; of what is stored as well.
const LONGEST: usize = 200;
/// Browsers cut a `Referer` to its origin beyond this (Referrer Policy §8.4).
const LONGEST_REFERRER: usize = 4_096;
/// The parameters that are kept of a query, in the order in which they are stored.
pub(super) const UTM: [&str; 5] =
    ["utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"];

/// A page that somebody came from: scheme, host, path and UTM parameters. Whatever else its
/// address held (user name, other parameters, fragment) may be a secret and is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    url: String,
    host_url: String,
    category: String,
}

impl Source {
    /// Reads the contract's `source_url`: `http` or `https`, at most 200 characters, no user
    /// name or password. `None` is the contract's "Enter a valid URL."
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches(' ');
        if text.chars().count() > LONGEST {
            return None;
        }
        let page = web_page(text).filter(|_| !authority(text).contains('@'))?;
        Self::of(&page, &utm_of(&page))
    }

    /// The URL as it is stored; [`Source::parse`] reads it back as the same source.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same without path and parameters: what still counts when the page itself cannot.
    pub(super) fn host_url(&self) -> &str {
        &self.host_url
    }

    /// What it is called until an operator names it.
    #[must_use]
    pub fn category(&self) -> &str {
        &self.category
    }

    /// The page with these parameters; without them, and at last without its path, where it
    /// would be too long.
    fn of(page: &Url, utm: &[(&'static str, String)]) -> Option<Self> {
        let host = page.host_str()?.trim_end_matches('.');
        let port = page.port().map(|port| format!(":{port}")).unwrap_or_default();
        if !is_host(host) {
            return None;
        }
        let host_url = format!("{}://{host}{port}", page.scheme());
        let path = page.path().trim_end_matches('/');
        let forms = [(path, utm), (path, &[]), ("", &[])];
        let mut forms =
            forms.map(|(path, utm)| (format!("{host_url}{path}{}", query(utm)), path, utm));
        let (url, path, utm) = forms.iter_mut().find(|(url, ..)| url.len() <= LONGEST)?;
        let of = |name| utm.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str());
        let campaign = Campaign { source: of("utm_source"), campaign: of("utm_campaign") };
        let category = naming::category(host, path, &campaign);
        let url = std::mem::take(url);
        Some(Self { url, host_url, category })
    }
}

impl Sources<'_> {
    /// Where a hint says that somebody came from: `source_url`, else the request's own UTM
    /// parameters (of the door's front end), else the referring page. Our own pages are no
    /// source, unless they were linked to with UTM parameters. What cannot be read is nothing.
    #[must_use]
    pub fn of_hint(&self, hint: &SourceHint, door: Door) -> Option<Source> {
        let settings = self.auth.settings();
        let told = hint.source_url.as_deref().and_then(Source::parse);
        told.or_else(|| of_parameters(hint, settings.pages_url(door)))
            .or_else(|| of_referrer(hint.referrer.as_deref()?, settings))
    }
}

fn of_parameters(hint: &SourceHint, front_end: &str) -> Option<Source> {
    let utm = utm(&hint.utm.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    if utm.is_empty() {
        return None;
    }
    Source::of(&Url::parse(front_end).ok()?, &utm)
}

fn of_referrer(referrer: &str, settings: &Settings) -> Option<Source> {
    if referrer.len() > LONGEST_REFERRER {
        return None;
    }
    let page = web_page(referrer)?;
    let utm = utm_of(&page);
    if utm.is_empty() && is_ours(&page, settings) {
        return None;
    }
    Source::of(&page, &utm)
}

/// Whether a page is the server's own or a door's front end.
fn is_ours(page: &Url, settings: &Settings) -> bool {
    let fronts = Door::ALL.map(|door| settings.pages_url(door));
    let ours = fronts.into_iter().chain([settings.public_url.as_str()]);
    let place = |url: &Url| url[Position::BeforeHost..Position::AfterPort].to_owned();
    let here = place(page);
    ours.filter_map(|url| Url::parse(url).ok()).any(|url| place(&url) == here)
}

/// An `http` or `https` URL as browsers read it (WHATWG URL §4.4), so with its host in lower
/// case and ASCII (UTS 46) and without a default port. What they would repair in silence (control
/// characters, blanks, backslashes, missing slashes) is refused: two readers would disagree.
fn web_page(text: &str) -> Option<Url> {
    let is_odd = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
    if text.contains(is_odd) || authority(text).is_empty() {
        return None;
    }
    Url::parse(text).ok().filter(|url| ["http", "https"].contains(&url.scheme()))
}

/// An address in brackets, or labels of letters, digits, `-` and `_`: browsers' rules let quotes
/// and braces through, which no host has.
fn is_host(host: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(is_plain);
    host.starts_with('[') || host.split('.').all(is_label)
}

/// What stands between `://` and the path.
fn authority(text: &str) -> &str {
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

fn utm_of(page: &Url) -> Vec<(&'static str, String)> {
    let pairs: Vec<_> = page.query_pairs().collect();
    utm(&pairs.iter().map(|(name, value)| (&**name, &**value)))
}

/// The UTM parameters among others, each once, in a fixed order and without what cannot be seen.
fn utm<'p>(
    pairs: &(impl Iterator<Item = (&'p str, &'p str)> + Clone),
) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for known in UTM {
        let value = pairs.clone().find(|(name, _)| *name == known);
        let value = value.map(|(_, value)| naming::visible(value)).unwrap_or_default();
        if !value.is_empty() {
            found.push((known, value));
        }
    }
    found
}

fn query(utm: &[(&'static str, String)]) -> String {
    if utm.is_empty() {
        return String::new();
    }
    let mut query = form_urlencoded::Serializer::new("?".to_owned());
    for (name, value) in utm {
        query.append_pair(name, value);
    }
    query.finish().replacen("?&", "?", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(text: &str) -> Option<String> {
        Source::parse(text).map(|source| source.url)
    }

    #[test]
    fn one_page_has_one_form() {
        for (typed, kept) in [
            ("https://dashboard.myapp.com", "https://dashboard.myapp.com"),
            ("https://myapp.com/", "https://myapp.com"),
            (" HTTPS://MyApp.com:443/Register/ ", "https://myapp.com/Register"),
            ("http://myapp.com:80", "http://myapp.com"),
            ("http://myapp.com:8080/a/../b", "http://myapp.com:8080/b"),
            (
                "https://myapp.com?utm_source=facebook&utm_campaign=spring",
                "https://myapp.com?utm_source=facebook&utm_campaign=spring",
            ),
            (
                "https://myapp.com/a?utm_campaign=x%20y&token=secret&utm_source=f&utm_source=g#top",
                "https://myapp.com/a?utm_source=f&utm_campaign=x+y",
            ),
            ("https://myapp.com?token=secret", "https://myapp.com"),
            ("https://b\u{fc}cher.example/\u{fc}", "https://xn--bcher-kva.example/%C3%BC"),
            ("https://example.com./", "https://example.com"),
            ("https://[::1]:3000/x", "https://[::1]:3000/x"),
            ("https://example.com/<b>", "https://example.com/%3Cb%3E"),
            (
                "https://example.com?utm_source=%0d%0aX-Evil:+1",
                "https://example.com?utm_source=X-Evil%3A+1",
            ),
        ] {
            assert_eq!(stored(typed).as_deref(), Some(kept), "{typed}");
            assert_eq!(stored(kept).as_deref(), Some(kept), "stored forms read as themselves");
        }
    }

    #[test]
    fn what_is_no_page_of_the_web_is_refused() {
        let long = format!("https://example.com/{}", "a".repeat(181));
        assert_eq!(long.len(), 201);
        assert!(stored(&long[..200]).is_some());
        for text in [
            "",
            "example.com",
            "//example.com",
            "/register",
            "https://",
            "https:///example.com",
            "https:example.com",
            "javascript:alert(1)",
            "javascript://example.com/%0aalert(1)",
            "ftp://example.com",
            "file:///etc/passwd",
            "data:text/html,x",
            "https://user:secret@example.com",
            "https://user@example.com",
            "https://@example.com",
            "https://example.com\\@evil.example",
            "https://exa mple.com",
            "https://example.com/\r\nSet-Cookie: a=b",
            "https://example.com/\n",
            "https://example.com/\0",
            "https://exam\tple.com",
            "https://example.com:99999",
            "https://ex<ample.com",
            "https://.",
            "https://\"",
            "https://a{b}.example",
            "https://.example.com",
            "https://a..example.com",
            &long,
        ] {
            assert_eq!(stored(text), None, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_kept_is_short_plain_and_reads_as_itself(
            text in "(https?://([a-zA-Z0-9.\u{fc}\u{3c3}-]{1,40}|\\PC{1,10})(:[0-9]{1,5})?(/\\PC{0,60})?)?\
                     ([?&](utm_source|utm_campaign|utm_term|x)=\\PC{0,30}){0,4}(#\\PC{0,9})?",
        ) {
            if let Some(source) = Source::parse(&text) {
                let url = source.url();
                assert!(url.len() <= LONGEST && url.bytes().all(|b| b.is_ascii_graphic()), "{url}");
                assert!(!url.contains(['#', '<', '>', '"', '\\']) && !authority(url).contains('@'), "{url}");
                assert!(!source.category().contains(char::is_control));
                assert_eq!(Source::parse(url).as_ref(), Some(&source), "{url}");
            }
        }
    }

    #[test]
    fn what_grows_too_long_loses_parameters_then_its_path() {
        let wide = "\u{448}".repeat(60);
        let page = format!("https://example.com/a?utm_source={wide}");
        assert_eq!(stored(&page).as_deref(), Some("https://example.com/a"));
        // Its name is that of the page, for those who come to it without any campaign.
        assert_eq!(Source::parse(&page).unwrap().category(), "example.com");
        let page = format!("https://example.com/{wide}");
        assert_eq!(stored(&page).as_deref(), Some("https://example.com"));
    }

    #[test]
    fn sources_are_called_as_the_contract_says() {
        for (url, name) in [
            ("https://dashboard.myapp.com", "Dashboard"),
            ("https://dashboard.myapp.com/register", "Dashboard"),
            (
                "https://myapp.com?utm_source=facebook&utm_campaign=spring",
                "Facebook - Spring Campaign",
            ),
            ("https://myapp.com?utm_source=facebook", "Facebook"),
            (
                "https://myapp.com?utm_source=google_ads&utm_campaign=spring-campaign",
                "Google Ads - Spring Campaign",
            ),
            ("https://myapp.com?utm_source=x&utm_campaign=campaign", "X - Campaign"),
            ("https://myapp.com/x?utm_campaign=spring", "myapp.com"),
            ("https://myapp.com/register", "Website Registration"),
            ("https://myapp.com/register/", "Website Registration"),
            ("https://www.myapp.com/signup", "Website Registration"),
            ("https://www.myapp.com/registered", "myapp.com"),
            ("https://www.myapp.com:8080", "myapp.com"),
            ("https://mydashboard.com", "mydashboard.com"),
        ] {
            assert_eq!(Source::parse(url).unwrap().category(), name, "{url}");
        }
        let hidden = "https://myapp.com?utm_source=ab%E2%80%AEcd&utm_campaign=%3Cscript%3E";
        assert_eq!(Source::parse(hidden).unwrap().category(), "Abcd - <script> Campaign");
    }
}
