//! `/users/*` and `/user/*`: a code before the account exists, a session that is a cookie, and
//! an envelope around every answer.

pub(crate) mod logout;
pub(crate) mod signed_in;
pub(crate) mod who_am_i;
