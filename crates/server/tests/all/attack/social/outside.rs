//! F17 and H20, and providers that hang, redirect and answer without end: the server asks whom it
//! was told to, for a while, and nobody else is the slower for it.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use ironlatch_core::settings::ProviderKind;
use ironlatch_testkit::provider::{At, Fault};
use serde_json::json;

use super::super::house::{House, PASSWORD};
use super::super::http::Call;
use super::{
    ADA, EVERY, GOOGLE, Providers, assert_refused, bring, each_engine, each_social, me, proven,
    signed_in, someone,
};

/// Nobody is to connect to it.
struct Lure(TcpListener);

impl Lure {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port())
    }

    #[track_caller]
    fn assert_untouched(&self, what: &str) {
        assert!(self.0.accept().is_err(), "{what}: somebody connected");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f17_no_provider_makes_us_connect_to_addresses_of_this_network() {
    each_engine(async |url| {
        let lure = Lure::new();
        let port = lure.port();
        let hosts = [
            "127.0.0.1", "localhost", "127.1", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]",
            "2130706433", "0x7f000001", "127.0.0.1.",
        ];
        let mut text = String::new();
        for (n, host) in hosts.iter().enumerate() {
            let _ = write!(
                text,
                "[social.p{n}]\nkind = \"oidc\"\nclient_id = \"x\"\nclient_secret = \"y\"\n\
                 issuer = \"https://{host}:{port}/{n}\"\nredirect_uri = \"https://app.example.com/\"\n\
                 [social.g{n}]\nkind = \"github\"\nclient_id = \"x\"\nclient_secret = \"y\"\n\
                 issuer = \"https://g{n}.example.com\"\n\
                 redirect_uri = \"https://app.example.com/\"\n\
                 token_endpoint = \"https://{host}:{port}/token\"\n\
                 userinfo_endpoint = \"https://{host}:{port}/user\"\n",
            );
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ironlatch.toml");
        std::fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap().to_owned();
        let house = House::start(&url, &[("IRONLATCH_CONFIG", &file)]);
        for (n, host) in hosts.iter().enumerate() {
            for name in [format!("p{n}"), format!("g{n}")] {
                let body = json!({ "code": "c", "code_verifier": "a".repeat(43) });
                let answer = super::post(&house, &name, body);
                assert!(matches!(answer.status, 400 | 503), "F17: {host}: {}", answer.text());
                let start = format!("/api/auth/social/{name}/start");
                house.call(Call::get(&start).header("Accept", "text/html"));
            }
        }
        lure.assert_untouched("F17");
        house.close();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f17_redirects_of_a_provider_lead_nowhere() {
    each_social(&EVERY, "", |house, providers| {
        let lure = Lure::new();
        for (name, kind) in EVERY {
            let mut places = vec![At::Token, At::Userinfo];
            if kind == ProviderKind::Google {
                places = vec![At::Token, At::Keys];
            }
            if kind == ProviderKind::Github {
                places.push(At::Emails);
            }
            if kind == ProviderKind::Oidc {
                places = vec![At::Metadata, At::Token, At::Keys, At::Userinfo];
            }
            for at in places {
                let provider = providers.at(name);
                provider.break_with(Fault::Redirects(at, lure.url()));
                let answer = bring(house, providers, name, &someone(1, ADA));
                assert!(
                    matches!(answer.status, 400 | 503),
                    "F17: {name} {at:?}: {}",
                    answer.text()
                );
                assert!(answer.cookie("refresh_token").is_none());
                provider.mend();
            }
        }
        lure.assert_untouched("F17");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_of_ten_megabytes_nonsense_and_failures_are_one_generic_refusal() {
    // One network makes an account for each.
    let more = "limits.identity_accounts_per_network_hour = 1000\n";
    each_social(&EVERY, more, |house, providers| {
        for (name, kind) in EVERY {
            // Their ID tokens say who it is.
            let is_asked = !matches!(kind, ProviderKind::Google);
            for at in [At::Token, At::Userinfo] {
                if at == At::Userinfo && !is_asked {
                    continue;
                }
                for fault in [
                    Fault::Huge(at),
                    Fault::Status(at, 500),
                    Fault::Status(at, 204),
                    Fault::Status(at, 401),
                    Fault::Text(at, ""),
                    Fault::Text(at, "[]"),
                    Fault::Text(at, "null"),
                    Fault::Text(at, "{\"access_token\": 7, \"id\": {}, \"sub\": []}"),
                    Fault::Text(at, "<html>error at /srv/secret/path</html>"),
                    Fault::Text(at, "{\"error\": \"the database of the provider is at 10.0.0.7\"}"),
                ] {
                    let provider = providers.at(name);
                    provider.break_with(fault.clone());
                    let began = Instant::now();
                    let answer = bring(house, providers, name, &someone(1, ADA));
                    let what = format!("{name} {fault:?}");
                    assert!(began.elapsed() < Duration::from_secs(5), "{what} took long");
                    if answer.status != 503 {
                        assert_refused(&answer, &what);
                    }
                    for inner in ["/srv/secret", "10.0.0.7", "127.0.0.1", "reqwest", "serde"] {
                        assert!(!answer.text().contains(inner), "{what}: {}", answer.text());
                    }
                    provider.mend();
                    // One that goes well between two that fail: no breaker opens.
                    signed_in(house, providers, name, &someone(2, "bob@example.org"));
                    let out = "DELETE FROM identities";
                    super::database::execute(&house.url, out);
                    super::database::execute(
                        &house.url,
                        "UPDATE accounts SET email = NULL, email_key = NULL, \
                         email_verified_at = NULL",
                    );
                }
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_hangs_slows_nobody_else_and_is_left_alone_after_a_while() {
    each_social(&EVERY, "", |house, providers| {
        let ada = proven(house, "ada");
        let google = providers.google();
        google.break_with(Fault::Hangs(At::Token));
        let hanging: Vec<_> = (0..64)
            .map(|n| {
                let brought = google.code_for(&someone(n + 10, "nobody@example.org"));
                let call = Call::post("/api/auth/social/google/");
                call.json(super::body(house, &brought))
            })
            .collect();
        std::thread::scope(|scope| {
            let began = Instant::now();
            let waiting = scope.spawn(|| house.race(hanging));
            std::thread::sleep(Duration::from_millis(300));
            let mut slowest = Duration::ZERO;
            while began.elapsed() < Duration::from_secs(3) {
                let each = Instant::now();
                assert_eq!(house.me(&ada.access), 200);
                slowest = slowest.max(each.elapsed());
            }
            assert!(slowest < Duration::from_secs(1), "`me` took {slowest:?}");
            let each = Instant::now();
            house.signed_in(ADA, PASSWORD);
            for (n, name) in (100..).zip(["github", "facebook", "linkedin", "generic"]) {
                signed_in(house, providers, name, &someone(n, &format!("{n}@example.org")));
            }
            assert!(each.elapsed() < Duration::from_secs(5), "others took {:?}", each.elapsed());
            for answer in waiting.join().unwrap() {
                assert!(matches!(answer.status, 400 | 503), "{}", answer.text());
            }
            assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
        });
        // After so many failures in a row nobody waits any more.
        let began = Instant::now();
        let answer = bring(house, providers, "google", &someone(1, ADA));
        assert!(matches!(answer.status, 400 | 503), "{}", answer.text());
        assert!(began.elapsed() < Duration::from_secs(1), "the breaker: {:?}", began.elapsed());
        google.mend();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h20_the_picture_that_a_provider_names_is_not_fetched() {
    each_social(&EVERY, "", |house, providers| {
        let lure = Lure::new();
        for (n, (name, _)) in (1..).zip(EVERY) {
            let mut ada = someone(n, &format!("{n}@example.com"));
            for member in ["picture", "avatar_url", "profile", "website"] {
                ada = ada.with_claim(member, json!(lure.url()));
            }
            let person = signed_in(house, providers, name, &ada);
            assert_eq!(me(house, &person.access)["providers"], json!([name]));
            let profile = house.call(Call::get("/api/profile/").bearer(&person.access));
            assert!(!profile.text().contains(&lure.url()), "H20: {}", profile.text());
        }
        lure.assert_untouched("H20");
    })
    .await;
}

/// Names, subjects and claims of any kind end in no header, no page and no broken row.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h13_what_a_provider_tells_of_a_person_is_data_and_nothing_else() {
    each_social(&GOOGLE, "", |house, providers: &Providers| {
        for (n, name) in (1..).zip([
            "<script>alert(1)</script>".to_owned(),
            "\r\nSet-Cookie: a=b".to_owned(),
            "'; DROP TABLE accounts; --".to_owned(),
            "\u{202e}gnp.exe\u{0}".to_owned(),
            "{{7*7}}".to_owned(),
            "n".repeat(5_000),
            "  ".to_owned(),
            "ada".to_owned(),
            "ADA".to_owned(),
            "\u{e4}d\u{e4} \u{1f600}".to_owned(),
        ]) {
            let ada = someone(n, &format!("{n}@example.com")).named(&name);
            let answer = bring(house, providers, "google", &ada);
            assert_eq!(answer.status, 200, "H13: {name:.40?}: {}", answer.text());
            let username = answer.json()["user"]["username"].as_str().unwrap().to_owned();
            let fine = |it: char| it.is_alphanumeric() || "@.+-_".contains(it);
            assert!(!username.is_empty() && username.chars().all(fine), "H13: {username:?}");
            assert!(username.chars().count() <= 150, "H13: {}", username.len());
        }
        let names = super::database::dump(&house.url);
        let keys: Vec<_> = names.iter().filter(|it| it.place == "accounts.username_key").collect();
        assert_eq!(keys.len(), 10, "everybody has a name");
        for odd in [json!("a\u{0}b"), json!("x".repeat(256)), json!(7), json!("")] {
            let eve = someone(99, "eve@example.com").with_claim("sub", odd.clone());
            assert_refused(
                &bring(house, providers, "google", &eve),
                &format!("H13: sub {odd:.20}"),
            );
        }
        for odd in ["no address", "a@b@c", "a@b\r\nBcc: x@y.example", "@", "x@"] {
            let eve = someone(98, odd);
            let answer = bring(house, providers, "google", &eve);
            let user = &answer.json()["user"];
            assert_ne!(user["email_verified"], true, "H13: {odd:?}: {}", answer.text());
        }
    })
    .await;
}
