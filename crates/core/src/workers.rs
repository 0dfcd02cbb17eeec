//! Background tasks: starts what each room wants done while nobody asks.

use crate::Auth;

/// Keeps the background tasks alive; [`Workers::stop`] lets them finish what they hold.
pub struct Workers {}

impl Workers {
    /// Starts the feed's poller, the outbox, the sweepers and the keepers of last use.
    #[must_use]
    pub fn start(auth: &Auth) -> Self {
        let _ = auth;
        todo!()
    }

    /// Stops taking new work, releases leases, writes what is kept in memory.
    pub async fn stop(self) {
        todo!()
    }
}
