//! Reading a request: who asks, with which proof, from where, and what they say.

pub(crate) mod accept;
pub(crate) mod address;
pub(crate) mod bearer;
pub(crate) mod body;
pub(crate) mod caller;
pub(crate) mod cookies;
pub(crate) mod fields;
pub(crate) mod file;
pub(crate) mod json;
pub(crate) mod next;
pub(crate) mod origin;
pub(crate) mod query;
pub(crate) mod source;
pub(crate) mod still;
