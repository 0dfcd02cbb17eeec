//! Cookies as a browser keeps them: by name and path, until they expire.

use cookie::Cookie;
use http::HeaderMap;
use http::header::SET_COOKIE;
use ironlatch_core::time::{Timestamp, seconds};

/// The cookies of one browser.
#[derive(Debug, Default, Clone)]
pub(crate) struct Jar {
    kept: Vec<Kept>,
}

#[derive(Debug, Clone)]
struct Kept {
    name: String,
    value: String,
    path: String,
    until: Option<Timestamp>,
}

impl Jar {
    /// Takes in what an answer sets or deletes (RFC 6265 §5.3).
    pub(crate) fn take(&mut self, headers: &HeaderMap, now: Timestamp) {
        for header in headers.get_all(SET_COOKIE) {
            let text = header.to_str().expect("cookies are ASCII");
            let cookie = Cookie::parse(text).expect("the server writes cookies one can read");
            let path = cookie.path().unwrap_or("/").to_owned();
            self.kept.retain(|old| old.name != cookie.name() || old.path != path);
            let until = cookie.max_age().map(|age| {
                now.plus(seconds(u64::try_from(age.whole_seconds()).unwrap_or_default()))
            });
            self.kept.push(Kept {
                name: cookie.name().to_owned(),
                value: cookie.value().to_owned(),
                path,
                until,
            });
        }
    }

    /// Sets a cookie by hand.
    pub(crate) fn put(&mut self, name: &str, value: &str) {
        self.remove(name);
        let (name, value) = (name.to_owned(), value.to_owned());
        self.kept.push(Kept { name, value, path: "/".to_owned(), until: None });
    }

    /// Forgets a cookie.
    pub(crate) fn remove(&mut self, name: &str) {
        self.kept.retain(|old| old.name != name);
    }

    /// A cookie's value, whatever its path.
    pub(crate) fn value(&self, name: &str, now: Timestamp) -> Option<&str> {
        let found = self.kept.iter().find(|kept| kept.name == name && kept.is_alive(now));
        found.map(|kept| kept.value.as_str())
    }

    /// The `Cookie` header for a path, if any cookie goes there.
    pub(crate) fn header(&self, path: &str, now: Timestamp) -> Option<String> {
        let going = self.kept.iter().filter(|kept| kept.is_alive(now) && kept.goes_to(path));
        let pairs: Vec<_> = going.map(|kept| format!("{}={}", kept.name, kept.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

impl Kept {
    fn is_alive(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// RFC 6265 §5.1.4.
    fn goes_to(&self, path: &str) -> bool {
        let folder = self.path.trim_end_matches('/');
        path == self.path
            || path
                .strip_prefix(folder)
                .is_some_and(|rest| rest.starts_with('/') || rest.is_empty())
    }
}
