//! Extractors for an application's own routes.
//!
//! The application's state gives the [`Auth`] by [`FromRef`]; a refusal is answered in
//! `application/problem+json`.

use std::marker::PhantomData;
use std::ops::Deref;

use axum::extract::{FromRef, FromRequestParts};
use http::request::Parts;
use ironlatch_core::Auth;
use ironlatch_core::sessions::{Account, Present};

use crate::problem::{Problem, ProblemJson};
use crate::request::bearer;

/// Somebody whose bearer token passed every check. Dereferences to their account.
#[derive(Debug, Clone)]
pub struct SignedIn(pub Present);

/// Somebody signed in whose e-mail address is proven; others get 403.
#[derive(Debug, Clone)]
pub struct Verified(pub Present);

/// Somebody signed in with the role `R`; others get 403.
#[derive(Debug, Clone)]
pub struct HasRole<R>(pub Present, PhantomData<fn() -> R>);

/// A role that routes can ask for:
///
/// ```
/// struct Admin;
/// impl ironlatch_web::Role for Admin {
///     const NAME: &'static str = "admin";
/// }
/// ```
pub trait Role {
    /// The role's name, one of the configured ones.
    const NAME: &'static str;
}

impl<S> FromRequestParts<S> for SignedIn
where
    Auth: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = ProblemJson;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ProblemJson> {
        present(parts, state).await.map(Self)
    }
}

impl<S> FromRequestParts<S> for Verified
where
    Auth: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = ProblemJson;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ProblemJson> {
        let present = present(parts, state).await?;
        match present.account.email_verified_at {
            Some(_) => Ok(Self(present)),
            None => Err(ProblemJson(Problem::NotVerified)),
        }
    }
}

impl<S, R> FromRequestParts<S> for HasRole<R>
where
    Auth: FromRef<S>,
    S: Send + Sync,
    R: Role,
{
    type Rejection = ProblemJson;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ProblemJson> {
        let present = present(parts, state).await?;
        if present.account.role == R::NAME {
            Ok(Self(present, PhantomData))
        } else {
            Err(ProblemJson(Problem::PermissionDenied))
        }
    }
}

async fn present<S>(parts: &Parts, state: &S) -> Result<Present, ProblemJson>
where
    Auth: FromRef<S>,
{
    Ok(bearer::check(&Auth::from_ref(state), &parts.headers).await?)
}

impl Deref for SignedIn {
    type Target = Account;

    fn deref(&self) -> &Account {
        &self.0.account
    }
}

impl Deref for Verified {
    type Target = Account;

    fn deref(&self) -> &Account {
        &self.0.account
    }
}

impl<R> Deref for HasRole<R> {
    type Target = Account;

    fn deref(&self) -> &Account {
        &self.0.account
    }
}
