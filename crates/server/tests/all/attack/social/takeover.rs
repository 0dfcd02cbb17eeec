//! C01, C02 and C03: accounts are not taken over through what a provider says.

use ironlatch_core::settings::ProviderKind;
use ironlatch_testkit::provider::{FakeProvider, Fault};
use serde_json::{Value, json};

use super::super::house::{House, PASSWORD, Person};
use super::super::http::Call;
use super::super::second_factor;
use super::{
    ADA, EVERY, GOOGLE, Providers, TAKEN, assert_refused, bring, each_social, me, post, proven,
    signed_in, someone,
};

/// What an attacker does to an account that is made with somebody else's address.
type Trap = fn(&House, &Providers, &Person);

const TRAPS: [(&str, Trap); 6] = [
    ("a password and its sessions", |_, _, _| {}),
    ("an app", |house, _, eve| {
        // Refused or not: it must not stand between the owner and the account.
        let begun = house.call(Call::post("/api/auth/2fa/totp").bearer(&eve.access));
        if begun.status == 200 {
            second_factor::enrol(house, eve);
        }
    }),
    ("an identity of the attacker's own", |house, providers, eve| {
        let brought = providers.at("github").code_for(&someone(666, "eve@example.org"));
        let link = Call::post("/api/auth/social/github/link").bearer(&eve.access);
        let answer = house.call(link.json(super::body(house, &brought)));
        assert_ne!(answer.status, 200, "C01: nothing is added to an unproven account");
    }),
    ("a way to another provider that is not ended yet", |house, _, eve| {
        let link = Call::post("/api/auth/social/github/link").bearer(&eve.access).json(json!({}));
        assert_ne!(house.call(link).status, 200, "C01: nothing is begun for an unproven account");
    }),
    ("an address of the attacker's, asked for", |house, _, eve| {
        let wish = json!({ "email": "eve@example.org", "current_password": PASSWORD });
        house.call(Call::post("/api/auth/email/change").bearer(&eve.access).json(wish));
    }),
    ("a code and a link for a new password", |house, _, _| {
        let ask = |path: &str, body: Value| house.call(Call::post(path).json(body)).status;
        ask("/api/auth/password/forgot", json!({ "email": ADA }));
        ask("/api/auth/otp/request", json!({ "identifier": ADA }));
    }),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c01_nothing_of_who_signed_up_with_my_address_survives_my_coming_with_a_provider() {
    for (what, trap) in TRAPS {
        each_social(&EVERY, "", |house, providers| {
            assert_eq!(house.register("ada").status, 201);
            let eve = house.signed_in(ADA, PASSWORD);
            trap(house, providers, &eve);

            let ada = signed_in(house, providers, "google", &someone(1, ADA));
            let seen = me(house, &ada.access);
            assert_eq!(seen["email_verified"], true, "C01 {what}");
            assert_eq!(seen["providers"], json!(["google"]), "C01 {what}");
            assert_eq!(house.me(&eve.access), 401, "C01 {what}: the access token");
            let refresh = Call::post("/api/auth/token/refresh/");
            for call in [
                refresh.clone().cookie(&eve.cookie),
                refresh.json(json!({ "refresh": eve.refresh })),
            ] {
                assert_eq!(house.call(call).status, 401, "C01 {what}: the refresh token");
            }
            assert_eq!(house.login(ADA, PASSWORD).status, 400, "C01 {what}: the password");
            let eves = bring(house, providers, "github", &someone(666, "eve@example.org"));
            assert_ne!(eves.json()["user"]["id"], seen["id"], "C01 {what}: the identity");
            // And the owner comes in again, asked for nothing.
            let again = signed_in(house, providers, "google", &someone(1, ADA));
            assert_eq!(me(house, &again.access)["id"], seen["id"], "C01 {what}");
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c01_codes_and_links_from_before_the_first_proof_are_void() {
    each_social(&GOOGLE, "", |house, providers| {
        assert_eq!(house.register("ada").status, 201);
        let verify = house.mail(ADA, "Verify", 1).token().unwrap();
        let forgot = Call::post("/api/auth/password/forgot").json(json!({ "email": ADA }));
        assert_eq!(house.call(forgot).status, 200);
        let reset = house.mail(ADA, "Reset your", 1).link();
        signed_in(house, providers, "google", &someone(1, ADA));

        let mut browser = house.browser();
        browser.visit(&reset);
        let answer = browser.press("/reset-password", &[("new_password", "chosen by eve 12")]);
        assert_ne!(answer.status, 200, "C01: the old link");
        assert_eq!(house.login(ADA, "chosen by eve 12").status, 400);
        let path = format!("/api/auth/verify-email/?token={verify}");
        house.call(Call::get(&path).header("Accept", "application/json"));
        assert_eq!(house.login(ADA, PASSWORD).status, 400, "C01: the password stays gone");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c01_an_account_made_by_an_unverified_identity_holds_no_address() {
    each_social(&EVERY, "", |house, providers| {
        for (n, (name, _)) in (10..).zip(EVERY) {
            let email = format!("victim{n}@example.com");
            let eve = signed_in(house, providers, name, &someone(n, &email).unverified());
            let placed = me(house, &eve.access);
            assert_eq!(placed["email_verified"], false, "C01: {name}");
            assert_eq!(placed["email"], format!("{name}_{n}@users.noreply.invalid"));
            // The owner's own way in is not disturbed, and leads elsewhere.
            let victim = format!("victim{n}");
            assert_eq!(house.register(&victim).status, 201, "C01: {name} claims the address");
            house.verify(&email);
            let owner = house.signed_in(&email, PASSWORD);
            assert_ne!(me(house, &owner.access)["id"], placed["id"], "C01: {name}");
            assert_eq!(me(house, &eve.access)["providers"], json!([name]));
            assert_eq!(me(house, &owner.access)["providers"], json!([]), "C01: {name}");
        }
    })
    .await;
}

/// What `email_verified` may be that is not `true`.
fn unproven() -> Vec<Value> {
    let odd = [json!(false), json!("false"), json!("true"), json!("True"), json!(0), json!(1)];
    let odder = [json!({}), json!([true]), json!("yes"), Value::Null];
    odd.into_iter().chain(odder).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c02_an_address_counts_only_where_the_provider_says_true() {
    each_social(&EVERY, "", |house, providers| {
        let ada = proven(house, "ada");
        for name in ["google", "generic"] {
            for (n, value) in (100..).zip(unproven()) {
                let eve = someone(n, ADA).with_claim("email_verified", value.clone());
                let answer = bring(house, providers, name, &eve);
                let what = format!("C02: {name} says {value}");
                assert_refused(&answer, &what);
                assert_eq!(answer.field("detail"), TAKEN, "{what}");
            }
        }
        let primary = |verified: Value| {
            json!([
                { "email": "eve@example.org", "primary": false, "verified": true },
                { "email": ADA, "primary": true, "verified": verified },
            ])
        };
        let not_primary = json!([
            { "email": "eve@example.org", "primary": true, "verified": false },
            { "email": ADA, "primary": false, "verified": true },
        ]);
        let lists = unproven().into_iter().map(primary);
        for (n, list) in (200..).zip(lists) {
            let eve = someone(n, ADA).with_emails(list.clone());
            assert_refused(&bring(house, providers, "github", &eve), &format!("C02: {list}"));
        }
        // A second address of somebody's is not what they go by there.
        let answer = bring(house, providers, "github", &someone(300, ADA).with_emails(not_primary));
        if answer.status == 200 {
            let user = &answer.json()["user"];
            assert_ne!(user["id"], me(house, &ada.access)["id"], "C02: github");
        }
        for name in ["facebook", "linkedin"] {
            // Neither says anything about addresses.
            let eve = someone(400, ADA).with_claim("email_verified", json!(true));
            let answer = bring(house, providers, name, &eve);
            assert_eq!(answer.field("detail"), TAKEN, "C02: {name}");
        }
        assert_eq!(me(house, &ada.access)["providers"], json!([]), "C02");
        for mail in house.mails(ADA) {
            assert!(!mail.text.contains("connected"), "C02: nothing was: {}", mail.text);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c02_a_provider_speaks_for_the_domains_it_is_trusted_with() {
    each_engine_with_domains(|house, providers| {
        let ada = proven(house, "ada");
        let eve = someone(1, ADA);
        let answer = bring(house, providers, "google", &eve);
        assert_eq!(answer.field("detail"), TAKEN, "C02: a domain that is not its own");
        for (n, near) in (10..).zip([
            "ada@notcorp.example",
            "ada@corp.example.evil.example",
            "ada@sub.corp.example",
            "ada@corp.example.",
        ]) {
            let answer = bring(house, providers, "google", &someone(n, near));
            let user = answer.json()["user"].clone();
            assert_ne!(user["email_verified"], true, "C02: {near}: {}", answer.text());
        }
        let own = signed_in(house, providers, "google", &someone(2, "ada@corp.example"));
        assert_eq!(me(house, &own.access)["email"], "ada@corp.example");
        let capital = signed_in(house, providers, "google", &someone(3, "bob@Corp.Example"));
        assert_eq!(me(house, &capital.access)["email_verified"], true);
        assert_eq!(me(house, &ada.access)["providers"], json!([]), "C02");
    })
    .await;
}

/// Google may speak for one domain. The kit writes whole sections, so this is in the environment.
async fn each_engine_with_domains(test: impl Fn(&mut House, &Providers)) {
    super::each_engine(async |url| {
        let providers = Providers::start(&GOOGLE).await;
        let file = providers.configuration("");
        let mut house = House::start(
            &url,
            &[
                ("IRONLATCH_CONFIG", &file),
                ("IRONLATCH_SOCIAL__GOOGLE__EMAIL_DOMAINS", "corp.example"),
            ],
        );
        test(&mut house, &providers);
        providers.confess(&house);
        house.close();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c03_an_issuer_of_the_attackers_own_speaks_for_nobody() {
    each_social(
        &[("google", ProviderKind::Google), ("evil", ProviderKind::Oidc)],
        "",
        |house, providers| {
            let ada = signed_in(house, providers, "google", &someone(1, ADA));
            let id = me(house, &ada.access)["id"].clone();
            let (google, evil) = (providers.google(), providers.at("evil"));
            let victim = someone(1, ADA);
            let bring_token = |token: String, what: &str| {
                house.keep(&token);
                let answer = post(house, "google", json!({ "id_token": token }));
                assert_refused(&answer, what);
            };
            bring_token(evil.id_token(&victim), "C03: another provider's token");
            let mut claims = evil.claims(&victim);
            claims["iss"] = json!(google.issuer());
            claims["email"] = json!(ADA);
            claims["email_verified"] = json!(true);
            bring_token(evil.sign(&claims), "C03: our issuer's name under another's key");
            for tenant in [
                format!("{}/", google.issuer()),
                format!("{}/common", google.issuer()),
                format!("{}.evil.example", google.issuer()),
                google.issuer().to_uppercase(),
                google.issuer().replace("http://", "https://"),
                google.issuer().replace("http://", ""),
                evil.issuer(),
                String::new(),
            ] {
                let mut claims = google.claims(&victim);
                claims["iss"] = json!(tenant);
                bring_token(google.sign(&claims), &format!("C03: iss {tenant:?}"));
                google.break_with(Fault::Claim("iss", json!(tenant)));
                let answer = bring(house, providers, "google", &victim);
                assert_refused(&answer, &format!("C03: iss {tenant:?} beside a code"));
                google.mend();
            }
            // The same subject from another issuer is another person.
            let other = signed_in(house, providers, "evil", &someone(1, "other@example.org"));
            assert_ne!(me(house, &other.access)["id"], id, "C03: the subject alone");
            let again = signed_in(house, providers, "google", &victim);
            assert_eq!(me(house, &again.access)["id"], id, "the test itself");
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c03_two_providers_cannot_be_configured_as_one_issuer() {
    let [one, two] = [
        FakeProvider::start(ProviderKind::Github, std::sync::Arc::new(super::SystemClock)).await,
        FakeProvider::start(ProviderKind::Github, std::sync::Arc::new(super::SystemClock)).await,
    ];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ironlatch.toml");
    // One's numbers are other people's at the other.
    let as_one = |text: String| -> String {
        let issuer = format!("issuer = {:?}", one.url());
        text.lines()
            .map(|line| if line.starts_with("issuer") { &*issuer } else { line })
            .fold(String::new(), |all, line| all + line + "\n")
    };
    let text = one.toml("github", super::ORIGIN) + &as_one(two.toml("gitea", super::ORIGIN));
    std::fs::write(&file, text).unwrap();
    let mut command = crate::process::ironlatch(folder.path());
    // Any command that opens the house.
    let command = command.env("IRONLATCH_CONFIG", &file).args(["account", "show", ADA]);
    let output = command.output().unwrap();
    let said = crate::process::said(&output);
    assert!(!output.status.success(), "C03: {said}");
    assert!(said.contains("social.github.issuer"), "C03: {said}");
}

/// `github` cannot pick the account by an address that changed hands: the subject counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c02_a_known_identity_keeps_its_account_whatever_address_it_shows_now() {
    each_social(&EVERY, "", |house, providers| {
        let bob = proven(house, "bob");
        for (n, (name, _)) in (500..).zip(EVERY) {
            let first = signed_in(house, providers, name, &someone(n, &format!("{n}@example.com")));
            let id = me(house, &first.access)["id"].clone();
            let moved = signed_in(house, providers, name, &someone(n, "bob@example.com"));
            assert_eq!(me(house, &moved.access)["id"], id, "C02: {name}");
            assert_ne!(me(house, &moved.access)["email"], "bob@example.com", "C02: {name}");
        }
        assert_eq!(me(house, &bob.access)["providers"], json!([]), "C02");
    })
    .await;
}
