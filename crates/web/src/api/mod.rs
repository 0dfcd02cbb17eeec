//! The product's own API: one file for each act. Handlers parse, call, translate.

pub(crate) mod account;
pub(crate) mod address;
pub(crate) mod answer;
pub(crate) mod avatar;
pub(crate) mod jwks;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod me;
pub(crate) mod otp;
pub(crate) mod password;
pub(crate) mod profile;
pub(crate) mod reauthenticate;
pub(crate) mod refresh;
pub(crate) mod register;
pub(crate) mod second_factor;
pub(crate) mod sessions;
pub(crate) mod social;
pub(crate) mod sources;
pub(crate) mod user_object;
pub(crate) mod verify_email;

use axum::response::Response;

use crate::problem::Problem;

/// What a handler of the API gives.
pub(crate) type ApiResult = Result<Response, Problem>;
