//! The client's address: the socket's, or a trusted proxy's word (RFC 7239, `X-Forwarded-For`).

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::ConnectInfo;
use http::header::FORWARDED;
use http::{Extensions, HeaderMap, HeaderName};
use ipnet::IpNet;

/// The other end of the connection; whoever accepts connections puts it into each request.
/// Without it, axum's `ConnectInfo<SocketAddr>` is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub IpAddr);

impl PeerAddress {
    /// The peer as the request's extensions tell it.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Option<Self> {
        let inserted = extensions.get::<Self>().copied();
        let connected = || Some(Self(extensions.get::<ConnectInfo<SocketAddr>>()?.0.ip()));
        inserted.or_else(connected)
    }
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the client behind `peer`.
///
/// Headers count only as far as trusted proxies vouch for them: the list is read from the right,
/// trusted proxies are passed over, and the first other address is the client. What stands
/// further left anybody can write (CVE-2026-45364).
#[must_use]
pub fn client_address(headers: &HeaderMap, peer: PeerAddress, trusted: &[IpNet]) -> IpAddr {
    let peer = peer.0.to_canonical();
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    if !headers.contains_key(FORWARDED) && !headers.contains_key(X_FORWARDED_FOR) {
        return peer;
    }
    if !is_trusted(&peer) {
        if trusted.is_empty() {
            warn_once();
        }
        return peer;
    }
    let mut client = peer;
    for hop in hops(headers) {
        // A hop nobody can read ends the chain: what lies further left is hearsay.
        let Some(address) = hop.and_then(read_address) else { break };
        client = address;
        if !is_trusted(&client) {
            break;
        }
    }
    client
}

/// The forwarded addresses, the nearest first. `X-Forwarded-For` wins where a proxy sends both:
/// it is the one that proxies append to by default, while `Forwarded` passes through them.
fn hops(headers: &HeaderMap) -> Vec<Option<&str>> {
    let of = |name| headers.get_all(name).iter().map(|value| value.to_str().ok());
    let name = if headers.contains_key(X_FORWARDED_FOR) { X_FORWARDED_FOR } else { FORWARDED };
    let standard = name == FORWARDED;
    let mut hops = Vec::new();
    for value in of(name) {
        let Some(value) = value else {
            hops.push(None);
            continue;
        };
        let each = value.split(',').map(str::trim);
        hops.extend(each.map(|hop| if standard { forwarded_for(hop) } else { Some(hop) }));
    }
    hops.reverse();
    hops
}

/// The `for` parameter of one element of `Forwarded` (RFC 7239 §4).
fn forwarded_for(element: &str) -> Option<&str> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    Some(value.trim().trim_matches('"'))
}

/// An address in any of its spellings, with or without port and brackets, in canonical form.
fn read_address(text: &str) -> Option<IpAddr> {
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let address = match bracketed {
        Some((inside, _port)) => IpAddr::V6(inside.parse::<Ipv6Addr>().ok()?),
        None => match text.parse::<IpAddr>() {
            Ok(address) => address,
            Err(_) => text.parse::<SocketAddr>().ok()?.ip(),
        },
    };
    Some(address.to_canonical())
}

/// Says once that a proxy seems to stand in front and is not trusted: all its clients would
/// share one network's limits.
fn warn_once() {
    static WARNED: AtomicBool = AtomicBool::new(false);
    if !WARNED.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            "a request came with forwarding headers, but no proxy is trusted: if a proxy stands \
             in front, name its network in IRONLATCH_TRUSTED_PROXIES, or all its clients share \
             one address's limits"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(header: &'static str, values: &[&'static str], peer: &str, trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header, http::HeaderValue::from_static(value));
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        client_address(&headers, PeerAddress(peer.parse().unwrap()), &trusted).to_string()
    }

    #[test]
    fn forwarding_headers_count_only_through_trusted_proxies() {
        let xff = "x-forwarded-for";
        let proxy = &["10.0.0.0/8"][..];
        for (values, peer, trusted, client) in [
            (&["1.2.3.4"][..], "9.9.9.9", &[][..], "9.9.9.9"),
            (&["1.2.3.4"], "9.9.9.9", proxy, "9.9.9.9"),
            (&["1.2.3.4"], "10.0.0.1", proxy, "1.2.3.4"),
            (&["6.6.6.6, 1.2.3.4"], "10.0.0.1", proxy, "1.2.3.4"),
            (&["6.6.6.6, 1.2.3.4, 10.0.0.2"], "10.0.0.1", proxy, "1.2.3.4"),
            (&["6.6.6.6", "1.2.3.4"], "10.0.0.1", proxy, "1.2.3.4"),
            (&["6.6.6.6, junk"], "10.0.0.1", proxy, "10.0.0.1"),
            (&["junk, 1.2.3.4"], "10.0.0.1", proxy, "1.2.3.4"),
            (&["10.0.0.3, 10.0.0.2"], "10.0.0.1", proxy, "10.0.0.3"),
            (&[""], "10.0.0.1", proxy, "10.0.0.1"),
        ] {
            assert_eq!(seen(xff, values, peer, trusted), client, "{values:?} from {peer}");
        }
    }

    #[test]
    fn every_spelling_of_an_address_is_the_same_address() {
        let proxy = &["127.0.0.0/8"];
        for (spelling, client) in [
            ("::ffff:1.2.3.4", "1.2.3.4"),
            ("[::ffff:102:304]:443", "1.2.3.4"),
            ("1.2.3.4:5678", "1.2.3.4"),
            ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::0001]:80", "2001:db8::1"),
        ] {
            assert_eq!(seen("x-forwarded-for", &[spelling], "127.0.0.1", proxy), client);
        }
        assert_eq!(seen("x-forwarded-for", &["1.2.3.4"], "::ffff:127.0.0.1", proxy), "1.2.3.4");
    }

    #[test]
    fn the_standard_header_is_read_too() {
        let proxy = &["127.0.0.0/8"];
        for (value, client) in [
            ("for=1.2.3.4", "1.2.3.4"),
            ("for=6.6.6.6, For=\"[2001:db8::1]:47\";proto=https;by=9.9.9.9", "2001:db8::1"),
            ("for=unknown", "127.0.0.1"),
            ("for=1.2.3.4, proto=https", "127.0.0.1"),
        ] {
            assert_eq!(seen("forwarded", &[value], "127.0.0.1", proxy), client, "{value}");
        }
    }
}
