//! The doors: other systems' contracts, translated to the same services. A door holds no rule:
//! its handlers parse, call what the API calls, and answer in the contract's shapes; what goes
//! wrong is said in the contract's words by what surrounds its routes (`edge`, `problem`).
//!
//! A door's paths exist only where the settings open it.

pub(crate) mod accounts;
pub(crate) mod cfg;
pub(crate) mod otp_session;
pub(crate) mod users;

use http::HeaderMap;
use ironlatch_core::sessions::Door;
use ironlatch_core::sign_in::{Arrival, Previous};

use crate::app::App;
use crate::request::caller::Caller;
use crate::request::cookies::Cookie;

/// How somebody comes through a door: with what their browser still holds of a session there.
pub(crate) fn arrival(app: &App, door: Door, headers: &HeaderMap, caller: Caller) -> Arrival {
    let held = |cookie| app.cookies().read_secret(headers, cookie);
    let previous = match door {
        Door::Users => held(Cookie::Access).map(Previous::Access),
        Door::OtpSession => held(Cookie::Session).map(Previous::Cookie),
        Door::Api | Door::Codes => held(Cookie::Refresh).map(Previous::Refresh),
        // Their clients keep tokens themselves.
        Door::Accounts | Door::Cfg => None,
    };
    let previous = previous.unwrap_or_default();
    Arrival { previous, ..Arrival::new(caller.0).through(door) }
}
