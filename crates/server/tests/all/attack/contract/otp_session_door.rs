//! The requests behind the observed answers of `/users/*`, and every intended difference.

use serde_json::{Value, json};

use super::super::database;
use super::super::house::{House, PASSWORD};
use super::super::http::{Answer, Call};
use super::differences::{Difference, HEADERS_OF_A_FAULT, differs};

const EMAIL: &str = "b@ex.com";
const NAME: &str = "bob";

pub(super) const ENVIRONMENT: [(&str, &str); 2] = [
    ("IRONLATCH_DOORS__OTP_SESSION__ENABLED", "true"),
    ("IRONLATCH_MAIL__PRODUCT", "Django Authentication Platform"),
];

/// Where a replay stands.
pub(super) struct Replay<'a> {
    house: &'a House,
    /// `sessionid=…`
    cookie: String,
    /// The newest code.
    code: u32,
    mails: usize,
}

impl<'a> Replay<'a> {
    pub(super) fn new(house: &'a House) -> Self {
        Self { house, cookie: String::new(), code: 0, mails: 0 }
    }

    /// An exchange, by its name.
    pub(super) fn answer(&mut self, name: &str) -> Answer {
        let call = match name.split(' ').next().unwrap() {
            "signup" => Self::signup(name),
            "verification" => self.verification(name),
            "login" => self.login(name),
            _ => self.rest(name),
        };
        let answer = self.house.call(call);
        if let Some(cookie) = answer.cookie("sessionid") {
            assert_ne!(cookie, self.cookie, "D01: a new session at every sign-in");
            self.cookie = cookie;
        }
        if name == "signup ok" {
            self.code = self.mailed(EMAIL);
        }
        answer
    }

    fn signup(name: &str) -> Call {
        let wish = |username: &str, email: &str| {
            post("signup").json(json!({ "username": username, "email": email }))
        };
        match name {
            "signup empty" => post("signup").json(json!({})),
            "signup ok" => wish(NAME, EMAIL),
            "signup bad email" => wish("carl", "nonsense"),
            "signup username taken" => wish(NAME, "other@ex.com"),
            "signup email taken" => wish("other", EMAIL),
            "signup GET" => Call::get("/users/signup/"),
            _ => unreachable!("{name}"),
        }
    }

    fn verification(&mut self, name: &str) -> Call {
        let tell = |username: &str, email: &str, otp: Value| {
            let body =
                json!({ "email": email, "username": username, "password": PASSWORD, "otp": otp });
            post("verification").json(body)
        };
        match name {
            "verification missing" => post("verification").json(json!({ "email": EMAIL })),
            "verification unknown" => tell("nobody", EMAIL, self.code.into()),
            "verification wrong otp" => tell(NAME, EMAIL, ((self.code + 1) % 1_000_000).into()),
            "verification otp as string" => {
                // Another person's: here it makes the account.
                let wish = json!({ "username": "sue", "email": "s@ex.com" });
                assert_eq!(self.house.call(post("signup").json(wish)).status, 200);
                let code = self.mailed("s@ex.com");
                tell("sue", "s@ex.com", format!("{code:06}").into())
            }
            "verification expired" => {
                // A server has no clock to move.
                let sql = "UPDATE one_time_codes SET expires_at = expires_at - 600000000";
                database::execute(&self.house.url, sql);
                tell(NAME, EMAIL, self.code.into())
            }
            "verification ok" => {
                let wish = json!({ "username": NAME, "email": EMAIL });
                assert_eq!(self.house.call(post("signup").json(wish)).status, 200);
                self.mails = 1;
                self.code = self.mailed(EMAIL);
                tell(NAME, EMAIL, self.code.into())
            }
            "verification again" => tell(NAME, EMAIL, self.code.into()),
            _ => unreachable!("{name}"),
        }
    }

    /// The number in the newest mail with a code.
    fn mailed(&self, to: &str) -> u32 {
        let subject = "Email verification for Django Authentication Platform";
        let mail = self.house.mail(to, subject, self.mails + 1);
        assert!(mail.text.contains("Your OTP for verification is:"), "{}", mail.text);
        mail.code().parse().unwrap()
    }

    fn login(&self, name: &str) -> Call {
        let with = |username: &str, password: &str| {
            post("login").json(json!({ "username": username, "password": password }))
        };
        match name {
            "login missing" => post("login").json(json!({})),
            "login missing password, existing user" => {
                post("login").json(json!({ "username": NAME }))
            }
            "login unknown" => with("nobody", PASSWORD),
            "login wrong" => with(NAME, "not the password"),
            "login ok" | "login csrf enforced" => with(NAME, PASSWORD),
            "login csrf enforced again (with session)" => with(NAME, PASSWORD).cookie(&self.cookie),
            _ => unreachable!("{name}"),
        }
    }

    fn rest(&self, name: &str) -> Call {
        let who = "/users/who_am_i/";
        match name {
            "who" => Call::get(who).cookie(&self.cookie),
            "who anon" | "who anon fresh" => Call::get(who),
            "who POST" => Call::post(who).cookie(&self.cookie),
            "form login" => post("login").form(&[("username", NAME), ("password", PASSWORD)]),
            "malformed" => post("login").body("application/json", "{bad"),
            "list" => post("login").json(json!([])),
            "no slash post" => Call::post("/users/login").json(json!({})),
            _ => unreachable!("{name}"),
        }
    }
}

fn post(path: &str) -> Call {
    Call::post(&format!("/users/{path}/"))
}

const ENVELOPE: &str = "every error has success and detail (otp-session-door, section 0): the \
                        framework's body with one key more, and a body where there was none";
const LOGIN_KEY: &str = "the envelope's key is detail, not details (otp-session-door, section 1)";
const HEAD: &str = "HEAD is answered wherever GET is, and Allow says so (RFC 9110 §9.3.2)";
const MONTH: &str = "the contract's text has 30 days, which its code never set; Secure on https; \
                     the known-device cookie keeps strangers from locking owners out";
const SESSION: &str =
    "sessionid=<secret>; expires=<date>; HttpOnly; Max-Age=2592000; Path=/; SameSite=Lax; Secure";
const NOT_PROVIDED: &str =
    r#"403 {"success":false,"detail":"Authentication credentials were not provided."}"#;

pub(super) const DIFFERENCES: [Difference; 24] = [
    differs(
        "signup empty",
        "body content-type",
        r#"400 {"success":false,"detail":"username and email are required"}"#,
        ENVELOPE,
    ),
    differs(
        "signup bad email",
        "status body",
        r#"400 {"success":false,"detail":"email: Enter a valid email address."}"#,
        "addresses are checked (otp-session-door, section 6)",
    ),
    differs(
        "verification missing",
        "status body allow content-type",
        r#"400 {"success":false,"detail":"email, username, password and otp are required"}"#,
        HEADERS_OF_A_FAULT,
    ),
    differs(
        "verification otp as string",
        "status body",
        r#"200 {"success":true}"#,
        "a code is accepted as a number and as a text (otp-session-door, section 1)",
    ),
    differs(
        "verification again",
        "status body allow content-type",
        r#"404 {"success":false,"detail":"No such user found, request a signup first"}"#,
        HEADERS_OF_A_FAULT,
    ),
    differs(
        "signup email taken",
        "body",
        r#"200 {"success":true,"detail":"user sent for verification","email":"b@ex.com"}"#,
        "nobody but its owner learns that an address is taken (otp-session-door, section 6)",
    ),
    differs(
        "login missing",
        "body content-type",
        r#"400 {"success":false,"detail":"username and password are required"}"#,
        ENVELOPE,
    ),
    differs(
        "login missing password, existing user",
        "status body allow content-type",
        r#"400 {"success":false,"detail":"username and password are required"}"#,
        HEADERS_OF_A_FAULT,
    ),
    differs(
        "login unknown",
        "body",
        r#"404 {"success":false,"detail":"user not found"}"#,
        LOGIN_KEY,
    ),
    differs("login wrong", "body", r#"404 {"success":false,"detail":"user not found"}"#, LOGIN_KEY),
    differs("who anon", "body", NOT_PROVIDED, ENVELOPE),
    differs("who anon", "allow", "403", HEAD),
    differs("login ok", "cookies", SESSION, MONTH),
    differs("who", "allow", r#"200 {"username":"bob","email":"b@ex.com"}"#, HEAD),
    differs(
        "who POST",
        "body",
        r#"405 {"success":false,"detail":"Method \"POST\" not allowed."}"#,
        ENVELOPE,
    ),
    differs("who POST", "allow", "405", HEAD),
    differs(
        "signup GET",
        "body",
        r#"405 {"success":false,"detail":"Method \"GET\" not allowed."}"#,
        ENVELOPE,
    ),
    differs("form login", "cookies", SESSION, MONTH),
    differs(
        "malformed",
        "body",
        r#"400 {"success":false,"detail":"JSON parse error - "#,
        "Python's wording is not reproduced beyond its prefix (ruling 7); in the envelope",
    ),
    differs(
        "list",
        "body content-type",
        r#"400 {"success":false,"detail":"username and password are required"}"#,
        ENVELOPE,
    ),
    differs(
        "no slash post",
        "status body allow content-type vary location",
        r#"400 {"success":false,"detail":"username and password are required"}"#,
        "paths without the slash are served directly, not redirected (ruling 2)",
    ),
    differs("who anon fresh", "body allow", NOT_PROVIDED, HEAD),
    differs("login csrf enforced", "cookies", SESSION, MONTH),
    differs("login csrf enforced again (with session)", "cookies", SESSION, MONTH),
];
