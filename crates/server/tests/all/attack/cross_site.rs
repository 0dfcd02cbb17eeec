//! D05, D06 and CORS: what other sites make a person's browser send.

use serde_json::{Value, json};

use super::house::{House, ORIGIN, PASSWORD, Person, each_house};
use super::http::{Answer, Call};

const APP: &str = "https://app.example.com";

/// Every path and method that the server describes, `{id}` filled in.
pub(super) fn routes(house: &House) -> Vec<(String, String)> {
    let document: Value = house.call(Call::get("/openapi.json")).json();
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let method = method.to_uppercase();
            if ["GET", "POST", "DELETE", "PUT", "PATCH"].contains(&method.as_str()) {
                routes.push((method, path.replace("{id}", "00000000-0000-7000-8000-000000000000")));
            }
        }
    }
    assert!(routes.len() >= 16, "{routes:?}");
    routes
}

/// What a browser sends along when another site makes it call, or hides who makes it.
const CROSS_SITE: [(&str, &[(&str, &str)]); 13] = [
    ("a foreign origin", &[("Origin", "https://evil.example")]),
    (
        "a foreign origin, named by the browser",
        &[("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")],
    ),
    ("origin null", &[("Origin", "null")]),
    ("origin null from a sandboxed frame", &[("Origin", "null"), ("Sec-Fetch-Site", "cross-site")]),
    ("origin null, typed", &[("Origin", "null"), ("Sec-Fetch-Site", "none")]),
    ("no origin, cross-site", &[("Sec-Fetch-Site", "cross-site")]),
    ("no origin, a sibling", &[("Sec-Fetch-Site", "same-site")]),
    ("two origins", &[("Origin", ORIGIN), ("Origin", "https://evil.example")]),
    ("our name before theirs", &[("Origin", "https://auth.example.com.evil.example")]),
    ("our name after theirs", &[("Origin", "https://evilauth.example.com")]),
    ("our name without encryption", &[("Origin", "http://auth.example.com")]),
    ("an empty origin", &[("Origin", "")]),
    (
        "our page as referrer only",
        &[("Sec-Fetch-Site", "cross-site"), ("Referer", "https://auth.example.com/")],
    ),
];

/// The bodies a form can send, and what a script without leave can (Fetch §2.2.2).
fn bodies(call: Call) -> [Call; 4] {
    let json = json!({ "email": "eve@example.com", "password": PASSWORD,
                       "current_password": PASSWORD, "new_password": "taken over 12345" });
    let form = [("act", "close"), ("email", "eve@example.com"), ("password", PASSWORD)];
    [
        call.clone(),
        call.clone().form(&form),
        call.clone().body("text/plain", json.to_string()),
        call.json(json),
    ]
}

#[tokio::test]
async fn d05_d06_no_write_from_another_site_does_or_plants_anything() {
    each_house(&[("IRONLATCH_ALLOWED_ORIGINS", APP)], |house| {
        let ada = house.person("ada");
        house.register("eve");
        let verify = house.mail(&ada.email, "Verify", 1).token().unwrap();
        let cookies = format!(
            "{}; {}; __Host-ironlatch_link_verify={verify}; __Host-ironlatch_link_reset={verify}",
            ada.cookie, ada.device
        );
        let writes = routes(house).into_iter().filter(|(method, _)| method != "GET");
        for (method, path) in writes {
            for (what, headers) in CROSS_SITE {
                for call in bodies(Call::new(&method, &path)) {
                    let mut call = call.cookie(&cookies).bearer(&ada.access);
                    for (name, value) in headers {
                        call = call.header(name, value);
                    }
                    let answer = house.call(call);
                    let place = format!("{method} {path}, {what}");
                    assert_eq!(answer.status, 403, "D06: {place}: {}", answer.text());
                    assert!(answer.set_cookies().is_empty(), "D05: {place} plants a cookie");
                    assert!(!granted(&answer), "D06: {place} may be read");
                }
            }
        }
        assert_untouched(house, &ada);
    })
    .await;
}

#[track_caller]
fn assert_untouched(house: &House, ada: &Person) {
    assert_eq!(house.me(&ada.access), 200, "the session goes on");
    let me = house.call(Call::get("/api/auth/me").bearer(&ada.access)).json();
    assert_eq!(me["email_verified"], false, "nothing was proven");
    house.signed_in(&ada.email, PASSWORD);
}

#[tokio::test]
async fn d06_no_other_method_or_type_gets_around_the_check() {
    each_house(&[], |house| {
        let ada = house.person("ada");
        let leave = json!({ "current_password": PASSWORD });
        for (name, value) in [
            ("X-HTTP-Method-Override", "DELETE"),
            ("X-Method-Override", "DELETE"),
            ("X-HTTP-Method", "DELETE"),
        ] {
            for call in [Call::get("/api/auth/account"), Call::post("/api/auth/account")] {
                let call = call.header(name, value).bearer(&ada.access).json(leave.clone());
                assert_eq!(house.call(call).status, 405, "D06: {name}");
            }
        }
        let form = Call::post("/api/auth/account?_method=DELETE").bearer(&ada.access);
        let form = form.form(&[("_method", "DELETE"), ("current_password", PASSWORD)]);
        assert_eq!(house.call(form).status, 405, "D06: _method");
        // JSON in clothes that need no preflight, even from nowhere.
        for kind in ["text/plain", "text/plain; application/json", "application/octet-stream", ""] {
            let login = json!({ "email": ada.email, "password": PASSWORD }).to_string();
            let answer = house.call(Call::post("/api/auth/login").body(kind, login));
            assert_eq!(answer.status, 415, "D06: {kind:?}");
        }
        // A cookie alone is nobody's signature on anything but refreshing and signing out.
        for (method, path) in routes(house) {
            if path.starts_with("/api/auth/sessions") || path.ends_with("/me") {
                let answer = house.call(Call::new(&method, &path).cookie(&ada.cookie));
                assert_eq!(answer.status, 401, "D06: {method} {path} by cookie");
            }
        }
        assert_untouched(house, &ada);
    })
    .await;
}

/// Whether an answer lets another origin read it or call again.
fn granted(answer: &Answer) -> bool {
    answer.headers.iter().any(|(name, _)| name.to_lowercase().starts_with("access-control-allow"))
}

/// Origins that look like the listed one, or ask for more than it.
const NOT_LISTED: [&str; 21] = [
    "null",
    "",
    "*",
    "https://evil.example",
    "https://app.example.com.evil.example",
    "https://evil-app.example.com",
    "https://evilapp.example.com",
    "https://sub.app.example.com",
    "https://app.example.co",
    "https://app.example.comm",
    "https://appxexample.com",
    "http://app.example.com",
    "https://app.example.com:8443",
    "https://app.example.com/",
    "https://APP.example.com",
    "https://user@app.example.com",
    "https://app.example.com, https://evil.example",
    "https://app.example.com%00.evil.example",
    "https://app.example.com\\@evil.example",
    "http://localhost:3000",
    "http://127.0.0.1",
];

#[tokio::test]
async fn cors_is_an_exact_list_and_nothing_else() {
    each_house(&[("IRONLATCH_ALLOWED_ORIGINS", APP)], |house| {
        let ada = house.person("ada");
        let preflight = |path: &str, origin: &str| {
            house.call(
                Call::new("OPTIONS", path)
                    .header("Origin", origin)
                    .header("Access-Control-Request-Method", "POST")
                    .header("Access-Control-Request-Headers", "content-type, authorization"),
            )
        };
        let allowed = preflight("/api/auth/login", APP);
        assert_eq!(allowed.status, 200);
        assert_eq!(allowed.header("access-control-allow-origin"), Some(APP));
        assert_eq!(allowed.header("access-control-allow-credentials"), Some("true"));
        assert_eq!(allowed.header("access-control-max-age"), Some("86400"));
        let headers = allowed.header("access-control-allow-headers").unwrap();
        assert!(headers.contains("authorization") && headers.contains("content-type"));
        let me = Call::get("/api/auth/me").bearer(&ada.access).header("Origin", APP);
        let me = house.call(me);
        assert_eq!((me.status, me.header("access-control-allow-origin")), (200, Some(APP)));

        for origin in NOT_LISTED {
            for path in ["/api/auth/login", "/api/auth/me", "/.well-known/jwks.json"] {
                let answer = preflight(path, origin);
                assert!(!granted(&answer), "CORS: {origin:?} at {path}: {:?}", answer.headers);
            }
            let call = Call::get("/api/auth/me").bearer(&ada.access).header("Origin", origin);
            let answer = house.call(call);
            assert!(!granted(&answer), "CORS: {origin:?}: {:?}", answer.headers);
            let vary = answer.header("vary").unwrap_or_default().to_lowercase();
            assert!(vary.contains("origin"), "CORS: caches must know: {vary}");
        }
        let page = Call::get("/verify-email").header("Origin", APP);
        assert!(!granted(&house.call(page)), "CORS: pages are for people");
    })
    .await;
    each_house(&[], |house| {
        let answer = house.call(Call::get("/api/auth/me").header("Origin", ORIGIN));
        assert!(!granted(&answer), "CORS: off without a list");
    })
    .await;
}
