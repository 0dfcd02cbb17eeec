//! What the providers that are spoken to over HTTP have in common.

use std::time::Duration;

use reqwest::{Client, StatusCode, Url};

pub(super) use crate::outbound::{builder as client, built};
use crate::ports::SendError;

/// A client for SMS. It keeps no connection: one that the other side closes while it is used
/// again leaves open whether the SMS was taken, and there are too few to save on handshakes.
pub(super) fn sms_client(deadline: Duration) -> Result<Client, String> {
    built(client(deadline)?.pool_max_idle_per_host(0))
}

/// A provider's address: encrypted, except on this machine, and without a password that logs
/// and `config print` would show.
pub(super) fn endpoint(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_safe = match url.scheme() {
        "https" => true,
        "http" => is_loopback(&url),
        _ => false,
    };
    let names_nobody = url.username().is_empty() && url.password().is_none();
    (is_safe && names_nobody).then_some(url)
}

/// What a status means. A refused message (400, 413, …) is refused for good. A refused key
/// (401, 403), a redirect and a wrong address (404) are our configuration's fault: the message
/// waits until it is set right.
pub(super) fn verdict(provider: &str, status: StatusCode) -> Result<(), SendError> {
    let sentence = format!("{provider} answered {}", status.as_u16());
    match status.as_u16() {
        200..=299 => Ok(()),
        401 | 403 | 404 | 405 | 408 | 425 | 429 => Err(SendError::Later(sentence)),
        400..=499 => Err(SendError::Never(sentence)),
        _ => Err(SendError::Later(sentence)),
    }
}

/// What a failure without an answer means for an SMS: without a connection it has not left;
/// afterwards it may have, and is not paid for twice. The error's own words are not used, as
/// they repeat the address.
pub(super) fn unanswered_sms(provider: &str, error: &reqwest::Error) -> SendError {
    if error.is_connect() {
        SendError::Later(format!("{provider} cannot be reached"))
    } else {
        SendError::Never(format!("{provider} did not answer; the SMS may have left"))
    }
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost"
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}
