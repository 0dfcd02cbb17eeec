//! Probes at fixed moments, whether earlier ones have been answered or not (an open loop), so
//! that a server that stalls cannot slow its own examination down.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use crate::load::{Connection, status};
use crate::requests::Requests;

/// Between two probes: a hundred a second.
const BEAT: Duration = Duration::from_millis(10);
/// Connections at hand; more are opened when all wait for an answer.
const AT_HAND: usize = 16;

struct Lane {
    connection: Connection,
    /// When the probe on its way should have been sent.
    due: Option<Instant>,
}

/// Sends so many probes and answers how long each took, counted from when it was due.
pub(crate) fn run(
    address: SocketAddr,
    requests: &Requests,
    probes: u32,
) -> anyhow::Result<Vec<Duration>> {
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    let mut lanes = Vec::new();
    for _ in 0..AT_HAND {
        add(address, &epoll, &mut lanes)?;
    }
    let mut took = Vec::new();
    let mut sent = 0;
    let start = Instant::now();
    let wanted = usize::try_from(probes)?;
    while took.len() < wanted {
        let due = start + BEAT * sent;
        if sent < probes && Instant::now() >= due {
            sent += 1;
            send(address, &epoll, &mut lanes, requests, due)?;
            continue;
        }
        let wait = if sent < probes { until_near(due) } else { Duration::from_millis(100) };
        let mut events = [Event { flags: EventFlags::empty(), data: EventData::new_u64(0) }; 16];
        let count = epoll::wait(&epoll, &mut events, Some(&Timespec::try_from(wait)?))?;
        for event in events.iter().take(count) {
            let lane = lanes.get_mut(usize::try_from(event.data.u64())?);
            let lane = lane.context("an event of no connection")?;
            let Some(answer) = lane.connection.receive()? else { continue };
            ensure!(status(answer) == requests.wished, "a probe got status {}", status(answer));
            took.extend(lane.due.take().map(|due| due.elapsed()));
        }
        ensure!(
            start.elapsed() < BEAT * probes + Duration::from_secs(30),
            "probes stay unanswered"
        );
    }
    Ok(took)
}

/// How long may be slept before a probe is due: the kernel counts this wait in whole
/// milliseconds, and a probe that is sent late looks like a slow answer.
fn until_near(due: Instant) -> Duration {
    due.saturating_duration_since(Instant::now()).saturating_sub(Duration::from_millis(2))
}

fn add(
    address: SocketAddr,
    epoll: &impl std::os::fd::AsFd,
    lanes: &mut Vec<Lane>,
) -> anyhow::Result<()> {
    let connection = Connection::open(address)?;
    connection.watch(epoll, lanes.len().try_into()?)?;
    lanes.push(Lane { connection, due: None });
    Ok(())
}

fn send(
    address: SocketAddr,
    epoll: &impl std::os::fd::AsFd,
    lanes: &mut Vec<Lane>,
    requests: &Requests,
    due: Instant,
) -> anyhow::Result<()> {
    if lanes.iter().all(|lane| lane.due.is_some()) {
        add(address, epoll, lanes)?;
    }
    let idle = lanes.iter_mut().find(|lane| lane.due.is_none());
    let lane = idle.context("no connection is idle")?;
    lane.due = Some(due);
    lane.connection.send(requests.next())
}

/// The time that 99 of 100 do not exceed, in milliseconds.
pub(crate) fn p99(took: &[Duration]) -> f64 {
    let mut sorted = took.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len() * 99).div_ceil(100).saturating_sub(1);
    sorted.get(at).map_or(f64::NAN, |took| took.as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_hundred_the_second_longest_is_the_p99() {
        let took: Vec<_> = (1..=100).map(Duration::from_millis).collect();
        assert!((p99(&took) - 99.0).abs() < 1e-9);
    }
}
