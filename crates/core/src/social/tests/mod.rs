//! What providers publish: fetched once, kept for a while, never believed beyond that.

mod discovery;
mod jwks;
mod kept;
