//! Which costs of Argon2id fit a time: RFC 9106 §4 and OWASP's Password Storage Cheat Sheet,
//! with this machine's own figures.

use std::time::Duration;

use ironlatch_core::credentials::password::Costs;
use ironlatch_core::settings::PasswordSettings;

/// The shortest and the longest time that can be asked for. A core is taken for as long, and
/// somebody waits.
const TIMES: [Duration; 2] = [Duration::from_millis(1), Duration::from_secs(1)];
/// The memory that RFC 9106 §4 advises where 2 GiB cannot be had.
const RFC_MEMORY_KIB: u32 = 65_536;
/// The RFC's second recommended option, for those who do not choose.
pub(super) const RFC_SECOND: Costs = Costs { memory_kib: RFC_MEMORY_KIB, passes: 3, lanes: 4 };
/// What the configuration takes at most: memory times passes.
const MOST_WORK_KIB: u32 = 1_048_576;

/// Reads a time such as `50ms`.
pub(crate) fn target(text: &str) -> Result<Duration, String> {
    let [least, most] = TIMES;
    let read = || {
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
        let number: u64 = number.parse().ok()?;
        match unit {
            "ms" => Some(Duration::from_millis(number)),
            "s" => Some(Duration::from_secs(number)),
            _ => None,
        }
    };
    read()
        .filter(|time| (least..=most).contains(time))
        .ok_or_else(|| "must be a time of 1ms to 1s, such as 50ms".to_owned())
}

/// OWASP's rows, all equally strong: none weaker should be used.
pub(super) fn owasp() -> impl Iterator<Item = Costs> {
    let row = |(passes, memory_kib)| Costs { memory_kib, passes, lanes: 1 };
    PasswordSettings::OWASP_LEAST.into_iter().map(row)
}

/// The most that fits: first as much memory as RFC 9106 §4 advises, then as many passes as there
/// is time for; where that is not one, the rows of OWASP from the largest down, each with its own
/// passes at least. With what it takes; nothing when not even OWASP's least fits.
pub(super) fn suggestion<E>(
    target: Duration,
    mut takes: impl FnMut(Costs) -> Result<Duration, E>,
) -> Result<Option<(Costs, Duration)>, E> {
    let rfc = Costs { memory_kib: RFC_MEMORY_KIB, passes: 1, lanes: 1 };
    for least in std::iter::once(rfc).chain(owasp()) {
        let took = takes(least)?;
        if took > target {
            continue;
        }
        let most = MOST_WORK_KIB / least.memory_kib;
        let (mut best, mut passes) = ((least, took), passes_in(target, least, took).min(most));
        // The first blocks and the end are not paid again by each pass: a guess is tried.
        while passes > best.0.passes {
            let costs = Costs { passes, ..least };
            let took = takes(costs)?;
            if took <= target {
                best = (costs, took);
            }
            passes -= 1;
        }
        return Ok(Some(best));
    }
    Ok(None)
}

fn passes_in(target: Duration, measured: Costs, took: Duration) -> u32 {
    let fit = target.as_secs_f64() / took.as_secs_f64() * f64::from(measured.passes);
    #[expect(clippy::cast_possible_truncation, reason = "saturates, and is bounded by the caller")]
    #[expect(clippy::cast_sign_loss, reason = "times are not negative")]
    let passes = fit as u32;
    passes
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// A machine on which a MiB and pass takes so many microseconds.
    fn suggested(target_ms: u64, micros: u32) -> Option<(u32, u32)> {
        let takes = |costs: Costs| {
            let micros = u64::from(costs.memory_kib) * u64::from(costs.passes) * u64::from(micros);
            Ok::<_, Infallible>(Duration::from_micros(micros / 1_024))
        };
        let Ok(found) = suggestion(Duration::from_millis(target_ms), takes);
        found.map(|(costs, took)| {
            assert!(took <= Duration::from_millis(target_ms) && costs.lanes == 1);
            (costs.memory_kib, costs.passes)
        })
    }

    #[test]
    fn the_most_is_suggested_that_fits() {
        assert_eq!(suggested(50, 200), Some((65_536, 3)));
        assert_eq!(suggested(26, 200), Some((65_536, 2)));
        assert_eq!(suggested(13, 200), Some((65_536, 1)));
        assert_eq!(suggested(10, 200), Some((47_104, 1)));
        // 47,104 KiB take 9.2 ms, 19,456 twice take 7.6.
        assert_eq!(suggested(8, 200), Some((19_456, 2)));
        assert_eq!(suggested(7, 200), Some((7_168, 5)));
    }

    #[test]
    fn nothing_below_owasps_least_is_suggested_and_nothing_the_configuration_refuses() {
        assert_eq!(suggested(6, 200), None);
        assert_eq!(suggested(1_000, 1), Some((65_536, 16)));
        for micros in [50, 200, 900, 4_000] {
            for target_ms in 1..=1_000 {
                let Some((memory_kib, passes)) = suggested(target_ms, micros) else { continue };
                assert!(memory_kib * passes <= MOST_WORK_KIB);
                let stronger =
                    |least: Costs| passes >= least.passes && memory_kib >= least.memory_kib;
                assert!(owasp().any(stronger), "{memory_kib} {passes}");
            }
        }
    }

    #[test]
    fn a_target_is_a_time_somebody_can_wait() {
        assert_eq!(target("50ms"), Ok(Duration::from_millis(50)));
        assert_eq!(target("1s"), Ok(Duration::from_secs(1)));
        for bad in ["", "0ms", "0s", "2s", "1001ms", "50", "ms", "-5ms", "5 ms", "0.5s", "1m"] {
            assert!(target(bad).is_err(), "{bad}");
        }
        assert!(target("99999999999999999999ms").is_err());
    }
}
