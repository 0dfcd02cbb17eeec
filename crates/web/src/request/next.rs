//! `next`: where a browser goes after a sign-in. Whoever sends people away with it chooses it, so
//! it leads to us or to a listed front end, and never to a stranger (attacks F01 and F03).

use super::origin::Origins;

/// What is kept of it travels in a cookie, together with other things.
const LONGEST: usize = 1_000;

/// What a client is told of one that leads elsewhere.
pub(crate) const NOT_OURS: &str = "Write a path of this server that begins with one slash, or the \
                                   address of an allowed front end.";

/// A target that passed the checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Next(String);

impl Next {
    /// Reads one: a path with whatever follows it, or a URL of an origin that is ours or listed.
    /// Compared by exact bytes; what browsers would repair or rewrite is refused, not repaired.
    pub(crate) fn parse(text: &str, origins: &Origins) -> Option<Self> {
        let rest = if text.starts_with('/') { text } else { beyond_origin(text, origins)? };
        let is_fine = text.len() <= LONGEST && is_plain(text) && is_plain_path(path_of(rest));
        is_fine.then(|| Self(text.to_owned()))
    }

    /// As it came.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The same for whoever keeps it.
    pub(crate) fn into_string(self) -> String {
        self.0
    }

    /// The same as the value of a query's parameter.
    pub(crate) fn encoded(&self) -> String {
        encode(&self.0)
    }
}

/// A text as the value of a query's parameter (RFC 3986 §2.1).
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.extend(['%', hex(byte >> 4), hex(byte & 15)]);
        }
    }
    out
}

fn hex(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).map_or('0', |digit| digit.to_ascii_uppercase())
}

/// What follows the origin of a URL, if the origin is one of ours, written as browsers write it.
fn beyond_origin<'a>(text: &'a str, origins: &Origins) -> Option<&'a str> {
    let authority = text.find("://")?.checked_add(3)?;
    let (_, after) = text.split_at_checked(authority)?;
    let end = after.find(['/', '?', '#']).unwrap_or(after.len());
    let (origin, rest) = text.split_at_checked(authority.checked_add(end)?)?;
    // A browser runs `javascript:` and shows `data:`, whatever host is written behind it.
    let is_listed = origins.allowed.iter().any(|listed| listed == origin);
    let is_web = origin.starts_with("https://") || origin.starts_with("http://");
    (is_listed || (is_web && origins.include(origin.as_bytes()))).then_some(rest)
}

/// The path alone.
fn path_of(rest: &str) -> &str {
    rest.split(['?', '#']).next().unwrap_or_default()
}

/// Nothing but what a URL may hold (RFC 3986 §2), percent signs only before two hexadecimal
/// digits: browsers drop tabs and line ends, and read `\` as `/`.
fn is_plain(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let is_fine = match byte {
            b'%' => [bytes.next(), bytes.next()]
                .iter()
                .all(|digit| digit.is_some_and(|digit| digit.is_ascii_hexdigit())),
            other => other.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&()*+,;=".contains(&other),
        };
        if !is_fine {
            return false;
        }
    }
    true
}

/// No empty segments, no dots to climb with, and nothing encoded that a reader after us could
/// take for either.
fn is_plain_path(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let hides = |code: &&str| {
        matches!(*code, "2f" | "5c" | "2e" | "25" | "7f")
            || code.starts_with('0')
            || code.starts_with('1')
    };
    let is_encoded = lower.split('%').skip(1).any(|part| part.get(..2).iter().any(hides));
    let climbs = path.split('/').any(|segment| segment == "." || segment == "..");
    !is_encoded && !climbs && !path.contains("//")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(any_local: bool) -> Origins {
        Origins {
            own: "https://auth.example.com".to_owned(),
            allowed: vec!["https://app.example.com".to_owned(), "tauri://localhost".to_owned()],
            any_local,
        }
    }

    #[test]
    fn our_paths_and_the_front_ends_addresses_are_taken_as_they_come() {
        for fine in [
            "/",
            "/account",
            "/account/?tab=2&back=%2Fhome#top",
            "/a?url=https://evil.example/",
            "/a?url=//evil.example",
            "/caf%C3%A9/",
            "/a;b=c,d/@me:1",
            "https://auth.example.com",
            "https://auth.example.com/account",
            "https://app.example.com",
            "https://app.example.com/",
            "https://app.example.com?tab=2",
            "https://app.example.com#/route",
            "https://app.example.com/done?x=1#y",
            "tauri://localhost/done",
        ] {
            let next = Next::parse(fine, &origins(false));
            assert_eq!(next.as_ref().map(Next::as_str), Some(fine));
        }
        assert!(Next::parse("http://localhost:5173/done", &origins(true)).is_some());
        assert!(Next::parse("http://localhost:5173/done", &origins(false)).is_none());
        let longest = format!("/{}", "a".repeat(LONGEST - 1));
        assert!(Next::parse(&longest, &origins(false)).is_some());
        assert!(Next::parse(&format!("{longest}a"), &origins(false)).is_none());
    }

    /// F01, F03: each spelling leads elsewhere, or is read differently by different readers.
    #[test]
    fn f01_f03_whatever_leads_elsewhere_is_refused() {
        for bad in ELSEWHERE {
            for any_local in [false, true] {
                assert_eq!(Next::parse(bad, &origins(any_local)), None, "{bad:?}");
            }
        }
        const { assert!(ELSEWHERE.len() >= 60) };
    }

    #[rustfmt::skip]
    const ELSEWHERE: [&str; 83] = [
        // Nothing, or no path.
        "", " ", ".", "..", "account", "./account", "../account", "?x", "#x", " /account",
        "/account ", "\u{a0}/account",
        // Another host without a scheme.
        "//evil.example", "///evil.example", "////evil.example", "/\\evil.example",
        "\\\\evil.example", "\\/evil.example", "/\t/evil.example", "/\n/evil.example",
        "/\r/evil.example", "\t//evil.example", "/\0/evil.example", "/a\\..\\evil.example",
        "//evil.example/..", "//auth.example.com", "//auth.example.com@evil.example",
        // The same, encoded, or made by a reader that resolves dots.
        "/%2F/evil.example", "/%2f%2fevil.example", "/%5Cevil.example", "/%5c%5cevil.example",
        "/%09/evil.example", "/%0D%0ALocation:%20https://evil.example", "/%00", "/%7f",
        "/%252f%252fevil.example", "/.//evil.example", "/..//evil.example", "/./x", "/a/../x",
        "/%2e%2e/x", "/%2E/x", "/a//evil.example", "/a%", "/a%2", "/a%zz",
        // Schemes that run or show something.
        "javascript:alert(1)", "JavaScript:alert(1)", "java\tscript:alert(1)",
        "javascript://localhost/%0aalert(1)", "javascript://app.example.com/%0aalert(1)",
        "data:text/html,<script>alert(1)</script>", "vbscript:msgbox(1)",
        "blob:https://app.example.com/x", "file:///etc/passwd", "mailto:a@b.example",
        // Hosts that only look like the front end's.
        "https://evil.example", "https://app.example.com.evil.example",
        "https://evil.example/app.example.com", "https://app.example.com@evil.example",
        "https://app.example.com:x@evil.example/", "https://evil.example\\@app.example.com",
        "https://evil.example#@app.example.com", "https://app.example.com:8443/",
        "https://app.example.com:443/", "https://app.example.com./", "https://xapp.example.com",
        "https://user@app.example.com/", "http://app.example.com/",
        // What browsers would repair into one.
        "https:app.example.com", "https:/app.example.com", "https:///app.example.com",
        "https:\\\\app.example.com", "HTTPS://app.example.com", "https://APP.example.com",
        "https://app。example.com", "https://аpp.example.com", "https://app.example.com\\x",
        "https://app.example.com//evil.example", "https://app.example.com/%2f..",
        "https://app.example.com/a b", "https://app.example.com/<x>", "https://[::1]/'x'",
    ];

    #[test]
    fn it_is_one_value_of_a_query() {
        let next = Next::parse("/a?b=c&d=%2F#e", &origins(false)).unwrap();
        assert_eq!(next.encoded(), "/a%3Fb%3Dc%26d%3D%252F%23e");
    }
}
