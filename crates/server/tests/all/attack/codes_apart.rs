//! B05: a code of one purpose opens nothing else, not even for the same address or number.

use serde_json::json;

use super::codes::{PATIENT, REQUEST, VERIFY, code_for};
use super::gateway::Gateway;
use super::house::{House, PASSWORD, Person, each_house};
use super::http::{Answer, Call};

const NUMBER: &str = "+4915112345678";
/// Nobody's yet.
const NEW: &str = "new@example.com";

/// What codes are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    SignInByMail,
    SignInBySms,
    NewNumber,
    SignUp,
}

/// The order in which each can still be used after the one before it.
const ALL: [Purpose; 4] =
    [Purpose::NewNumber, Purpose::SignInBySms, Purpose::SignUp, Purpose::SignInByMail];

/// Somebody whose four codes are all on their way at the same time.
struct Scene<'a> {
    house: &'a House,
    gateway: &'a Gateway,
    ada: &'a Person,
}

impl Scene<'_> {
    /// A new code of a purpose; earlier ones are void.
    fn code(&self, purpose: Purpose) -> String {
        let before = self.gateway.all().len();
        let call = match purpose {
            Purpose::SignInByMail => return code_for(self.house, NEW, 0),
            Purpose::SignUp => return self.sign_up_code(),
            Purpose::SignInBySms => Call::post(REQUEST).json(json!({ "identifier": NUMBER })),
            Purpose::NewNumber => Call::post("/api/auth/phone/change")
                .bearer(&self.ada.access)
                .json(json!({ "phone": NUMBER })),
        };
        let asked = self.house.call(call);
        assert_eq!(asked.status, 200, "{purpose:?}: {}", asked.text());
        self.gateway.code(NUMBER, before + 1)
    }

    fn sign_up_code(&self) -> String {
        let words = "Email verification";
        let mails = self.house.mails(NEW);
        let before = mails.iter().filter(|mail| mail.subject().contains(words)).count();
        let body = json!({ "username": "new", "email": NEW });
        let asked = self.house.call(Call::post("/users/signup/").json(body));
        assert_eq!(asked.status, 200, "{}", asked.text());
        self.house.mail(NEW, words, before + 1).code()
    }

    /// Every place that takes a code, and for what it takes it.
    fn places(&self, code: &str) -> Vec<(&'static str, Option<Purpose>, Call)> {
        let (email, access) = (self.ada.email.as_str(), self.ada.access.as_str());
        let post = |path: &str, body| Call::post(path).json(body);
        let verify =
            |identifier| post(VERIFY, json!({ "identifier": identifier, "otp_code": code }));
        let cfg = |identifier| {
            let body = json!({ "identifier": identifier, "otp": code });
            post("/cfg/accounts/otp/verify/", body)
        };
        let confirm = post("/api/auth/phone/confirm", json!({ "phone": NUMBER, "code": code }));
        let reset = json!({ "token": code, "new_password": "taken over 12345" });
        let login = json!({ "email": email, "password": code });
        vec![
            ("verify by mail", Some(Purpose::SignInByMail), verify(NEW)),
            ("verify by SMS", Some(Purpose::SignInBySms), verify(NUMBER)),
            ("cfg, by mail", Some(Purpose::SignInByMail), cfg(NEW)),
            ("cfg, by SMS", Some(Purpose::SignInBySms), cfg(NUMBER)),
            ("sign-up", Some(Purpose::SignUp), {
                let body = json!({ "email": NEW, "username": "new", "password": PASSWORD,
                                   "otp": code });
                post("/users/verification/", body)
            }),
            ("new number", Some(Purpose::NewNumber), confirm.clone().bearer(access)),
            ("new number of nobody", None, confirm),
            ("link", None, post("/api/auth/otp/link", json!({ "token": code }))),
            ("reset", None, post("/api/auth/password/reset", reset)),
            ("new address", None, post("/api/auth/email/confirm", json!({ "token": code }))),
            ("undo", None, post("/api/auth/address/undo", json!({ "token": code }))),
            ("refresh", None, post("/api/auth/token/refresh", json!({ "refresh": code }))),
            ("password", None, post("/api/auth/login", login)),
            ("app", None, {
                let body = json!({ "challenge": code, "method": "totp", "code": code });
                post("/api/auth/2fa/verify", body)
            }),
            ("app's first", None, {
                post("/api/auth/2fa/totp/confirm", json!({ "code": code })).bearer(access)
            }),
            ("anew", None, {
                let body = json!({ "current_password": PASSWORD, "method": "totp", "code": code });
                post("/api/auth/reauthenticate", body)
            }),
            ("verification", None, {
                Call::get(&format!("/api/auth/verify-email?token={code}"))
                    .header("Accept", "application/json")
            }),
            ("bearer", None, Call::get("/api/auth/me").bearer(code)),
        ]
    }
}

fn opens_nothing(answer: &Answer) -> bool {
    let sets_no_session = ["refresh_token", "access_token", "sessionid"]
        .iter()
        .all(|name| answer.cookie(name).is_none());
    let names_no_token = !answer.text().contains("\":\"ey");
    (400..=403).contains(&answer.status) && sets_no_session && names_no_token
}

#[tokio::test]
async fn b05_a_code_of_one_purpose_opens_nothing_else() {
    let gateway = Gateway::start();
    let mut environment = Vec::from(PATIENT);
    environment.extend(gateway.environment());
    environment.extend([
        ("IRONLATCH_SMS__PER_NETWORK_HOUR", "100000"),
        ("IRONLATCH_SMS__PER_PREFIX_HOUR", "100000"),
        ("IRONLATCH_SMS__DAILY_BUDGET", "100000"),
        ("IRONLATCH_DOORS__CFG__ENABLED", "true"),
        ("IRONLATCH_DOORS__CFG__FRONTEND_URL", "https://front.example.com"),
        ("IRONLATCH_DOORS__OTP_SESSION__ENABLED", "true"),
        ("IRONLATCH_DOORS__OTP_SESSION__FRONTEND_URL", "https://front.example.com"),
    ]);
    each_house(&environment, |house| {
        gateway.clear();
        let ada = house.person("ada");
        house.verify(&ada.email);
        let begun = house.call(Call::post("/api/auth/2fa/totp").bearer(&ada.access));
        assert_eq!(begun.status, 200, "{}", begun.text());
        let scene = Scene { house, gateway: &gateway, ada: &ada };
        for purpose in ALL {
            for (place, (_, takes, _)) in scene.places("").into_iter().enumerate() {
                if takes == Some(purpose) {
                    continue;
                }
                // What the place waits for was never compared, whatever came before.
                let awaited = takes.map(|takes| scene.code(takes));
                let code = scene.code(purpose);
                if awaited.as_ref() == Some(&code) {
                    continue;
                }
                let (name, _, call) = scene.places(&code).swap_remove(place);
                let answer = house.call(call);
                assert!(
                    opens_nothing(&answer),
                    "B05: {purpose:?} at {name}: {} {}",
                    answer.status,
                    answer.text()
                );
            }
        }
        let me = house.call(Call::get("/api/auth/me").bearer(&ada.access));
        assert_eq!(me.status, 200, "nobody was signed out");
        // Each still does what it is for; first the number, which is Ada's from then on.
        for purpose in ALL {
            let code = scene.code(purpose);
            let places = scene.places(&code);
            let (name, _, call) =
                places.into_iter().find(|(_, it, _)| *it == Some(purpose)).unwrap();
            let answer = house.call(call);
            assert_eq!(answer.status, 200, "{purpose:?} at {name}: {}", answer.text());
        }
    })
    .await;
}
