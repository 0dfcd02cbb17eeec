//! Reads the database URL: what the driver understands, and the TLS settings it does not.

use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use super::tls::Trust;
use crate::error::InternalError;

/// Before a host counts as away; several hosts are tried in turn.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Before a peer that acknowledges nothing counts as gone.
const SILENCE: Duration = Duration::from_secs(5);

/// How to reach the server, and whom to believe that it is the one.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) config: Config,
    pub(super) trust: Trust,
}

/// `postgres://user:password@host1,host2/name?sslmode=verify-full&sslrootcert=PATH`. The
/// meaning of `sslmode` is libpq's.
pub(super) fn parse(url: &str) -> Result<Address, InternalError> {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let mut mode = None;
    let mut root = None;
    let mut rest = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sslmode", value)) => mode = Some(value),
            Some(("sslrootcert", value)) => root = Some(decoded(value)?),
            _ => rest.push(pair),
        }
    }
    let plain = format!("{base}?{}", rest.join("&"));
    // The driver's own sentence names no part of the URL, so no password can slip out.
    let mut config: Config =
        plain.trim_end_matches('?').parse().map_err(|error: tokio_postgres::Error| {
            InternalError::fault(format_args!(
                "the database URL cannot be read: {}",
                super::failure::told(&error)
            ))
        })?;
    let (ssl, trust) = trust_of(mode, root)?;
    config.ssl_mode(ssl);
    // After a failover the old primary may still answer, as a standby.
    config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(SILENCE);
    }
    config.keepalives_idle(SILENCE);
    if config.get_application_name().is_none() {
        config.application_name("ironlatch");
    }
    warn_of_strangers(&config, &trust);
    Ok(Address { config, trust })
}

fn trust_of(mode: Option<&str>, root: Option<String>) -> Result<(SslMode, Trust), InternalError> {
    let root = root.map(PathBuf::from);
    Ok(match (mode.unwrap_or("prefer"), root) {
        ("disable", _) => (SslMode::Disable, Trust::Anybody),
        ("prefer", _) => (SslMode::Prefer, Trust::Anybody),
        // As libpq: with a root certificate at hand, "require" verifies the chain.
        ("require", None) => (SslMode::Require, Trust::Anybody),
        ("require" | "verify-ca", root) => (SslMode::Require, Trust::Chain(root)),
        ("verify-full", root) => (SslMode::Require, Trust::ChainAndName(root)),
        (other, _) => {
            return Err(InternalError::fault(format_args!(
                "`sslmode={other}` is not known: use disable, prefer, require, verify-ca or \
                 verify-full"
            )));
        }
    })
}

fn warn_of_strangers(config: &Config, trust: &Trust) {
    let is_far = config.get_hosts().iter().any(|host| match host {
        Host::Tcp(name) => {
            name != "localhost"
                && !name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        Host::Unix(_) => false,
    });
    if is_far && matches!(trust, Trust::Anybody) {
        tracing::warn!(
            "the database's certificate is not verified: anybody on the way can read and alter \
             what is stored; set sslmode=verify-full in the database URL"
        );
    }
}

/// Undoes percent encoding (RFC 3986 §2.1).
fn decoded(text: &str) -> Result<String, InternalError> {
    let wrong = || InternalError::fault("`sslrootcert` is not well encoded");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next().ok_or_else(wrong)?, rest.next().ok_or_else(wrong)?];
            let digits = std::str::from_utf8(&digits).map_err(|_| wrong())?;
            bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::{Trust, parse};

    #[test]
    fn the_tls_settings_are_read_and_the_rest_goes_to_the_driver() {
        let url = "postgres://u:p@one,two:5433/d?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem\
                   &application_name=door";
        let address = parse(url).unwrap();
        assert_eq!(address.config.get_hosts().len(), 2);
        assert_eq!(address.config.get_application_name(), Some("door"));
        assert!(
            matches!(address.trust, Trust::ChainAndName(Some(path)) if path.ends_with("ca.pem"))
        );
    }

    #[test]
    fn an_unknown_mode_is_refused_and_no_password_is_told() {
        let refused = parse("postgres://u:hunter2@h/d?sslmode=allow").unwrap_err().to_string();
        assert!(refused.contains("verify-full") && !refused.contains("hunter2"), "{refused}");
        let refused = parse("postgres://u:hunter2@h:x/d").unwrap_err().to_string();
        assert!(!refused.contains("hunter2"), "{refused}");
    }
}
