//! The real binary, run as an operator runs it.
