//! The requests behind the observed answers of `/cfg/accounts/*`, and every intended difference.
//! The observation's three exchanges with a limiter of its own are left out: which of ours
//! refuses when is told by `doors::cfg` in the tests of `web`.

use serde_json::{Value, json};

use super::super::house::House;
use super::super::http::{Answer, Call};
use super::differences::{Difference, HEADERS_OF_A_FAULT, differs};
use super::requests::{self, Paths};

pub(super) const ENVIRONMENT: [(&str, &str); 1] = [("IRONLATCH_DOORS__CFG__ENABLED", "true")];

const PATHS: Paths =
    Paths { refresh: "/cfg/accounts/token/refresh/", bearer: "/cfg/accounts/profile/" };
const EMAIL: &str = "a@ex.com";

/// Where a replay stands.
pub(super) struct Replay<'a>(requests::Replay<'a>);

impl<'a> Replay<'a> {
    pub(super) fn new(house: &'a mut House) -> Self {
        Self(requests::Replay::of_bodies(house, PATHS))
    }

    /// An exchange, by its name.
    pub(super) fn answer(&mut self, name: &str) -> Answer {
        let call = match name {
            "blacklist ok" | "blacklist again" => {
                Self::blacklist().json(json!({ "refresh": self.0.refresh_token() }))
            }
            "blacklist empty" => Self::blacklist().json(json!({})),
            "admin as user" => Call::get("/api/auth/sources").bearer(self.0.eves_access()),
            "accept html" => Call::get(PATHS.bearer).header("Accept", "text/html"),
            name if name.starts_with("otp ") => Self::code(name),
            name if name.contains("id") && !name.contains("refresh") => Self::identifier(name),
            "empty json body" | "no ct no body" => Self::identifier(name),
            name => return self.0.refresh(name),
        };
        self.0.house().call(call)
    }

    fn blacklist() -> Call {
        Call::post("/cfg/accounts/token/blacklist/")
    }

    fn code(name: &str) -> Call {
        let verify = |body: Value| Call::post("/cfg/accounts/otp/verify/").json(body);
        match name {
            "otp req empty" => Call::post("/cfg/accounts/otp/request/").json(json!({})),
            "otp bad chan" => verify(json!({
                "identifier": EMAIL, "otp": "123", "channel": "fax", "source_url": "nowhere",
            })),
            "otp long" => verify(json!({ "identifier": EMAIL, "otp": "1234567" })),
            "otp int" => verify(json!({ "identifier": EMAIL, "otp": 123_456 })),
            _ => unreachable!("{name}"),
        }
    }

    fn identifier(name: &str) -> Call {
        let request = Call::post("/cfg/accounts/otp/request/");
        match name {
            "blank id" => request.json(json!({ "identifier": "" })),
            "id bool" => request.json(json!({ "identifier": true })),
            "id obj" => request.json(json!({ "identifier": { "a": 1 } })),
            "empty json body" => request.body("application/json", ""),
            "no ct no body" => request,
            _ => unreachable!("{name}"),
        }
    }
}

pub(super) const DIFFERENCES: [Difference; 4] = [
    differs(
        "refresh reuse",
        "status body www-authenticate",
        r#"200 {"access":"<JWT>","refresh":"<JWT>"}"#,
        "its client keeps the first refresh token for ever (otp-api, section 2): the parent of \
         tokens nobody has used yet gets a child of its own",
    ),
    differs(
        "refresh deleted",
        "status body allow content-type vary www-authenticate",
        r#"401 {"detail":"No active account found for the given token."}"#,
        HEADERS_OF_A_FAULT,
    ),
    differs(
        "otp int",
        "status body",
        r#"400 {"error":"Invalid or expired OTP"}"#,
        "the observation's view only echoed what it had read; here nobody asked for a code",
    ),
    differs(
        "accept html",
        "body content-type vary cookies",
        r#"401 {"detail":"Authentication credentials were not provided."}"#,
        "there are no pages about the API here; whoever takes anything gets JSON",
    ),
];
