//! How many connections each network has: no client takes the places of all others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ironlatch_core::client::Network;

/// What this machine may have at least: load tests, and a proxy that nobody named.
const MOST_LOCAL: usize = 1_024;

/// The connections there are, counted by network.
#[derive(Clone)]
pub(super) struct Networks(Arc<Inner>);

struct Inner {
    most: usize,
    open: Mutex<HashMap<Network, usize>>,
    has_warned: AtomicBool,
}

/// A connection's place among its network's; given back when it is dropped.
pub(super) struct Seat {
    networks: Networks,
    network: Network,
}

impl Networks {
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Inner { most, open: Mutex::default(), has_warned: AtomicBool::new(false) }))
    }

    /// A place for one more connection, unless its network has enough.
    pub(super) fn admit(&self, peer: IpAddr, is_proxy: bool) -> Option<Seat> {
        let most = match peer.to_canonical() {
            _ if is_proxy => usize::MAX,
            local if local.is_loopback() => self.0.most.max(MOST_LOCAL),
            _ => self.0.most,
        };
        let network = Network::of(peer);
        let mut open = self.open();
        let count = open.entry(network).or_default();
        if *count < most {
            *count += 1;
            return Some(Seat { networks: self.clone(), network });
        }
        drop(open);
        if !self.0.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                %network,
                "a network has all the connections it may have: further ones are closed; if it \
                 is your proxy, list it in IRONLATCH_TRUSTED_PROXIES"
            );
        }
        None
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Network, usize>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.networks.open();
        match open.get_mut(&self.network) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(open.remove(&self.network)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_has_so_many_connections_and_no_more() {
        let networks = Networks::new(2);
        let first = networks.admit(address("2001:db8::1"), false).unwrap();
        let _second = networks.admit(address("2001:db8::2"), false).unwrap();
        assert!(networks.admit(address("2001:db8::3"), false).is_none(), "one /64 is one network");
        assert!(networks.admit(address("2001:db8:0:1::1"), false).is_some());
        drop(first);
        let _third = networks.admit(address("2001:db8::3"), false).unwrap();
        assert!(networks.admit(address("2001:db8::1"), false).is_none());
        let v4: Vec<_> =
            ["192.0.2.1", "::ffff:192.0.2.1"].map(|it| networks.admit(address(it), false)).into();
        assert!(networks.admit(address("192.0.2.1"), false).is_none());
        drop(v4);
        assert_eq!(networks.open().len(), 1, "nothing is kept of those that went");
    }

    #[test]
    fn proxies_have_any_number_and_this_machine_many() {
        let networks = Networks::new(1);
        let proxy: Vec<_> =
            (0..2_000).map(|_| networks.admit(address("10.0.0.1"), true).unwrap()).collect();
        let local: Vec<_> =
            (0..MOST_LOCAL).map(|_| networks.admit(address("127.0.0.1"), false).unwrap()).collect();
        assert!(networks.admit(address("127.0.0.1"), false).is_none());
        drop((proxy, local));
        assert!(networks.open().is_empty());
    }
}
