//! A queue in which networks take turns, so that who sends much waits for their own work, not
//! others for theirs.

use std::collections::{HashMap, VecDeque};

use crate::client::Network;

/// Work that waits, by network; each network's own in the order it came.
pub(super) struct FairQueue<T> {
    waiting: HashMap<Network, VecDeque<T>>,
    /// Networks with something waiting, the next one first.
    turns: VecDeque<Network>,
    /// At `n`: how many networks have more than `n` pieces waiting. Tells anybody's place in the
    /// queue without a walk over all networks, so that a flood is turned away cheaply.
    with_more_than: Vec<usize>,
    length: usize,
}

impl<T> FairQueue<T> {
    pub(super) fn new() -> Self {
        Self {
            waiting: HashMap::new(),
            turns: VecDeque::new(),
            with_more_than: Vec::new(),
            length: 0,
        }
    }

    /// How many pieces wait.
    pub(super) const fn len(&self) -> usize {
        self.length
    }

    /// How many pieces go before the next one of this network: its own, and of every other
    /// network as many as it will have had turns by then.
    pub(super) fn ahead_of(&self, network: Network) -> usize {
        self.with_more_than.iter().take(self.waiting_of(network) + 1).sum()
    }

    /// Adds a piece behind this network's others.
    pub(super) fn push(&mut self, network: Network, piece: T) {
        let own = self.waiting.entry(network).or_default();
        if own.is_empty() {
            self.turns.push_back(network);
        }
        match self.with_more_than.get_mut(own.len()) {
            Some(networks) => *networks += 1,
            None => self.with_more_than.push(1),
        }
        own.push_back(piece);
        self.length += 1;
    }

    /// Takes the next piece; its network goes to the end of the turns.
    pub(super) fn pop(&mut self) -> Option<T> {
        let network = self.turns.pop_front()?;
        let own = self.waiting.get_mut(&network)?;
        let piece = own.pop_front()?;
        let left = own.len();
        if left == 0 {
            self.waiting.remove(&network);
        } else {
            self.turns.push_back(network);
        }
        self.one_less(left);
        Some(piece)
    }

    /// Makes room for this network at the cost of the one with the most waiting: takes its
    /// latest piece away. `None` when nobody has two more waiting than this network.
    pub(super) fn shed_for(&mut self, network: Network) -> Option<T> {
        if !self.can_shed_for(network) {
            return None;
        }
        let most = self.with_more_than.len();
        let own = self.waiting.values_mut().find(|own| own.len() == most)?;
        let piece = own.pop_back()?;
        // More than one was there, so the network keeps its turn.
        self.one_less(most - 1);
        Some(piece)
    }

    /// Whether some network has at least two pieces more waiting than this one.
    pub(super) fn can_shed_for(&self, network: Network) -> bool {
        self.with_more_than.len() > self.waiting_of(network) + 1
    }

    fn waiting_of(&self, network: Network) -> usize {
        self.waiting.get(&network).map_or(0, VecDeque::len)
    }

    fn one_less(&mut self, left: usize) {
        if let Some(networks) = self.with_more_than.get_mut(left) {
            *networks -= 1;
        }
        while self.with_more_than.last() == Some(&0) {
            self.with_more_than.pop();
        }
        self.length -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use proptest::prelude::*;

    use super::*;

    fn network(last: u8) -> Network {
        Network::of(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)))
    }

    #[test]
    fn networks_take_turns() {
        let mut queue = FairQueue::new();
        for piece in ["a1", "a2", "a3"] {
            queue.push(network(1), piece);
        }
        queue.push(network(2), "b1");
        assert_eq!(queue.ahead_of(network(1)), 4);
        assert_eq!(queue.ahead_of(network(2)), 3);
        assert_eq!(queue.ahead_of(network(3)), 2);
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, ["a1", "b1", "a2", "a3"]);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn room_is_made_at_the_cost_of_who_has_most_waiting() {
        let mut queue = FairQueue::new();
        for piece in ["a1", "a2", "a3"] {
            queue.push(network(1), piece);
        }
        assert_eq!(queue.shed_for(network(1)), None);
        assert_eq!(queue.shed_for(network(2)), Some("a3"));
        queue.push(network(2), "b1");
        assert_eq!(queue.shed_for(network(2)), None, "two against two is no injustice");
        assert_eq!(queue.shed_for(network(3)), Some("a2"));
    }

    proptest! {
        /// Against a plain walk over everything that waits.
        #[test]
        fn the_counts_hold_whatever_happens(acts in prop::collection::vec((0..3_u8, 0..4_u8), 0..200)) {
            let mut queue = FairQueue::new();
            let mut waiting = [0_usize; 4];
            for (act, who) in acts {
                match act {
                    0 => {
                        queue.push(network(who), who);
                        waiting[usize::from(who)] += 1;
                    }
                    1 => {
                        let popped = queue.pop();
                        prop_assert_eq!(popped.is_none(), waiting.iter().all(|n| *n == 0));
                        if let Some(popped) = popped {
                            waiting[usize::from(popped)] -= 1;
                        }
                    }
                    _ => {
                        let most = waiting.iter().copied().max().unwrap();
                        let shed = queue.shed_for(network(who));
                        prop_assert_eq!(shed.is_some(), most > waiting[usize::from(who)] + 1);
                        if let Some(shed) = shed {
                            prop_assert_eq!(waiting[usize::from(shed)], most);
                            waiting[usize::from(shed)] -= 1;
                        }
                    }
                }
                prop_assert_eq!(queue.len(), waiting.iter().sum::<usize>());
                for who in 0..4_u8 {
                    let turns = waiting[usize::from(who)] + 1;
                    let ahead = waiting.iter().map(|n| (*n).min(turns)).sum::<usize>();
                    prop_assert_eq!(queue.ahead_of(network(who)), ahead);
                }
            }
        }
    }
}
