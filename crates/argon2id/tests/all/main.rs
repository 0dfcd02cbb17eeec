//! What the crate promises, from outside.

#![cfg(test)]

mod oracle;
mod refusals;
mod rfc9106;
