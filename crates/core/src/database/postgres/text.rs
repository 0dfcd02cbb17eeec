//! The only place that builds SQL: statements are wrapped, once, so that the server itself
//! enforces *must change* and notes the batch.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::super::Statement;

/// What a statement must do besides its own work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in super::super) struct Duty {
    /// Fail with a division by zero when nothing changed.
    pub(in super::super) must_change: bool,
    /// Answer the `RETURNING` rows.
    pub(in super::super) returning: bool,
    /// Be the whole batch: insert the row of `batches` as well.
    pub(in super::super) alone: bool,
}

type Key = (usize, usize, Duty);

/// Wrapped texts by the address of the original: texts are `&'static`, so their number is
/// bounded by the source.
#[derive(Default)]
pub(super) struct Texts {
    known: RwLock<HashMap<Key, Arc<str>>>,
}

impl Texts {
    pub(super) fn wrapped(&self, statement: &Statement, duty: Duty) -> Arc<str> {
        let sql = statement.sql;
        let key = (sql.as_ptr().addr(), sql.len(), duty);
        if let Some(text) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(text);
        }
        let text: Arc<str> = wrap(sql, statement.values.len(), duty).into();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(key).or_insert(text))
    }
}

/// A guard that stands beside the returned columns without the outer join would never be
/// evaluated when there are no rows, hence `(SELECT 1) AS one LEFT JOIN`.
const GUARDED: &str = "SELECT changed.*, 1 / (SELECT count(*) FROM changed)
       FROM (SELECT 1) AS one LEFT JOIN changed ON true";

pub(in super::super) fn wrap(sql: &str, parameters: usize, duty: Duty) -> String {
    // Line breaks keep a text that ends in a comment from swallowing what follows.
    let batch = format!(
        "INSERT INTO batches (id, created_at) VALUES (${}, ${})",
        parameters + 1,
        parameters + 2
    );
    let returns = has_returning(sql);
    let answer = match duty {
        Duty { must_change: true, .. } => GUARDED,
        Duty { returning: true, .. } if returns => "SELECT changed.* FROM changed",
        Duty { alone: true, .. } => return format!("WITH changed AS (\n{sql}\n) {batch}"),
        _ => return sql.to_owned(),
    };
    let counted = if returns { "" } else { "RETURNING 1 AS one" };
    let noted = if duty.alone { format!(", batch AS ({batch})") } else { String::new() };
    format!("WITH changed AS (\n{sql}\n{counted}){noted} {answer}")
}

/// Whether the word stands in the text, outside literals, quoted names and comments.
fn has_returning(sql: &str) -> bool {
    let mut quoted: Option<char> = None;
    let mut word = String::new();
    let mut previous = ' ';
    for c in sql.chars().chain([' ']) {
        if let Some(end) = quoted {
            if c == end {
                quoted = None;
            }
            previous = ' ';
            continue;
        }
        if c.is_ascii_alphanumeric() || c == '_' {
            word.push(c);
        } else if word.eq_ignore_ascii_case("returning") {
            return true;
        } else {
            word.clear();
        }
        match c {
            '\'' | '"' => quoted = Some(c),
            '-' if previous == '-' => quoted = Some('\n'),
            _ => {}
        }
        previous = c;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{Duty, has_returning, wrap};

    #[test]
    fn returning_is_found_only_as_a_word_of_the_statement() {
        assert!(has_returning("DELETE FROM t WHERE id = $1 RETURNING id"));
        assert!(has_returning("DELETE FROM t\nreturning id"));
        assert!(!has_returning("UPDATE t SET a = 'RETURNING' -- RETURNING\n, returning_id = 1"));
        assert!(!has_returning("UPDATE t SET \"RETURNING\" = 1"));
    }

    #[test]
    fn a_lone_statement_notes_its_batch_and_a_guarded_one_divides() {
        let duty = Duty { must_change: true, returning: true, alone: true };
        let text = wrap("UPDATE t SET a = $1 RETURNING b", 1, duty);
        assert!(text.contains("VALUES ($2, $3)"), "{text}");
        assert!(text.contains("1 / (SELECT count(*) FROM changed)"), "{text}");
        assert!(text.contains("LEFT JOIN changed ON true"), "{text}");
        let plain = Duty { must_change: false, returning: false, alone: false };
        assert_eq!(wrap("UPDATE t SET a = $1", 1, plain), "UPDATE t SET a = $1");
    }
}
