//! Our Argon2id against the `argon2` crate and against the reference C code, on one core and on
//! both, all contestants in turn within a round.

mod contestants;
mod reference;

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use ironlatch_argon2id::{Arena, Form, Hasher, Params};

use self::contestants::{Costs, Done, ours, usual_crate};
use self::reference::{Compiled, Reference};
use super::parts;
use crate::machine;
use crate::report::{Report, Target, median, rounds};
use crate::terms::Terms;

/// OWASP's first three rows, and RFC 9106 §4's passes over its smaller memory.
const COSTS: [Costs; 4] = [
    Costs::new(19_456, 2, 1),
    Costs::new(12_288, 3, 1),
    Costs::new(47_104, 1, 1),
    Costs::new(65_536, 3, 1),
];
/// What RFC 9106 §4 recommends second.
const LANES: Costs = Costs::new(65_536, 3, 4);
/// What the `argon2` crate has to be beaten at by its double.
const USUAL: Costs = COSTS[0];

pub(crate) fn measure(terms: &Terms, report: &mut Report) -> anyhow::Result<()> {
    let span = terms.slow_window / 5;
    let compiled = Compiled::from_environment()?;
    if compiled.is_none() {
        let because = format!("{} names no folder of its sources", reference::SOURCES);
        report.missing("all that is held against the reference C code", &because);
    }
    for cores in [&[machine::SERVER_CORE][..], &machine::BOTH_CORES] {
        let mut field = Field::on(cores, compiled.as_ref())?;
        for costs in COSTS {
            field.measure(costs, span, report)?;
        }
    }
    lanes(compiled.as_ref(), span, report)?;
    passwords(span, report)
}

/// Who hashes on some cores.
struct Field<'a> {
    cores: &'a [usize],
    forms: Vec<Form>,
    /// One on each core.
    references: Option<Vec<Reference>>,
}

/// What one round saw, per second of processor time: our forms, the crate, the reference.
struct Round {
    forms: Vec<f64>,
    usual: f64,
    reference: Option<f64>,
}

impl<'a> Field<'a> {
    fn on(cores: &'a [usize], compiled: Option<&Compiled>) -> anyhow::Result<Self> {
        let start = |compiled: &Compiled| {
            let each = cores.iter().map(|&core| at(&[core], || compiled.start()));
            each.collect::<anyhow::Result<Vec<_>>>()
        };
        let references = compiled.map(start).transpose()?;
        Ok(Self { cores, forms: Form::available().collect(), references })
    }

    fn measure(&mut self, costs: Costs, span: Duration, report: &mut Report) -> anyhow::Result<()> {
        let measured = rounds(|| self.round(costs, span))?;
        let Costs { memory_kib, passes, lanes, .. } = costs;
        let cores = if self.cores.len() == 1 { "one core" } else { "both cores" };
        let title = format!("m={memory_kib} t={passes} p={lanes}, {cores}");
        report.detail(&self.absolute(&title, &measured));
        let is_usual = memory_kib == USUAL.memory_kib && passes == USUAL.passes;
        for (number, form) in self.forms.iter().enumerate() {
            let target = |asked: bool, least| {
                // The best form comes first.
                if asked && number == 0 { Target::AtLeast(least) } else { Target::Nothing }
            };
            let ours = |round: &Round| round.forms.get(number).copied().unwrap_or(f64::NAN);
            let ratios: Vec<f64> = measured.iter().map(|round| ours(round) / round.usual).collect();
            let name = format!("{title}: {form} ÷ argon2 crate");
            report.ratios(&name, target(is_usual, 2.0), &ratios);

            let against = |round: &Round| Some(ours(round) / round.reference?);
            let ratios: Vec<f64> = measured.iter().filter_map(against).collect();
            if !ratios.is_empty() {
                let name = format!("{title}: {form} ÷ reference C");
                report.ratios(&name, target(true, 0.95), &ratios);
            }
        }
        Ok(())
    }

    fn round(&mut self, costs: Costs, span: Duration) -> anyhow::Result<Round> {
        let usual = together(self.cores, || usual_crate(costs, span))?;
        let mut tags = vec![usual.tag];
        let mut forms = Vec::new();
        for &form in &self.forms {
            let done = together(self.cores, || ours(form, costs, span))?;
            tags.push(done.tag);
            forms.push(done.per_cpu_second);
        }
        let mut reference = None;
        if let Some(running) = &mut self.references {
            let done = all_of(running, costs, span)?;
            tags.push(done.tag);
            reference = Some(done.per_cpu_second);
        }
        ensure!(tags.iter().all(|tag| *tag == usual.tag), "{costs:?}: the hashes differ: {tags:?}");
        Ok(Round { forms, usual: usual.per_cpu_second, reference })
    }

    /// Medians of the absolute numbers.
    fn absolute(&self, title: &str, measured: &[Round]) -> String {
        let middle = |rates: Vec<f64>| format!("{:.1}", median(&rates));
        let of_form = |(number, form): (usize, &Form)| {
            let rates = measured.iter().filter_map(|round| round.forms.get(number).copied());
            format!("{form} {}", middle(rates.collect()))
        };
        let mut parts: Vec<String> = self.forms.iter().enumerate().map(of_form).collect();
        let usual = middle(measured.iter().map(|round| round.usual).collect());
        parts.push(format!("argon2 crate {usual}"));
        if self.references.is_some() {
            let rates = measured.iter().filter_map(|round| round.reference).collect();
            parts.push(format!("reference C {}", middle(rates)));
        }
        format!("{title}, hashes for each CPU-second: {}", parts.join(", "))
    }
}

/// Lanes on two threads, by the clock: against the reference on as many, and against one thread.
fn lanes(compiled: Option<&Compiled>, span: Duration, report: &mut Report) -> anyhow::Result<()> {
    let threads = NonZeroUsize::new(machine::BOTH_CORES.len()).context("there are cores")?;
    let (two, one) = (Costs { threads, ..LANES }, LANES);
    let Costs { memory_kib, passes, lanes, .. } = LANES;
    let title = format!("m={memory_kib} t={passes} p={lanes} on two threads");
    let best = |costs| at(&machine::BOTH_CORES, || ours(Form::best(), costs, span));
    let mut running =
        compiled.map(|compiled| at(&machine::BOTH_CORES, || compiled.start())).transpose()?;
    let measured = rounds(|| {
        let (two_threads, one_thread) = (best(two)?, best(one)?);
        let reference = running.as_mut().map(|it| it.hash(two, span)).transpose()?;
        let tags = [Some(one_thread.tag), reference.map(|done| done.tag)];
        ensure!(tags.iter().flatten().all(|tag| *tag == two_threads.tag), "the hashes differ");
        report.detail(&format!("{:.1} hashes/s", two_threads.per_second));
        let against = |done: Done| two_threads.per_second / done.per_second;
        Ok((against(one_thread), reference.map(against)))
    })?;
    let ratios: Vec<f64> = measured.iter().map(|(alone, _)| *alone).collect();
    report.ratios(&format!("{title} ÷ on one"), Target::Nothing, &ratios);
    let ratios: Vec<f64> = measured.iter().filter_map(|(_, reference)| *reference).collect();
    if !ratios.is_empty() {
        report.ratios(&format!("{title} ÷ reference C"), Target::AtLeast(0.95), &ratios);
    }
    Ok(())
}

/// Whether the time tells passwords apart: two of one length, hashed in turn with one salt.
fn passwords(span: Duration, report: &mut Report) -> anyhow::Result<()> {
    let Costs { memory_kib, passes, lanes, .. } = USUAL;
    let params = Params::new(memory_kib, passes, lanes)?;
    let ratios = parts::aside(|| {
        let mut arena = Arena::new();
        arena.reserve(&params)?;
        let mut hash = |password: &[u8]| {
            let begun = Instant::now();
            Hasher::new(params).hash_into(password, &[7; 16], &mut arena, &mut [0; 32])?;
            anyhow::Ok(begun.elapsed().as_secs_f64())
        };
        rounds(|| {
            let begun = Instant::now();
            let (mut ones, mut others) = (Vec::new(), Vec::new());
            while begun.elapsed() < span * 2 {
                ones.push(hash(&[0; 25])?);
                others.push(hash(b"Tr0ub4dor&3-correct-horse")?);
            }
            Ok(median(&ones) / median(&others))
        })
    })?;
    report.ratios("time of one password ÷ of another", Target::Nothing, &ratios);
    Ok(())
}

/// The same on each core at once; rates are added.
fn together(
    cores: &[usize],
    work: impl Fn() -> anyhow::Result<Done> + Sync,
) -> anyhow::Result<Done> {
    let work = &work;
    std::thread::scope(|scope| {
        let start = |&core| {
            scope.spawn(move || {
                machine::stay_on(core)?;
                work()
            })
        };
        let running: Vec<_> = cores.iter().map(start).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, anyhow::Result<Done>>| {
            thread.join().map_err(|_| anyhow::anyhow!("a contestant panicked"))?
        };
        sum(running.into_iter().map(join))
    })
}

/// Each process on its core at once.
fn all_of(running: &mut [Reference], costs: Costs, span: Duration) -> anyhow::Result<Done> {
    std::thread::scope(|scope| {
        let start = |reference| scope.spawn(move || Reference::hash(reference, costs, span));
        let threads: Vec<_> = running.iter_mut().map(start).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, anyhow::Result<Done>>| {
            thread.join().map_err(|_| anyhow::anyhow!("nobody heard the reference"))?
        };
        sum(threads.into_iter().map(join))
    })
}

fn sum(each: impl Iterator<Item = anyhow::Result<Done>>) -> anyhow::Result<Done> {
    let all: Vec<Done> = each.collect::<anyhow::Result<_>>()?;
    let tag = all.first().context("nobody hashed")?.tag;
    ensure!(all.iter().all(|done| done.tag == tag), "the hashes of two cores differ");
    Ok(Done {
        per_second: all.iter().map(|done| done.per_second).sum(),
        per_cpu_second: all.iter().map(|done| done.per_cpu_second).sum(),
        tag,
    })
}

/// Runs something, and starts whatever it starts, on certain cores.
fn at<T: Send>(
    cores: &[usize],
    work: impl FnOnce() -> anyhow::Result<T> + Send,
) -> anyhow::Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            machine::stay_among(cores)?;
            work()
        });
        thread.join().map_err(|_| anyhow::anyhow!("a contestant panicked"))?
    })
}
