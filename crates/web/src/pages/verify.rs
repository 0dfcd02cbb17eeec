//! `/verify-email`: a person proves that an address is theirs (design, section 7).

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::header::SET_COOKIE;
use http::{HeaderMap, StatusCode, Uri};
use ironlatch_core::client::Client;
use ironlatch_core::sessions::Door;
use ironlatch_core::sign_in::{Evidence, LinkError, SignUpFacts, Verification};

use super::{
    About, Arrival, OTHER_LINK, PageResult, arrive, done, is_about, least_password_length, moment,
    notice, page, password_sentence, product, received, shown, status_with,
};
use crate::app::App;
use crate::problem::{Explain, Problem};
use crate::request::caller::Caller;
use crate::request::cookies::Cookie;
use crate::request::fields::Fields;

/// The browser that signed up: one button.
#[derive(Template)]
#[template(path = "verify_here.html")]
struct Here<'a> {
    product: &'a str,
    about: About,
    problem: Option<String>,
}

/// Another browser: when and from where the account was made, and three answers.
#[derive(Template)]
#[template(path = "verify_elsewhere.html")]
struct Elsewhere<'a> {
    product: &'a str,
    about: About,
    at: String,
    from: String,
    has_password: bool,
    least: usize,
    problem: Option<String>,
}

/// "Not me", asked once more.
#[derive(Template)]
#[template(path = "verify_disown.html")]
struct Disown<'a> {
    product: &'a str,
    link: String,
}

/// A link that does not work, and the way to a new one.
#[derive(Template)]
#[template(path = "verify_again.html")]
struct Again<'a> {
    product: &'a str,
    email: String,
    problem: Option<String>,
}

/// Shows what the link asks for. Consumes nothing, however often and by whomever it is opened.
pub(crate) async fn show(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Response {
    match arrive(&app, &uri, &headers, Cookie::VerifyLink, "verify-email") {
        Arrival::Redirect(response) => response,
        Arrival::Here(token) => shown(&app, question(&app, &headers, token.as_deref(), None).await),
    }
}

/// Does what the person clicked.
pub(crate) async fn submit(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
    headers: HeaderMap,
    fields: Result<Fields, Problem>,
) -> Response {
    let outcome = match received(caller, fields) {
        Ok((client, fields)) => act(&app, &client, &headers, fields).await,
        Err(problem) => Err(problem),
    };
    shown(&app, outcome)
}

async fn act(app: &App, client: &Client, headers: &HeaderMap, mut fields: Fields) -> PageResult {
    let act = fields.text("act").unwrap_or_default();
    if act == "again" {
        return send_again(app, client, fields).await;
    }
    let Some(token) = app.cookies().read(headers, Cookie::VerifyLink) else {
        return ask_again(app, StatusCode::BAD_REQUEST, String::new(), None);
    };
    if !is_about(app, &mut fields, token) {
        return question(app, headers, Some(token), Some(OTHER_LINK.to_owned())).await;
    }
    let sign_in = app.auth().sign_in();
    let outcome = match act.as_str() {
        "confirm" => {
            let browser = app.cookies().read_secret(headers, Cookie::SignUp);
            sign_in.verify_email(token, Evidence::Browser(browser), client).await
        }
        "password" => match fields.secret("password") {
            Some(password) => {
                sign_in.verify_email(token, Evidence::Password(password), client).await
            }
            None => Err(LinkError::WrongPassword),
        },
        "new-password" => {
            let Some(password) = fields.secret("new_password") else {
                return question(app, headers, Some(token), Some(MISSING.to_owned())).await;
            };
            let set = sign_in.verify_email_with_new_password(token, &password, client).await;
            set.map(|()| Verification::Verified)
        }
        "not-me" => {
            let link = app.auth().one_time_codes().form_name(token);
            return page(StatusCode::OK, &Disown { product: product(app), link });
        }
        "close" => {
            return match sign_in.disown_account(token, client).await {
                Ok(()) => done(app, Cookie::VerifyLink, "The account is closed", CLOSED),
                Err(error) => refused(app, headers, token, error).await,
            };
        }
        _ => return question(app, headers, Some(token), None).await,
    };
    match outcome {
        Ok(Verification::Verified) => verified(app),
        Ok(Verification::Ready { address }) => here(app, About::new(app, token, address), None),
        Ok(Verification::NeedsMore(facts)) => elsewhere(app, token, facts, None),
        Err(error) => refused(app, headers, token, error).await,
    }
}

const CONFIRMED: &str = "Your address is confirmed";
const MISSING: &str = "Type a new password.";
const THANKS: &str = "Thank you. You can close this page and go on where you were.";
const CLOSED: &str = "Nobody can use it any more. Thank you for telling us.";
const ON_ITS_WAY: &str =
    "If this address waits to be confirmed, a mail with a new link is on its way.";

/// The address is proven: by this click, or by the same link a moment ago.
fn verified(app: &App) -> PageResult {
    let mut response = done(app, Cookie::VerifyLink, CONFIRMED, THANKS)?;
    response.headers_mut().append(SET_COOKIE, app.cookies().clear(Cookie::SignUp));
    Ok(response)
}

/// What the link asks this browser for.
async fn question(
    app: &App,
    headers: &HeaderMap,
    token: Option<&str>,
    problem: Option<String>,
) -> PageResult {
    let Some(token) = token else {
        return ask_again(app, StatusCode::BAD_REQUEST, String::new(), problem);
    };
    let browser = app.cookies().read_secret(headers, Cookie::SignUp);
    match app.auth().sign_in().look_at_verification(token, browser.as_ref()).await {
        // Shown again, so nothing is cleared: whoever looks may look once more.
        Ok(Verification::Verified) => notice(app, StatusCode::OK, CONFIRMED, THANKS),
        Ok(Verification::Ready { address }) => here(app, About::new(app, token, address), problem),
        Ok(Verification::NeedsMore(facts)) => elsewhere(app, token, facts, problem),
        Err(LinkError::Invalid) => ask_again(app, StatusCode::BAD_REQUEST, String::new(), problem),
        Err(error) => Err(error.explain(app.now())),
    }
}

/// The page again, with one sentence about what was wrong.
async fn refused(app: &App, headers: &HeaderMap, token: &str, error: LinkError) -> PageResult {
    let sentence = match error {
        LinkError::WrongPassword => "The password is not right.".to_owned(),
        LinkError::Password(problem) => password_sentence(problem),
        LinkError::Invalid => return ask_again(app, StatusCode::BAD_REQUEST, String::new(), None),
        error @ (LinkError::TooManyAttempts { .. }
        | LinkError::Busy { .. }
        | LinkError::Internal(_)) => return Err(error.explain(app.now())),
    };
    question(app, headers, Some(token), Some(sentence)).await
}

fn here(app: &App, about: About, problem: Option<String>) -> PageResult {
    let status = status_with(problem.as_ref());
    page(status, &Here { product: product(app), about, problem })
}

fn elsewhere(app: &App, token: &str, facts: SignUpFacts, problem: Option<String>) -> PageResult {
    let status = status_with(problem.as_ref());
    let question = Elsewhere {
        product: product(app),
        about: About::new(app, token, facts.address),
        at: moment(facts.at),
        from: facts.from,
        has_password: facts.has_password,
        least: least_password_length(app),
        problem,
    };
    page(status, &question)
}

fn ask_again(app: &App, status: StatusCode, email: String, problem: Option<String>) -> PageResult {
    page(status, &Again { product: product(app), email, problem })
}

async fn send_again(app: &App, client: &Client, mut fields: Fields) -> PageResult {
    let Some(email) = fields.email("email") else {
        let sentence = "This is not an e-mail address.".to_owned();
        return ask_again(app, StatusCode::BAD_REQUEST, String::new(), Some(sentence));
    };
    let sent = app.auth().sign_in().resend_verification(&email, Door::Api, client).await;
    sent.map_err(|error| error.explain(app.now()))?;
    notice(app, StatusCode::OK, "Look into your mail", ON_ITS_WAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about() -> About {
        About {
            address: "<i>@example.com".to_owned(),
            masked: super::super::masked("<i>@example.com"),
            link: "link".to_owned(),
        }
    }

    #[test]
    fn what_a_stranger_chose_is_shown_as_text() {
        let page = Elsewhere {
            product: "<b>Acme</b>",
            about: about(),
            at: String::new(),
            from: "\"><script>alert(1)</script>".to_owned(),
            has_password: true,
            least: 8,
            problem: None,
        };
        let html = page.render().unwrap();
        assert!(!html.contains("<script>"));
        assert!(!html.contains("<b>Acme") && !html.contains("<i>"));
        assert!(html.contains("&#60;script&#62;"));
    }

    #[test]
    fn without_a_password_nobody_is_asked_for_it() {
        let mut page = Elsewhere {
            product: "Acme",
            about: about(),
            at: String::new(),
            from: String::new(),
            has_password: false,
            least: 8,
            problem: None,
        };
        assert!(!page.render().unwrap().contains("current-password"));
        page.has_password = true;
        assert!(page.render().unwrap().contains("current-password"));
    }
}
