//! Bearer tokens (RFC 6750 §2.1): read from the header only, never from a query or a body.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use ironlatch_core::Auth;
use ironlatch_core::sessions::Present;

use crate::problem::Problem;

/// The token in the `Authorization` header. Another scheme is as good as none; a `Bearer` that
/// is not exactly two words, or a second header, is refused.
pub(crate) fn token(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let line = lines.next().ok_or(Problem::NotAuthenticated)?;
    if lines.next().is_some() {
        return Err(Problem::BadAuthorizationHeader);
    }
    let line = line.to_str().map_err(|_| Problem::TokenInvalid)?;
    let mut words = line.split_ascii_whitespace();
    if !words.next().is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer")) {
        return Err(Problem::NotAuthenticated);
    }
    match (words.next(), words.next()) {
        (Some(token), None) => Ok(token),
        _ => Err(Problem::BadAuthorizationHeader),
    }
}

/// Who the request's bearer token says it is, after every check.
pub(crate) async fn check(auth: &Auth, headers: &HeaderMap) -> Result<Present, Problem> {
    auth.sessions().check(token(headers)?).await.map_err(Problem::from)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_header_is_exactly_two_words() {
        let read = |line: &'static str| {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(line))]);
            token(&headers).map(str::to_owned)
        };
        assert_eq!(read("Bearer abc").unwrap(), "abc");
        assert_eq!(read("bearer  abc ").unwrap(), "abc");
        for bad in ["Bearer", "Bearer ", "Bearer a b"] {
            assert!(matches!(read(bad), Err(Problem::BadAuthorizationHeader)), "{bad}");
        }
        for none in ["", "Basic abc", "abc", "Bearerabc"] {
            assert!(matches!(read(none), Err(Problem::NotAuthenticated)), "{none}");
        }
    }
}
