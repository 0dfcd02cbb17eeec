//! Which settings cannot stand, each by its key.

use std::borrow::Cow;

use super::{Door, Settings};

/// A setting that cannot stand, by its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The key in the configuration file, e.g. `passwords.least_length`.
    pub key: Cow<'static, str>,
    /// What is wrong and what to do.
    pub sentence: String,
}

impl Settings {
    /// Every setting that cannot stand; empty when all is well.
    #[must_use]
    pub fn check(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        let mut unless = |fine: bool, key: &'static str, sentence: &str| {
            if !fine {
                mistakes.push(Mistake { key: key.into(), sentence: sentence.to_owned() });
            }
        };
        unless(
            !self.development || is_loopback_url(&self.public_url),
            "public_url",
            "development mode shows verification tokens: its host must be localhost, 127.0.0.1 \
             or [::1]",
        );
        let passwords = &self.passwords;
        unless(passwords.least_length >= 8, "passwords.least_length", "must be 8 or more");
        unless(passwords.least_length <= 64, "passwords.least_length", "must be 64 or less");
        unless(passwords.slots >= 1, "passwords.slots", "must be 1 or more");
        unless(passwords.queue >= 1, "passwords.queue", "must be 1 or more");
        unless(passwords.argon2_passes >= 1, "passwords.argon2_passes", "must be 1 or more");
        unless(passwords.argon2_lanes >= 1, "passwords.argon2_lanes", "must be 1 or more");
        unless(passwords.argon2_lanes <= 64, "passwords.argon2_lanes", "must be 64 or less");
        unless(
            passwords.argon2_memory_kib <= 131_072,
            "passwords.argon2_memory_kib",
            "must be 131072 (128 MiB) or less: sign-ins would exhaust the machine",
        );
        unless(
            u64::from(passwords.argon2_memory_kib) * u64::from(passwords.argon2_passes)
                <= 1_048_576,
            "passwords.argon2_passes",
            "times argon2_memory_kib must be 1048576 or less: a sign-in would take seconds",
        );
        unless(
            passwords.argon2_memory_kib >= passwords.argon2_lanes.max(1).saturating_mul(8),
            "passwords.argon2_memory_kib",
            "must be at least 8 KiB for each lane (RFC 9106 §3.1)",
        );
        unless(
            passwords.is_strong_enough() || passwords.allow_weak_hashing_for_tests,
            "passwords.argon2_memory_kib",
            "is below OWASP's least for so many passes: use 19456 with argon2_passes = 2, or \
             47104 with 1",
        );
        mistakes.extend(self.role_and_limit_mistakes());
        mistakes.extend(super::social::mistakes(&self.social));
        mistakes
    }

    fn role_and_limit_mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        let mut unless = |fine: bool, key: &'static str, sentence: &str| {
            if !fine {
                mistakes.push(Mistake { key: key.into(), sentence: sentence.to_owned() });
            }
        };
        unless(self.sms.daily_budget >= 1, "sms.daily_budget", "must be 1 or more");
        unless(self.sms.per_prefix_hour >= 1, "sms.per_prefix_hour", "must be 1 or more");
        unless(self.sms.per_network_hour >= 1, "sms.per_network_hour", "must be 1 or more");
        let accounts = &self.accounts;
        unless(
            accounts.roles.contains(&accounts.default_role),
            "accounts.default_role",
            "must be one of accounts.roles",
        );
        for (key, door) in [
            ("tokens.api", Door::Api),
            ("tokens.codes", Door::Codes),
            ("tokens.users", Door::Users),
            ("tokens.otp_session", Door::OtpSession),
            ("tokens.accounts", Door::Accounts),
        ] {
            let lives = self.tokens.of(door);
            unless(
                lives.access <= lives.idle && lives.idle <= lives.absolute,
                key,
                "access must not outlive idle, nor idle absolute",
            );
        }
        for (role_key, url_key, door) in [
            ("doors.api.default_role", "doors.api.frontend_url", &self.doors.api),
            ("doors.users.default_role", "doors.users.frontend_url", &self.doors.users),
            (
                "doors.otp_session.default_role",
                "doors.otp_session.frontend_url",
                &self.doors.otp_session,
            ),
            ("doors.accounts.default_role", "doors.accounts.frontend_url", &self.doors.accounts),
            ("doors.cfg.default_role", "doors.cfg.frontend_url", &self.doors.cfg),
        ] {
            let role = door.default_role.as_ref();
            unless(
                role.is_none_or(|role| accounts.roles.contains(role)),
                role_key,
                "must be one of accounts.roles",
            );
            // Its origin may act with people's cookies, and mails carry secrets there.
            unless(
                door.frontend_url.as_deref().is_none_or(is_plain_url),
                url_key,
                "must be like https://app.example.com, without query; http for this machine only",
            );
        }
        mistakes
    }
}

/// Whether a URL's host is this machine by name.
pub(super) fn is_loopback_url(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether a text is the URL of a page over `https`, or over `http` on this machine, to which a
/// path can be added.
fn is_plain_url(url: &str) -> bool {
    let is_safe =
        url.starts_with("https://") || (url.starts_with("http://") && is_loopback_url(url));
    let host = url.split_once("://").map_or("", |(_, rest)| rest);
    let is_plain = url.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#@\"<>\\".contains(&byte));
    is_safe && is_plain && !host.is_empty() && !host.starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_ends_are_plain_urls() {
        let of = |url: &str| {
            let mut settings = Settings::default();
            settings.doors.users.frontend_url = Some(url.to_owned());
            settings.check().first().map(|mistake| mistake.key.to_string())
        };
        for fine in
            ["https://app.example.com", "https://a.example:8443/x/", "http://localhost:3000"]
        {
            assert_eq!(of(fine), None, "{fine}");
        }
        for wrong in [
            "",
            "app.example.com",
            "https://",
            "https:///x",
            "http://app.example.com",
            "https://app.example.com/?a=b",
            "https://me@app.example.com",
            "https://app.example.com/ x",
            "javascript:alert(1)",
        ] {
            assert_eq!(of(wrong).as_deref(), Some("doors.users.frontend_url"), "{wrong}");
        }
    }

    #[test]
    fn development_refuses_public_addresses() {
        let with = |url: &str| Settings {
            development: true,
            public_url: url.to_owned(),
            ..Settings::default()
        };
        for url in ["http://127.0.0.1:8000", "http://localhost", "http://[::1]:80/x"] {
            assert_eq!(with(url).check(), [], "{url}");
        }
        for url in [
            "https://auth.example.com",
            "http://localhost.example.com",
            "http://127.0.0.1@evil.example",
            "http://10.0.0.1",
        ] {
            assert_eq!(with(url).check().first().map(|m| &*m.key), Some("public_url"), "{url}");
        }
    }
}
