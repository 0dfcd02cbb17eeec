//! `/api/auth/sources`: where people came from, for operators.

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use ironlatch_core::ids::SourceId;
use ironlatch_core::sources::{
    Conversion, DailySignUps, Day, Registration, Report, SourceChange, SourceCount, Wish,
};
use serde::Serialize;

use super::sessions::rfc_3339;
use super::{ApiResult, answer};
use crate::app::App;
use crate::problem::Problem;
use crate::request::caller::Operator;
use crate::request::fields::Fields;
use crate::request::query::QueryFields;

/// More says nothing more.
const LONGEST_NAME: usize = 100;
const LONGEST_DESCRIPTION: usize = 1_000;

#[derive(Serialize)]
struct Listed<T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    sources: Vec<T>,
    truncated: bool,
}

#[derive(Serialize)]
struct Shown {
    id: String,
    url: String,
    domain: String,
    display_name: String,
    category: String,
    name: String,
    description: String,
    is_active: bool,
    created_at: String,
    updated_at: String,
}

#[derive(Serialize)]
struct Counted {
    #[serde(flatten)]
    source: Shown,
    users: i64,
    sign_ups: i64,
}

#[derive(Serialize)]
struct OfDay {
    day: String,
    #[serde(flatten)]
    source: Shown,
    sign_ups: i64,
}

#[derive(Serialize)]
struct Converted {
    #[serde(flatten)]
    source: Shown,
    requested: i64,
    verified: i64,
    ratio: Option<f64>,
}

/// The sources that most accounts are linked to.
pub(crate) async fn top(
    State(app): State<App>,
    _: Operator,
    QueryFields(mut fields): QueryFields,
) -> ApiResult {
    let wish = wish(&mut fields, false);
    let report = app.auth().sources().top(&fields.finish(Some(wish))?).await?;
    Ok(listed(report, counted))
}

/// Who came from where in a period.
pub(crate) async fn over_period(
    State(app): State<App>,
    _: Operator,
    QueryFields(mut fields): QueryFields,
) -> ApiResult {
    let wish = wish(&mut fields, true);
    let report = app.auth().sources().over_period(&fields.finish(Some(wish))?).await?;
    Ok(listed(report, counted))
}

/// Sign-ups by day and source.
pub(crate) async fn daily(
    State(app): State<App>,
    _: Operator,
    QueryFields(mut fields): QueryFields,
) -> ApiResult {
    let wish = wish(&mut fields, true);
    let report = app.auth().sources().daily(&fields.finish(Some(wish))?).await?;
    let row = |row: DailySignUps| OfDay {
        day: row.day.to_string(),
        source: shown(row.source),
        sign_ups: row.sign_ups,
    };
    Ok(listed(report, row))
}

/// From the first code request to the account.
pub(crate) async fn conversion(
    State(app): State<App>,
    _: Operator,
    QueryFields(mut fields): QueryFields,
) -> ApiResult {
    let wish = wish(&mut fields, true);
    let report = app.auth().sources().conversion(&fields.finish(Some(wish))?).await?;
    let row = |row: Conversion| {
        let (ratio, Conversion { source, requested, verified }) = (row.ratio(), row);
        Converted { source: shown(source), requested, verified, ratio }
    };
    Ok(listed(report, row))
}

/// Names a source, describes it, or sets it aside.
pub(crate) async fn change(
    State(app): State<App>,
    Operator(operator): Operator,
    Path(id): Path<String>,
    mut fields: Fields,
) -> ApiResult {
    let change = SourceChange {
        name: fields.line_or_none("name", LONGEST_NAME),
        description: fields.line_or_none("description", LONGEST_DESCRIPTION),
        is_active: fields.flag_or_none("is_active"),
    };
    fields.refuse_unknown();
    let change = fields.finish(Some(change))?;
    let id = SourceId::parse(&id).ok_or(Problem::NotFound)?;
    let changed = app.auth().sources().change(id, &change, operator.account.id).await?;
    Ok(answer::json(StatusCode::OK, &shown(changed.ok_or(Problem::NotFound)?)))
}

fn wish(fields: &mut Fields, has_period: bool) -> Wish {
    let (from, to) =
        if has_period { (day(fields, "from"), day(fields, "to")) } else { (None, None) };
    let limit = limit(fields);
    let include_inactive = fields.flag_or_none("include_inactive").unwrap_or_default();
    fields.refuse_unknown();
    Wish { from, to, limit, include_inactive }
}

fn day(fields: &mut Fields, name: &'static str) -> Option<Day> {
    let text = fields.optional_text(name)?;
    let day = Day::parse(&text);
    if day.is_none() {
        let sentence = "Date has wrong format. Use one of these formats instead: YYYY-MM-DD.";
        fields.mistake(name, sentence);
    }
    day
}

fn limit(fields: &mut Fields) -> Option<u32> {
    let text = fields.optional_text("limit")?;
    let limit = text.parse().ok();
    if limit.is_none() {
        fields.mistake("limit", "A valid integer is required.");
    }
    limit
}

fn listed<R, T: Serialize>(report: Report<R>, row: impl Fn(R) -> T) -> Response {
    let list = Listed {
        from: report.period.map(|period| period.from.to_string()),
        to: report.period.map(|period| period.to.to_string()),
        sources: report.rows.into_iter().map(row).collect(),
        truncated: report.is_cut,
    };
    answer::json(StatusCode::OK, &list)
}

fn counted(row: SourceCount) -> Counted {
    Counted { source: shown(row.source), users: row.users, sign_ups: row.sign_ups }
}

fn shown(source: Registration) -> Shown {
    Shown {
        id: source.id.to_string(),
        domain: source.domain().to_owned(),
        display_name: source.display_name().to_owned(),
        url: source.url,
        category: source.category,
        name: source.name,
        description: source.description,
        is_active: source.is_active,
        created_at: rfc_3339(source.created_at),
        updated_at: rfc_3339(source.updated_at),
    }
}
