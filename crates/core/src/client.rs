//! Who is asking, as far as the connection tells.

use std::net::{IpAddr, Ipv6Addr};

use crate::ports::Token;

/// The other end of a request: for limits, for the session list, and for notices.
#[derive(Debug, Clone)]
pub struct Client {
    /// The client's address: the socket's, or a trusted proxy's word (`web::request`).
    pub address: IpAddr,
    /// `User-Agent`, cut to 200 characters; shown to the owner, never trusted.
    pub user_agent: String,
    /// The known-device cookie, if one came along.
    pub device: Option<Token>,
}

impl Client {
    /// The network a limit counts: the IPv4 address itself or the IPv6 /64, since one
    /// subscriber has a whole /64 to choose from.
    #[must_use]
    pub fn network(&self) -> Network {
        Network::of(self.address)
    }
}

/// A client network: one IPv4 address or one IPv6 /64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network(IpAddr);

impl Network {
    /// The network an address belongs to; IPv4 in IPv6 clothes counts as IPv4.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => {
                let prefix = v6.to_bits() & !u128::from(u64::MAX);
                Self(IpAddr::V6(Ipv6Addr::from_bits(prefix)))
            }
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            IpAddr::V4(address) => write!(out, "{address}"),
            IpAddr::V6(prefix) => write!(out, "{prefix}/64"),
        }
    }
}
