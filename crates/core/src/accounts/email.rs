//! E-mail addresses: as typed, and in the one form that makes them equal.

use unicode_normalization::UnicodeNormalization;

/// An address that passed the checks of its form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    typed: String,
    key: String,
}

/// What stands behind the `@` of addresses that are made up for accounts without one: nobody gets
/// mail there (RFC 2606 §2), and nobody has an address there.
pub const NOWHERE: &str = "users.noreply.invalid";

/// Why a text is not an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmailProblem {
    /// Not of the form `local@domain` that mail servers accept.
    Malformed,
    /// More than 254 characters (RFC 5321 §4.5.3.1.3).
    TooLong,
    /// At [`NOWHERE`], or below it: shown for accounts without an address, and nobody's.
    Nowhere,
}

impl Email {
    /// Reads an address. Outer blanks are dropped; the spelling is kept for sending.
    pub fn parse(text: &str) -> Result<Self, EmailProblem> {
        let typed: String = text.trim().nfc().collect();
        if typed.chars().count() > 254 {
            return Err(EmailProblem::TooLong);
        }
        let (local, domain) = typed.rsplit_once('@').ok_or(EmailProblem::Malformed)?;
        let domain_key =
            idna::domain_to_ascii_strict(domain).map_err(|_| EmailProblem::Malformed)?;
        if !is_local_part(local) || !is_mail_domain(&domain_key) {
            return Err(EmailProblem::Malformed);
        }
        let domain_key = domain_key.to_ascii_lowercase();
        if domain_key
            .strip_suffix(NOWHERE)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        {
            return Err(EmailProblem::Nowhere);
        }
        let key = format!("{}@{}", local.to_lowercase(), domain_key);
        Ok(Self { typed, key })
    }

    /// A text of an address's form that is none, made of this name; `None` where the name cannot
    /// stand in one.
    #[must_use]
    pub fn nowhere(name: &str) -> Option<String> {
        is_local_part(name).then(|| format!("{name}@{NOWHERE}"))
    }

    /// The address as typed: where mail goes.
    #[must_use]
    pub fn as_typed(&self) -> &str {
        &self.typed
    }

    /// Whether mail to another spelling goes to the same mailbox for sure: servers may tell
    /// spellings of the local part apart (RFC 5321 §2.4), but not those of the domain.
    pub(crate) fn is_mailbox_of(&self, other: &str) -> bool {
        let local = |typed: &str| typed.rsplit_once('@').map(|(local, _)| local.to_owned());
        let other = Self::parse(other).ok().filter(|other| other.key == self.key);
        other.is_some_and(|other| local(&other.typed) == local(&self.typed))
    }

    /// The canonical form (NFC, lower case, domain in ASCII by IDNA): what is unique.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// A dot-atom (RFC 5322 §3.2.3), letters of any script allowed (RFC 6531); no quoted strings,
/// whose only users today are attackers.
fn is_local_part(local: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    local.len() <= 64
        && !local.is_empty()
        && local.chars().all(allowed)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
}

/// A host name with at least one dot, or `localhost`-free: what mail can be sent to.
fn is_mail_domain(domain: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let last_is_name = domain
        .rsplit('.')
        .next()
        .is_some_and(|last| last.len() >= 2 && !last.bytes().all(|b| b.is_ascii_digit()));
    domain.len() <= 253 && domain.contains('.') && domain.split('.').all(label) && last_is_name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_address_share_a_key() {
        for (typed, key) in [
            ("Ada@Example.COM", "ada@example.com"),
            ("  ada@example.com ", "ada@example.com"),
            ("info@BÜCHER.example", "info@xn--bcher-kva.example"),
            ("re\u{301}mi@example.com", "r\u{e9}mi@example.com"),
        ] {
            assert_eq!(Email::parse(typed).unwrap().key(), key);
        }
    }

    #[test]
    fn what_is_shown_for_an_account_without_an_address_is_nobodys_address() {
        let shown = Email::nowhere("github_583231").unwrap();
        for text in [
            &*shown,
            "Me@Users.NoReply.INVALID",
            "a@b.users.noreply.invalid",
            "a@users。noreply.invalid",
            "a@ｕsers.noreply.invalid",
        ] {
            assert_eq!(Email::parse(text), Err(EmailProblem::Nowhere), "{text}");
        }
        assert!(Email::parse("a@other-users.noreply.invalid").is_ok());
        for name in ["", "a@b", "..", &"x".repeat(65)] {
            assert_eq!(Email::nowhere(name), None, "{name}");
        }
    }

    #[test]
    fn what_no_server_would_take_is_refused() {
        for text in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@example",
            "a b@example.com",
            "ada@exam ple.com",
            "ada@example.com\r\nBcc: eve@example.com",
            ".ada@example.com",
            "a..b@example.com",
            "\"ada\"@example.com",
            "ada@-example.com",
            "ada@127.0.0.1",
            "a@b@example.com",
            "<ada@example.com>",
            "ada@example.com\0",
        ] {
            assert_eq!(Email::parse(text), Err(EmailProblem::Malformed), "{text:?}");
        }
    }
}
