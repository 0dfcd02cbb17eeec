//! The failure a caller can do nothing about, and the one it can wait out.

/// Something of ours went wrong. The text is for the log; a client never sees it.
#[derive(Debug, thiserror::Error)]
pub enum InternalError {
    /// The database (or its disk) cannot serve now; trying again later may work. Answered 503.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// A fault of the program or of its data. Answered 500.
    #[error("{0}")]
    Fault(String),
}

impl InternalError {
    /// A fault with a sentence for the log.
    pub fn fault(what: impl std::fmt::Display) -> Self {
        Self::Fault(what.to_string())
    }

    /// The database or the disk is away for now.
    pub fn unavailable(why: impl std::fmt::Display) -> Self {
        Self::Unavailable(why.to_string())
    }
}
