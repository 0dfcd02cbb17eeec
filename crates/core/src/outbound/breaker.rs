//! The breaker of one line: a provider that does not answer is left alone for a while.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::time::Timestamp;

/// Counts failures in a row. Closed, everybody passes; open, nobody; afterwards one probe.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    opened_at: Option<Timestamp>,
    is_probed: bool,
}

/// The right to ask once. What it came to is told by [`Pass::succeeded`] or [`Pass::failed`];
/// dropped, it says nothing, and another may probe.
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
}

impl Breaker {
    /// Lets somebody pass, or says for how long nobody does.
    pub(super) fn admit(&self, now: Timestamp, rest: Duration) -> Result<Pass<'_>, Duration> {
        let mut state = self.lock();
        let Some(opened_at) = state.opened_at else {
            return Ok(Pass { breaker: self, is_probe: false });
        };
        let open_for = now.since(opened_at);
        // A clock set back must not keep it open until that moment comes again.
        if now >= opened_at && open_for < rest {
            return Err(rest.saturating_sub(open_for));
        }
        if state.is_probed {
            return Err(Duration::from_secs(1));
        }
        state.is_probed = true;
        Ok(Pass { breaker: self, is_probe: true })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// The provider answered.
    pub(super) fn succeeded(self) {
        let mut state = self.breaker.lock();
        // Those who passed before it opened do not close it; the probe does.
        if self.is_probe || state.opened_at.is_none() {
            *state = State::default();
        }
    }

    /// The provider did not answer; true when that opens the breaker.
    pub(super) fn failed(self, now: Timestamp, most: u32) -> bool {
        let mut state = self.breaker.lock();
        if state.opened_at.is_some() && !self.is_probe {
            return false;
        }
        state.failures = state.failures.saturating_add(1);
        let opens = self.is_probe || state.failures >= most;
        if opens {
            state.opened_at = Some(now);
        }
        opens
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.is_probe {
            self.breaker.lock().is_probed = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{hours, seconds};

    const NOW: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);
    const REST: Duration = seconds(30);

    fn opened() -> Breaker {
        let breaker = Breaker::default();
        for n in 1..=5 {
            assert_eq!(breaker.admit(NOW, REST).ok().unwrap().failed(NOW, 5), n == 5);
        }
        breaker
    }

    #[test]
    fn r12_it_opens_after_failures_in_a_row_and_one_probes() {
        let breaker = opened();
        assert_eq!(breaker.admit(NOW, REST).err(), Some(REST));
        assert_eq!(breaker.admit(NOW.plus(seconds(29)), REST).err(), Some(seconds(1)));
        let later = NOW.plus(REST);
        let probe = breaker.admit(later, REST).ok().unwrap();
        assert_eq!(breaker.admit(later, REST).err(), Some(seconds(1)), "one at a time");
        assert!(probe.failed(later, 5), "one failure of the probe is enough");
        assert!(breaker.admit(later, REST).is_err());
        let probe = breaker.admit(later.plus(REST), REST).ok().unwrap();
        probe.succeeded();
        let two = [breaker.admit(later.plus(REST), REST), breaker.admit(later.plus(REST), REST)];
        assert!(two.iter().all(Result::is_ok), "closed");
    }

    #[test]
    fn a_success_between_failures_counts_anew() {
        let breaker = Breaker::default();
        for _ in 0..10 {
            for _ in 0..4 {
                assert!(!breaker.admit(NOW, REST).ok().unwrap().failed(NOW, 5));
            }
            breaker.admit(NOW, REST).ok().unwrap().succeeded();
        }
    }

    #[test]
    fn those_who_come_late_neither_close_it_nor_keep_it_open() {
        let breaker = Breaker::default();
        let [late, later] = [(); 2].map(|()| breaker.admit(NOW, REST).ok().unwrap());
        for _ in 0..5 {
            breaker.admit(NOW, REST).ok().unwrap().failed(NOW, 5);
        }
        late.succeeded();
        assert!(breaker.admit(NOW, REST).is_err());
        assert!(!later.failed(NOW.plus(seconds(20)), 5));
        assert!(breaker.admit(NOW.plus(REST), REST).is_ok());
    }

    #[test]
    fn a_probe_whose_asker_is_gone_leaves_the_turn_to_another() {
        let breaker = opened();
        drop(breaker.admit(NOW.plus(REST), REST));
        assert!(breaker.admit(NOW.plus(REST), REST).is_ok());
    }

    #[test]
    fn h23_a_clock_set_back_does_not_keep_it_open() {
        let breaker = opened();
        assert!(breaker.admit(NOW.minus(hours(1)), REST).is_ok());
    }
}
