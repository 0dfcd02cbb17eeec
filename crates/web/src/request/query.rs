//! The values of a query, read like those of a body.

use axum::extract::{FromRequestParts, Query};
use http::Uri;
use http::request::Parts;

use super::fields::Fields;
use super::json::Entry;
use crate::problem::Problem;

/// The named values of a query; a name given twice is refused, as in a body.
pub(crate) struct QueryFields(pub(crate) Fields);

impl<S: Send + Sync> FromRequestParts<S> for QueryFields {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let Query(pairs) = pairs.map_err(|_| unreadable())?;
        let mut seen = std::collections::HashSet::new();
        if !pairs.iter().all(|(name, _)| seen.insert(name.as_str())) {
            return Err(unreadable());
        }
        let members = pairs.into_iter().map(|(name, value)| (name, Entry::Text(value)));
        Ok(Self(Fields::new(members.collect())))
    }
}

/// The one value of a name in a query; none where it comes twice, or the query is malformed.
pub(crate) fn query_value(uri: &Uri, name: &str) -> Option<String> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri).ok()?;
    let mut values = pairs.into_iter().filter(|(key, _)| key == name);
    match (values.next(), values.next()) {
        (Some((_, value)), None) => Some(value),
        _ => None,
    }
}

fn unreadable() -> Problem {
    Problem::Unreadable("Query parse error - malformed, or a value was given twice".to_owned())
}
