//! `/confirm-email` and `/undo-address`: a person proves the new address of an account, or takes
//! a change of its address or number back.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode, Uri};
use ironlatch_core::client::Client;
use ironlatch_core::sign_in::{AddressError, AddressKind, EmailChangeFacts, UndoFacts};

use super::{
    Arrival, OTHER_LINK, PageResult, arrive, done, is_about, masked, moment, notice, page, product,
    received, shown, status_with,
};
use crate::app::App;
use crate::problem::{Explain, Problem};
use crate::request::caller::Caller;
use crate::request::cookies::Cookie;
use crate::request::fields::Fields;

/// Which account gets which address, who asked, and one button.
#[derive(Template)]
#[template(path = "confirm_email.html")]
struct Confirm<'a> {
    product: &'a str,
    link: String,
    account: String,
    /// In full: the link came to it.
    new: String,
    at: String,
    from: String,
    closes_another: bool,
    problem: Option<String>,
}

/// What was changed when, what will be again, and one button.
#[derive(Template)]
#[template(path = "undo_address.html")]
struct Undo<'a> {
    product: &'a str,
    link: String,
    is_email: bool,
    /// The account as it is named now.
    account: String,
    /// What it will have again.
    restored: Option<String>,
    at: String,
    has_mail: bool,
    problem: Option<String>,
}

/// The two pages: their links differ, and what a click does.
#[derive(Clone, Copy)]
enum Link {
    Confirm,
    Undo,
}

impl Link {
    const fn cookie(self) -> Cookie {
        match self {
            Self::Confirm => Cookie::ConfirmLink,
            Self::Undo => Cookie::UndoLink,
        }
    }

    const fn page(self) -> &'static str {
        match self {
            Self::Confirm => "confirm-email",
            Self::Undo => "undo-address",
        }
    }

    /// Title and sentence of the end.
    const fn done(self) -> (&'static str, &'static str) {
        match self {
            Self::Confirm => (
                "Your new address is confirmed",
                "From now on mails about your account come to this address, and you sign in with \
                 it. Other devices were signed out.",
            ),
            Self::Undo => (
                "The change is taken back",
                "Everybody was signed out, and the password no longer works. If your account has \
                 an e-mail address, a link to choose a new one is on its way there.",
            ),
        }
    }

    /// What is said of a link that does not work.
    const fn dead(self) -> &'static str {
        match self {
            Self::Confirm => {
                "It was used already, it is too old, or the account has changed since. Ask for \
                 the change again where you did before."
            }
            Self::Undo => {
                "It was used already, or more than seven days have passed. If you cannot get into \
                 your account, ask those who run this service for help."
            }
        }
    }

    /// Title and sentence where another account has proven the address.
    const fn taken(self) -> (&'static str, &'static str) {
        match self {
            Self::Confirm => (
                "This address is taken",
                "Another account has this address. Sign in to that one, or use another address.",
            ),
            Self::Undo => (
                "This cannot be taken back",
                "Another account has proven the former address or number meanwhile. Ask those who \
                 run this service for help.",
            ),
        }
    }
}

/// `GET /confirm-email`. Consumes nothing, however often and by whomever it is opened.
pub(crate) async fn show_confirm(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    show(Link::Confirm, &app, caller, &uri, &headers).await
}

/// `POST /confirm-email`: gives the account its new address.
pub(crate) async fn confirm(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
    headers: HeaderMap,
    fields: Result<Fields, Problem>,
) -> Response {
    submit(Link::Confirm, &app, received(caller, fields), &headers).await
}

/// `GET /undo-address`. Consumes nothing.
pub(crate) async fn show_undo(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    show(Link::Undo, &app, caller, &uri, &headers).await
}

/// `POST /undo-address`: takes the change back.
pub(crate) async fn undo(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
    headers: HeaderMap,
    fields: Result<Fields, Problem>,
) -> Response {
    submit(Link::Undo, &app, received(caller, fields), &headers).await
}

async fn show(
    link: Link,
    app: &App,
    caller: Result<Caller, Problem>,
    uri: &Uri,
    headers: &HeaderMap,
) -> Response {
    let token = match arrive(app, uri, headers, link.cookie(), link.page()) {
        Arrival::Redirect(response) => return response,
        Arrival::Here(token) => token,
    };
    let outcome = match (token, caller) {
        (Some(token), Ok(caller)) => question(link, app, &caller.0, &token, None).await,
        (None, Ok(_)) => dead(link, app),
        (_, Err(problem)) => Err(problem),
    };
    shown(app, outcome)
}

async fn submit(
    link: Link,
    app: &App,
    received: Result<(Client, Fields), Problem>,
    headers: &HeaderMap,
) -> Response {
    let outcome = match received {
        Ok((client, fields)) => act(link, app, &client, headers, fields).await,
        Err(problem) => Err(problem),
    };
    shown(app, outcome)
}

async fn act(
    link: Link,
    app: &App,
    client: &Client,
    headers: &HeaderMap,
    mut fields: Fields,
) -> PageResult {
    let Some(token) = app.cookies().read(headers, link.cookie()) else {
        return dead(link, app);
    };
    if !is_about(app, &mut fields, token) {
        return question(link, app, client, token, Some(OTHER_LINK.to_owned())).await;
    }
    let sign_in = app.auth().sign_in();
    let outcome = match link {
        Link::Confirm => sign_in.confirm_email_change(token, client).await,
        Link::Undo => sign_in.undo_address_change(token, client).await,
    };
    match outcome {
        Ok(()) => {
            let (title, sentence) = link.done();
            done(app, link.cookie(), title, sentence)
        }
        Err(error) => refused(link, app, error),
    }
}

/// The page of a link that works.
async fn question(
    link: Link,
    app: &App,
    client: &Client,
    token: &str,
    problem: Option<String>,
) -> PageResult {
    let sign_in = app.auth().sign_in();
    let asked = match link {
        Link::Confirm => {
            let facts = sign_in.look_at_email_change(token, client).await;
            facts.map(|facts| confirm_page(app, token, facts, problem))
        }
        Link::Undo => {
            let facts = sign_in.look_at_undo(token, client).await;
            facts.map(|facts| undo_page(app, token, facts, problem))
        }
    };
    asked.unwrap_or_else(|error| refused(link, app, error))
}

fn confirm_page(
    app: &App,
    token: &str,
    facts: EmailChangeFacts,
    problem: Option<String>,
) -> PageResult {
    let question = Confirm {
        product: product(app),
        link: app.auth().one_time_codes().form_name(token),
        account: masked(&facts.account),
        new: facts.new,
        at: moment(facts.at),
        from: facts.from,
        closes_another: facts.closes_another,
        problem,
    };
    page(status_with(question.problem.as_ref()), &question)
}

fn undo_page(app: &App, token: &str, facts: UndoFacts, problem: Option<String>) -> PageResult {
    let is_email = facts.kind == AddressKind::Email;
    // An address in full: the link came to it. A number is told by mail.
    let restored = facts.restored.map(|it| if is_email { it } else { masked(&it) });
    let question = Undo {
        product: product(app),
        link: app.auth().one_time_codes().form_name(token),
        is_email,
        account: masked(&facts.account),
        restored,
        at: moment(facts.at),
        has_mail: facts.has_mail,
        problem,
    };
    page(status_with(question.problem.as_ref()), &question)
}

fn refused(link: Link, app: &App, error: AddressError) -> PageResult {
    match error {
        AddressError::InvalidLink => dead(link, app),
        AddressError::Taken => {
            let (title, sentence) = link.taken();
            notice(app, StatusCode::CONFLICT, title, sentence)
        }
        error => Err(error.explain(app.now())),
    }
}

fn dead(link: Link, app: &App) -> PageResult {
    notice(app, StatusCode::BAD_REQUEST, "This link does not work", link.dead())
}
