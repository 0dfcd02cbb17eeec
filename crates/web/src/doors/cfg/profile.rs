//! `PUT` and `PATCH /cfg/accounts/profile/{update,partial}/`: four ways to say the same. Reading
//! and the picture are `/api/profile` itself.

use axum::extract::State;

use crate::api::ApiResult;
use crate::api::profile::{self, Names};
use crate::app::App;
use crate::request::caller::Bearer;
use crate::request::fields::Fields;

/// Changes what is named; names have two letters here.
pub(crate) async fn change(
    State(app): State<App>,
    Bearer(present): Bearer,
    fields: Fields,
) -> ApiResult {
    profile::change_with(&app, &present, Names::OfTwoLetters, fields).await
}
