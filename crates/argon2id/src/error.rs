use crate::Form;

/// Why nothing was hashed. Everything is checked before any work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// RFC 9106 §3.1: 8 KiB at least for every lane.
    #[error("every lane needs 8 KiB of memory")]
    TooLittleMemory,
    /// RFC 9106 §3.1: one at least.
    #[error("there must be one pass at least")]
    NoPass,
    /// RFC 9106 §3.1: 1 to 2^24 - 1.
    #[error("there must be 1 to 2^24 - 1 lanes")]
    Lanes,
    /// RFC 9106 §3.1 for the output; 8 bytes at least of salt, as every implementation asks;
    /// 2^32 - 1 at most of everything.
    #[error("the {0} is too short or too long")]
    Length(&'static str),
    /// The processor lacks what this form is written for.
    #[error("this processor cannot run the form {0}")]
    FormUnavailable(Form),
    /// [`crate::Arena::reserve`] comes first.
    #[error("the arena has {has_kib} KiB, {needs_kib} are needed")]
    ArenaTooSmall {
        /// What the parameters ask for.
        needs_kib: u32,
        /// What [`crate::Arena::capacity_kib`] says.
        has_kib: u32,
    },
    /// The system gave no memory.
    #[error("there is no memory for {0} KiB")]
    OutOfMemory(u32),
}
