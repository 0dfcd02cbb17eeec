//! The documents of the API: its description for programs, and the same as a page for people
//! that loads nothing.

use askama::Template;
use axum::Router;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use serde_json::Value;

/// Nothing but the page's own style.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
);
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// `/openapi.json` and `/docs`; both are rendered once.
pub fn documents() -> Result<Router, askama::Error> {
    let description = crate::openapi();
    let page = Bytes::from(page(&description)?);
    let json = Bytes::from(description.to_string());
    let json = async move || ([(CONTENT_TYPE, JSON)], json.clone()).into_response();
    let page =
        async move || ([(CONTENT_SECURITY_POLICY, POLICY)], Html(page.clone())).into_response();
    Ok(Router::new().route("/openapi.json", get(json)).route("/docs", get(page)))
}

#[derive(Template)]
#[template(path = "reference.html")]
struct Page {
    title: String,
    version: String,
    description: String,
    operations: Vec<Operation>,
    schemas: Vec<(String, String)>,
}

/// One method of one path.
struct Operation {
    method: String,
    path: String,
    tag: String,
    summary: String,
    description: String,
    parameters: Vec<Parameter>,
    body: Vec<Content>,
    responses: Vec<Response>,
}

struct Parameter {
    name: String,
    place: String,
    required: bool,
    description: String,
}

struct Response {
    status: String,
    description: String,
    content: Vec<Content>,
}

/// What a body looks like: the name of a schema further down, or the schema itself.
struct Content {
    media_type: String,
    schema_name: Option<String>,
    schema: String,
}

/// Renders the description.
fn page(description: &Value) -> Result<String, askama::Error> {
    let mut operations = Vec::new();
    for (path, item) in entries(description, "/paths") {
        for (method, operation) in entries(item, "") {
            if operation.is_object() {
                operations.push(Operation::new(path, method, operation));
            }
        }
    }
    let schemas = entries(description, "/components/schemas");
    let page = Page {
        title: text(description, "/info/title"),
        version: text(description, "/info/version"),
        description: text(description, "/info/description"),
        operations,
        schemas: schemas.map(|(name, schema)| (name.clone(), pretty(Some(schema)))).collect(),
    };
    page.render()
}

impl Operation {
    fn new(path: &str, method: &str, operation: &Value) -> Self {
        let parameters = operation.get("parameters").and_then(Value::as_array);
        Self {
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
            tag: text(operation, "/tags/0"),
            summary: text(operation, "/summary"),
            description: text(operation, "/description"),
            parameters: parameters
                .into_iter()
                .flatten()
                .map(|parameter| Parameter {
                    name: text(parameter, "/name"),
                    place: text(parameter, "/in"),
                    required: parameter.get("required").and_then(Value::as_bool) == Some(true),
                    description: text(parameter, "/description"),
                })
                .collect(),
            body: contents(operation, "/requestBody/content"),
            responses: entries(operation, "/responses")
                .map(|(status, response)| Response {
                    status: status.clone(),
                    description: text(response, "/description"),
                    content: contents(response, "/content"),
                })
                .collect(),
        }
    }
}

fn contents(owner: &Value, place: &str) -> Vec<Content> {
    entries(owner, place)
        .map(|(media_type, content)| {
            let reference = text(content, "/schema/$ref");
            Content {
                media_type: media_type.clone(),
                schema_name: reference.rsplit_once('/').map(|(_, name)| name.to_owned()),
                schema: pretty(content.get("schema")),
            }
        })
        .collect()
}

fn entries<'a>(owner: &'a Value, place: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    owner.pointer(place).and_then(Value::as_object).into_iter().flatten()
}

fn text(owner: &Value, place: &str) -> String {
    owner.pointer(place).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A description in pieces: whether each is code, which descriptions put between backticks.
fn spans(text: &str) -> impl Iterator<Item = (bool, &str)> {
    text.split('`').enumerate().map(|(turn, piece)| (turn % 2 == 1, piece))
}

fn pretty(value: Option<&Value>) -> String {
    value.and_then(|value| serde_json::to_string_pretty(value).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_every_operation_and_escapes_it() {
        let description = serde_json::json!({
            "info": {"title": "API <1>", "version": "2"},
            "paths": {"/a": {"post": {
                "summary": "Does <b>",
                "parameters": [{"name": "token", "in": "query", "required": true}],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Body"}}}},
                "responses": {"200": {"description": "Done: `a<b`."}}
            }}},
            "components": {"schemas": {"Body": {"description": "As `c` says."}}}
        });
        let page = page(&description).unwrap();
        assert!(page.contains("API &#60;1&#62;"), "{page}");
        assert!(page.contains("Does &#60;b&#62;"), "{page}");
        assert!(page.contains("Done: <code>a&#60;b</code>."), "{page}");
        assert!(page.contains("As <code>c</code> says.") && !page.contains('`'), "{page}");
        assert!(page.contains("POST") && page.contains("/a"), "{page}");
        assert!(page.contains("href=\"#schema-Body\"") && page.contains("id=\"schema-Body\""));
        assert!(!page.contains("<script") && !page.contains("http"), "{page}");
    }
}
