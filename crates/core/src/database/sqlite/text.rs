//! Rewrites parameters for SQLite.

/// `$1` becomes `?1`. To SQLite `$1` is a *name*, numbered by its first use in the text, so
/// `SELECT $2, $1` would silently swap its values; `?1` is a number there as on PostgreSQL.
/// Literals, quoted names and comments stay as they are.
pub(in super::super) fn numbered(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql.char_indices().peekable();
    // What ends the literal, quoted name or comment we are in.
    let mut until: Option<char> = None;
    while let Some((_, c)) = rest.next() {
        let next = rest.peek().map(|(_, next)| *next);
        match until {
            Some(end) if c == end => until = None,
            None if c == '\'' || c == '"' => until = Some(c),
            None if c == '-' && next == Some('-') => until = Some('\n'),
            None if c == '$' && next.is_some_and(|next| next.is_ascii_digit()) => {
                out.push('?');
                continue;
            }
            Some(_) | None => {}
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::numbered;

    #[test]
    fn only_parameters_are_rewritten() {
        assert_eq!(
            numbered("SELECT $2, '$1 it''s $3', \"$4\" -- $5\n, $10 || '$' FROM t"),
            "SELECT ?2, '$1 it''s $3', \"$4\" -- $5\n, ?10 || '$' FROM t",
        );
    }
}
