//! The table, row by row, on both engines; with what a provider says given by the test, and what
//! owners do with their identities.

mod kit;
mod order;
mod owners;
mod races;
mod rows;
mod seen;
