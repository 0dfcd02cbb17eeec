//! A place for notes: an axum application with Ironlatch mounted at a prefix.
//!
//! `/identity/…` is Ironlatch: its API and the pages that mails link to. Everything else is the
//! application's own, and asks for somebody by naming an extractor:
//!
//! - `GET /notes` wants anybody signed in,
//! - `POST /notes` wants somebody whose address is proven,
//! - `GET /admin/notes` wants somebody with the role `admin`,
//! - `POST /admin/people` too: it makes accounts for people who have not come yet.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use ironlatch_core::Auth;
use ironlatch_core::ids::AccountId;
use ironlatch_core::sign_in::RegisterUserError;
use ironlatch_web::{HasRole, Role, SignedIn, Verified};
use serde::{Deserialize, Serialize};

/// Where Ironlatch is mounted. The public URL in its settings ends with it.
pub const PREFIX: &str = "/identity";

/// The whole application: its own routes, and Ironlatch beside them.
pub fn app(auth: Auth, settings: ironlatch_web::Settings) -> Router {
    let own = Router::new()
        .route("/notes", get(list).post(add))
        .route("/admin/notes", get(count))
        .route("/admin/people", post(invite))
        .with_state(Notes { auth: auth.clone(), all: Arc::default() });
    own.nest(PREFIX, ironlatch_web::router(auth, settings))
}

/// The application's state.
#[derive(Clone)]
struct Notes {
    auth: Auth,
    all: Arc<Mutex<Vec<Note>>>,
}

/// How the extractors find the [`Auth`].
impl FromRef<Notes> for Auth {
    fn from_ref(notes: &Notes) -> Self {
        notes.auth.clone()
    }
}

/// A note and whose it is.
struct Note {
    owner: AccountId,
    text: String,
}

/// A note on its way in or out.
#[derive(Debug, Serialize, Deserialize)]
struct Body {
    text: String,
}

/// Somebody who shall have an account.
#[derive(Debug, Deserialize)]
struct Person {
    email: String,
}

/// The role that may count everybody's notes.
struct Admin;

impl Role for Admin {
    const NAME: &'static str = "admin";
}

/// The notes of whoever asks.
async fn list(person: SignedIn, State(notes): State<Notes>) -> Json<Vec<Body>> {
    let all = notes.all.lock().unwrap_or_else(PoisonError::into_inner);
    let own = all.iter().filter(|note| note.owner == person.id);
    Json(own.map(|note| Body { text: note.text.clone() }).collect())
}

/// One more note.
async fn add(person: Verified, State(notes): State<Notes>, Json(body): Json<Body>) -> StatusCode {
    let mut all = notes.all.lock().unwrap_or_else(PoisonError::into_inner);
    all.push(Note { owner: person.id, text: body.text });
    StatusCode::CREATED
}

/// How many notes there are.
async fn count(_admin: HasRole<Admin>, State(notes): State<Notes>) -> Json<usize> {
    Json(notes.all.lock().unwrap_or_else(PoisonError::into_inner).len())
}

/// An account for somebody who has not come yet: the first code proves its address.
async fn invite(
    _admin: HasRole<Admin>,
    State(notes): State<Notes>,
    Json(person): Json<Person>,
) -> StatusCode {
    match notes.auth.sign_in().register_user(&person.email, None).await {
        Ok((_, true)) => StatusCode::CREATED,
        Ok((_, false)) => StatusCode::OK,
        Err(RegisterUserError::EmailRequired | RegisterUserError::InvalidEmail) => {
            StatusCode::BAD_REQUEST
        }
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
