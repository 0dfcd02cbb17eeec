//! A file in a form: the only body that may be large, bounded in size and time.

use std::time::Duration;

use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request};
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use ironlatch_core::profiles::{LARGEST_FILE, PictureProblem};
use tokio::time::timeout;

use super::body::{content_type, malformed_multipart, media, too_many};
use super::fields::picture_sentence;
use super::json::MOST_MEMBERS;
use super::still::StillHere;
use crate::problem::{FieldErrors, Problem};

/// The file and what a form wraps around it.
const LARGEST_BODY: usize = LARGEST_FILE + 64 * 1_024;
/// How long sending it may take: nobody occupies a place by sending a byte now and then.
const LONGEST: Duration = Duration::from_secs(30);

/// Reads the one file of a form; names, types and other fields are what a stranger says, and
/// looked at by nobody.
pub(crate) async fn read(request: Request, field: &'static str) -> Result<Vec<u8>, Problem> {
    let kind = content_type(request.headers())?;
    if kind.is_empty() || media(kind).eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Problem::NoPicture);
    }
    if !media(kind).eq_ignore_ascii_case("multipart/form-data") {
        return Err(Problem::UnsupportedMediaType(kind.to_owned()));
    }
    let length = request.headers().get(CONTENT_LENGTH);
    let announced: Option<usize> = length.and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length| length > LARGEST_BODY) {
        return Err(Problem::TooLarge);
    }
    let still = StillHere::of(request.extensions());
    let file = timeout(LONGEST, read_form(request, field))
        .await
        .unwrap_or_else(|_| Err(Problem::Unreadable("the body took too long".to_owned())))?;
    StillHere::check(still).await?;
    Ok(file)
}

async fn read_form(mut request: Request, field: &'static str) -> Result<Vec<u8>, Problem> {
    DefaultBodyLimit::max(LARGEST_BODY).apply(&mut request);
    let form = Multipart::from_request(request, &()).await;
    let mut parts = form.map_err(|_| malformed_multipart())?;
    let mut found = None;
    let mut seen = 0;
    while let Some(part) = parts.next_field().await.map_err(unreadable)? {
        seen += 1;
        if seen > MOST_MEMBERS {
            return Err(too_many());
        }
        if part.name() != Some(field) {
            continue;
        }
        if found.is_some() {
            return Err(Problem::Unreadable(
                "Form parse error - a field was given twice".to_owned(),
            ));
        }
        found = Some(read_part(part, field).await?);
    }
    found.ok_or(Problem::NoPicture)
}

async fn read_part(mut part: Field<'_>, field: &'static str) -> Result<Vec<u8>, Problem> {
    if part.file_name().is_none() {
        let sentence = "The submitted data was not a file. Check the encoding type on the form.";
        return Err(mistake(field, sentence.into()));
    }
    let mut file = Vec::new();
    while let Some(chunk) = part.chunk().await.map_err(unreadable)? {
        if file.len() + chunk.len() > LARGEST_FILE {
            return Err(mistake(field, picture_sentence(PictureProblem::TooLarge)));
        }
        file.extend_from_slice(&chunk);
    }
    Ok(file)
}

fn mistake(field: &'static str, sentence: std::borrow::Cow<'static, str>) -> Problem {
    let mut errors = FieldErrors::new();
    errors.add(field, sentence);
    Problem::Fields(errors)
}

#[expect(clippy::needless_pass_by_value, reason = "given to map_err")]
fn unreadable(error: MultipartError) -> Problem {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::TooLarge,
        _ => malformed_multipart(),
    }
}
