//! What was measured, beside what is asked for.

use crate::terms::ROUNDS;

/// What is asked of a figure.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
    /// Nothing: it is shown.
    Nothing,
}

/// Everything measured in one run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    lines: Vec<String>,
    short: usize,
}

impl Report {
    /// Announces a group of figures.
    #[expect(clippy::unused_self, reason = "everything that is printed goes through the report")]
    pub(crate) fn begin(&self, name: &str) {
        println!("\n{name}");
    }

    /// Notes a figure measured several times; its median counts.
    pub(crate) fn ratios(&mut self, name: &str, target: Target, ratios: &[f64]) {
        let (least, most) = bounds(ratios);
        let spread = format!("median of {}, {least:.3} to {most:.3}", ratios.len());
        self.figure(name, target, median(ratios), &spread);
    }

    /// Notes a figure. Numbers far from one are shown with fewer digits.
    pub(crate) fn figure(&mut self, name: &str, target: Target, value: f64, how: &str) {
        let (met, asked) = match target {
            Target::AtLeast(least) => (Some(value >= least), format!("≥ {least}")),
            Target::AtMost(most) => (Some(value <= most), format!("≤ {most}")),
            Target::Nothing => (None, String::new()),
        };
        let shown = if value >= 20.0 { format!("{value:.1}") } else { format!("{value:.3}") };
        let verdict = met.map_or("", |met| if met { "met" } else { "SHORT" });
        self.short += usize::from(met == Some(false));
        let line = format!("{name:<58} {shown:>8}  {asked:<7} {verdict:<5}  ({how})");
        println!("  {line}");
        self.lines.push(line);
    }

    /// Notes a figure that could not be had.
    pub(crate) fn missing(&mut self, name: &str, because: &str) {
        let line = format!("{name:<58} {:>8}  {because}", "-");
        println!("  {line}");
        self.lines.push(line);
    }

    /// Shows an absolute number that a ratio was made of; it is no figure.
    #[expect(clippy::unused_self, reason = "everything that is printed goes through the report")]
    pub(crate) fn detail(&self, text: &str) {
        println!("    {text}");
    }

    /// Repeats all figures in one place.
    pub(crate) fn print_summary(&self) {
        println!("\n{} figures, {} short of their target:", self.lines.len(), self.short);
        for line in &self.lines {
            println!("{line}");
        }
    }
}

/// Measures five times.
pub(crate) fn rounds<T>(mut measure: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<Vec<T>> {
    (0..ROUNDS).map(|_| measure()).collect()
}

/// The middle one; of an even number, the lower of the two.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

fn bounds(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), &value| {
        (least.min(value), most.max(value))
    })
}
