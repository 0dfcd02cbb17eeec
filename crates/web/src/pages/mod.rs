//! The pages that mails lead to: small, finished, working without JavaScript, loading nothing
//! from elsewhere.
//!
//! Opening a link does nothing for anybody: it puts the link's token into a short-lived cookie,
//! so that it leaves the address bar, and shows a page. Only a person's click, a POST, acts, and
//! only the link of a sign-in code opens a session, in the browser that asked for it; and the way
//! back from a provider ([`social`]), in the browser that left.

pub(crate) mod address;
mod outcome;
pub(crate) mod reference;
pub(crate) mod reset;
pub(crate) mod sign_in;
pub(crate) mod social;
pub(crate) mod verify;

use std::borrow::Cow;

use askama::Template;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use ironlatch_core::client::Client;
use ironlatch_core::credentials::password::PasswordProblem;
use ironlatch_core::error::InternalError;
use ironlatch_core::time::Timestamp;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::api::verify_email::token_in;
use crate::app::App;
use crate::problem::Problem;
use crate::request::caller::Caller;
use crate::request::cookies::Cookie;
use crate::request::fields::Fields;

/// What a page's handler gives; a problem becomes a page of its own.
type PageResult = Result<Response, Problem>;

/// A title and a sentence: how an act ended.
#[derive(Template)]
#[template(path = "notice.html")]
struct Notice<'a> {
    product: &'a str,
    title: &'a str,
    sentence: &'a str,
}

/// The same on a path below the pages.
#[derive(Template)]
#[template(path = "notice_below.html")]
struct NoticeBelow<'a> {
    product: &'a str,
    up: String,
    title: &'a str,
    sentence: &'a str,
}

/// The one style sheet.
pub(crate) async fn style_sheet() -> Response {
    let css = include_str!("../../assets/ironlatch.css");
    ([(CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"))], css).into_response()
}

/// A problem as a page.
pub(crate) fn problem(app: &App, problem: &Problem) -> Response {
    let mut response = notice(app, problem.status(), "That did not work", &sentence(problem))
        .unwrap_or_else(IntoResponse::into_response);
    if let Some(after) = problem.retry_after() {
        response.headers_mut().insert(http::header::RETRY_AFTER, HeaderValue::from(after));
    }
    response
}

/// What a person is told; programs read the contract's wording.
fn sentence(problem: &Problem) -> Cow<'static, str> {
    match problem {
        Problem::CrossSite => "Your browser says that this came from another site. Please open \
                               the link in your mail again."
            .into(),
        Problem::Throttled { seconds } => {
            format!("That was tried too often. Please try again in {}.", wait(*seconds)).into()
        }
        Problem::Unavailable { .. } => "Too much is going on. Please try again in a moment.".into(),
        Problem::Internal => "Something went wrong on our side. Please try again later.".into(),
        other => other.sentence(),
    }
}

fn wait(seconds: u64) -> String {
    match seconds.div_ceil(60) {
        0 | 1 => "a minute".to_owned(),
        minutes @ 2..=90 => format!("{minutes} minutes"),
        minutes => format!("{} hours", minutes.div_ceil(60)),
    }
}

/// What is wrong with a new password, said to a person.
fn password_sentence(problem: PasswordProblem) -> String {
    match problem {
        PasswordProblem::TooShort { least } => {
            format!("The password needs at least {least} characters.")
        }
        PasswordProblem::TooLong => "The password is too long: 256 characters at most.".to_owned(),
        PasswordProblem::TooCommon => {
            "Too many people use this password, so it is guessed first. Choose another one."
                .to_owned()
        }
        PasswordProblem::AboutYou => {
            "The password must not be your own name or e-mail address.".to_owned()
        }
    }
}

fn notice(app: &App, status: StatusCode, title: &str, sentence: &str) -> PageResult {
    page(status, &Notice { product: product(app), title, sentence })
}

/// A title and a sentence on `/api/auth/social/{name}/…`.
fn notice_below(
    app: &App,
    uri: &Uri,
    status: StatusCode,
    [title, sentence]: [&str; 2],
) -> PageResult {
    page(status, &NoticeBelow { product: product(app), up: up_from(uri), title, sentence })
}

/// From such a path to where the pages are; relative, so that it holds under any prefix.
fn up_from(uri: &Uri) -> String {
    "../".repeat(4 + usize::from(uri.path().ends_with('/')))
}

/// How an act ended well; the link's cookie goes.
fn done(app: &App, link: Cookie, title: &str, sentence: &str) -> PageResult {
    let mut response = notice(app, StatusCode::OK, title, sentence)?;
    response.headers_mut().append(SET_COOKIE, app.cookies().clear(link));
    Ok(response)
}

fn page<T: Template>(status: StatusCode, template: &T) -> PageResult {
    let html = template.render().map_err(InternalError::fault)?;
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, html);
    Ok(response)
}

fn product(app: &App) -> &str {
    &app.auth().settings().mail.product
}

fn least_password_length(app: &App) -> usize {
    app.auth().settings().passwords.least_length
}

/// The link that a page is about, as its forms carry it.
struct About {
    /// The account's address in full, for password managers.
    address: String,
    /// Enough of it for its owner to know it, too little for whoever looks on.
    masked: String,
    /// What the forms name the link by. The cookie holds the last link that was opened, by
    /// whatever site opened it; a form acts on the link it was shown for.
    link: String,
}

impl About {
    fn new(app: &App, token: &str, address: String) -> Self {
        let masked = masked(&address);
        Self { address, masked, link: app.auth().one_time_codes().form_name(token) }
    }
}

/// What a form brought, or why nothing can be made of it.
fn received(
    caller: Result<Caller, Problem>,
    fields: Result<Fields, Problem>,
) -> Result<(Client, Fields), Problem> {
    Ok((caller?.0, fields?))
}

/// A page, or its problem as one.
fn shown(app: &App, outcome: PageResult) -> Response {
    outcome.unwrap_or_else(|problem| self::problem(app, &problem))
}

/// The same on a path below the pages.
fn shown_below(app: &App, uri: &Uri, outcome: PageResult) -> Response {
    outcome
        .or_else(|problem| {
            let told = sentence(&problem);
            notice_below(app, uri, problem.status(), ["That did not work", told.as_ref()])
        })
        .unwrap_or_else(IntoResponse::into_response)
}

/// A page is 400 when it says what was wrong.
const fn status_with(problem: Option<&String>) -> StatusCode {
    if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK }
}

/// A moment as pages write it; the reader's time zone is not known.
fn moment(at: Timestamp) -> String {
    let format =
        format_description!("[day padding:none] [month repr:long] [year] at [hour]:[minute] UTC");
    let at = OffsetDateTime::from_unix_timestamp(at.seconds()).ok();
    at.and_then(|at| at.format(format).ok()).unwrap_or_default()
}

/// Said when another link was opened after the form was shown.
const OTHER_LINK: &str = "Another link was opened in this browser meanwhile. This page shows \
                          that one: look at the address before you go on.";

/// Whether the form was shown for the link that the cookie holds now.
fn is_about(app: &App, fields: &mut Fields, token: &str) -> bool {
    fields.text("link").is_some_and(|link| link == app.auth().one_time_codes().form_name(token))
}

/// An address, number or name as whoever looks on may see it.
fn masked(address: &str) -> String {
    let first = |text: &str| text.chars().take(1).collect::<String>();
    if let Some((name, host)) = address.rsplit_once('@') {
        return format!("{}•••@{host}", first(name));
    }
    match address.strip_prefix('+') {
        Some(digits) => {
            let hidden = digits.chars().count().saturating_sub(2);
            format!("+•••{}", digits.chars().skip(hidden).collect::<String>())
        }
        None => format!("{}•••", first(address)),
    }
}

/// Where the browser stands with a link.
enum Arrival {
    /// The address bar holds something that must leave it first.
    Redirect(Response),
    /// The page itself, with the link's token if the browser has one.
    Here(Option<String>),
}

/// Takes a link's token out of the address bar: into a cookie, then on to `name` without it.
/// The redirect is relative, so that it holds under any prefix.
fn arrive(app: &App, uri: &Uri, headers: &HeaderMap, link: Cookie, name: &'static str) -> Arrival {
    let has_slash = uri.path().ends_with('/');
    if uri.query().is_none() && !has_slash {
        return Arrival::Here(app.cookies().read(headers, link).map(str::to_owned));
    }
    let mut response = StatusCode::SEE_OTHER.into_response();
    if uri.query().is_some() {
        // A link that cannot be one of ours must not leave an older one's token behind.
        let kept = token_in(uri).and_then(|it| app.cookies().set_link(link, &it, app.now()));
        let cookie = kept.unwrap_or_else(|| app.cookies().clear(link));
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    let up = if has_slash { "../" } else { "" };
    if let Ok(location) = HeaderValue::try_from(format!("{up}{name}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    Arrival::Redirect(response)
}
