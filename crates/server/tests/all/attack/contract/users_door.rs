//! The requests behind the observed answers of `/api/users/*`, and every intended difference.

use ironlatch_core::time::Timestamp;
use ironlatch_testkit::{read_qr, totp_code};
use serde_json::{Value, json};

use super::super::house::{House, PASSWORD, soon};
use super::super::http::{Answer, Call};
use super::differences::{Difference, HEADERS_OF_A_FAULT, differs};

const EMAIL: &str = "a@ex.com";
const OTHER: &str = "b@ex.com";
const NEW_PASSWORD: &str = "another way home 18";

/// The configuration that the original's front end expects.
pub(super) const ENVIRONMENT: [(&str, &str); 6] = [
    ("IRONLATCH_DOORS__USERS__ENABLED", "true"),
    ("IRONLATCH_DOORS__USERS__FRONTEND_URL", "https://localhost:3000"),
    ("IRONLATCH_DOORS__USERS__DEFAULT_ROLE", "business_owner"),
    ("IRONLATCH_ACCOUNTS__ROLES", "user,admin,business_owner"),
    ("IRONLATCH_MAIL__PRODUCT", "AI Marketer"),
    ("IRONLATCH_TOTP__ISSUER", "AI-Marketer"),
];

/// Where a replay stands.
pub(super) struct Replay<'a> {
    house: &'a House,
    /// `access_token=…`
    cookie: String,
    /// The one before it, of a session that a reset has ended.
    old_cookie: String,
    /// What the app holds.
    secret: String,
    password: &'static str,
}

impl<'a> Replay<'a> {
    pub(super) fn new(house: &'a House) -> Self {
        let (cookie, old_cookie, secret) = (String::new(), String::new(), String::new());
        Self { house, cookie, old_cookie, secret, password: PASSWORD }
    }

    /// An exchange, by its name.
    pub(super) fn answer(&mut self, name: &str) -> Answer {
        let call = match name.split([' ', '-']).next().unwrap() {
            "register" => Self::register(name),
            "login" => self.login(name),
            "me" | "logout" | "delete" | "404" => self.by_cookie(name),
            "2fa" => self.second_factor(name),
            "forgot" | "reset" => self.password(name),
            _ => unreachable!("{name}"),
        };
        let answer = self.house.call(call);
        if let Some(cookie) = answer.cookie("access_token").filter(|it| it.len() > 30) {
            self.cookie = cookie;
        }
        match name {
            "register ok" => self.house.verify(EMAIL),
            "2fa-qr" => self.secret = self.scan(&answer),
            "reset ok" => {
                self.old_cookie = std::mem::take(&mut self.cookie);
                self.password = NEW_PASSWORD;
                self.sign_in();
            }
            _ => {}
        }
        answer
    }

    fn register(name: &str) -> Call {
        let path = "/api/users/register/";
        let call = Call::post(path);
        let wish = |name: &str, email: &str, password: &str| json!({ "name": name, "email": email, "password": password });
        match name {
            "register empty" => call.json(json!({})),
            "register bad email short pw bad role" => {
                let mut wish = wish("", "nowhere", "short");
                wish["role"] = "boss".into();
                call.json(wish)
            }
            "register null" => call.json(json!({ "name": null, "email": null, "password": null })),
            "register ok" | "register dup exact lower" => call.json(wish("Al", EMAIL, PASSWORD)),
            "register dup mixed case" => call.json(wish("Al", "A@Ex.com", PASSWORD)),
            "register admin role" => {
                let mut wish = wish("Eve", "eve@ex.com", PASSWORD);
                wish["role"] = "admin".into();
                call.json(wish)
            }
            "register list body" => call.json(json!([])),
            "register malformed" => call.body("application/json", "{bad"),
            "register form" => {
                let kind = "multipart/form-data; boundary=BoUnDaRyStRiNg";
                call.body(kind, "--BoUnDaRyStRiNg--\r\n")
            }
            "register text/plain" => call.body("text/plain", "hello"),
            "register GET" => Call::get(path),
            "register OPTIONS" => Call::new("OPTIONS", path),
            "register no slash POST" => Call::post("/api/users/register").json(json!({})),
            _ => unreachable!("{name}"),
        }
    }

    fn login(&self, name: &str) -> Call {
        let email = match name {
            "login unknown" => "nobody@ex.com",
            "login mixed case email" => "A@Ex.com",
            "login 2fa not enabled" | "login inactive" => OTHER,
            _ => EMAIL,
        };
        if name == "login 2fa not enabled" {
            let wish = json!({ "name": "Bo", "email": OTHER, "password": PASSWORD });
            assert_eq!(self.house.call(Call::post("/api/users/register/").json(wish)).status, 201);
        }
        if name == "login inactive" {
            self.house.run(&["account", "disable", OTHER]);
        }
        let password = match name {
            "login wrong" | "login 2fa wrong pw" => "not the password",
            "login short pw" => "12345",
            "login inactive" | "login 2fa not enabled" => PASSWORD,
            _ => self.password,
        };
        let mut credentials = json!({ "email": email, "password": password, "code": "" });
        let method = if name.starts_with("login 2fa") { "2fa" } else { "traditional" };
        match name {
            "login 2fa no code" => drop(credentials.as_object_mut().unwrap().remove("code")),
            "login 2fa wrong" => credentials["code"] = "000000".into(),
            "login 2fa wrong pw" | "login 2fa not enabled" => {
                credentials["code"] = "123456".into();
            }
            // The step in which the app was confirmed is used up; the next one is accepted.
            "login 2fa ok" => credentials["code"] = self.code(30).into(),
            _ => {}
        }
        let body = match name {
            "login missing creds" => json!({ "method": "traditional" }),
            "login empty" => json!({}),
            "login creds string" => json!({ "method": "traditional", "credentials": "text" }),
            "login unsupported" => json!({ "method": "social", "credentials": credentials }),
            "login 2fa required" => json!({ "method": "traditional", "credentials": credentials }),
            _ => json!({ "method": method, "credentials": credentials }),
        };
        Call::post("/api/users/login/").json(body)
    }

    fn by_cookie(&self, name: &str) -> Call {
        match name {
            "me anon" => Call::get("/api/users/me/"),
            "me no slash GET" => Call::get("/api/users/me"),
            "me" => Call::get("/api/users/me/").cookie(&self.cookie),
            "me POST" => Call::post("/api/users/me/").cookie(&self.cookie),
            "me garbage cookie" => Call::get("/api/users/me/").cookie("access_token=garbage"),
            "me after reset (old token)" => Call::get("/api/users/me/").cookie(&self.old_cookie),
            "logout anon" => Call::post("/api/users/logout/"),
            "logout" => Call::post("/api/users/logout/").cookie(&self.cookie),
            "delete POST" => Call::post("/api/users/delete/").cookie(&self.cookie),
            "delete" => Call::new("DELETE", "/api/users/delete/").cookie(&self.cookie),
            "404" => Call::get("/api/users/nothing/"),
            _ => unreachable!("{name}"),
        }
    }

    fn second_factor(&self, name: &str) -> Call {
        let check = |body: Value| Call::post("/api/users/2fa-check/").json(body);
        let call = match name {
            "2fa-check empty code" | "2fa-check status" => check(json!({ "code": "" })),
            "2fa-check no body code (None)" => check(json!({})),
            "2fa-check wrong" => check(json!({ "code": "000000" })),
            "2fa-check right" => check(json!({ "code": self.code(0) })),
            "2fa-qr" => Call::post("/api/users/2fa-qr/").json(json!({})),
            "2fa-remove" => Call::post("/api/users/2fa-remove/").json(json!({})),
            _ => unreachable!("{name}"),
        };
        call.cookie(&self.cookie)
    }

    fn password(&self, name: &str) -> Call {
        let forgot = |body: Value| Call::post("/api/users/password/forgot/").json(body);
        match name {
            "forgot unknown" => return forgot(json!({ "email": "nobody@ex.com" })),
            "forgot bad" => return forgot(json!({ "email": "nowhere" })),
            "forgot missing" => return forgot(json!({})),
            "forgot ok" => return forgot(json!({ "email": EMAIL })),
            "reset missing" => return Call::post("/api/users/password/reset/").json(json!({})),
            _ => {}
        }
        let (uid, token) = self.mailed();
        let body = match name {
            "reset bad uid" => json!({ "uid": "%%", "token": token, "new_password": NEW_PASSWORD }),
            "reset bad token" => {
                json!({ "uid": uid, "token": "bad-token", "new_password": NEW_PASSWORD })
            }
            "reset short" => json!({ "uid": uid, "token": token, "new_password": "short" }),
            "reset ok" | "reset reuse" => {
                json!({ "uid": uid, "token": token, "new_password": NEW_PASSWORD })
            }
            _ => unreachable!("{name}"),
        };
        Call::post("/api/users/password/reset/").json(body)
    }

    /// The two parts of the mailed link.
    fn mailed(&self) -> (String, String) {
        let mail = self.house.mail(EMAIL, "Reset your AI Marketer password", 1);
        for words in ["Hello Al,", "24 hours", "ignore this mail"] {
            assert!(mail.text.contains(words), "{words} in {}", mail.text);
        }
        let link = mail.link();
        let query = link.strip_prefix("https://localhost:3000/reset-password?uid=").unwrap();
        let (uid, token) = query.split_once("&token=").unwrap();
        (uid.to_owned(), token.to_owned())
    }

    fn scan(&self, answer: &Answer) -> String {
        let uri = read_qr(answer.json()["qr_code"].as_str().unwrap());
        let start = "otpauth://totp/AI-Marketer:a%40ex.com?secret=";
        let (secret, rest) = uri.strip_prefix(start).unwrap().split_at(32);
        assert_eq!(rest, "&issuer=AI-Marketer");
        self.house.keep(secret);
        secret.to_owned()
    }

    fn code(&self, seconds_from_now: i64) -> String {
        let since = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let at = i64::try_from(since).unwrap() + seconds_from_now;
        totp_code(&self.secret, Timestamp::from_micros(at * 1_000_000))
    }

    fn sign_in(&mut self) {
        let credentials = json!({ "email": EMAIL, "password": self.password });
        let body = json!({ "credentials": credentials });
        let answer = self.house.call(Call::post("/api/users/login/").json(body));
        self.cookie = answer.cookie("access_token").unwrap();
        soon("the account is known here", || {
            self.house.call(Call::get("/api/users/me/").cookie(&self.cookie)).status == 200
        });
    }
}

const ARRAY_FIRST: &str = "the client joins the first key of whatever it gets as a list \
                           (users-door, section 6), so a list comes first on every path";
const SESSION_COOKIE: &str = "the text of the contract has a refresh token in the answer, of the \
                              same session (users-door, section 7, row 12); the known-device \
                              cookie keeps strangers from locking owners out";
const NOT_PROVIDED: &str = r#"401 {"error":["Authentication credentials were not provided."],"detail":"Authentication credentials were not provided."}"#;

pub(super) const DIFFERENCES: [Difference; 26] = [
    differs(
        "register bad email short pw bad role",
        "body",
        r#""password":["Ensure this field has at least 8 characters."]"#,
        "passwords have at least 8 characters on every door (ruling 4)",
    ),
    differs(
        "register dup mixed case",
        "status body allow content-type vary",
        r#"400 {"email":["user with this email already exists."]}"#,
        HEADERS_OF_A_FAULT,
    ),
    differs(
        "register admin role",
        "status body",
        r#"400 {"role":["\"admin\" is not a valid choice."]}"#,
        "nobody makes themselves an administrator (users-door, section 7, row 1)",
    ),
    differs("register malformed", "body", r#"400 {"error":["JSON parse error - "#, ARRAY_FIRST),
    differs(
        "register form",
        "body",
        r#"415 {"error":["Unsupported media type \"multi"#,
        ARRAY_FIRST,
    ),
    differs("register text/plain", "body", r#"415 {"error":["Unsupported media ty"#, ARRAY_FIRST),
    differs("register GET", "body", r#"405 {"error":["Method \"GET\" not allowed."]"#, ARRAY_FIRST),
    differs(
        "register OPTIONS",
        "body",
        r#"200 {"name":"Register","description":"","renders":["application/json","text/html"],"parses":["application/json"]}"#,
        "what the original's framework tells about its own forms is no part of the contract",
    ),
    differs(
        "register no slash POST",
        "status body allow content-type vary location",
        r#"400 {"name":["This field is required."]"#,
        "paths without the slash are served directly, not redirected (ruling 2)",
    ),
    differs(
        "me no slash GET",
        "status body allow content-type vary location www-authenticate",
        NOT_PROVIDED,
        "paths without the slash are served directly, not redirected (ruling 2)",
    ),
    differs(
        "login unsupported",
        "status body allow content-type vary",
        r#"400 {"error":["Unsupported login method: social"]}"#,
        HEADERS_OF_A_FAULT,
    ),
    differs("me anon", "body", NOT_PROVIDED, ARRAY_FIRST),
    differs(
        "logout anon",
        "status body cookies www-authenticate",
        r#"200 {"message":"Logged out successfully"}"#,
        "logout answers 200 also when nobody is signed in (ruling 3)",
    ),
    differs(
        "login mixed case email",
        "status body cookies",
        r#"200 {"message":"Login successful","refresh":"<JWT>"}"#,
        "addresses are compared in lower case (users-door, section 1)",
    ),
    differs(
        "login ok",
        "body cookies",
        "access_token=<JWT>; expires=<date>; HttpOnly; Max-Age=86400; Path=/; SameSite=None; Secure",
        SESSION_COOKIE,
    ),
    differs("me POST", "body", r#"405 {"error":["Method \"POST\" not allowed."]"#, ARRAY_FIRST),
    differs(
        "2fa-check no body code (None)",
        "status body allow content-type vary",
        r#"200 {"status":false}"#,
        HEADERS_OF_A_FAULT,
    ),
    differs(
        "login 2fa ok",
        "body cookies",
        "access_token=<JWT>; expires=<date>; HttpOnly; Max-Age=86400; Path=/; SameSite=None; Secure",
        SESSION_COOKIE,
    ),
    differs(
        "forgot unknown",
        "status body",
        r#"200 {"message":"Password reset email sent"}"#,
        "nobody learns who has an account (users-door, section 7, row 2)",
    ),
    differs(
        "reset short",
        "body",
        r#"{"new_password":["Ensure this field has at least 8 characters."],"non_field_errors":["Ensure this field has at least 8 characters."]}"#,
        "8 characters (ruling 4); the page shows what is not about a field (users-door, section 6)",
    ),
    differs(
        "me after reset (old token)",
        "status body www-authenticate",
        NOT_PROVIDED,
        "a reset ends every session (users-door, section 7, row 3)",
    ),
    differs("me garbage cookie", "body", NOT_PROVIDED, ARRAY_FIRST),
    differs(
        "login again",
        "body cookies",
        "access_token=<JWT>; expires=<date>; HttpOnly; Max-Age=86400; Path=/; SameSite=None; Secure",
        SESSION_COOKIE,
    ),
    differs(
        "delete",
        "cookies",
        "__Host-ironlatch_device=; Max-Age=0; Path=/; Secure",
        "what the known-device cookie says goes with the account it is about",
    ),
    differs("delete POST", "body", r#"405 {"error":["Method \"POST\" not allowed."]"#, ARRAY_FIRST),
    differs(
        "404",
        "body content-type vary",
        r#"404 {"error":["Not found."],"detail":"Not found."}"#,
        "unknown paths below a contract are answered in its shape (users-door, section 0)",
    ),
];
