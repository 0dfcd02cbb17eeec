//! `/accounts/*`: addresses proven by link before the first sign-in, tokens in the body,
//! sessions that one can list and end.

pub(crate) mod protected;
