//! The requests behind the observed answers.

use serde_json::{Value, json};

use super::super::house::{House, PASSWORD, Person, soon};
use super::super::http::{Answer, Call};
use super::social::Providers;

const EMAIL: &str = "New@Example.com";

/// Where a replay stands.
pub(super) struct Replay<'a> {
    house: &'a mut House,
    access: String,
    refresh: String,
    cookie: String,
    ada: Option<Person>,
    eve: Option<Person>,
    paths: Paths,
    providers: Option<&'a Providers>,
}

/// Where the exchanges of `refresh.txt` are asked for.
pub(super) struct Paths {
    /// New tokens for a refresh token.
    pub(super) refresh: &'static str,
    /// Something that a bearer may see.
    pub(super) bearer: &'static str,
}

const API: Paths = Paths { refresh: "/api/auth/token/refresh/", bearer: "/api/auth/me/" };

/// What a token says, unchecked.
pub(in super::super) fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    let bytes = data_encoding::BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn account(username: &str, email: &str, password: &str) -> Value {
    json!({ "username": username, "email": email, "password": password })
}

impl<'a> Replay<'a> {
    pub(super) fn new(house: &'a mut House) -> Self {
        let empty = String::new;
        let (access, refresh, cookie) = (empty(), empty(), empty());
        let (ada, eve, providers) = (None, None, None);
        Self { house, access, refresh, cookie, ada, eve, paths: API, providers }
    }

    /// With providers to sign in with.
    pub(super) fn beside(self, providers: &'a Providers) -> Self {
        Self { providers: Some(providers), ..self }
    }

    /// The exchanges of `refresh.txt` alone, at other paths.
    pub(super) fn of_bodies(house: &'a mut House, paths: Paths) -> Self {
        house.person("new");
        let mut replay = Self { paths, ..Self::new(house) };
        replay.begin_bodies();
        replay
    }

    pub(super) const fn house(&self) -> &House {
        self.house
    }

    /// The refresh token that the exchanges with bodies are about.
    pub(super) fn refresh_token(&self) -> &str {
        &self.refresh
    }

    /// The access token of somebody who holds no office.
    pub(super) fn eves_access(&self) -> &str {
        &self.eve.as_ref().unwrap().access
    }

    /// An exchange of `auth-api.txt`, by its name.
    pub(super) fn auth_api(&mut self, name: &str) -> Answer {
        let call = match name.split(' ').next().unwrap() {
            "social" => {
                let answer = self.providers.unwrap().answer(self.house, name);
                return self.with_tokens(name, answer);
            }
            "register" => Self::register(name),
            "verify" => self.verify(name),
            "me" => self.me(name),
            "login" => Self::login(name),
            "refresh" | "logout" => self.cookie_calls(name),
            _ => Self::rest(name),
        };
        let answer = self.house.call(call);
        self.with_tokens(name, answer)
    }

    /// Keeps what the exchanges after this one need.
    fn with_tokens(&mut self, name: &str, answer: Answer) -> Answer {
        if ["login ok", "social github new"].contains(&name) {
            (self.access, self.refresh) = (answer.field("access"), answer.field("refresh"));
        }
        if let Some(cookie) = answer.cookie("refresh_token").filter(|it| it.len() > 30) {
            self.cookie = cookie;
        }
        answer
    }

    fn register(name: &str) -> Call {
        let call = Call::post("/api/auth/register/");
        let long = "u".repeat(151);
        match name {
            "register empty" => call.json(json!({})),
            "register bad" => call.json(account("not a name!", "nowhere", "short")),
            "register blank" => call.json(account("", "", "")),
            "register long username" => call.json(account(&long, "long@example.com", PASSWORD)),
            "register ok" | "register dup" => call.json(account("newuser123", EMAIL, PASSWORD)),
            "register dup email diff case" => {
                call.json(account("another", &EMAIL.to_lowercase(), PASSWORD))
            }
            "register w bad bearer" => call.bearer("abc").json(json!({})),
            _ => unreachable!("{name}"),
        }
    }

    fn verify(&self, name: &str) -> Call {
        let path = "/api/auth/verify-email/";
        let call = match name {
            "verify none" => Call::get(path),
            "verify garbage" => Call::get(&format!("{path}?token=garbage")),
            "verify unknown uuid" => {
                Call::get(&format!("{path}?token=4abe78dd-54f5-40d4-a482-22b7390235b2"))
            }
            "verify ok" | "verify again" => {
                let token = self.house.mail(EMAIL, "Verify", 1).token().unwrap();
                Call::get(&format!("{path}?token={token}"))
            }
            "verify POST" => Call::post(path),
            _ => unreachable!("{name}"),
        };
        call.header("Accept", "application/json")
    }

    fn login(name: &str) -> Call {
        let call = Call::post("/api/auth/login/");
        match name {
            "login before verify" | "login ok" => {
                call.json(json!({ "email": EMAIL, "password": PASSWORD }))
            }
            "login missing" => call.json(json!({})),
            "login bad email" => call.json(json!({ "email": "nowhere", "password": PASSWORD })),
            "login wrong" => call.json(json!({ "email": EMAIL, "password": "wrong password" })),
            "login unknown" => {
                call.json(json!({ "email": "nobody@example.com", "password": PASSWORD }))
            }
            _ => unreachable!("{name}"),
        }
    }

    fn me(&self, name: &str) -> Call {
        let call = Call::get("/api/auth/me/");
        match name {
            "me none" => call,
            "me bad" => call.bearer("abc"),
            "me bearer only" => call.header("Authorization", "Bearer"),
            "me two parts" => call.header("Authorization", "Bearer a b"),
            "me refresh as access" => call.bearer(&self.refresh),
            "me basic" => call.header("Authorization", "Basic bmV3OnBhc3M="),
            "me ok" | "me social" => call.bearer(&self.access),
            _ => unreachable!("{name}"),
        }
    }

    fn cookie_calls(&self, name: &str) -> Call {
        let call = Call::post("/api/auth/token/refresh/");
        match name {
            "refresh none" => call,
            "refresh body only" => call.json(json!({ "refresh": self.refresh })),
            "refresh garbage" => call.cookie("refresh_token=garbage"),
            "refresh with access token" => call.cookie(&format!("refresh_token={}", self.access)),
            "refresh cookie" | "refresh ok" | "refresh after logout with old cookie" => {
                call.cookie(&self.cookie)
            }
            "refresh GET" => Call::get("/api/auth/token/refresh/"),
            "logout" => Call::post("/api/auth/logout/").cookie(&self.cookie),
            "logout w bad bearer" => Call::post("/api/auth/logout/").bearer("abc"),
            _ => unreachable!("{name}"),
        }
    }

    fn rest(name: &str) -> Call {
        let login = Call::post("/api/auth/login/");
        match name {
            "malformed" => login.body("application/json", "{bad"),
            "415" => login.body("text/plain", "hello"),
            "form login" => login.form(&[("email", EMAIL), ("password", "wrong password")]),
            "no slash" => Call::post("/api/auth/login").json(json!({})),
            "options" => Call::new("OPTIONS", "/api/auth/login/"),
            _ => unreachable!("{name}"),
        }
    }

    /// Fresh people for the exchanges of `refresh.txt`.
    pub(super) fn begin_bodies(&mut self) {
        self.ada = Some(self.house.person("ada"));
        self.eve = Some(self.house.person("eve"));
        let ada = self.house.signed_in("ada@example.com", PASSWORD);
        (self.access, self.refresh) = (ada.access, ada.refresh);
    }

    /// An exchange of `refresh.txt`, by its name.
    pub(super) fn refresh(&mut self, name: &str) -> Answer {
        let call = Call::post(self.paths.refresh);
        let of = |token: &str| json!({ "refresh": token });
        let call = match name {
            "refresh empty" => call.json(json!({})),
            "refresh blank" => call.json(of("")),
            "refresh null" => call.json(json!({ "refresh": null })),
            "refresh garbage" => call.json(of("garbage")),
            "refresh access" => call.json(of(&self.access)),
            "refresh ok rotate" | "refresh reuse" => call.json(of(&self.refresh)),
            "refresh form" => call.form(&[("refresh", &self.refresh)]),
            "refresh expired" => call.json(of(&self.expired().refresh)),
            "refresh GET" => Call::get(self.paths.refresh),
            "refresh inactive" => {
                self.house.run(&["account", "disable", "ada@example.com"]);
                call.json(of(&self.ada.as_ref().unwrap().refresh))
            }
            "bearer inactive" => {
                let access = self.ada.as_ref().unwrap().access.clone();
                soon("the server hears of it", || self.house.me(&access) == 401);
                Call::get(self.paths.bearer).bearer(&access)
            }
            "bearer deleted" => Call::get(self.paths.bearer).bearer(&self.delete_eve().access),
            "refresh deleted" => call.json(of(&self.eve.as_ref().unwrap().refresh)),
            "bearer expired" => Call::get(self.paths.bearer).bearer(&self.expired().access),
            "accept xml" => Call::get(self.paths.bearer).header("Accept", "application/xml"),
            _ => unreachable!("{name}"),
        };
        self.house.call(call)
    }

    fn delete_eve(&self) -> Person {
        let eve = self.eve.clone().unwrap();
        let leave = Call::new("DELETE", "/api/auth/account").bearer(&eve.access);
        let left = self.house.call(leave.json(json!({ "current_password": PASSWORD })));
        assert_eq!(left.status, 204, "{}", left.text());
        eve
    }

    /// Tokens whose time has passed. A server has no clock to move, so one with lifetimes of a
    /// second gives them out.
    fn expired(&mut self) -> Person {
        let second = [
            ("IRONLATCH_TOKENS__API__ACCESS", "1s"),
            ("IRONLATCH_TOKENS__API__IDLE", "1s"),
            ("IRONLATCH_TOKENS__API__ABSOLUTE", "1s"),
        ];
        self.house.restart(&second);
        let short = self.house.signed_in(EMAIL, PASSWORD);
        soon("a token of one second expires", || self.house.me(&short.access) == 401);
        self.house.restart(&[]);
        short
    }
}
