//! Cross-origin calls: an exact list of origins, with credentials, and nobody else.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
};
use http::{HeaderMap, HeaderValue, Method};

use crate::request::origin::Origins;

/// The rule of one application.
pub(crate) struct Cors<'a> {
    pub(crate) origins: &'a Origins,
}

impl Cors<'_> {
    /// Whether answers depend on who asks, so that caches must know.
    pub(crate) fn is_configured(&self) -> bool {
        self.origins.any_local || !self.origins.allowed.is_empty()
    }

    /// The origin to echo: only one of the list, and only as a whole.
    pub(crate) fn allowed_origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        if !self.is_configured() {
            return None;
        }
        let mut origins = headers.get_all(ORIGIN).iter();
        let (origin, None) = (origins.next()?, origins.next()) else { return None };
        self.origins.include(origin.as_bytes()).then(|| origin.clone())
    }
}

/// Whether a request is a browser's question before the real call.
pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// What a preflight from a listed origin is told besides the origin.
pub(crate) fn grant_preflight(headers: &mut HeaderMap) {
    for (name, value) in [
        (
            ACCESS_CONTROL_ALLOW_HEADERS,
            "accept, authorization, content-type, user-agent, x-csrftoken, x-requested-with",
        ),
        (ACCESS_CONTROL_ALLOW_METHODS, "DELETE, GET, OPTIONS, PATCH, POST, PUT"),
        (ACCESS_CONTROL_MAX_AGE, "86400"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// What every answer to a listed origin carries.
pub(crate) fn grant(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echoed(origin: &'static str, any_local: bool) -> Option<String> {
        let origins = Origins {
            own: "https://auth.example.com".to_owned(),
            allowed: vec!["https://app.example.com".to_owned()],
            any_local,
        };
        let headers = HeaderMap::from_iter([(ORIGIN, HeaderValue::from_static(origin))]);
        let echoed = Cors { origins: &origins }.allowed_origin(&headers);
        echoed.map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn only_listed_origins_are_echoed() {
        assert_eq!(
            echoed("https://app.example.com", false).as_deref(),
            Some("https://app.example.com")
        );
        for other in ["https://evil.example", "null", "*", "https://app.example.com.evil.example"] {
            assert_eq!(echoed(other, false), None, "{other}");
            assert_eq!(echoed(other, true), None, "{other}");
        }
        assert_eq!(echoed("http://localhost:5173", false), None);
        assert_eq!(echoed("http://localhost:5173", true).as_deref(), Some("http://localhost:5173"));
    }
}
