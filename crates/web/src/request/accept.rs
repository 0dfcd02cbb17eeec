//! What the client wants to read (RFC 9110 §12.5.1).

use http::HeaderMap;
use http::header::ACCEPT;

/// Whether the request asks for `application/json` by name. Browsers, mail scanners and `curl`
/// do not, so a GET that consumes something may do so only for those who do.
pub(crate) fn names_json(headers: &HeaderMap) -> bool {
    ranges(headers).any(|range| range.eq_ignore_ascii_case("application/json"))
}

/// Whether an answer in JSON is of any use to the client. `text/html` counts, since the
/// contract's views offer it and browsers ask for it.
pub(crate) fn takes_json(headers: &HeaderMap) -> bool {
    let Some(first) = headers.get(ACCEPT) else { return true };
    let fast = matches!(first.as_bytes(), b"" | b"*/*" | b"application/json");
    let known = ["*/*", "application/*", "application/json", "text/*", "text/html"];
    fast || ranges(headers).any(|range| known.iter().any(|one| range.eq_ignore_ascii_case(one)))
}

/// The media ranges the client accepts, without parameters; those of quality zero left out.
fn ranges(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next()?;
        let refused = parts.any(|parameter| {
            let Some((name, value)) = parameter.split_once('=') else { return false };
            name.trim().eq_ignore_ascii_case("q") && value.trim().parse() == Ok(0.0_f32)
        });
        (!refused).then_some(media)
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn accepting(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(value))])
    }

    #[test]
    fn only_those_who_name_json_ask_for_it() {
        for asks in
            ["application/json", "text/html, Application/JSON;q=0.5", "application/json ; a=b"]
        {
            assert!(names_json(&accepting(asks)), "{asks}");
        }
        for does_not in [
            "*/*",
            "application/*",
            "text/html",
            "application/json;q=0",
            "application/json;q=0.0",
            "application/jsonp",
            "",
            "application/ld+json",
            "x/application/json",
        ] {
            assert!(!names_json(&accepting(does_not)), "{does_not}");
        }
        assert!(!names_json(&HeaderMap::new()));
    }

    #[test]
    fn only_a_client_that_cannot_read_json_is_turned_away() {
        for takes in
            ["*/*", "", "application/json", "text/html,image/png;q=0.8", "image/png, */*;q=0.1"]
        {
            assert!(takes_json(&accepting(takes)), "{takes}");
        }
        for refuses in ["application/xml", "image/*", "application/json;q=0, application/xml"] {
            assert!(!takes_json(&accepting(refuses)), "{refuses}");
        }
        assert!(takes_json(&HeaderMap::new()));
    }
}
