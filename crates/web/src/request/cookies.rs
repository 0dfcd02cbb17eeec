//! Cookies: their names, reading them, and writing them exactly as the contract shows.

use std::time::Duration;

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use ironlatch_core::ports::Token;
use ironlatch_core::time::Timestamp;
use time::OffsetDateTime;
use time::macros::format_description;

/// Existing clients know it by this name, so it has no `__Host-` prefix.
const REFRESH: &str = "refresh_token";
/// The `users` door's, likewise.
const ACCESS: &str = "access_token";
/// The `otp_session` door's, likewise.
const SESSION: &str = "sessionid";

/// How long the browser keeps a link's token while its page is open.
const LINK_LIFETIME: Duration = Duration::from_hours(1);

/// One of our cookies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// The refresh token of the cookie chain.
    Refresh,
    /// The access token of the `users` door.
    Access,
    /// The session of the `otp_session` door.
    Session,
    /// Keeps a known device from being locked out by strangers.
    Device,
    /// Marks the browser in which somebody signed up.
    SignUp,
    /// The token of a verification link, taken out of the address bar.
    VerifyLink,
    /// The token of a reset link, likewise.
    ResetLink,
    /// The token of a link to a new address, likewise.
    ConfirmLink,
    /// The token of a link that takes a change of address back, likewise.
    UndoLink,
    /// The token of a code's link, likewise.
    SignInLink,
    /// Marks the browser in which somebody asked for a code: its link works there alone.
    CodeFlow,
    /// The way to a provider, sealed: the way back works in the browser that left. `Lax`, since
    /// the provider's site leads there.
    SocialFlow,
    /// The challenge of a second step that the sign-in page asks for.
    SecondStep,
    /// How the way back from a provider ended, for the page that tells it once.
    Outcome,
}

/// The names, which depend on whether the public URL is `https`: browsers take the prefix
/// `__Host-` only together with `Secure` (RFC 6265bis §4.1.3.2).
#[derive(Debug)]
pub(crate) struct CookieNames {
    secure: bool,
}

impl CookieNames {
    pub(crate) const fn new(secure: bool) -> Self {
        Self { secure }
    }

    /// Whether cookies travel over `https` only.
    pub(crate) const fn are_secure(&self) -> bool {
        self.secure
    }

    const fn name(&self, cookie: Cookie) -> &'static str {
        match (cookie, self.secure) {
            (Cookie::Refresh, _) => REFRESH,
            (Cookie::Access, _) => ACCESS,
            (Cookie::Session, _) => SESSION,
            (Cookie::Device, true) => "__Host-ironlatch_device",
            (Cookie::Device, false) => "ironlatch_device",
            (Cookie::SignUp, true) => "__Host-ironlatch_sign_up",
            (Cookie::SignUp, false) => "ironlatch_sign_up",
            (Cookie::VerifyLink, true) => "__Host-ironlatch_link_verify",
            (Cookie::VerifyLink, false) => "ironlatch_link_verify",
            (Cookie::ResetLink, true) => "__Host-ironlatch_link_reset",
            (Cookie::ResetLink, false) => "ironlatch_link_reset",
            (Cookie::ConfirmLink, true) => "__Host-ironlatch_link_confirm",
            (Cookie::ConfirmLink, false) => "ironlatch_link_confirm",
            (Cookie::UndoLink, true) => "__Host-ironlatch_link_undo",
            (Cookie::UndoLink, false) => "ironlatch_link_undo",
            (Cookie::SignInLink, true) => "__Host-ironlatch_link_sign_in",
            (Cookie::SignInLink, false) => "ironlatch_link_sign_in",
            (Cookie::CodeFlow, true) => "__Host-ironlatch_code_flow",
            (Cookie::CodeFlow, false) => "ironlatch_code_flow",
            (Cookie::SocialFlow, true) => "__Host-ironlatch_social_flow",
            (Cookie::SocialFlow, false) => "ironlatch_social_flow",
            (Cookie::SecondStep, true) => "__Host-ironlatch_second_step",
            (Cookie::SecondStep, false) => "ironlatch_second_step",
            (Cookie::Outcome, true) => "__Host-ironlatch_outcome",
            (Cookie::Outcome, false) => "ironlatch_outcome",
        }
    }

    /// The value of a cookie the browser sent. Two of one name are none: one of them was put
    /// there by somebody else (a sibling domain), and nobody can tell which.
    pub(crate) fn read<'a>(&self, headers: &'a HeaderMap, cookie: Cookie) -> Option<&'a str> {
        let name = self.name(cookie);
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
        let mut found = pairs.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim());
        match (found.next(), found.next()) {
            (Some(value), None) if !value.is_empty() && value != "\"\"" => Some(value),
            _ => None,
        }
    }

    /// The same as a secret that does not show in logs.
    pub(crate) fn read_secret(&self, headers: &HeaderMap, cookie: Cookie) -> Option<Token> {
        self.read(headers, cookie).map(|value| Token::new(value.to_owned()))
    }

    /// `Set-Cookie` for a secret. `None` if it cannot be written, which no token of ours can be.
    pub(crate) fn set(
        &self,
        cookie: Cookie,
        value: &str,
        lifetime: Duration,
        now: Timestamp,
    ) -> Option<HeaderValue> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if !value.bytes().all(plain) {
            return None;
        }
        let name = self.name(cookie);
        let expires = http_date(now.plus(lifetime));
        let seconds = lifetime.as_secs();
        let site = match (cookie, self.secure) {
            // Literally as its contract has it, on `http` as well: browsers count `localhost`
            // among the secure places.
            (Cookie::Access, _) => "None; Secure",
            (_, true) => "Lax; Secure",
            (_, false) => "Lax",
        };
        let line = format!(
            "{name}={value}; expires={expires}; HttpOnly; Max-Age={seconds}; Path=/; \
             SameSite={site}"
        );
        let mut line = HeaderValue::try_from(line).ok()?;
        line.set_sensitive(true);
        Some(line)
    }

    /// `Set-Cookie` for a link's token.
    pub(crate) fn set_link(
        &self,
        cookie: Cookie,
        token: &str,
        now: Timestamp,
    ) -> Option<HeaderValue> {
        (!token.is_empty() && token.len() <= 200)
            .then(|| self.set(cookie, token, LINK_LIFETIME, now))
            .flatten()
    }

    /// `Set-Cookie` that takes a cookie away, in the contract's form.
    pub(crate) fn clear(&self, cookie: Cookie) -> HeaderValue {
        // A browser refuses to touch a `__Host-` cookie by a line without `Secure`.
        HeaderValue::from_static(match (cookie, self.secure) {
            (Cookie::Refresh, _) => {
                "refresh_token=\"\"; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/"
            }
            (Cookie::Access, _) => {
                "access_token=\"\"; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; \
                 SameSite=None; Secure"
            }
            (Cookie::Session, _) => {
                "sessionid=\"\"; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; \
                 SameSite=Lax"
            }
            (Cookie::Device, true) => "__Host-ironlatch_device=; Max-Age=0; Path=/; Secure",
            (Cookie::Device, false) => "ironlatch_device=; Max-Age=0; Path=/",
            (Cookie::SignUp, true) => "__Host-ironlatch_sign_up=; Max-Age=0; Path=/; Secure",
            (Cookie::SignUp, false) => "ironlatch_sign_up=; Max-Age=0; Path=/",
            (Cookie::VerifyLink, true) => {
                "__Host-ironlatch_link_verify=; Max-Age=0; Path=/; Secure"
            }
            (Cookie::VerifyLink, false) => "ironlatch_link_verify=; Max-Age=0; Path=/",
            (Cookie::ResetLink, true) => "__Host-ironlatch_link_reset=; Max-Age=0; Path=/; Secure",
            (Cookie::ResetLink, false) => "ironlatch_link_reset=; Max-Age=0; Path=/",
            (Cookie::ConfirmLink, true) => {
                "__Host-ironlatch_link_confirm=; Max-Age=0; Path=/; Secure"
            }
            (Cookie::ConfirmLink, false) => "ironlatch_link_confirm=; Max-Age=0; Path=/",
            (Cookie::UndoLink, true) => "__Host-ironlatch_link_undo=; Max-Age=0; Path=/; Secure",
            (Cookie::UndoLink, false) => "ironlatch_link_undo=; Max-Age=0; Path=/",
            (Cookie::SignInLink, true) => {
                "__Host-ironlatch_link_sign_in=; Max-Age=0; Path=/; Secure"
            }
            (Cookie::SignInLink, false) => "ironlatch_link_sign_in=; Max-Age=0; Path=/",
            (Cookie::CodeFlow, true) => "__Host-ironlatch_code_flow=; Max-Age=0; Path=/; Secure",
            (Cookie::CodeFlow, false) => "ironlatch_code_flow=; Max-Age=0; Path=/",
            (Cookie::SocialFlow, true) => {
                "__Host-ironlatch_social_flow=; Max-Age=0; Path=/; Secure"
            }
            (Cookie::SocialFlow, false) => "ironlatch_social_flow=; Max-Age=0; Path=/",
            (Cookie::SecondStep, true) => {
                "__Host-ironlatch_second_step=; Max-Age=0; Path=/; Secure"
            }
            (Cookie::SecondStep, false) => "ironlatch_second_step=; Max-Age=0; Path=/",
            (Cookie::Outcome, true) => "__Host-ironlatch_outcome=; Max-Age=0; Path=/; Secure",
            (Cookie::Outcome, false) => "ironlatch_outcome=; Max-Age=0; Path=/",
        })
    }
}

/// A moment as `expires` writes it (RFC 9110 §5.6.7).
fn http_date(moment: Timestamp) -> String {
    let format = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let date = OffsetDateTime::from_unix_timestamp(moment.seconds()).ok();
    date.and_then(|date| date.format(format).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refresh_cookie_is_written_as_the_contract_shows() {
        let now = Timestamp::from_micros(1_795_212_670_000_000);
        let secure = CookieNames::new(true);
        let line = secure.set(Cookie::Refresh, "a.b-c_d", Duration::from_hours(14 * 24), now);
        assert_eq!(
            line.unwrap().to_str().unwrap(),
            "refresh_token=a.b-c_d; expires=Fri, 04 Dec 2026 22:11:10 GMT; HttpOnly; \
             Max-Age=1209600; Path=/; SameSite=Lax; Secure"
        );
        assert_eq!(
            secure.clear(Cookie::Refresh).to_str().unwrap(),
            "refresh_token=\"\"; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/"
        );
    }

    #[test]
    fn a_plain_public_url_drops_secure_and_the_prefix() {
        let now = Timestamp::from_micros(0);
        let line = CookieNames::new(false).set(Cookie::Device, "x", Duration::from_secs(1), now);
        let line = line.unwrap();
        assert!(line.to_str().unwrap().starts_with("ironlatch_device=x; "));
        assert!(!line.to_str().unwrap().contains("Secure"));
    }

    #[test]
    fn the_cookies_of_the_doors_are_written_as_their_contracts_show() {
        let now = Timestamp::from_micros(1_795_212_669_000_000);
        let day = Duration::from_hours(24);
        for secure in [true, false] {
            let names = CookieNames::new(secure);
            let line = names.set(Cookie::Access, "a.b-c_d", day, now).unwrap();
            assert_eq!(
                line.to_str().unwrap(),
                "access_token=a.b-c_d; expires=Sat, 21 Nov 2026 22:11:09 GMT; HttpOnly; \
                 Max-Age=86400; Path=/; SameSite=None; Secure"
            );
            assert_eq!(
                names.clear(Cookie::Access).to_str().unwrap(),
                "access_token=\"\"; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; \
                 SameSite=None; Secure"
            );
            let line = names.set(Cookie::Session, "x", day * 30, now).unwrap();
            let attributes = line.to_str().unwrap().split_once(" GMT; ").unwrap().1.to_owned();
            let tail = if secure { "; Secure" } else { "" };
            let lax = "HttpOnly; Max-Age=2592000; Path=/; SameSite=Lax";
            assert_eq!(attributes, format!("{lax}{tail}"));
        }
    }

    #[test]
    fn nothing_is_written_that_could_add_an_attribute_or_a_header() {
        let names = CookieNames::new(true);
        let now = Timestamp::from_micros(0);
        for value in ["a; Domain=evil.example", "a\r\nSet-Cookie: b=c", "a,b", "\"", " "] {
            assert_eq!(names.set(Cookie::VerifyLink, value, LINK_LIFETIME, now), None, "{value:?}");
        }
    }

    #[test]
    fn a_cookie_that_comes_twice_is_ignored() {
        let names = CookieNames::new(true);
        let read = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(COOKIE, HeaderValue::from_static(line));
            }
            names.read(&headers, Cookie::Refresh).map(str::to_owned)
        };
        assert_eq!(read(&["a=b; refresh_token=one; c=d"]).as_deref(), Some("one"));
        assert_eq!(read(&["refresh_token=one; refresh_token=two"]), None);
        assert_eq!(read(&["refresh_token=one", "refresh_token=two"]), None);
        assert_eq!(read(&["refresh_token=\"\""]), None);
        assert_eq!(read(&["xrefresh_token=one"]), None);
    }
}
