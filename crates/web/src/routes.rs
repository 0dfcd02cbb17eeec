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
    let map = Map { app: app.clone(), router: Router::new(), listed: Vec::new() };
    everything(map).router.with_state(app)
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

/// Puts routes in, each with its surroundings, and remembers them for the test that compares
/// them with the OpenAPI document.
struct Map {
    app: App,
    router: Router<App>,
    listed: Vec<(&'static str, &'static str)>,
}

impl Map {
    /// A path of the API, in both spellings: clients of frameworks that redirect to the slash
    /// send it, others do not, and a redirect would turn their POST into a GET.
    fn api(
        self,
        path: &'static str,
        name: &'static str,
        allow: &'static str,
        routes: MethodRouter<App>,
    ) -> Self {
        let routes = routes.options(move || describe(name)).fallback(wrong_method);
        let mut map = self.both(path, routes, Kind::Api { allow: Some(allow) });
        map.listed.push((path, allow));
        map
    }

    /// A page for people, in both spellings.
    fn page(self, path: &'static str, routes: MethodRouter<App>) -> Self {
        let mut map = self.both(path, routes, Kind::Page);
        map.listed.push((path, "GET, POST"));
        map
    }

    /// A document that is the same for everybody.
    fn public(mut self, path: &'static str, routes: MethodRouter<App>) -> Self {
        let routes = routes.layer(Edge { app: self.app.clone(), kind: Kind::Public });
        self.router = self.router.route(path, routes);
        self.listed.push((path, "GET"));
        self
    }

    /// Unknown paths under a contract are answered in its shape.
    fn nothing_else_below(mut self, prefix: &str) -> Self {
        let nothing = any(|| async { Problem::NotFound });
        let edge = Edge { app: self.app.clone(), kind: Kind::Api { allow: None } };
        let nothing = nothing.layer(edge);
        for path in [prefix.to_owned(), format!("{prefix}/"), format!("{prefix}/{{*rest}}")] {
            self.router = self.router.route(&path, nothing.clone());
        }
        self
    }

    fn both(mut self, path: &'static str, routes: MethodRouter<App>, kind: Kind) -> Self {
        let routes = routes.layer(Edge { app: self.app.clone(), kind });
        let router = self.router.route(path, routes.clone());
        self.router = router.route(&format!("{path}/"), routes);
        self
    }
}

/// `OPTIONS`: what the contract's framework says of a view.
async fn describe(name: &'static str) -> Response {
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

    #[tokio::test]
    async fn the_openapi_document_lists_every_route_and_nothing_else() {
        let auth = ironlatch_testkit::TestAuth::new().await.auth.clone();
        let app = App::new(auth, Settings::default());
        let map = everything(Map { app, router: Router::new(), listed: Vec::new() });
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
