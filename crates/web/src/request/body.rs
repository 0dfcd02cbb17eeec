//! Bodies: JSON, urlencoded and multipart, bounded, in the one shape that handlers read.

use axum::body::{Body, to_bytes};
use axum::extract::{Form, FromRequest, Multipart, Request};
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};

use super::fields::Fields;
use super::json::{self, Document, Entry, MOST_MEMBERS};
use super::still::StillHere;
use crate::problem::Problem;

/// No body of ours comes near it.
const LARGEST: usize = 64 * 1024;

/// The named values of a body. Taken as an extractor, it refuses what it cannot read.
impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        read(request, Takes::EveryKind).await
    }
}

/// The same where a contract takes nothing but JSON.
pub(crate) struct JsonFields(pub(crate) Fields);

impl<S: Send + Sync> FromRequest<S> for JsonFields {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        read(request, Takes::OnlyJson).await.map(Self)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    EveryKind,
    OnlyJson,
}

async fn read(request: Request, takes: Takes) -> Result<Fields, Problem> {
    let (parts, body) = request.into_parts();
    let bytes = collect(&parts.headers, body).await?;
    StillHere::check(StillHere::of(&parts.extensions)).await?;
    // An empty body is no values, whatever type it claims to have.
    if bytes.is_empty() {
        return Ok(Fields::empty());
    }
    let content_type = content_type(&parts.headers)?;
    let media = media(content_type);
    if media.eq_ignore_ascii_case("application/json") {
        return from_json(&bytes);
    }
    if takes == Takes::EveryKind {
        if media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return from_form(bytes).await;
        }
        if media.eq_ignore_ascii_case("multipart/form-data") {
            return from_multipart(content_type, bytes).await;
        }
    }
    Err(Problem::UnsupportedMediaType(content_type.to_owned()))
}

async fn collect(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let announced =
        headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > LARGEST as u64) {
        return Err(Problem::TooLarge);
    }
    to_bytes(body, LARGEST).await.map_err(|error| {
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(found) = cause {
            if found.is::<http_body_util::LengthLimitError>() {
                return Problem::TooLarge;
            }
            cause = found.source();
        }
        Problem::Unreadable("the body ended early".to_owned())
    })
}

pub(super) fn content_type(headers: &HeaderMap) -> Result<&str, Problem> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok("") };
    value.to_str().map_err(|_| {
        Problem::UnsupportedMediaType(String::from_utf8_lossy(value.as_bytes()).into_owned())
    })
}

/// A content type without its parameters.
pub(super) fn media(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

fn from_json(bytes: &[u8]) -> Result<Fields, Problem> {
    match json::read(bytes)
        .map_err(|why| Problem::Unreadable(format!("JSON parse error - {why}")))?
    {
        Document::Object(members) => Ok(Fields::new(members)),
        Document::Null => Err(Problem::NoData),
        Document::Other(kind) => Err(Problem::NotADictionary(kind)),
    }
}

async fn from_form(bytes: Bytes) -> Result<Fields, Problem> {
    // Handed to axum as a POST, so that it reads the body whatever the method was.
    let request = http::Request::post("/")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(bytes))
        .map_err(|_| malformed_form())?;
    let Form(pairs) = Form::<Vec<(String, String)>>::from_request(request, &())
        .await
        .map_err(|_| malformed_form())?;
    let members = pairs.into_iter().map(|(name, value)| (name, Entry::Text(value))).collect();
    once_each(members)
}

async fn from_multipart(content_type: &str, bytes: Bytes) -> Result<Fields, Problem> {
    let request = http::Request::post("/")
        .header(CONTENT_TYPE, content_type)
        .body(Body::from(bytes))
        .map_err(|_| malformed_multipart())?;
    let mut parts =
        Multipart::from_request(request, &()).await.map_err(|_| malformed_multipart())?;
    let mut members = Vec::new();
    while let Some(part) = parts.next_field().await.map_err(|_| malformed_multipart())? {
        if members.len() == MOST_MEMBERS {
            return Err(too_many());
        }
        let name = part.name().unwrap_or_default().to_owned();
        let entry = if part.file_name().is_some() {
            Entry::Other("file")
        } else {
            Entry::Text(part.text().await.map_err(|_| malformed_multipart())?)
        };
        members.push((name, entry));
    }
    once_each(members)
}

/// Refuses a name given twice: readers behind or before us might pick the other value.
fn once_each(members: Vec<(String, Entry)>) -> Result<Fields, Problem> {
    if members.len() > MOST_MEMBERS {
        return Err(too_many());
    }
    let mut seen = std::collections::HashSet::new();
    if members.iter().all(|(name, _)| seen.insert(name.as_str())) {
        Ok(Fields::new(members))
    } else {
        Err(Problem::Unreadable("Form parse error - a field was given twice".to_owned()))
    }
}

pub(super) fn too_many() -> Problem {
    Problem::Unreadable(format!("Form parse error - more than {MOST_MEMBERS} fields"))
}

fn malformed_form() -> Problem {
    Problem::Unreadable(
        "Form parse error - not valid as application/x-www-form-urlencoded".to_owned(),
    )
}

pub(super) fn malformed_multipart() -> Problem {
    Problem::Unreadable("Multipart form parse error - not valid as multipart/form-data".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn posted(content_type: Option<&str>, body: &'static str) -> Result<Fields, Problem> {
        let mut request = http::Request::post("/");
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        Fields::from_request(request.body(Body::from(body)).unwrap(), &()).await
    }

    #[tokio::test]
    async fn three_kinds_of_body_say_the_same() {
        let multipart = "--x\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\nada@example.com\r\n--x--\r\n";
        for (content_type, body) in [
            ("application/json", "{\"email\":\"ada@example.com\"}"),
            ("Application/JSON; charset=utf-8", "{\"email\":\"ada@example.com\"}"),
            ("application/x-www-form-urlencoded", "email=ada%40example.com"),
            ("multipart/form-data; boundary=x", multipart),
        ] {
            let mut fields = posted(Some(content_type), body).await.unwrap();
            assert_eq!(fields.text("email").as_deref(), Some("ada@example.com"), "{content_type}");
        }
    }

    #[tokio::test]
    async fn where_only_json_is_taken_forms_are_not() {
        for (content_type, taken) in [
            ("application/json", true),
            ("application/x-www-form-urlencoded", false),
            ("multipart/form-data; boundary=x", false),
            ("text/plain", false),
        ] {
            let request = http::Request::post("/").header(CONTENT_TYPE, content_type);
            let request = request.body(Body::from("{}")).unwrap();
            match JsonFields::from_request(request, &()).await {
                Ok(_) => assert!(taken, "{content_type}"),
                Err(Problem::UnsupportedMediaType(named)) => {
                    assert!(!taken && named == content_type, "{content_type}");
                }
                Err(other) => panic!("{content_type}: {other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn an_empty_body_needs_no_type() {
        for content_type in [None, Some("text/plain"), Some("application/json")] {
            assert!(posted(content_type, "").await.unwrap().body_was_empty());
        }
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_named() {
        assert!(matches!(
            posted(Some("text/plain; charset=x"), "a").await,
            Err(Problem::UnsupportedMediaType(kind)) if kind == "text/plain; charset=x"
        ));
        assert!(
            matches!(posted(None, "a").await, Err(Problem::UnsupportedMediaType(kind)) if kind.is_empty())
        );
        assert!(matches!(
            posted(Some("application/json"), "{").await,
            Err(Problem::Unreadable(why)) if why.starts_with("JSON parse error - ")
        ));
        let twice = posted(Some("application/x-www-form-urlencoded"), "a=1&a=2").await;
        assert!(matches!(twice, Err(Problem::Unreadable(_))));
        assert!(matches!(
            posted(Some("multipart/form-data; boundary=x"), "junk").await,
            Err(Problem::Unreadable(_))
        ));
    }

    #[tokio::test]
    async fn a_body_has_64_members_at_most() {
        for (most, accepted) in [(MOST_MEMBERS, true), (MOST_MEMBERS + 1, false)] {
            let each = |member: fn(usize) -> String, between: &str| {
                (0..most).map(member).collect::<Vec<_>>().join(between)
            };
            let json = format!("{{{}}}", each(|n| format!("\"{n}\":1"), ","));
            let form = each(|n| format!("{n}=1"), "&");
            let part = |n| format!("Content-Disposition: form-data; name=\"{n}\"\r\n\r\n1");
            let multipart = format!("--x\r\n{}\r\n--x--\r\n", each(part, "\r\n--x\r\n"));
            for (content_type, body) in [
                ("application/json", json),
                ("application/x-www-form-urlencoded", form),
                ("multipart/form-data; boundary=x", multipart),
            ] {
                let request = http::Request::post("/").header(CONTENT_TYPE, content_type);
                let read = Fields::from_request(request.body(Body::from(body)).unwrap(), &()).await;
                match read {
                    Ok(fields) => assert!(accepted && fields.has("63"), "{content_type}"),
                    Err(Problem::Unreadable(why)) => {
                        assert!(
                            !accepted && why.contains("more than 64 "),
                            "{content_type}: {why}"
                        );
                    }
                    Err(other) => panic!("{content_type}: {other:?}"),
                }
            }
        }
    }

    #[tokio::test]
    async fn a_body_beyond_the_bound_is_refused_announced_or_not() {
        let huge = "x".repeat(LARGEST + 1);
        let request = http::Request::post("/").header(CONTENT_TYPE, "application/json");
        let refused = Fields::from_request(request.body(Body::from(huge)).unwrap(), &()).await;
        assert!(matches!(refused, Err(Problem::TooLarge)));
        let request = http::Request::post("/").header(CONTENT_LENGTH, "99999999");
        let refused = Fields::from_request(request.body(Body::empty()).unwrap(), &()).await;
        assert!(matches!(refused, Err(Problem::TooLarge)));
    }
}
