//! Where people came from, as a table or as CSV. What strangers made up stays text in both:
//! terminals get no control characters, spreadsheets no formulas.

use std::borrow::Cow;
use std::io::Write;

use anyhow::bail;
use ironlatch_core::Auth;
use ironlatch_core::sources::{Registration, Report, ReportError, Wish, WishProblem};

use crate::cli::{PeriodReport, ReportForm, Sources};

/// What a report says, ready to be written.
struct Sheet {
    heads: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    /// Columns that are numbers, so set to the right.
    numbers: usize,
}

/// Prints a report.
pub(crate) async fn report(wanted: Sources, auth: &Auth) -> anyhow::Result<()> {
    let (wish, as_csv) = match &wanted {
        Sources::Top(form) => (wish(None, form), form.csv),
        Sources::Period(report) | Sources::Daily(report) | Sources::Conversion(report) => {
            (wish(Some(report), &report.form), report.form.csv)
        }
    };
    let (sheet, is_cut) = match sheet(&wanted, &wish, auth).await {
        Ok(sheet) => sheet,
        Err(ReportError::Wish(WishProblem::Limit)) => bail!("--limit takes 1 to 1000"),
        Err(ReportError::Wish(WishProblem::Reversed)) => bail!("--from lies after --to"),
        Err(ReportError::Wish(WishProblem::TooLong)) => {
            bail!("a period has at most 400 days: move --from or --to")
        }
        Err(ReportError::Internal(cause)) => return Err(cause.into()),
    };
    let mut out = std::io::stdout().lock();
    if as_csv {
        sheet.write_csv(&mut out)?;
    } else {
        sheet.write_table(&mut out)?;
    }
    if is_cut {
        eprintln!("There are more rows; --limit takes up to 1000.");
    }
    Ok(())
}

fn wish(period: Option<&PeriodReport>, form: &ReportForm) -> Wish {
    Wish {
        from: period.and_then(|period| period.from),
        to: period.and_then(|period| period.to),
        limit: form.limit,
        include_inactive: form.include_inactive,
    }
}

async fn sheet(wanted: &Sources, wish: &Wish, auth: &Auth) -> Result<(Sheet, bool), ReportError> {
    let sources = auth.sources();
    Ok(match wanted {
        Sources::Top(_) | Sources::Period(_) => {
            let report = match wanted {
                Sources::Top(_) => sources.top(wish).await?,
                _ => sources.over_period(wish).await?,
            };
            of(&report, &["name", "url", "users", "sign-ups"], |row| {
                named(&row.source, &[row.users.to_string(), row.sign_ups.to_string()])
            })
        }
        Sources::Daily(_) => {
            let report = sources.daily(wish).await?;
            of(&report, &["day", "name", "url", "sign-ups"], |row| {
                let mut cells = vec![row.day.to_string()];
                cells.extend(named(&row.source, &[row.sign_ups.to_string()]));
                cells
            })
        }
        Sources::Conversion(_) => {
            let report = sources.conversion(wish).await?;
            of(&report, &["name", "url", "requested", "verified", "ratio"], |row| {
                let ratio = row.ratio().map(|ratio| format!("{ratio:.3}")).unwrap_or_default();
                named(&row.source, &[row.requested.to_string(), row.verified.to_string(), ratio])
            })
        }
    })
}

fn of<T>(
    report: &Report<T>,
    heads: &[&'static str],
    cells: impl Fn(&T) -> Vec<String>,
) -> (Sheet, bool) {
    let texts = ["day", "name", "url"];
    let numbers = heads.iter().filter(|head| !texts.contains(head)).count();
    let rows = report.rows.iter().map(cells).collect();
    (Sheet { heads: heads.to_vec(), rows, numbers }, report.is_cut)
}

fn named(source: &Registration, counts: &[String]) -> Vec<String> {
    let texts = [source.display_name().to_owned(), source.url.clone()];
    texts.into_iter().chain(counts.iter().cloned()).collect()
}

impl Sheet {
    /// Columns side by side, numbers to the right.
    fn write_table(&self, out: &mut impl Write) -> std::io::Result<()> {
        let heads: Vec<String> = self.heads.iter().map(|head| (*head).to_owned()).collect();
        let lines: Vec<Vec<String>> = std::iter::once(&heads)
            .chain(&self.rows)
            .map(|row| row.iter().map(|cell| printable(cell)).collect())
            .collect();
        let widths: Vec<usize> = (0..heads.len())
            .map(|column| {
                let cells = lines.iter().filter_map(|line| line.get(column));
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        for line in &lines {
            let mut text = String::new();
            for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
                let is_number = column + self.numbers >= heads.len();
                let cell =
                    if is_number { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
                text.push_str(if column == 0 { "" } else { "  " });
                text.push_str(&cell);
            }
            writeln!(out, "{}", text.trim_end())?;
        }
        Ok(())
    }

    fn write_csv(&self, out: &mut impl Write) -> anyhow::Result<()> {
        let mut writer =
            csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
        writer.write_record(&self.heads)?;
        for row in &self.rows {
            writer.write_record(row.iter().map(|cell| no_formula(cell).into_owned()))?;
        }
        writer.flush()?;
        Ok(())
    }
}

/// A cell that spreadsheets would run as a formula begins with an apostrophe instead (OWASP,
/// CSV Injection).
fn no_formula(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        format!("'{cell}").into()
    } else {
        cell.into()
    }
}

fn printable(cell: &str) -> String {
    cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(rows: &[[&str; 3]]) -> Sheet {
        let row = |row: &[&str; 3]| row.iter().map(|cell| (*cell).to_owned()).collect();
        Sheet {
            heads: vec!["name", "url", "users"],
            rows: rows.iter().map(row).collect(),
            numbers: 1,
        }
    }

    #[test]
    fn tables_are_aligned_and_hold_no_control_characters() {
        let sheet = sheet(&[
            ["Facebook", "https://a.example", "7"],
            ["\u{1b}[31mred\r\nroot", "https://b.example/longer", "1000"],
        ]);
        let mut out = Vec::new();
        sheet.write_table(&mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        name            url                       users
        Facebook        https://a.example             7
         [31mred  root  https://b.example/longer   1000
        ");
    }

    #[test]
    fn csv_holds_no_formulas() {
        let sheet = sheet(&[
            ["=HYPERLINK(\"https://evil.example\")", "https://a.example?utm_source=%3D1", "7"],
            ["+1", "-1", "@x"],
            ["\tx", "a,b", "a\"b"],
        ]);
        let mut out = Vec::new();
        sheet.write_csv(&mut out).unwrap();
        let lines: Vec<_> = std::str::from_utf8(&out).unwrap().split("\r\n").collect();
        assert_eq!(
            lines,
            [
                "name,url,users",
                "\"'=HYPERLINK(\"\"https://evil.example\"\")\",https://a.example?utm_source=%3D1,7",
                "'+1,'-1,'@x",
                "'\tx,\"a,b\",\"a\"\"b\"",
                "",
            ]
        );
    }
}
