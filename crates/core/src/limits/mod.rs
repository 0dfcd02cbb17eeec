//! How often: counters that slow guessing down without letting strangers lock owners out.
//!
//! Per-network counters live in memory; per-identifier ones in a table, counted before
//! hashing or comparing and given back on success. A known-device cookie has a counter of its
//! own, so a stranger's failures never block the owner's browser.
//!
//! Owns the table `attempts`.
