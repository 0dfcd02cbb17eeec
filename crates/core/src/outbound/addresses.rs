//! Which addresses may be connected to (OWASP SSRF Prevention Cheat Sheet, case 2; attack F17).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a line takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Addresses of the open internet.
    Public,
    /// Those, private networks and this machine.
    Anywhere,
    /// Private networks and this machine only: what may be asked in the clear.
    Private,
}

/// What an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Of the open internet.
    Public,
    /// Of a private network, or this machine's own.
    Private,
    /// Nobody's server: reserved, multicast, link-local, or a cloud's metadata service, which
    /// hands out the machine's own credentials.
    Never,
}

/// What clouds answer their machines at, besides link-local ones: Azure's platform (a public
/// address), Alibaba's metadata.
const CLOUD_V4: [[u8; 4]; 2] = [[168, 63, 129, 16], [100, 100, 100, 200]];
/// Amazon's metadata.
const CLOUD_V6: [u16; 8] = [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254];

impl Reach {
    /// Whether this address may be connected to.
    pub(super) fn allows(self, address: IpAddr) -> bool {
        match kind(address) {
            Kind::Public => self != Self::Private,
            Kind::Private => self != Self::Public,
            Kind::Never => false,
        }
    }
}

fn kind(address: IpAddr) -> Kind {
    match address {
        IpAddr::V4(address) => kind_v4(address),
        IpAddr::V6(address) => kind_v6(address),
    }
}

/// By the IANA registry of special-purpose addresses (RFC 6890).
fn kind_v4(address: Ipv4Addr) -> Kind {
    match address.octets() {
        here if CLOUD_V4.contains(&here) => Kind::Never,
        [127 | 10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Kind::Private,
        // "This network", link-local (metadata among it), protocol assignments, documentation,
        // the way from 6to4, benchmarks, multicast and what is reserved.
        [0 | 224..=255, ..]
        | [169, 254, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _] => Kind::Never,
        _ => Kind::Public,
    }
}

/// Only `2000::/3` is given out to anybody (RFC 4291 §2.4); addresses that carry one of IPv4 are
/// what that one is, where the system would connect to it.
fn kind_v6(address: Ipv6Addr) -> Kind {
    if address == Ipv6Addr::LOCALHOST {
        return Kind::Private;
    }
    if let Some(mapped) = address.to_ipv4_mapped() {
        return kind_v4(mapped);
    }
    match address.segments() {
        // NAT64 (RFC 6052 §2.1): how networks without IPv4 reach the rest. What it carries must
        // be public: a private one would be private on the translator's side.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let carried = Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
            if kind_v4(carried) == Kind::Public { Kind::Public } else { Kind::Never }
        }
        here if here == CLOUD_V6 => Kind::Never,
        // Unique local (RFC 4193).
        [0xfc00..=0xfdff, ..] => Kind::Private,
        // Teredo, benchmarks, ORCHID and other protocol assignments (`2001::/23`), documentation
        // (`2001:db8::/32`, `3fff::/20`), 6to4.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] | [0x2002, ..] => Kind::Never,
        [0x2000..=0x3fff, ..] => Kind::Public,
        _ => Kind::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(text: &str) -> Kind {
        kind(text.parse().unwrap())
    }

    #[test]
    fn f17_addresses_are_what_they_are() {
        let public =
            ["8.8.8.8", "1.1.1.1", "172.15.0.1", "172.32.0.1", "100.63.0.1", "2606:4700::1"];
        let nat64 = ["64:ff9b::8.8.8.8", "::ffff:8.8.8.8"];
        for text in public.iter().chain(&nat64) {
            assert_eq!(kind_of(text), Kind::Public, "{text}");
        }
        let private = ["127.0.0.1", "127.255.0.9", "10.0.0.1", "172.16.0.1", "172.31.255.255"];
        let more = ["192.168.1.1", "100.64.0.1", "::1", "fd12::1", "::ffff:127.0.0.1"];
        for text in private.iter().chain(&more) {
            assert_eq!(kind_of(text), Kind::Private, "{text}");
        }
        let never = [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "169.254.170.2",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::7f00:1",
            "::ffff:169.254.169.254",
            "::ffff:0:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "fd00:ec2::254",
            "100::1",
            "5f00::1",
        ];
        for text in never {
            assert_eq!(kind_of(text), Kind::Never, "{text}");
        }
    }

    #[test]
    fn f17_each_reach_takes_its_own() {
        let [public, private, metadata] =
            ["9.9.9.9", "10.1.2.3", "169.254.169.254"].map(|text| text.parse::<IpAddr>().unwrap());
        let taken = |reach: Reach| [public, private, metadata].map(|one| reach.allows(one));
        assert_eq!(taken(Reach::Public), [true, false, false]);
        assert_eq!(taken(Reach::Anywhere), [true, true, false]);
        assert_eq!(taken(Reach::Private), [false, true, false]);
    }
}
