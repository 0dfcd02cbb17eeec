//! What the configuration accepts, refuses and shows.

use super::*;

fn read(file: &str, environment: &[(&str, &str)]) -> (Layers, Configuration, Mistakes) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ironlatch.toml");
    std::fs::write(&path, file).unwrap();
    let mut layers = Layers::default();
    let mut mistakes = Mistakes::default();
    layers.add_file(&path, &mut mistakes);
    let own = |(name, value): &(&str, &str)| ((*name).into(), (*value).into());
    layers.add_environment(environment.iter().map(own));
    let configuration = layers.read(&mut mistakes);
    (layers, configuration, mistakes)
}

fn mistakes_of(file: &str, environment: &[(&str, &str)]) -> String {
    let (_, configuration, mut mistakes) = read(file, environment);
    configuration.resolve(false, &mut mistakes);
    mistakes.into_result().map_or_else(|mistakes| mistakes.to_string(), |()| String::new())
}

#[test]
fn the_defaults_stand() {
    assert_eq!(mistakes_of("", &[]), "");
}

#[test]
fn every_mistake_is_reported_at_once() {
    let file = "
        listen = 'everywhere'
        allowed_origins = ['https://*.example.com', 'https://app.example.com/']
        trusted_proxies = ['10.0.0.0/8', 'nonsense', '0.0.0.0/0']
        typo = 1
        [passwords]
        least_length = 4
        argon2_memory_kib = 1024
        slots = 'many'
        [tokens.api]
        access = 'soon'
        [limits]
        sign_ins = 3
        [mail]
        transport = 'smtp'
        smtp.security = 'none'
        smtp.host = 'mail.example.com'
        [checks]
        when_blind = 'guess'
    ";
    let text = mistakes_of(file, &[("IRONLATCH_SIGN_UP__NEUTRAL", "perhaps")]);
    for key in [
        "listen:",
        "allowed_origins: \"https://*.example.com\"",
        "allowed_origins: \"https://app.example.com/\"",
        "trusted_proxies: \"nonsense\"",
        "trusted_proxies: trusting everybody",
        "typo (file ",
        "passwords.least_length: must be 8",
        "passwords.argon2_memory_kib: is below OWASP",
        "passwords.slots (file ",
        "tokens.api.access (file ",
        "limits.sign_ins (file ",
        "mail.from:",
        "mail.smtp.security: ",
        "checks.when_blind (file ",
        "sign_up.neutral (environment IRONLATCH_SIGN_UP__NEUTRAL)",
    ] {
        assert!(text.contains(key), "{key} is missing in:\n{text}");
    }
    assert_eq!(text.lines().count(), 1 + 15, "{text}");
}

#[test]
fn the_environment_lies_over_the_file() {
    let (_, configuration, mistakes) = read(
        "listen = '127.0.0.1:1'\n[mail]\nfrom = 'a@example.com'\n[http]\ndocuments = true",
        &[
            ("IRONLATCH_LISTEN", "127.0.0.1:2"),
            ("IRONLATCH_MAIL_FROM", "b@example.com"),
            ("IRONLATCH_HTTP__DOCUMENTS", "false"),
            ("IRONLATCH_PASSWORDS__QUEUE", "17"),
            ("IRONLATCH_TOKENS__API__ACCESS", "5m"),
            ("IRONLATCH_ALLOWED_ORIGINS", "https://a.example, https://b.example"),
            ("IRONLATCH_PORT", "tcp://10.0.0.1:80"),
            ("UNRELATED", "x"),
        ],
    );
    assert!(mistakes.into_result().is_ok());
    let settings = configuration.resolve(false, &mut Mistakes::default());
    assert_eq!(settings.listen.port(), 2);
    assert_eq!(settings.core.mail.from, "b@example.com");
    assert!(!settings.documents);
    assert_eq!(settings.core.passwords.queue, 17);
    assert_eq!(settings.core.tokens.api.access.as_secs(), 300);
    assert_eq!(settings.web.allowed_origins, ["https://a.example", "https://b.example"]);
}

#[test]
fn the_strict_preset_lies_under_what_is_given() {
    let (_, configuration, _) = read("preset = 'strict'\n[passwords]\nleast_length = 12\n", &[]);
    let passwords = configuration.resolve(false, &mut Mistakes::default()).core.passwords;
    assert_eq!(passwords.argon2_memory_kib, 47_104);
    assert_eq!(passwords.argon2_passes, 1);
    assert_eq!(passwords.least_length, 12);
}

#[test]
fn unsafe_settings_are_refused_with_what_to_do() {
    let http = mistakes_of("public_url = 'http://auth.example.com'", &[]);
    assert!(http.contains("public_url: over http"), "{http}");
    let unset = mistakes_of("listen = '0.0.0.0:8000'", &[]);
    assert!(unset.contains("public_url: must be given"), "{unset}");
    let key = mistakes_of("database_url = 'postgres://db/ironlatch'", &[]);
    assert!(key.contains("master_key_file: must be given with PostgreSQL"), "{key}");
    let front = mistakes_of("doors.users.frontend_url = 'http://app.example.com'", &[]);
    assert!(front.contains("doors.users.frontend_url: must be like https://"), "{front}");
    let weak = "listen = '0.0.0.0:80'\npublic_url = 'https://a.example'
        [passwords]\nargon2_memory_kib = 64\nallow_weak_hashing_for_tests = true";
    assert!(mistakes_of(weak, &[]).contains("is for tests only"));
    assert_eq!(mistakes_of("public_url = 'http://localhost:8000/'", &[]), "");
    let public = "listen = '0.0.0.0:80'\npublic_url = 'https://a.example'\n";
    let no_mail = mistakes_of(public, &[]);
    assert!(no_mail.contains("mail.transport: must be chosen"), "{no_mail}");
    assert_eq!(mistakes_of(&format!("{public}mail.transport = 'log'"), &[]), "");
}

#[test]
fn only_the_public_urls_host_and_those_named_are_answered_for() {
    let hosts = |file: &str| {
        let (_, configuration, mut mistakes) = read(file, &[]);
        let settings = configuration.resolve(false, &mut mistakes);
        (settings.web.hosts, mistakes.into_result().map_err(|mistakes| mistakes.to_string()))
    };
    let named = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    let public = "public_url = 'https://a.example:8443/base'\nmail.transport = 'log'\n";
    let local = ["localhost", "127.0.0.1", "[::1]"];
    assert_eq!(hosts("").0, None);
    assert_eq!(hosts(public).0, named(&[&["a.example"], &local[..]].concat()));
    let everywhere = format!("listen = '0.0.0.0:80'\n{public}http.hosts = ['b.example', '[::2]']");
    assert_eq!(hosts(&everywhere), (named(&["a.example", "b.example", "[::2]"]), Ok(())));
    for wrong in ["b.example:80", "https://b.example", "", "*.example/", "me@b.example"] {
        let (_, result) = hosts(&format!("{public}http.hosts = ['{wrong}']"));
        assert!(result.unwrap_err().contains("http.hosts:"), "{wrong}");
    }
}

#[test]
fn sms_are_off_until_everything_they_need_is_there() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "s3cret\n").unwrap();
    let path = secret.path().display();
    let is_on = |file: &str| {
        let (_, configuration, mut mistakes) = read(file, &[]);
        let is_on = configuration.resolve(false, &mut mistakes).ways.sms.is_some();
        mistakes.into_result().map(|()| is_on).map_err(|mistakes| mistakes.to_string())
    };
    assert_eq!(is_on(""), Ok(false));
    assert_eq!(is_on("sms.countries = ['DE']"), Ok(false));
    assert_eq!(is_on("sms.transport = 'log'\nsms.countries = ['DE', 'us']"), Ok(true));
    let twilio = format!(
        "[sms]\ntransport = 'twilio'\ncountries = ['DE']\n[sms.twilio]
        account_sid = 'AC{0}'\nkey_sid = 'SK{0}'\nauth_token_file = '{path}'\nfrom = 'Example'",
        "0".repeat(32)
    );
    assert_eq!(is_on(&twilio), Ok(true));
    let http = format!(
        "[sms]\ntransport = 'http'\ncountries = ['DE']\n[sms.http]
        url = 'https://gateway.example.com'\nformat = 'form'\nbody = 'to={{to}}&m={{text}}'
        token_file = '{path}'\nheaders.X-Key = '{{token}}'"
    );
    assert_eq!(is_on(&http), Ok(true));
    for (file, mistakes) in [
        ("sms.transport = 'pigeon'", &["sms.transport (file "][..]),
        ("sms.transport = 'log'", &["sms.countries: must name"]),
        ("sms.transport = 'log'\nsms.countries = ['*']", &["sms.countries: * is for development"]),
        ("sms.transport = 'log'\nsms.countries = ['Mars']", &["sms.countries: \"Mars\" is no"]),
        ("sms.daily_budget = 0\nsms.budget = 1", &["sms.daily_budget: must", "sms.budget (file "]),
        (
            "sms.transport = 'twilio'\nsms.countries = ['DE']",
            &["sms.twilio.from: or", "sms.twilio.auth_token_file: must be given"],
        ),
        (
            "sms.transport = 'http'\nsms.countries = ['DE']\nsms.http.url = 'http://a.example'",
            &["sms.http.url: must", "sms.http.body: must"],
        ),
    ] {
        let text = is_on(file).unwrap_err();
        for mistake in mistakes {
            assert!(text.contains(mistake), "{mistake} is missing in:\n{text}");
        }
        assert_eq!(text.lines().count(), 1 + mistakes.len(), "{text}");
    }
    std::fs::set_permissions(secret.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .unwrap();
    assert!(is_on(&twilio).unwrap_err().contains("sms.twilio.auth_token_file: everybody"));
}

#[test]
fn development_sends_sms_everywhere_into_the_inbox() {
    let resolved = |file: &str| {
        let (mut layers, ..) = read(file, &[]);
        let _folder = layers.add_development().unwrap();
        let mut mistakes = Mistakes::default();
        let settings = layers.read(&mut mistakes).resolve(true, &mut mistakes);
        mistakes.into_result().map(|()| settings.core.sms).map_err(|it| it.to_string())
    };
    assert_eq!(resolved("").unwrap().countries, ["*"]);
    assert_eq!(resolved("sms.countries = ['DE']").unwrap().countries, ["DE"]);
}

#[test]
fn what_gateways_are_told_is_not_printed() {
    let file = "[sms.http]\nurl = 'https://gateway.example/send?key=hunter2'
        body = '{\"key\": \"hunter2\"}'\nheaders.X-Key = 'hunter2'";
    let (layers, configuration, mistakes) = read(file, &[]);
    assert!(mistakes.into_result().is_ok());
    let text = layers.print(&configuration).unwrap();
    assert!(text.contains("sms.http.url = \"https://gateway.example/send?…\"  # file"), "{text}");
    assert!(text.contains("sms.http.headers.X-Key = \"…\"  # file"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    let (_, _, mistakes) = read(&text, &[]);
    assert!(mistakes.into_result().is_ok(), "what is printed can be read again");
}

#[test]
fn development_listens_on_loopback_only() {
    let (_, configuration, mut mistakes) = read("listen = '0.0.0.0:8000'", &[]);
    configuration.resolve(true, &mut mistakes);
    let text = mistakes.into_result().unwrap_err().to_string();
    assert!(text.contains("listen: development mode"), "{text}");
}

#[test]
fn what_is_printed_names_origins_and_hides_passwords() {
    let (layers, configuration, _) = read(
        "[passwords]\nleast_length = 9",
        &[(
            "IRONLATCH_DATABASE_URL",
            "postgres://me:hunter2@db1,db2/x?password=hunter2&sslmode=require",
        )],
    );
    let text = layers.print(&configuration).unwrap();
    assert!(text.contains("passwords.least_length = 9  # file "), "{text}");
    assert!(
        text.contains("\"postgres://me:…@db1,db2/x?password=…&sslmode=require\"  # environment"),
        "{text}"
    );
    assert!(text.contains("tokens.api.access = \"15m\"  # default"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    // What is printed can be read again.
    let (_, again, mistakes) = read(&text, &[]);
    assert!(mistakes.into_result().is_ok());
    assert_eq!(again.passwords.least_length, 9);
}

#[test]
fn a_file_that_is_not_toml_is_named_without_its_content() {
    let text = mistakes_of("listen = '127.0.0.1:1'\nsecret-of-mine", &[]);
    assert!(text.contains("line 2"), "{text}");
    assert!(!text.contains("secret-of-mine"), "{text}");
}

#[test]
fn providers_come_from_the_file_and_the_environment() {
    let file = "[social.google]\nkind = 'google'\nclient_id = 'file'\nclient_secret = 'hunter2'
        redirect_uri = 'http://localhost:5173/oauth/callback'\nscopes = ['openid email', 'profile']
        [social.my-idp]\nkind = 'oidc'\ntitle = 'Example'\nclient_id = 'us'
        issuer = 'http://10.0.0.7/oidc'\nallow_private_addresses = true\nstore_tokens = true
        email_domains = ['example.com']\njwks_uri = 'http://10.0.0.7/keys'";
    let environment = [
        ("IRONLATCH_SOCIAL__GOOGLE__CLIENT_ID", "12345"),
        ("IRONLATCH_SOCIAL__GITHUB__KIND", "github"),
        ("IRONLATCH_SOCIAL__GITHUB__CLIENT_ID", "Iv1"),
        ("IRONLATCH_SOCIAL__GITHUB__CLIENT_SECRET", "hunter3"),
        ("IRONLATCH_SOCIAL__GITHUB__SCOPES", "read:user, user:email"),
        ("IRONLATCH_SOCIAL__GITHUB__ALLOW_PRIVATE_ADDRESSES", "true"),
    ];
    let (layers, configuration, mut mistakes) = read(file, &environment);
    let social = configuration.resolve(false, &mut mistakes).core.social;
    assert_eq!(mistakes.into_result().map_err(|it| it.to_string()), Ok(()));
    assert_eq!(social.keys().collect::<Vec<_>>(), ["github", "google", "my-idp"]);
    let google = &social["google"];
    assert_eq!(google.client_id, "12345");
    assert_eq!(google.scopes, ["openid", "email", "profile"]);
    assert_eq!(google.client_secret.as_ref().unwrap().reveal(), "hunter2");
    assert_eq!(social["github"].scopes, ["read:user", "user:email"]);
    assert!(social["github"].allow_private_addresses);
    let own = &social["my-idp"];
    assert_eq!(own.endpoints.issuer.as_deref(), Some("http://10.0.0.7/oidc"));
    assert_eq!((own.title.as_deref(), own.store_tokens), (Some("Example"), true));
    assert_eq!(own.email_domains, ["example.com"]);

    let shown = layers.print(&configuration).unwrap() + &format!("{configuration:?}");
    assert!(shown.contains("social.google.client_secret = \"…\"  # file"), "{shown}");
    assert!(shown.contains("social.github.client_secret = \"…\"  # environment"), "{shown}");
    assert!(shown.contains("social.google.client_id = \"12345\""), "{shown}");
    assert!(!shown.contains("hunter"), "{shown}");
}

#[test]
fn a_providers_secret_may_be_in_a_file_that_only_we_can_read() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "hunter2\n").unwrap();
    let path = secret.path().display();
    let file =
        format!("[social.github]\nkind = 'github'\nclient_id = 'x'\nclient_secret_file = '{path}'");
    let (_, configuration, mut mistakes) = read(&file, &[]);
    let social = configuration.resolve(false, &mut mistakes).core.social;
    assert!(mistakes.into_result().is_ok());
    assert_eq!(social["github"].client_secret.as_ref().unwrap().reveal(), "hunter2");
    let both = mistakes_of(&format!("{file}\nclient_secret = 'x'"), &[]);
    assert!(both.contains("social.github.client_secret_file: or client_secret must"), "{both}");
    std::fs::set_permissions(secret.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .unwrap();
    let open = mistakes_of(&file, &[]);
    assert!(open.contains("social.github.client_secret_file: everybody"), "{open}");
    drop(secret);
    let gone = mistakes_of(&file, &[]);
    assert_eq!(gone.lines().count(), 2, "{gone}");
}

#[test]
fn every_mistake_about_providers_is_named_by_key() {
    let text = mistakes_of(
        "[social.google]\nclient_id = 'x'\nclient_secret = 'x'
        [social.link]\nkind = 'github'\nclient_secret = 'x'\nscope = ['a']
        [social.oidc]\nkind = 'oidc'\nclient_id = 'x'\nissuer = 'http://idp.example'
        [social.other]\nkind = 'myspace'\nclient_id = 'x'\n[social.nothing]",
        &[("IRONLATCH_SOCIAL__OIDC__STORE_TOKENS", "perhaps")],
    );
    for key in [
        "social.google.kind: must be google",
        "social.link: its name is a word",
        "social.link.client_id: must be given",
        "social.link.scope (file ",
        "social.oidc.issuer: must be a URL with https",
        "social.oidc.store_tokens (environment IRONLATCH_SOCIAL__OIDC__STORE_TOKENS)",
        "social.other.kind (file ",
        "social.other.kind: must be",
        "social.nothing.kind: must be",
    ] {
        assert!(text.contains(key), "{key} is missing in:\n{text}");
    }
    assert_eq!(text.lines().count(), 1 + 9, "{text}");
}
