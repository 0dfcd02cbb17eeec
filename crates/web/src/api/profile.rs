//! `/api/profile`: what the bearer tells about themselves.

use axum::extract::State;
use http::StatusCode;
use ironlatch_core::profiles::{Bio, BirthDate, ContactPhone, Line, ProfileChange};
use ironlatch_core::sessions::Present;
use ironlatch_core::time::Timestamp;

use super::user_object::UserObject;
use super::{ApiResult, answer};
use crate::app::App;
use crate::problem::Problem;
use crate::request::caller::Bearer;
use crate::request::fields::Fields;

/// How short a first or last name may be where it is told at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// One letter is a name.
    OfAnyLength,
    /// Two letters, as a door's contract has it.
    OfTwoLetters,
}

/// The bearer's own.
pub(crate) async fn show(State(app): State<App>, Bearer(present): Bearer) -> ApiResult {
    Ok(answer::json(StatusCode::OK, &UserObject::of_bearer(&app, &present).await?))
}

/// `PUT` and `PATCH` alike: what is not given stays, as it does in the contract's framework
/// where no field is required. Fields that are nobody's to change are not bound (attack C11).
pub(crate) async fn change(
    State(app): State<App>,
    Bearer(present): Bearer,
    fields: Fields,
) -> ApiResult {
    change_with(&app, &present, Names::OfAnyLength, fields).await
}

/// The same for any contract.
pub(crate) async fn change_with(
    app: &App,
    present: &Present,
    names: Names,
    fields: Fields,
) -> ApiResult {
    let change = told(fields, names, app.now())?;
    let profile = app.auth().profiles().update(present.account.id, &change).await?;
    Ok(answer::json(StatusCode::OK, &UserObject::of(app, &present.account, profile)))
}

/// What a body tells, or every mistake in it.
fn told(mut fields: Fields, names: Names, now: Timestamp) -> Result<ProfileChange, Problem> {
    let change = ProfileChange {
        name: None,
        first_name: fields.told("first_name", Line::parse),
        last_name: fields.told("last_name", Line::parse),
        company: fields.told("company", Line::parse),
        phone: fields.told("phone", ContactPhone::parse),
        position: fields.told("position", Line::parse),
        bio: fields.told("bio", Bio::parse),
        date_of_birth: fields
            .told_or_taken_back("date_of_birth", |text| BirthDate::parse(text, now)),
    };
    if names == Names::OfTwoLetters {
        for (field, said, name) in [
            ("first_name", "First name", &change.first_name),
            ("last_name", "Last name", &change.last_name),
        ] {
            if name.as_ref().is_some_and(|name| name.as_str().chars().count() == 1) {
                fields.mistake(field, format!("{said} must be at least 2 characters long."));
            }
        }
    }
    fields.finish(Some(change))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::json::Entry;

    #[test]
    fn a_contract_may_ask_for_names_of_two_letters() {
        let said = |name: &str, names| {
            let members = vec![
                ("first_name".to_owned(), Entry::Text(name.to_owned())),
                ("last_name".to_owned(), Entry::Text(name.to_owned())),
            ];
            match told(Fields::new(members), names, Timestamp::from_micros(0)) {
                Ok(_) => String::new(),
                Err(Problem::Fields(errors)) => serde_json::to_string(&errors).unwrap(),
                Err(other) => panic!("{other:?}"),
            }
        };
        assert_eq!(said("X", Names::OfAnyLength), "");
        assert_eq!(
            said("X", Names::OfTwoLetters),
            r#"{"first_name":["First name must be at least 2 characters long."],"last_name":["Last name must be at least 2 characters long."]}"#
        );
        for fine in ["Xi", "", "氏名"] {
            assert_eq!(said(fine, Names::OfTwoLetters), "");
        }
    }
}
