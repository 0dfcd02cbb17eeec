//! Statements decided beforehand, and batches of them that stand or fall together.

use std::time::Duration;

use super::Value;

/// One SQL statement with its parameters `$1`, `$2`, … in order.
///
/// The text is written once for both engines and never built at run time; a test prepares
/// every one of them on both.
#[derive(Debug, Clone)]
pub struct Statement {
    pub(super) sql: &'static str,
    pub(super) values: Vec<Value>,
    pub(super) must_change: bool,
    pub(super) follows_change: bool,
}

impl Statement {
    /// A statement and its parameters.
    pub fn new(sql: &'static str, values: impl Into<Vec<Value>>) -> Self {
        Self { sql, values: values.into(), must_change: false, follows_change: false }
    }

    /// Its text, for tests that compare what is written.
    #[cfg(test)]
    pub(crate) const fn text(&self) -> &'static str {
        self.sql
    }

    /// If this statement changes no row, the whole batch is undone and the writer gets
    /// [`WriteError::Conflict`](super::WriteError::Conflict).
    #[must_use]
    pub fn must_change(mut self) -> Self {
        self.must_change = true;
        self
    }

    /// Says that this statement has nothing to do unless the one right before it in its batch,
    /// which is no `SELECT`, changed something, and that its text knows that by itself: the
    /// embedded engine, which counts as it goes, then leaves it out. Not for a statement that
    /// must change something: that one is never left out.
    #[must_use]
    pub fn follows_change(mut self) -> Self {
        self.follows_change = true;
        self
    }
}

/// Statements that stand or fall together. At most one of them returns rows.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    pub(super) statements: Vec<Statement>,
    pub(super) returning: Option<usize>,
    pub(super) patience: Duration,
    /// Comes after everything else, whatever is added later.
    last: Vec<Statement>,
}

impl Batch {
    /// An empty batch; writing it does nothing.
    #[must_use]
    pub const fn new() -> Self {
        let patience = Duration::ZERO;
        Self { statements: Vec::new(), returning: None, patience, last: Vec::new() }
    }

    /// Adds a statement at the end.
    pub fn add(&mut self, statement: Statement) {
        self.statements.push(statement);
    }

    /// Adds the statement whose `RETURNING` rows the writer wants back.
    pub fn add_returning(&mut self, statement: Statement) {
        self.returning = Some(self.statements.len());
        self.statements.push(statement);
    }

    /// Statements that come after everything else, in whichever batch they end up: what they
    /// lock is everybody's.
    #[must_use]
    pub(crate) fn at_last(statements: impl IntoIterator<Item = Statement>) -> Self {
        Self { last: statements.into_iter().collect(), ..Self::new() }
    }

    /// The same, with what comes last at the end.
    pub(super) fn in_order(mut self) -> Self {
        self.statements.append(&mut self.last);
        self
    }

    /// The texts as they are run, for tests of their order.
    #[cfg(test)]
    pub(crate) fn texts(self) -> Vec<&'static str> {
        self.in_order().statements.iter().map(Statement::text).collect()
    }

    /// Adds several statements in their order.
    pub fn extend(&mut self, statements: impl IntoIterator<Item = Statement>) {
        self.statements.extend(statements);
    }

    /// Adds another batch's statements at the end, and what came last in it last; what it wanted
    /// back is not asked for.
    pub fn append(&mut self, other: Self) {
        self.statements.extend(other.statements);
        self.last.extend(other.last);
    }

    /// Lets the batch wait so long for others to be committed with it, where a commit costs
    /// more than what is in it: on the embedded engine.
    #[must_use]
    pub const fn patient(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// How long it may wait for others.
    pub(crate) const fn patience(&self) -> Duration {
        self.patience
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty() && self.last.is_empty()
    }
}

impl From<Statement> for Batch {
    fn from(statement: Statement) -> Self {
        Self { statements: vec![statement], ..Self::default() }
    }
}
