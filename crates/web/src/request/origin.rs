//! Where a browser's call comes from: the check that stands behind every act on a cookie.

use std::sync::atomic::{AtomicBool, Ordering};

use http::header::ORIGIN;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use crate::problem::Problem;
use crate::settings::LOCAL_HOSTS;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The origins that may act with a person's cookies.
#[derive(Debug)]
pub(crate) struct Origins {
    /// Of the public URL.
    pub(crate) own: String,
    /// Of the configured front ends.
    pub(crate) allowed: Vec<String>,
    /// Whether any origin on this machine may, too.
    pub(crate) any_local: bool,
}

impl Origins {
    /// Whether an `Origin` header names one of ours.
    pub(crate) fn include(&self, origin: &[u8]) -> bool {
        origin == self.own.as_bytes()
            || self.allowed.iter().any(|allowed| allowed.as_bytes() == origin)
            || (self.any_local && is_local(origin))
    }

    /// Refuses a cross-site call: it could spend the person's cookies, or plant somebody else's
    /// (a stranger's session, a stranger's mark of "signed up here"). Clients that are no
    /// browsers send neither header, and nobody else makes them call.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let site = headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes);
        let mut origins = headers.get_all(ORIGIN).iter().map(HeaderValue::as_bytes);
        let is_ours = match (origins.next(), origins.next()) {
            (None, _) => matches!(site, None | Some(b"same-origin" | b"none")),
            // The forms of our own pages: under `Referrer-Policy: no-referrer` browsers write
            // `null` (Fetch §3.2). `Sec-Fetch-Site` is theirs alone to write, and a sandboxed
            // frame or a `data:` page is cross-site to them.
            (Some(b"null"), None) => site == Some(b"same-origin"),
            (Some(origin), None) => self.include(origin),
            (Some(_), Some(_)) => false,
        };
        if is_ours {
            return Ok(());
        }
        warn_once(headers);
        Err(Problem::CrossSite)
    }
}

/// Says once what an operator must know whose own front end is refused.
fn warn_once(headers: &HeaderMap) {
    static WARNED: AtomicBool = AtomicBool::new(false);
    if !WARNED.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            origin = ?headers.get(ORIGIN),
            "a browser's call from another site was refused: if the origin is a front end of \
             yours, list it in IRONLATCH_ALLOWED_ORIGINS; if it is this server, correct \
             IRONLATCH_PUBLIC_URL"
        );
    }
}

/// The origin of a URL as browsers write it: no default port, nothing after the authority.
pub(crate) fn origin_of(url: &str) -> String {
    let Ok(uri) = url.parse::<Uri>() else { return String::new() };
    let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else { return String::new() };
    let host = host.to_ascii_lowercase();
    match (scheme, uri.port_u16()) {
        (_, None) | ("http", Some(80)) | ("https", Some(443)) => format!("{scheme}://{host}"),
        (_, Some(port)) => format!("{scheme}://{host}:{port}"),
    }
}

/// Whether a configured text is an origin in the form in which browsers send it. Any scheme
/// will do, since packaged applications have their own (`tauri://localhost`).
pub(crate) fn is_origin(text: &str) -> bool {
    !text.is_empty() && origin_of(text) == text
}

/// Whether an origin is a page on this machine, whatever its port.
fn is_local(origin: &[u8]) -> bool {
    let Ok(origin) = std::str::from_utf8(origin) else { return false };
    let Ok(uri) = origin.parse::<Uri>() else { return false };
    is_origin(origin) && uri.host().is_some_and(|host| LOCAL_HOSTS.contains(&host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(name: HeaderName, value: &'static str) -> bool {
        let origins = Origins {
            own: origin_of("https://auth.example.com/base/"),
            allowed: vec!["https://app.example.com".to_owned()],
            any_local: false,
        };
        let headers = HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
        origins.check(&headers).is_ok()
    }

    #[test]
    fn only_our_own_and_listed_origins_pass() {
        assert!(verdict(ORIGIN, "https://auth.example.com"));
        assert!(verdict(ORIGIN, "https://app.example.com"));
        for other in [
            "null",
            "",
            "https://evil.example",
            "http://app.example.com",
            "https://app.example.com.evil.example",
            "https://app.example.com:8443",
            "https://APP.example.com",
            "https://app.example.com/",
            "https://evil.app.example.com",
            "http://localhost:3000",
            "https://app.example.com, https://evil.example",
        ] {
            assert!(!verdict(ORIGIN, other), "{other}");
        }
    }

    #[test]
    fn without_an_origin_the_browser_must_say_same_origin() {
        assert!(verdict(SEC_FETCH_SITE, "same-origin"));
        assert!(verdict(SEC_FETCH_SITE, "none"));
        assert!(!verdict(SEC_FETCH_SITE, "same-site"));
        assert!(!verdict(SEC_FETCH_SITE, "cross-site"));
        assert!(verdict(HeaderName::from_static("x-other"), "value"));
    }

    #[test]
    fn a_null_origin_passes_only_from_our_own_pages() {
        let origins =
            Origins { own: origin_of("https://a.example"), allowed: vec![], any_local: true };
        let passes = |site: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(ORIGIN, HeaderValue::from_static("null"));
            if let Some(site) = site {
                headers.insert(SEC_FETCH_SITE, HeaderValue::from_static(site));
            }
            origins.check(&headers).is_ok()
        };
        assert!(passes(Some("same-origin")));
        assert!(!passes(None));
        assert!(!passes(Some("none")));
        assert!(!passes(Some("same-site")));
        assert!(!passes(Some("cross-site")));
    }

    #[test]
    fn two_origins_are_refused() {
        let origins =
            Origins { own: origin_of("https://a.example"), allowed: vec![], any_local: false };
        let mut headers = HeaderMap::new();
        headers.append(ORIGIN, HeaderValue::from_static("https://a.example"));
        headers.append(ORIGIN, HeaderValue::from_static("https://evil.example"));
        assert!(origins.check(&headers).is_err());
    }

    #[test]
    fn local_pages_are_told_from_names_that_look_local() {
        for local in ["http://localhost:5173", "http://127.0.0.1", "https://[::1]:8443"] {
            assert!(is_local(local.as_bytes()), "{local}");
        }
        for other in [
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example",
            "null",
            "http://",
            "http://user@localhost",
            "http://localhost:3000/",
        ] {
            assert!(!is_local(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn origins_are_written_as_browsers_write_them() {
        assert_eq!(origin_of("https://Auth.Example.com:443/x"), "https://auth.example.com");
        assert_eq!(origin_of("http://127.0.0.1:8000"), "http://127.0.0.1:8000");
        assert_eq!(origin_of("not a url"), "");
        assert!(is_origin("https://app.example.com"));
        assert!(!is_origin("https://app.example.com/"));
        assert!(is_origin("tauri://localhost"));
        assert!(!is_origin("*"));
        assert!(!is_origin("null"));
        assert!(!is_origin(""));
    }
}
