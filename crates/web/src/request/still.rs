//! Who was signed in when the head of a request was read, to be looked at again when its body has
//! come: a session may end while somebody holds a body back (attack D04).

use http::Extensions;
use http::request::Parts;
use ironlatch_core::Auth;
use ironlatch_core::sessions::Present;

use crate::app::App;
use crate::problem::Problem;

/// Somebody who passed every check a while ago.
#[derive(Clone)]
pub(crate) struct StillHere {
    auth: Auth,
    present: Present,
}

impl StillHere {
    /// Remembers with a request that changes something who sends it.
    pub(crate) fn remember(parts: &mut Parts, app: &App, present: &Present) {
        if !parts.method.is_safe() {
            let still = Self { auth: app.auth().clone(), present: present.clone() };
            parts.extensions.insert(still);
        }
    }

    /// Whoever a request was remembered with; nobody where nobody need be signed in.
    pub(crate) fn of(extensions: &Extensions) -> Option<Self> {
        extensions.get::<Self>().cloned()
    }

    /// Refuses whose session or account is over by now.
    pub(crate) async fn check(still: Option<Self>) -> Result<(), Problem> {
        match still {
            Some(Self { auth, present }) => Ok(auth.sessions().check_again(&present).await?),
            None => Ok(()),
        }
    }
}
