//! Every URL of the product, on one screen.

use axum::Router;
use axum::response::Response;
use axum::routing::{MethodRouter, any, delete, get, post};
use http::{Method, StatusCode};
use ironlatch_core::Auth;
use serde_json::json;

use crate::api::{
    account, answer, jwks, login, logout, me, password, refresh, register, sessions, verify_email,
};
use crate::app::App;
use crate::edge::{Edge, Kind};
use crate::pages;
use crate::problem::{Problem, ProblemJson};
use crate::settings::Settings;

const GET: &str = "GET, HEAD, OPTIONS";
const POST: &str = "POST, OPTIONS";
const DELETE: &str = "DELETE, OPTIONS";

/// The API and the pages, to be served alone or nested at a prefix.
pub fn router(auth: Auth, settings: Settings) -> Router {
    let app = App::new(auth, settings);
    let mut router = Router::new();
    for route in everything(Map::default()).routes {
        let edge = Edge { app: app.clone(), kind: route.kind };
        router = router.route(&route.path, route.methods.layer(edge));
    }
    router.with_state(app)
}

#[rustfmt::skip]
fn everything(map: Map) -> Map {
    map
        .api("/api/auth/register",            "Register",            POST,   post(register::submit))
        .api("/api/auth/verify-email",        "Verify Email",        GET,    get(verify_email::consume))
        .api("/api/auth/verify-email/resend", "Resend Verification", POST,   post(verify_email::resend))
        .api("/api/auth/login",               "Login",               POST,   post(login::submit))
        .api("/api/auth/token/refresh",       "Refresh",             POST,   post(refresh::submit))
        .api("/api/auth/me",                  "Me",                  GET,    get(me::show))
        .api("/api/auth/logout",              "Logout",              POST,   post(logout::submit))
        .api("/api/auth/password/forgot",     "Forgot Password",     POST,   post(password::forgot))
        .api("/api/auth/password/reset",      "Reset Password",      POST,   post(password::reset))
        .api("/api/auth/password/change",     "Change Password",     POST,   post(password::change))
        .api("/api/auth/sessions",            "Sessions",            GET,    get(sessions::list))
        .api("/api/auth/sessions/end-others", "End Other Sessions",  POST,   post(sessions::end_others))
        .api("/api/auth/sessions/{id}",       "Session",             DELETE, delete(sessions::end))
        .api("/api/auth/account",             "Account",             DELETE, delete(account::close))
        .nothing_else_below("/api/auth")

        .page("/verify-email",                get(pages::verify::show).post(pages::verify::submit))
        .page("/reset-password",              get(pages::reset::show).post(pages::reset::submit))
        .public("/assets/ironlatch.css",      get(pages::style_sheet))
        .public("/.well-known/jwks.json",     get(jwks::show))
}

/// The routes and what each needs around it.
#[derive(Default)]
struct Map {
    routes: Vec<Route>,
    /// Path and methods of each, for the test that compares them with the OpenAPI document.
    listed: Vec<(&'static str, &'static str)>,
}

struct Route {
    path: String,
    kind: Kind,
    methods: MethodRouter<App>,
}

impl Map {
    /// A path of the API, in both spellings: clients of frameworks that redirect to the slash
    /// send it, others do not, and a redirect would turn their POST into a GET.
    fn api(
        mut self,
        path: &'static str,
        name: &'static str,
        allow: &'static str,
        methods: MethodRouter<App>,
    ) -> Self {
        self.listed.push((path, allow));
        let methods =
            methods.options(move || std::future::ready(describe(name))).fallback(wrong_method);
        self.both(path, Kind::Api { allow: Some(allow) }, methods)
    }

    /// A page for people, in both spellings.
    fn page(mut self, path: &'static str, methods: MethodRouter<App>) -> Self {
        self.listed.push((path, "GET, POST"));
        self.both(path, Kind::Page, methods)
    }

    /// A document that is the same for everybody.
    fn public(mut self, path: &'static str, methods: MethodRouter<App>) -> Self {
        self.listed.push((path, "GET"));
        self.add(path.to_owned(), Kind::Public, methods)
    }

    /// Unknown paths under a contract are answered in its shape.
    fn nothing_else_below(mut self, prefix: &str) -> Self {
        for path in [prefix.to_owned(), format!("{prefix}/"), format!("{prefix}/{{*rest}}")] {
            let nothing = any(|| async { Problem::NotFound });
            self = self.add(path, Kind::Api { allow: None }, nothing);
        }
        self
    }

    fn both(self, path: &str, kind: Kind, methods: MethodRouter<App>) -> Self {
        self.add(path.to_owned(), kind, methods.clone()).add(format!("{path}/"), kind, methods)
    }

    fn add(mut self, path: String, kind: Kind, methods: MethodRouter<App>) -> Self {
        self.routes.push(Route { path, kind, methods });
        self
    }
}

/// `OPTIONS`: what the contract's framework says of a view.
fn describe(name: &'static str) -> Response {
    answer::json(
        StatusCode::OK,
        &json!({
            "name": name,
            "description": "",
            "renders": ["application/json", "text/html"],
            "parses": [
                "application/json",
                "application/x-www-form-urlencoded",
                "multipart/form-data",
            ],
        }),
    )
}

async fn wrong_method(method: Method) -> Problem {
    Problem::MethodNotAllowed(method.to_string())
}

/// A fallback for the application around: nothing is here.
pub async fn not_found() -> ProblemJson {
    ProblemJson(Problem::NotFound)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_openapi_document_lists_every_route_and_nothing_else() {
        let map = everything(Map::default());
        let methods = |allow: &str| -> BTreeSet<String> {
            let each = allow.split(", ").filter(|method| !["HEAD", "OPTIONS"].contains(method));
            each.map(str::to_lowercase).collect()
        };
        let served: BTreeSet<_> =
            map.listed.iter().map(|(path, allow)| ((*path).to_owned(), methods(allow))).collect();
        let document = crate::openapi();
        let described: BTreeSet<_> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(path, item)| {
                let methods = item.as_object().unwrap().keys();
                (path.clone(), methods.filter(|key| *key != "parameters").cloned().collect())
            })
            .collect();
        assert_eq!(served, described);
    }
}
