//! The OpenAPI document of the API and the pages.
//!
//! Kept by hand in `openapi.json`, since the contract's shapes (key order, two modes on one path)
//! say more than derived schemas would; a test in `routes` holds it to the routes.

/// The document, without `servers`: whoever serves it knows where.
#[must_use]
pub fn openapi() -> serde_json::Value {
    let mut document: serde_json::Value =
        serde_json::from_str(include_str!("../openapi.json")).unwrap_or_default();
    if let Some(version) = document.pointer_mut("/info/version") {
        *version = env!("CARGO_PKG_VERSION").into();
    }
    document
}
