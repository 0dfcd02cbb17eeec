//! The pages of development mode. Askama escapes everything; mails are shown in a sandbox.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Html;

use super::Development;
use super::inbox::Entry;

/// Styles of the page and of mails, no scripts, no loading.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
);

type Page = Result<([(HeaderName, HeaderValue); 1], Html<String>), StatusCode>;

#[derive(Template)]
#[template(path = "landing.html")]
struct Landing {
    host: String,
}

#[derive(Template)]
#[template(path = "inbox.html")]
struct InboxPage {
    mails: Vec<Shown>,
}

struct Shown {
    entry: Entry,
    text: Vec<Piece>,
}

/// A piece of a mail's text: words, or a link to click.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Words(String),
    Link(String),
}

/// `GET /`.
pub(super) async fn landing(headers: HeaderMap) -> Page {
    let host = super::text(&headers, header::HOST).unwrap_or_default().to_owned();
    page(&Landing { host })
}

/// `GET /dev/inbox`.
pub(super) async fn inbox(State(development): State<Development>) -> Page {
    let entries = development.inbox.newest_first().into_iter();
    let mails = entries.map(|entry| Shown { text: pieces(&entry.text), entry }).collect();
    page(&InboxPage { mails })
}

fn page(template: &impl Template) -> Page {
    match template.render() {
        Ok(html) => Ok(([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(html))),
        Err(error) => {
            tracing::error!(%error, "a page cannot be rendered");
            Err(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

/// Finds the links in a text. Only `http` and `https` become links.
fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for word in text.split_inclusive(char::is_whitespace) {
        let bare = word.trim_end();
        if bare.starts_with("https://") || bare.starts_with("http://") {
            let blank = word.trim_start_matches(bare).to_owned();
            pieces.extend([Piece::Link(bare.to_owned()), Piece::Words(blank)]);
        } else if let Some(Piece::Words(words)) = pieces.last_mut() {
            words.push_str(word);
        } else {
            pieces.push(Piece::Words(word.to_owned()));
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use ironlatch_core::ports::Sms;

    use super::*;

    #[tokio::test]
    async fn sms_are_shown_beside_mails() {
        let development = Development::new();
        let ways = development.inbox();
        let id = uuid::Uuid::from_u128(1).into();
        let (to, text) = ("+491701234567".to_owned(), "Code: <042137>".to_owned());
        let valid_for = std::time::Duration::from_mins(5);
        ways.sms.unwrap().send(&Sms { id, to, text, valid_for }).await.unwrap();
        let shown = inbox(State(development.clone())).await.unwrap().1.0;
        assert!(shown.contains("<h2>SMS</h2>") && shown.contains("+491701234567"), "{shown}");
        assert!(shown.contains("Code: &#60;042137&#62;") && !shown.contains("<iframe"), "{shown}");
        let list = super::super::inbox::list(State(development)).await.0;
        let list = serde_json::to_value(list).unwrap();
        assert_eq!(list[0]["channel"], "sms");
        assert_eq!(list[0]["text"], "Code: <042137>");
    }

    #[test]
    fn links_in_a_text_are_found() {
        let words = |text: &str| Piece::Words(text.to_owned());
        let link = |text: &str| Piece::Link(text.to_owned());
        assert_eq!(
            pieces("See\nhttp://a/b?c=d \n javascript:x"),
            [words("See\n"), link("http://a/b?c=d"), words(" \n javascript:x")]
        );
    }
}
