//! The requests behind the observed answers of `/accounts/*`, and every intended difference.

use serde_json::json;

use super::super::house::{House, PASSWORD, soon};
use super::super::http::{Answer, Call};
use super::differences::{Difference, differs};

const EMAIL: &str = "a@ex.com";
const FRONT_END: &str = "http://localhost:3000";

/// The configuration that the original's mails expect.
pub(super) const ENVIRONMENT: [(&str, &str); 2] = [
    ("IRONLATCH_DOORS__ACCOUNTS__ENABLED", "true"),
    ("IRONLATCH_DOORS__ACCOUNTS__FRONTEND_URL", FRONT_END),
];

/// The exchanges of `refresh.txt` that are about every bearer of the framework, this door's too;
/// the others are about a path that it does not have.
pub(super) const OF_BEARERS: [&str; 4] =
    ["bearer inactive", "bearer deleted", "bearer expired", "accept xml"];

/// Where a replay stands.
pub(super) struct Replay<'a> {
    house: &'a mut House,
    access: String,
    refresh: String,
}

impl<'a> Replay<'a> {
    pub(super) fn new(house: &'a mut House) -> Self {
        Self { house, access: String::new(), refresh: String::new() }
    }

    /// An exchange, by its name.
    pub(super) fn answer(&mut self, name: &str) -> Answer {
        let call = match name.split(' ').next().unwrap() {
            "signup" => Self::signup(name),
            "verify" => self.verify(name),
            "login" => Self::login(name),
            "refresh" => self.refresh(name),
            "logout" => self.logout(name),
            "protected" if name == "protected" => protected().bearer(&self.access),
            "protected" => protected(),
            "bearer" => self.bearer(name),
            "accept" => protected().header("Accept", "application/xml"),
            _ => unreachable!("{name}"),
        };
        let answer = self.house.call(call);
        if name == "login ok" {
            self.access = answer.field("access_token");
            self.refresh = answer.field("refresh_token");
        }
        answer
    }

    fn signup(name: &str) -> Call {
        let (email, password) = match name {
            "signup empty" => return post("signup").json(json!({})),
            "signup bad" => ("nowhere", "short"),
            "signup ok" | "signup dup" => (EMAIL, PASSWORD),
            _ => unreachable!("{name}"),
        };
        post("signup").json(json!({ "email": email, "password": password }))
    }

    fn verify(&self, name: &str) -> Call {
        let path = "/accounts/verify-email/";
        let call = match name {
            "verify none" => Call::get(path),
            "verify bad" => Call::get(&format!("{path}?token=bad")),
            "verify ok" | "verify again" => Call::get(&format!("{path}?token={}", self.mailed())),
            _ => unreachable!("{name}"),
        };
        call.header("Accept", "application/json")
    }

    fn mailed(&self) -> String {
        let mail = self.house.mail(EMAIL, "Verify your email", 1);
        let link = mail.link();
        let token = link.strip_prefix(&format!("{FRONT_END}/verify-email/?token="));
        token.unwrap_or_else(|| unreachable!("{link}")).to_owned()
    }

    fn login(name: &str) -> Call {
        let (email, password) = match name {
            "login empty" => return post("login").json(json!({})),
            "login unverified" | "login ok" => (EMAIL, PASSWORD),
            "login wrong" => (EMAIL, "not the password"),
            "login unknown" => ("nobody@ex.com", PASSWORD),
            _ => unreachable!("{name}"),
        };
        post("login").json(json!({ "email": email, "password": password }))
    }

    fn refresh(&self, name: &str) -> Call {
        match name {
            "refresh none" => post("refresh").json(json!({})),
            "refresh bad" => post("refresh").json(json!({ "refresh_token": "bad" })),
            "refresh ok" | "refresh after" => {
                post("refresh").json(json!({ "refresh_token": self.refresh }))
            }
            _ => unreachable!("{name}"),
        }
    }

    fn logout(&self, name: &str) -> Call {
        match name {
            "logout none" => post("logout").json(json!({})),
            "logout ok" | "logout again" => {
                post("logout").json(json!({ "refresh_token": self.refresh }))
            }
            _ => unreachable!("{name}"),
        }
    }

    fn bearer(&mut self, name: &str) -> Call {
        match name {
            "bearer inactive" => {
                let access = self.access_of("inactive");
                self.house.run(&["account", "disable", "inactive@example.com"]);
                let call = protected().bearer(&access);
                soon("the server hears of it", || self.house.call(call.clone()).status == 401);
                call
            }
            "bearer deleted" => {
                let access = self.access_of("deleted");
                let leave = Call::new("DELETE", "/api/auth/account").bearer(&access);
                let left = self.house.call(leave.json(json!({ "current_password": PASSWORD })));
                assert_eq!(left.status, 204, "{}", left.text());
                protected().bearer(&access)
            }
            "bearer expired" => {
                // A server has no clock to move, so one with a lifetime of a second gives it out.
                self.house.restart(&[("IRONLATCH_TOKENS__ACCOUNTS__ACCESS", "1s")]);
                let call = protected().bearer(&self.access_of("expired"));
                soon("it expires", || self.house.call(call.clone()).status == 401);
                call
            }
            _ => unreachable!("{name}"),
        }
    }

    /// The access token of somebody who has signed up, proven their address and signed in.
    fn access_of(&self, name: &str) -> String {
        let wish = json!({ "email": format!("{name}@example.com"), "password": PASSWORD });
        let made = self.house.call(post("signup").json(wish.clone()));
        assert_eq!(made.status, 201, "{}", made.text());
        self.house.verify(&format!("{name}@example.com"));
        let answer = self.house.call(post("login").json(wish));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.field("access_token")
    }
}

fn post(act: &str) -> Call {
    Call::post(&format!("/accounts/{act}/"))
}

fn protected() -> Call {
    Call::get("/accounts/protected/")
}

pub(super) const DIFFERENCES: [Difference; 5] = [
    differs(
        "signup bad",
        "body",
        r#""password":["Ensure this field has at least 8 characters."]"#,
        "passwords have at least 8 characters on every door (ruling 4)",
    ),
    differs(
        "signup ok",
        "cookies",
        "__Host-ironlatch_sign_up=<secret>",
        "the verification page knows the browser that signed up (design, section 7)",
    ),
    differs(
        "signup dup",
        "status body cookies",
        r#"201 {"message":"Signup successful. Please verify your email."}"#,
        "taken addresses are revealed on other doors only (ruling 6); their owner gets a mail",
    ),
    differs(
        "verify again",
        "status body",
        r#"200 {"message":"Email verified successfully."}"#,
        "the same link answers the same for ten minutes (accounts-door, section 6)",
    ),
    differs(
        "login ok",
        "cookies",
        "__Host-ironlatch_device=<secret>",
        "the known-device cookie keeps strangers from locking owners out (design, section 10)",
    ),
];
