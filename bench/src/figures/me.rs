//! `GET /api/auth/me/` for each second of processor time, against a bare handler that gives the
//! same bytes.

use super::Population;
use crate::baseline::Baseline;
use crate::load::{Load, Waiting};
use crate::report::{Report, Target, rounds};
use crate::server::{Server, Wish};
use crate::terms::Terms;

const CLIENTS: usize = 64;

pub(crate) fn measure(terms: &Terms, report: &mut Report) -> anyhow::Result<()> {
    let population = Population::new()?;
    for (access_log, least) in [(false, 0.70), (true, 0.50)] {
        let server = Server::start(&population.store, Wish { access_log, ..Wish::default() })?;
        let request = population.me.next();
        let baseline = Baseline::start(request, &server.ask(request)?)?;
        let load = Load {
            requests: &population.me,
            clients: CLIENTS,
            waiting: Waiting::Awake,
            warm_up: terms.warm_up,
            window: terms.window,
        };
        let measured = rounds(|| {
            let ours = load.measure(server.address, server.process())?;
            let bare = load.measure(baseline.address, baseline.process())?;
            report.detail(&format!(
                "{:.0} for each CPU-second ({:.0}/s), bare {:.0} ({:.0}/s)",
                ours.per_cpu_second, ours.per_second, bare.per_cpu_second, bare.per_second
            ));
            Ok(ours.per_cpu_second / bare.per_cpu_second)
        })?;
        let name = if access_log {
            "me, with the access log ÷ bare handler"
        } else {
            "me ÷ bare handler"
        };
        report.ratios(name, Target::AtLeast(least), &measured);
    }
    Ok(())
}
