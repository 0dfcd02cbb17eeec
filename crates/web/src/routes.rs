//! Every URL of the product, on one screen.

use axum::Router;
use axum::response::Response;
use axum::routing::{MethodRouter, any, delete, get, patch, post, put};
use http::{Method, StatusCode};
use ironlatch_core::Auth;
use ironlatch_core::sessions::Door;
use serde_json::json;

use crate::api::{
    account, address, answer, avatar, jwks, login, logout, me, otp, password, profile,
    reauthenticate, refresh, register, second_factor, sessions, social, sources, verify_email,
};
use crate::app::App;
use crate::doors::{accounts, cfg, otp_session, users};
use crate::edge::{Edge, Kind};
use crate::pages;
use crate::problem::{Dialect, Problem, ProblemJson};
use crate::settings::Settings;

const GET: &str = "GET, HEAD, OPTIONS";
const POST: &str = "POST, OPTIONS";
const DELETE: &str = "DELETE, OPTIONS";
const PATCH: &str = "PATCH, OPTIONS";
const CHANGE: &str = "GET, PUT, PATCH, HEAD, OPTIONS";
const EDIT: &str = "PUT, PATCH, OPTIONS";
const SET: &str = "POST, DELETE, OPTIONS";

/// The API and the pages, to be served alone or nested at a prefix.
pub fn router(auth: Auth, settings: Settings) -> Router {
    let app = App::new(auth, settings);
    let mut router = Router::new();
    let mut map = everything(Map::default());
    for (door, its_routes) in DOORS {
        if app.auth().settings().door(door).enabled {
            map = its_routes(map);
        }
    }
    for route in map.routes {
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
        .api("/api/auth/2fa",                 "Second Factor",       GET,    get(second_factor::status))
        .api("/api/auth/2fa/verify",          "Verify Second Factor", POST,  post(second_factor::verify))
        .api("/api/auth/2fa/totp",            "Authenticator App",   SET, post(second_factor::begin).delete(second_factor::remove))
        .api("/api/auth/2fa/totp/confirm",    "Confirm Authenticator App", POST, post(second_factor::confirm))
        .api("/api/auth/2fa/recovery-codes",  "Recovery Codes",      POST,   post(second_factor::replace_recovery_codes))
        .api("/api/auth/reauthenticate",      "Reauthenticate",      POST,   post(reauthenticate::submit))
        .api("/api/auth/token/refresh",       "Refresh",             POST,   post(refresh::submit))
        .api("/api/auth/otp/request",         "OTP Request",         POST,   post(otp::request))
        .api("/api/auth/otp/verify",          "OTP Verify",          POST,   post(otp::verify))
        .api("/api/auth/otp/link",            "OTP Link",            POST,   post(otp::link))
        .api("/api/auth/me",                  "Me",                  GET,    get(me::show))
        .api("/api/auth/logout",              "Logout",              POST,   post(logout::submit))
        .api("/api/auth/password/forgot",     "Forgot Password",     POST,   post(password::forgot))
        .api("/api/auth/password/reset",      "Reset Password",      POST,   post(password::reset))
        .api("/api/auth/password/change",     "Change Password",     POST,   post(password::change))
        .api("/api/auth/sessions",            "Sessions",            GET,    get(sessions::list))
        .api("/api/auth/sessions/end-others", "End Other Sessions",  POST,   post(sessions::end_others))
        .api("/api/auth/sessions/{id}",       "Session",             DELETE, delete(sessions::end))
        .api("/api/auth/sources",             "Sources",             GET,    get(sources::over_period))
        .api("/api/auth/sources/top",         "Top Sources",         GET,    get(sources::top))
        .api("/api/auth/sources/daily",       "Daily Sources",       GET,    get(sources::daily))
        .api("/api/auth/sources/conversion",  "Source Conversion",   GET,    get(sources::conversion))
        .api("/api/auth/sources/{id}",        "Source",              PATCH,  patch(sources::change))
        .api("/api/auth/account",             "Account",             DELETE, delete(account::close))
        .api("/api/auth/email/change",        "Change Email",        POST,   post(address::change_email))
        .api("/api/auth/email/confirm",       "Confirm Email",       POST,   post(address::confirm_email))
        .api("/api/auth/phone/change",        "Change Phone",        POST,   post(address::change_phone))
        .api("/api/auth/phone/confirm",       "Confirm Phone",       POST,   post(address::confirm_phone))
        .api("/api/auth/address/undo",        "Undo Address Change", POST,   post(address::undo))
        .api("/api/auth/social",              "Connections",         GET,    get(social::list))
        .api("/api/auth/social/{name}",       "Social Login",        POST,   post(social::sign_in))
        .also("/api/auth/social/{name}",                             DELETE, delete(social::disconnect))
        .api("/api/auth/social/{name}/link",  "Connect",             POST,   post(social::link))
        .way("/api/auth/social/{name}/start",                                get(pages::social::start))
        .way("/api/auth/social/{name}/callback",                             get(pages::social::callback))
        .nothing_else_below("/api/auth")
        .api("/api/profile",                  "Profile",             CHANGE, get(profile::show).put(profile::change).patch(profile::change))
        .api("/api/profile/avatar",           "Avatar",              SET,    post(avatar::upload).delete(avatar::remove))
        .nothing_below("/api/profile")

        .page("/verify-email",                get(pages::verify::show).post(pages::verify::submit))
        .page("/reset-password",              get(pages::reset::show).post(pages::reset::submit))
        .page("/sign-in",                     get(pages::sign_in::show).post(pages::sign_in::submit))
        .page("/confirm-email",               get(pages::address::show_confirm).post(pages::address::confirm))
        .page("/undo-address",                get(pages::address::show_undo).post(pages::address::undo))
        .public("/assets/ironlatch.css",      get(pages::style_sheet))
        .public("/.well-known/jwks.json",     get(jwks::show))
        .picture("/avatars/{id}",             get(avatar::show))
}

/// Adds the routes of a door.
type Routes = fn(Map) -> Map;

/// The doors, each open or not as the settings say.
const DOORS: [(Door, Routes); 4] = [
    (Door::Users, of_users),
    (Door::OtpSession, of_otp_session),
    (Door::Accounts, of_accounts),
    (Door::Cfg, of_cfg),
];

#[rustfmt::skip]
fn of_users(map: Map) -> Map {
    map.door(Dialect::Users)
        .json("/api/users/register",        "Register",               post(users::register::submit))
        .json("/api/users/login",           "Login",                  post(users::login::submit))
        .at("/api/users/me",                "Me",             GET,    get(users::account::me))
        .at("/api/users/logout",            "Logout",         POST,   post(users::logout::submit))
        .at("/api/users/delete",            "Delete",         DELETE, delete(users::account::delete))
        .json("/api/users/password/forgot", "Forgot Password",        post(users::password::forgot))
        .json("/api/users/password/reset",  "Reset Password",         post(users::password::reset))
        .at("/api/users/2fa-check",         "2FA Check",      POST,   post(users::second_factor::check))
        .at("/api/users/2fa-qr",            "2FA QR",         POST,   post(users::second_factor::show_qr))
        .at("/api/users/2fa-remove",        "2FA Remove",     POST,   post(users::second_factor::remove))
        .at("/api/health",                  "Health",         GET,    get(users::around::health))
        .at("/api/dashboard",               "Dashboard",      GET,    get(users::around::dashboard))
        .nothing_else_below("/api/users")
}

#[rustfmt::skip]
fn of_otp_session(map: Map) -> Map {
    map.door(Dialect::OtpSession)
        .at("/users/signup",       "Signup",       POST, post(otp_session::signup::submit))
        .at("/users/verification", "Verification", POST, post(otp_session::verification::submit))
        .at("/users/login",        "Login",        POST, post(otp_session::login::submit))
        .at("/users/who_am_i",     "Who Am I",     GET,  get(otp_session::who_am_i::show))
        .at("/users/logout",       "Logout",       POST, post(otp_session::logout::submit))
        .also_below("/users", "/user")
        .nothing_else_below("/users")
        .nothing_else_below("/user")
}

#[rustfmt::skip]
fn of_accounts(map: Map) -> Map {
    map.door(Dialect::Accounts)
        .at("/accounts/signup",                 "Signup",                 POST,   post(accounts::signup::submit))
        .at("/accounts/verify-email",           "Verify Email",           GET,    get(accounts::verify_email::consume))
        .at("/accounts/login",                  "Login",                  POST,   post(accounts::login::submit))
        .at("/accounts/refresh",                "Refresh",                POST,   post(accounts::refresh::submit))
        .at("/accounts/logout",                 "Logout",                 POST,   post(accounts::logout::submit))
        .at("/accounts/protected",              "Protected",              GET,    get(accounts::protected::show))
        .at("/accounts/password-reset",         "Password Reset",         POST,   post(accounts::password::forgot))
        .at("/accounts/password-reset/confirm", "Password Reset Confirm", POST,   post(accounts::password::reset))
        .at("/accounts/sessions",               "Sessions",               GET,    get(accounts::sessions::list))
        .at("/accounts/sessions/{id}",          "Session",                DELETE, delete(accounts::sessions::end))
        .nothing_else_below("/accounts")
}

#[rustfmt::skip]
fn of_cfg(map: Map) -> Map {
    map.door(Dialect::Cfg)
        .at("/cfg/accounts/otp/request",     "OTP Request",     POST, post(cfg::otp::request))
        .at("/cfg/accounts/otp/verify",      "OTP Verify",      POST, post(cfg::otp::verify))
        .at("/cfg/accounts/token/refresh",   "Token Refresh",   POST, post(cfg::token::submit))
        .at("/cfg/accounts/token/blacklist", "Token Blacklist", POST, post(cfg::token::blacklist))
        .at("/cfg/accounts/profile",         "Profile",         GET,  get(profile::show))
        .at("/cfg/accounts/profile/update",  "Update Profile",  EDIT, put(cfg::profile::change).patch(cfg::profile::change))
        .at("/cfg/accounts/profile/partial", "Partial Update",  EDIT, put(cfg::profile::change).patch(cfg::profile::change))
        .at("/cfg/accounts/profile/avatar",  "Avatar",          POST, post(avatar::upload))
        .nothing_else_below("/cfg/accounts")
}

/// The routes and what each needs around it.
#[derive(Default)]
struct Map {
    routes: Vec<Route>,
    /// Path and methods of each, for the tests that compare them with the documents.
    listed: Vec<(&'static str, &'static str)>,
    /// Whose words answers are in from here on.
    dialect: Dialect,
}

#[derive(Clone)]
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
        let describe = move || std::future::ready(describe(name, &EVERY_KIND));
        let kind = self.kind(Some(allow));
        self.both(path, kind, methods.options(describe).fallback(wrong_method))
    }

    /// A further method of such a path, with an `Allow` of its own: what the path names (a
    /// provider, a connection) takes one of them.
    fn also(mut self, path: &'static str, allow: &'static str, methods: MethodRouter<App>) -> Self {
        self.listed.push((path, allow));
        let kind = self.kind(Some(allow));
        self.both(path, kind, methods)
    }

    /// A page below the API that browsers only pass through.
    fn way(mut self, path: &'static str, methods: MethodRouter<App>) -> Self {
        self.listed.push((path, "GET"));
        self.both(path, Kind::Page, methods.fallback(wrong_method))
    }

    /// From here on, routes of a door.
    fn door(self, dialect: Dialect) -> Self {
        Self { dialect, ..self }
    }

    /// A path of a door, in both spellings likewise.
    fn at(
        self,
        path: &'static str,
        name: &'static str,
        allow: &'static str,
        methods: MethodRouter<App>,
    ) -> Self {
        self.api(path, name, allow, methods)
    }

    /// A path of a door whose contract takes nothing but JSON.
    fn json(mut self, path: &'static str, name: &'static str, methods: MethodRouter<App>) -> Self {
        self.listed.push((path, POST));
        let describe = move || std::future::ready(describe(name, &ONLY_JSON));
        let kind = self.kind(Some(POST));
        self.both(path, kind, methods.options(describe).fallback(wrong_method))
    }

    /// Every route below a prefix a second time below another one.
    fn also_below(mut self, prefix: &str, other: &str) -> Self {
        let again = self.routes.iter().filter_map(|route| {
            let rest = route.path.strip_prefix(prefix).filter(|rest| rest.starts_with('/'))?;
            Some(Route { path: format!("{other}{rest}"), ..route.clone() })
        });
        let again: Vec<_> = again.collect();
        self.routes.extend(again);
        self
    }

    const fn kind(&self, allow: Option<&'static str>) -> Kind {
        match self.dialect {
            Dialect::Api => Kind::Api { allow },
            dialect => Kind::Door { dialect, allow },
        }
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

    /// A picture that never changes.
    fn picture(mut self, path: &'static str, methods: MethodRouter<App>) -> Self {
        self.listed.push((path, "GET"));
        self.add(path.to_owned(), Kind::Picture, methods)
    }

    /// Unknown paths under a contract are answered in its shape.
    fn nothing_else_below(mut self, prefix: &str) -> Self {
        for path in [prefix.to_owned(), format!("{prefix}/")] {
            let kind = self.kind(None);
            self = self.add(path, kind, any(nothing));
        }
        self.nothing_below(prefix)
    }

    /// The same where the prefix itself is a path.
    fn nothing_below(self, prefix: &str) -> Self {
        let kind = self.kind(None);
        self.add(format!("{prefix}/{{*rest}}"), kind, any(nothing))
    }

    fn both(self, path: &str, kind: Kind, methods: MethodRouter<App>) -> Self {
        self.add(path.to_owned(), kind, methods.clone()).add(format!("{path}/"), kind, methods)
    }

    fn add(mut self, path: String, kind: Kind, methods: MethodRouter<App>) -> Self {
        self.routes.push(Route { path, kind, methods });
        self
    }
}

const EVERY_KIND: [&str; 3] =
    ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"];
const ONLY_JSON: [&str; 1] = ["application/json"];

/// `OPTIONS`: what the contract's framework says of a view.
fn describe(name: &'static str, parses: &[&str]) -> Response {
    answer::json(
        StatusCode::OK,
        &json!({
            "name": name,
            "description": "",
            "renders": ["application/json", "text/html"],
            "parses": parses,
        }),
    )
}

async fn nothing() -> Problem {
    Problem::NotFound
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
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// The methods that a list for `Allow` is about.
    fn methods(allow: &str) -> BTreeSet<String> {
        let each = allow.split(", ").filter(|method| !["HEAD", "OPTIONS"].contains(method));
        each.map(str::to_owned).collect()
    }

    /// The rows of `docs/doors.md`: door, method, path, test.
    fn rows() -> Vec<[String; 4]> {
        let page = include_str!("../../../docs/doors.md");
        let rows = page.lines().filter(|line| line.starts_with("| `")).map(|line| {
            let cells = line.trim_matches('|').split('|').map(|cell| cell.replace('`', ""));
            let cells: Vec<_> = cells.map(|cell| cell.trim().to_owned()).collect();
            cells.try_into().expect("a row has four cells")
        });
        rows.collect()
    }

    #[test]
    fn the_page_about_the_doors_lists_every_route_of_theirs_and_nothing_else() {
        let mut served = BTreeSet::new();
        let ours = (Door::Api, everything as Routes);
        for (door, its_routes) in DOORS.into_iter().chain([ours]) {
            let listed = its_routes(Map::default()).listed.into_iter();
            let pages = |path: &str| door == Door::Api && !path.starts_with("/api/");
            for (path, allow) in listed.filter(|(path, _)| !pages(path)) {
                let each = methods(allow).into_iter();
                served.extend(each.map(|method| (door.word().to_owned(), method, path.to_owned())));
            }
        }
        let described: BTreeSet<_> =
            rows().into_iter().map(|[door, method, path, _]| (door, method, path)).collect();
        assert_eq!(served, described);
    }

    #[test]
    fn every_endpoint_of_a_door_names_a_test_that_exists() {
        let mut sources = String::new();
        let crates = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for tests in ["web/tests", "server/tests"] {
            read_below(&crates.join(tests), &mut sources);
        }
        for [_, method, path, test] in rows() {
            assert!(sources.contains(&format!("fn {test}(")), "{method} {path}: {test}");
        }
    }

    fn read_below(folder: &std::path::Path, sources: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read_below(&path, sources);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                sources.push_str(&std::fs::read_to_string(&path).unwrap());
            }
        }
    }

    #[test]
    fn the_openapi_document_lists_every_route_and_nothing_else() {
        let map = everything(Map::default());
        let lower = |allow| methods(allow).into_iter().map(|method| method.to_lowercase());
        let mut served: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (path, allow) in &map.listed {
            served.entry((*path).to_owned()).or_default().extend(lower(allow));
        }
        let document = crate::openapi();
        let described: BTreeMap<_, _> = document["paths"]
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
