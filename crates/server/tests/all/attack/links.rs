//! B: mailed links, and the secrets in them.

use serde_json::json;

use super::house::{House, ORIGIN, PASSWORD, each_house, soon};
use super::http::{Answer, Call};

const NEW: &str = "another way home 18";

fn forgot(house: &House, email: &str) -> Answer {
    house.call(Call::post("/api/auth/password/forgot").json(json!({ "email": email })))
}

/// Asks for another address for somebody who has just signed in.
fn change(house: &House, access: &str, new: &str) -> Answer {
    let call = Call::post("/api/auth/email/change").bearer(access);
    house.call(call.json(json!({ "email": new })))
}

/// Moves an account whose address is proven to another one; the token that takes it back.
fn moved(house: &House, name: &str, new: &str) -> String {
    let person = house.person(name);
    house.verify(&person.email);
    assert_eq!(change(house, &person.access, new).status, 200);
    let token = house.mail(new, "Confirm your new", 1).token().unwrap();
    let body = json!({ "token": token });
    assert_eq!(house.call(Call::post("/api/auth/email/confirm").json(body)).status, 200);
    house.mail(&person.email, "was changed", 1).token().unwrap()
}

fn is_verified(house: &House, access: &str) -> bool {
    house.call(Call::get("/api/auth/me").bearer(access)).json()["email_verified"] == true
}

/// Every place that takes a secret, and how it is handed over there.
fn places(house: &House, secret: &str) -> Vec<(&'static str, Call)> {
    let json_body = |path: &str, body| Call::post(path).json(body);
    let page = |path: &str, cookie: &str, pairs: &[(&str, &str)]| {
        Call::post(path)
            .header("Origin", "null")
            .header("Sec-Fetch-Site", "same-origin")
            .cookie(&format!("__Host-ironlatch_{cookie}={secret}"))
            .form(pairs)
    };
    // What the forms name the link by is shown by the page that the secret is for, if by any.
    let pages = [
        ("/verify-email", "link_verify"),
        ("/reset-password", "link_reset"),
        ("/confirm-email", "link_confirm"),
        ("/undo-address", "link_undo"),
        ("/sign-in", "link_sign_in"),
    ];
    let shown = pages.into_iter().find_map(|(path, cookie)| {
        let cookie = format!("__Host-ironlatch_{cookie}={secret}");
        house.call(Call::get(path).cookie(&cookie)).form_link()
    });
    let link = ("link", shown.as_deref().unwrap_or_default());
    let wish = [("act", "new-password"), ("new_password", "taken over 12345"), link];
    vec![
        (
            "verification by JSON",
            Call::get(&format!("/api/auth/verify-email?token={secret}"))
                .header("Accept", "application/json"),
        ),
        ("verification page", page("/verify-email", "link_verify", &wish)),
        ("close on the page", page("/verify-email", "link_verify", &[("act", "close"), link])),
        (
            "reset",
            json_body(
                "/api/auth/password/reset",
                json!({ "token": secret, "new_password": "taken over 12345" }),
            ),
        ),
        ("reset page", page("/reset-password", "link_reset", &wish)),
        ("confirm", json_body("/api/auth/email/confirm", json!({ "token": secret }))),
        ("confirm page", page("/confirm-email", "link_confirm", &[("act", "confirm"), link])),
        ("undo", json_body("/api/auth/address/undo", json!({ "token": secret }))),
        ("undo page", page("/undo-address", "link_undo", &[("act", "undo"), link])),
        ("sign-in link", json_body("/api/auth/otp/link", json!({ "token": secret }))),
        ("sign-in page", page("/sign-in", "link_sign_in", &[link])),
        ("bearer", Call::get("/api/auth/sessions").bearer(secret)),
        ("refresh by body", json_body("/api/auth/token/refresh", json!({ "refresh": secret }))),
        (
            "refresh by cookie",
            Call::post("/api/auth/token/refresh").cookie(&format!("refresh_token={secret}")),
        ),
    ]
}

#[tokio::test]
async fn b05_a_secret_of_one_purpose_opens_nothing_else() {
    each_house(&[], |house| {
        let made = house.register("ada");
        let ada = house.signed_in("ada@example.com", PASSWORD);
        forgot(house, &ada.email);
        let value = |pair: &str| pair.split_once('=').unwrap().1.to_owned();
        let sign_up = value(&made.cookie("__Host-ironlatch_sign_up").unwrap());
        let verify = house.mail(&ada.email, "Verify", 1).token().unwrap();
        let reset = house.mail(&ada.email, "password", 1).token().unwrap();
        assert_eq!(change(house, &ada.access, "ada.new@example.com").status, 200);
        let confirm = house.mail("ada.new@example.com", "Confirm your new", 1).token().unwrap();
        let undo = moved(house, "bob", "bob.new@example.com");
        // Asked for by nobody's browser, so that it opens nothing at all.
        let asked = json!({ "identifier": ada.email });
        assert_eq!(house.call(Call::post("/api/auth/otp/request").json(asked)).status, 200);
        let sign_in = house.mail(&ada.email, "verification code", 1).token().unwrap();
        let secrets: [(&str, &str, &[&str]); 11] = [
            (
                "verification link",
                &verify,
                &["verification by JSON", "verification page", "close on the page"],
            ),
            ("reset link", &reset, &["reset", "reset page"]),
            ("decoy", &made.field("verification_token"), &[]),
            ("access", &ada.access, &["bearer"]),
            ("body's refresh", &ada.refresh, &["refresh by body"]),
            ("cookie's refresh", &value(&ada.cookie), &["refresh by cookie"]),
            ("device", &value(&ada.device), &[]),
            ("sign-up browser", &sign_up, &[]),
            ("link to a new address", &confirm, &["confirm", "confirm page"]),
            ("link that takes it back", &undo, &["undo", "undo page"]),
            ("sign-in link of another browser", &sign_in, &[]),
        ];
        for (name, secret, own) in secrets {
            for (place, call) in places(house, secret) {
                if own.contains(&place) {
                    continue;
                }
                let answer = house.call(call);
                let is_refused = (400..404).contains(&answer.status);
                assert!(is_refused, "B05: {name} at {place}: {} {}", answer.status, answer.text());
                assert!(answer.cookie("refresh_token").is_none_or(|it| it.len() < 20));
            }
        }
        assert!(!is_verified(house, &ada.access), "nothing was proven");
        assert_eq!(house.me(&ada.access), 200, "nobody was signed out");
        // Each still does what it is for; the reset comes last, since it ends the sessions.
        for (name, secret, own) in [3, 4, 5, 1, 9].map(|n| secrets[n]) {
            let (place, call) =
                places(house, secret).into_iter().find(|(place, _)| own.contains(place)).unwrap();
            assert_eq!(house.call(call).status, 200, "{name} at {place}");
        }
        house.signed_in(&ada.email, "taken over 12345");
    })
    .await;
}

#[tokio::test]
async fn b10_b11_b12_a_scanner_that_opens_links_uses_nothing_up_and_learns_nothing() {
    each_house(&[], |house| {
        let ada = house.person("ada");
        forgot(house, &ada.email);
        assert_eq!(change(house, &ada.access, "ada.new@example.com").status, 200);
        moved(house, "bob", "bob.new@example.com");
        for (email, words, path, page_name) in [
            (ada.email.as_str(), "Verify", "/verify-email", "link_verify"),
            (&ada.email, "password", "/reset-password", "link_reset"),
            ("ada.new@example.com", "Confirm your new", "/confirm-email", "link_confirm"),
            ("bob@example.com", "was changed", "/undo-address", "link_undo"),
        ] {
            let mail = house.mail(email, words, 1);
            let (link, token) = (mail.link(), mail.token().unwrap());
            let target = link.strip_prefix(ORIGIN).unwrap();
            assert!(target.starts_with(path), "{target}");
            for n in 0..20 {
                let method = if n % 4 == 3 { "HEAD" } else { "GET" };
                let accept = ["*/*", "text/html", "application/json", "image/*"][n % 4];
                let call = Call::new(method, target).header("Accept", accept);
                let first = house.call(call.header("User-Agent", "Scanner/1.0"));
                look_at_arrival(&first, &token, page_name);
                let mut browser = house.browser();
                look_at_page(&browser.visit(&link), &token);
            }
            // The contract's own address, without asking for JSON by name.
            for accept in ["*/*", "text/html", "text/*", "application/*", "application/json;q=0"] {
                let target = format!("/api/auth/verify-email/?token={token}");
                let call = Call::get(&target).header("Accept", accept);
                assert!([303, 406].contains(&house.call(call).status), "B10: {accept}");
                let head = Call::new("HEAD", &target).header("Accept", "application/json");
                assert_eq!(house.call(head).status, 303, "B10: HEAD");
            }
        }
        assert!(!is_verified(house, &ada.access));
        house.verify(&ada.email);
        let mail = house.mail(&ada.email, "password", 1);
        let mut browser = house.browser();
        browser.visit(&mail.link());
        let set = browser.press("/reset-password", &[("new_password", NEW)]);
        assert_eq!(set.status, 200, "{}", set.text());
        house.signed_in(&ada.email, NEW);
        house.signed_in("bob.new@example.com", PASSWORD);
    })
    .await;
}

/// The first answer to a link: the token leaves the address for a cookie of its own.
pub(super) fn look_at_arrival(answer: &Answer, token: &str, cookie: &str) {
    assert_eq!(answer.status, 303);
    assert!(!answer.header("location").unwrap().contains(token), "B12: out of the address bar");
    assert!(!answer.text().contains(token), "B12");
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "B12");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "B12");
    for line in answer.set_cookies() {
        let is_links = line.starts_with(&format!("__Host-ironlatch_{cookie}="));
        assert!(is_links, "B11: a link opens no session: {line}");
        for attribute in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
            assert!(line.contains(attribute), "{attribute} is missing: {line}");
        }
    }
}

/// The page itself: loads nothing from elsewhere, tells nobody where one came from.
pub(super) fn look_at_page(answer: &Answer, token: &str) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.set_cookies().is_empty(), "B11: {:?}", answer.set_cookies());
    let page = answer.text();
    assert!(!page.contains(token), "B12: the page does not repeat the token");
    assert!(!page.contains("http") && !page.contains("//") && !page.contains("<script"), "{page}");
    let policy = answer.header("content-security-policy").unwrap();
    for part in ["default-src 'none'", "form-action 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "B12, D08: {policy}");
    }
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "B12");
}

#[tokio::test]
async fn b16_nobody_writes_into_other_peoples_mails() {
    each_house(&[], |house| {
        for (name, email) in [
            ("a", "a@example.com\r\nBcc: eve@evil.example"),
            ("b", "b@example.com\nSubject: hello"),
            ("c", "c@example.com\0"),
            ("d", "<script>alert(1)</script>@example.com"),
            ("e", "e@example.com>, <eve@evil.example"),
            ("f", "Eve <eve@evil.example>"),
            ("<b>bold</b>", "g@example.com"),
            ("h\r\nBcc: eve@evil.example", "h@example.com"),
            ("https://evil.example/x", "i@example.com"),
        ] {
            let body = json!({ "username": name, "email": email, "password": PASSWORD });
            let answer = house.call(Call::post("/api/auth/register").json(body));
            assert_eq!(answer.status, 400, "B16: {name:?} {email:?}");
        }
        let agent = "<b>Click</b> https://evil.example/x www.evil.example {{ 7*7 }} \"'&";
        let wish = json!({ "username": "www.evil.example", "email": "ada@example.com",
                           "password": PASSWORD });
        let call = |path: &str| Call::post(path).header("User-Agent", agent);
        assert_eq!(house.call(call("/api/auth/register").json(wish)).status, 201);
        house.verify("ada@example.com");
        house.signed_in("ada@example.com", PASSWORD);
        let login = json!({ "email": "ada@example.com", "password": PASSWORD });
        let access = house.call(call("/api/auth/login").json(login)).field("access");
        let change = json!({ "current_password": PASSWORD, "new_password": NEW });
        let changed = house.call(call("/api/auth/password/change").bearer(&access).json(change));
        assert_eq!(changed.status, 200, "{}", changed.text());
        house.mail("ada@example.com", "changed", 1);
        for mail in house.mails("ada@example.com") {
            assert_eq!(mail.to, ["ada@example.com"]);
            let both = mail.text.clone() + &mail.html;
            assert!(!mail.html.contains("<b>Click"), "B16: {}", mail.html);
            for written in ["evil.example/x", "www.evil.example", "49 "] {
                assert!(!both.contains(written), "B16: {written} in {}: {both}", mail.subject());
            }
            let (links, own) = (both.matches("://").count(), both.matches(ORIGIN).count());
            assert_eq!(links, own, "B16: a link of somebody else's: {both}");
            assert!(!mail.subject().contains("evil"), "{}", mail.subject());
        }
    })
    .await;
}

pub(super) const EVIL: &str = "evil.example";
/// What may make a server take another name for its own.
pub(super) const FORGED_HEADERS: [(&str, &str); 14] = [
    ("Host", EVIL),
    ("Host", "auth.example.com@evil.example"),
    ("X-Forwarded-Host", EVIL),
    ("X-Forwarded-Server", EVIL),
    ("X-Host", EVIL),
    ("X-HTTP-Host-Override", EVIL),
    ("X-Original-URL", "https://evil.example/"),
    ("X-Rewrite-URL", "https://evil.example/"),
    ("X-Forwarded-Proto", "http://evil.example/?"),
    ("X-Forwarded-Port", "443@evil.example"),
    ("X-Forwarded-Prefix", "//evil.example"),
    ("Forwarded", "host=evil.example;proto=http;for=192.0.2.1"),
    ("Referer", "https://evil.example/"),
    ("Base-Url", "https://evil.example"),
];

#[tokio::test]
async fn b18_no_header_gets_into_a_link() {
    each_house(&[("IRONLATCH_TRUSTED_PROXIES", "127.0.0.1")], |house| {
        let eve = house.person("eve");
        house.register("ada");
        let mut expected = 1;
        house.mail("ada@example.com", "Verify", 1);
        for (n, (name, value)) in FORGED_HEADERS.into_iter().enumerate() {
            for path in ["/api/auth/password/forgot", "/api/auth/verify-email/resend"] {
                let call = Call::post(path).header(name, value);
                let answer = house.call(call.json(json!({ "email": "ada@example.com" })));
                let status = if name == "Host" { 421 } else { 200 };
                assert_eq!(answer.status, status, "B18: {name}: {}", answer.text());
                expected += usize::from(answer.status == 200);
                let shown = format!("{:?}{}", answer.headers, answer.text());
                assert!(!shown.contains(EVIL), "B18: {name} comes back: {shown}");
            }
            let new = json!({ "email": format!("new{n}@example.com") });
            let call = Call::post("/api/auth/email/change").header(name, value);
            if house.call(call.bearer(&eve.access).json(new)).status == 200 {
                house.mail(&format!("new{n}@example.com"), "Confirm your new", 1);
            }
            let email = format!("sign-up{n}@example.com");
            let body = json!({ "username": format!("sign-up{n}"), "email": email,
                               "password": PASSWORD });
            let made = house.call(Call::post("/api/auth/register").header(name, value).json(body));
            if made.status == 201 {
                house.mail(&email, "Verify", 1);
            }
        }
        // An absolute target names a host as well (RFC 9112 §3.2.2).
        let target = "http://evil.example/api/auth/password/forgot";
        let call = Call::post(target).json(json!({ "email": "ada@example.com" }));
        assert_eq!(house.call(call).status, 421, "B18: an absolute target");
        let probe = Call::get("/healthz").header("Host", "10.0.0.7:8000");
        assert_eq!(house.call(probe).status, 200, "probes come by address");
        soon("every mail arrives", || house.mails("ada@example.com").len() >= expected);
        assert!(expected > 20, "{expected} mails");
        for mail in house.all_mails() {
            assert!(!mail.raw.contains("evil") && !mail.html.contains("evil"), "{}", mail.raw);
            assert!(mail.link().starts_with(&format!("{ORIGIN}/")), "B18: {}", mail.link());
        }
    })
    .await;
}

#[tokio::test]
async fn b21_one_mailbox_is_not_flooded_whoever_asks_from_wherever() {
    let environment = [
        ("IRONLATCH_TRUSTED_PROXIES", "127.0.0.1"),
        ("IRONLATCH_LIMITS__MAILS_PER_IDENTIFIER_AND_NETWORK_HOUR", "3"),
        ("IRONLATCH_LIMITS__MAILS_PER_IDENTIFIER_HOUR", "10"),
    ];
    each_house(&environment, |house| {
        house.register("ada");
        house.mail("ada@example.com", "Verify", 1);
        let ask = |path: &str, email: &str, network: usize| {
            let call = Call::post(path).header("X-Forwarded-For", format!("198.51.100.{network}"));
            let answer = house.call(call.json(json!({ "email": email })));
            (answer.status, answer.text())
        };
        for path in ["/api/auth/password/forgot", "/api/auth/verify-email/resend"] {
            for network in 0..20 {
                for attempt in 0..4 {
                    let known = ask(path, "ada@example.com", network);
                    let unknown = ask(path, "nobody@example.com", network);
                    assert_eq!(known, unknown, "B21: {path} {network} {attempt}");
                }
            }
        }
        let spelled = ["ADA@example.com", "ada@EXAMPLE.com", " ada@example.com "];
        for email in spelled {
            ask("/api/auth/password/forgot", email, 77);
        }
        // A later mail proves that the queue is empty of more.
        house.register("last");
        house.mail("last@example.com", "Verify", 1);
        let mails = house.mails("ada@example.com");
        for (words, most) in [("Verify", 11), ("Reset your", 10)] {
            // Ten an hour of each kind, whoever asks for them; one came with the sign-up.
            let count = mails.iter().filter(|mail| mail.subject().contains(words)).count();
            assert!((4..=most).contains(&count), "B21: {count} mails about {words}");
        }
        assert!(house.mails("nobody@example.com").is_empty());
    })
    .await;
}
