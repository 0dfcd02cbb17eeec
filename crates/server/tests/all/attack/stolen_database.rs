//! A stolen database signs nobody in and cannot be guessed against (design, section 8): after
//! every act there is, no secret that passed through it stands in any table or file.

use data_encoding::{BASE32_NOPAD, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use serde_json::json;

use super::database::{dump, file};
use super::house::{House, PASSWORD, each_house};
use super::http::Call;
use super::second_factor;

const NEW: &str = "another way home 18";
const RESET: &str = "a third way home 19";

/// What no database of ours may hold, whoever wrote it.
const MARKS: [&[u8]; 8] = [
    b"$argon2",
    b"$2b$",
    b"pbkdf2_sha256$",
    b"PRIVATE KEY",
    b"\"d\":",
    // An Ed25519 key in PKCS #8 (RFC 8410 §7), both versions.
    b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20",
    b"\x02\x01\x01\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20",
    b"eyJhbGciOi",
];

/// Every spelling in which a secret would be found.
fn spellings(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut raw = vec![secret.to_vec()];
    raw.extend(BASE64URL_NOPAD.decode(secret).ok().filter(|bytes| bytes.len() >= 8));
    raw.extend(BASE32_NOPAD.decode(secret).ok().filter(|bytes| bytes.len() >= 8));
    raw.extend(HEXLOWER.decode(secret).ok().filter(|bytes| bytes.len() >= 8));
    let text = std::str::from_utf8(secret).unwrap_or_default();
    // A recovery code without its dashes.
    raw.extend(Some(text.replace('-', "").into_bytes()).filter(|bytes| bytes.len() >= 8));
    raw.extend(text.parse::<uuid::Uuid>().ok().map(|uuid| uuid.as_bytes().to_vec()));
    let spelled = raw.iter().flat_map(|bytes| {
        [
            BASE64_NOPAD.encode(bytes),
            BASE64URL_NOPAD.encode(bytes),
            HEXLOWER.encode(bytes),
            HEXUPPER.encode(bytes),
        ]
    });
    let spelled: Vec<Vec<u8>> = spelled.map(String::into_bytes).collect();
    raw.extend(spelled);
    raw
}

/// Many needles at once, found by their first two bytes.
struct Needles {
    all: Vec<(String, Vec<u8>)>,
    by_beginning: Vec<Vec<usize>>,
}

impl Needles {
    fn new(all: Vec<(String, Vec<u8>)>) -> Self {
        let mut by_beginning = vec![Vec::new(); 1 << 16];
        for (n, (_, needle)) in all.iter().enumerate() {
            by_beginning[beginning(needle)].push(n);
        }
        Self { all, by_beginning }
    }

    fn find(&self, haystack: &[u8]) -> Option<&str> {
        (0..haystack.len().saturating_sub(1)).find_map(|at| {
            let rest = &haystack[at..];
            let mut likely = self.by_beginning[beginning(rest)].iter().map(|n| &self.all[*n]);
            likely.find(|(_, needle)| rest.starts_with(needle)).map(|(name, _)| name.as_str())
        })
    }

    fn look(&self, house: &House, place: &str, bytes: &[u8]) {
        let found = self.find(bytes);
        assert_eq!(found, None, "{}: {place} holds it", house.engine());
    }
}

fn beginning(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 8 | usize::from(bytes[1])
}

/// Every act of the product, each with its failures.
fn drive_everything(house: &House) {
    for name in ["ada", "eve", "bob"] {
        assert_eq!(house.register(name).status, 201);
        house.verify(&format!("{name}@example.com"));
    }
    house.login("ada@example.com", "a wrong password 99");
    house.login("nobody@example.com", "nobody's password 98");
    house.register("unproven");
    let ask = |path: &str, email: &str| {
        let answer = house.call(Call::post(path).json(json!({ "email": email })));
        assert_eq!(answer.status, 200);
    };
    ask("/api/auth/verify-email/resend", "unproven@example.com");
    let [first, second, third] = [(); 3].map(|()| house.signed_in("ada@example.com", PASSWORD));
    for person in [&first, &second] {
        let refresh = || Call::post("/api/auth/token/refresh");
        let by_body = refresh().json(json!({ "refresh": person.refresh }));
        assert_eq!(house.call(by_body).status, 200);
        assert_eq!(house.call(refresh().cookie(&person.cookie)).status, 200);
        house.age_chains();
        let by_body = refresh().json(json!({ "refresh": person.refresh }));
        assert_eq!(house.call(by_body).status, 200);
    }
    house.call(Call::post("/api/auth/logout").cookie(&second.cookie));
    let change = json!({ "current_password": PASSWORD, "new_password": NEW });
    let change = Call::post("/api/auth/password/change").bearer(&third.access).json(change);
    assert_eq!(house.call(change).status, 200);
    let list = house.call(Call::get("/api/auth/sessions").bearer(&third.access)).json();
    assert_eq!(list["sessions"].as_array().unwrap().len(), 1);
    house.signed_in("ada@example.com", NEW);
    let others = Call::post("/api/auth/sessions/end-others").bearer(&third.access);
    assert_eq!(house.call(others).status, 200);
    ask("/api/auth/password/forgot", "ada@example.com");
    let mut browser = house.browser();
    browser.visit(&house.mail("ada@example.com", "Reset your", 1).link());
    assert_eq!(browser.press("/reset-password", &[("new_password", RESET)]).status, 200);
    let bob = house.signed_in("bob@example.com", PASSWORD);
    let leave = Call::new("DELETE", "/api/auth/account").bearer(&bob.access);
    let left = house.call(leave.json(json!({ "current_password": PASSWORD })));
    assert_eq!(left.status, 204);
    // One link stays unused, its mail delivered.
    ask("/api/auth/password/forgot", "eve@example.com");
    house.mail("eve@example.com", "Reset your", 1);
    house.signed_in("ada@example.com", RESET);
    // An app, a challenge answered, one left open, a recovery code used.
    let eve = house.signed_in("eve@example.com", PASSWORD);
    let app = second_factor::enrol(house, &eve);
    let challenges = [(); 3].map(|()| second_factor::challenge(house, &eve.email));
    for (challenge, method, code) in [
        (&challenges[0], "totp", app.code(1)),
        (&challenges[1], "recovery_code", app.recovery_codes[0].clone()),
    ] {
        let answer = house.call(second_factor::verify(challenge, method, &code));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    house.run(&["keys", "rotate"]);
}

/// A code that made an account whose owner is signed in by a cookie, and one that waits.
fn sign_up_by_code(house: &House) -> [String; 2] {
    let [used, waits] = ["carl", "dora"].map(|name| {
        let email = format!("{name}@example.com");
        let wish = json!({ "username": name, "email": email });
        assert_eq!(house.call(Call::post("/users/signup").json(wish)).status, 200);
        house.mail(&email, "verification", 1).code()
    });
    let told = json!({ "username": "carl", "email": "carl@example.com", "otp": used,
                       "password": PASSWORD });
    let made = house.call(Call::post("/users/verification").json(told));
    assert_eq!(made.text(), r#"{"success":true}"#);
    let carl = json!({ "username": "carl", "password": PASSWORD });
    assert!(house.call(Call::post("/users/login").json(carl)).cookie("sessionid").is_some());
    [used, waits]
}

#[tokio::test]
async fn a_dump_of_the_database_holds_nothing_that_signs_in_or_can_be_guessed_against() {
    let environment =
        [("IRONLATCH_LOG", "debug"), ("IRONLATCH_DOORS__OTP_SESSION__ENABLED", "true")];
    each_house(&environment, |house| {
        drive_everything(house);
        let codes = sign_up_by_code(house);
        let mut needles: Vec<(String, Vec<u8>)> = Vec::new();
        let secrets = house.secrets();
        assert!(secrets.len() > 40, "{} secrets", secrets.len());
        for secret in secrets.iter().map(String::as_bytes).chain([house.master_key().as_slice()]) {
            let name = String::from_utf8_lossy(secret).into_owned();
            needles.extend(spellings(secret).into_iter().map(|it| (name.clone(), it)));
        }
        needles
            .extend(MARKS.map(|mark| (String::from_utf8_lossy(mark).into_owned(), mark.to_vec())));
        let needles = Needles::new(needles);
        let cells = dump(&house.url);
        for place in [
            "passwords.sealed_hash",
            "signing_keys.sealed_private",
            "messages.sealed_body",
            "one_time_codes.digest",
            "one_time_codes.sealed_secret",
            "sessions.cookie_digest",
            "totp_credentials.sealed_secret",
            "recovery_codes.digest",
            "second_factor_challenges.digest",
            "audit_entries.details",
            "session_chains.generation",
        ] {
            assert!(cells.iter().any(|cell| cell.place == place), "{place} is in the dump");
        }
        for cell in &cells {
            needles.look(house, &cell.place, &cell.bytes);
            let is_number = ["_at", "_until", "_left"].iter().any(|it| cell.place.ends_with(it));
            let is_about_codes = ["one_time_codes.", "messages."];
            if is_about_codes.iter().any(|it| cell.place.starts_with(it)) && !is_number {
                let text = String::from_utf8_lossy(&cell.bytes);
                let found = codes.iter().find(|code| text.contains(code.as_str()));
                assert_eq!(found, None, "{}: {} holds a code", house.engine(), cell.place);
            }
        }
        files(house, &needles);
        house.restart(&[]);
        files(house, &needles);
        // What is looked for would be found.
        for planted in [format!("x{PASSWORD}y"), HEXLOWER.encode(NEW.as_bytes())] {
            assert!(needles.find(planted.as_bytes()).is_some(), "{planted}");
        }
    })
    .await;
}

/// The embedded database's files as they lie on the disk, freed pages and the log included.
fn files(house: &House, needles: &Needles) {
    let Some(path) = file(&house.url) else { return };
    let mut seen = 0;
    for entry in std::fs::read_dir(path.parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        seen += bytes.len();
        needles.look(house, &path.display().to_string(), &bytes);
    }
    assert!(seen > 100_000, "{seen} bytes were looked through");
}
