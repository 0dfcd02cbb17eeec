//! Sessions that move: the owner is told of each new network once.
//!
//! A client that never stores the refresh tokens it is given shows no theft by the rule of
//! refreshes, so whoever copied its token is only seen by where they use it.

use super::{Sessions, store};
use crate::client::Client;
use crate::database::{Batch, WriteError};
use crate::error::InternalError;
use crate::ids::SessionId;
use crate::messages::Message;
use crate::time::{Timestamp, days};

/// Networks remembered of one session besides the one it began in. With more, the oldest is
/// forgotten and would be news again.
const MOST: usize = 32;
/// A notice that could not be sent for so long is dropped.
const NOTICE_LIFETIME: std::time::Duration = days(3);
/// How often a notice that was overtaken by another one looks again.
const TRIES: usize = 3;

impl Sessions<'_> {
    /// Tells the owner of a session just refreshed from a network that no session of the
    /// account began in and nobody was told of. `networks` are those the session knows, so the
    /// usual refresh costs a comparison. Never spoils the refresh, which is done: what fails is
    /// tried again by the next one.
    pub(super) async fn notice_network(
        &self,
        session: SessionId,
        networks: &str,
        (client, now): (&Client, Timestamp),
    ) {
        let network = client.network().to_string();
        if is_among(networks, &network) {
            return;
        }
        if let Err(error) = self.tell_of_network(session, &network, (client, now)).await {
            tracing::warn!(%error, "the owner is not told of a new network yet");
        }
    }

    async fn tell_of_network(
        &self,
        session: SessionId,
        network: &str,
        (client, now): (&Client, Timestamp),
    ) -> Result<(), InternalError> {
        let database = self.auth.database();
        for _ in 0..TRIES {
            let Some(found) = store::find_networks(database, session, network).await? else {
                return Ok(());
            };
            if found.began_in == network || is_among(&found.later, network) {
                return Ok(());
            }
            let after = with(&found.later, network);
            let mut batch = Batch::from(store::note_networks(session, &found.later, &after));
            if let Some(address) = found.proven_email.filter(|_| !found.is_known) {
                let device = client.user_agent.clone();
                let notice = Message::NewNetwork { at: now, from: network.to_owned(), device };
                let expires_at = now.plus(NOTICE_LIFETIME);
                batch.add(self.auth.messages().queue(&address, &notice, now, expires_at)?);
            }
            match database.write(batch).await {
                Ok(_) => {
                    self.auth.messages().wake();
                    return Ok(());
                }
                Err(WriteError::Conflict { .. }) => {}
                Err(WriteError::Internal(error)) => return Err(error),
            }
        }
        Err(InternalError::unavailable("other refreshes noted their networks at once"))
    }
}

fn is_among(networks: &str, network: &str) -> bool {
    networks.split(' ').any(|known| known == network)
}

/// The list with one more at its end, cut at its beginning.
fn with(later: &str, network: &str) -> String {
    let mut networks: Vec<&str> = later.split_whitespace().collect();
    networks.push(network);
    let forgotten = networks.len().saturating_sub(MOST);
    networks.split_off(forgotten).join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_networks_holds_the_latest() {
        let all: Vec<String> = (0..40).map(|n| format!("10.0.0.{n}")).collect();
        let list = all.iter().fold(String::new(), |list, network| with(&list, network));
        assert_eq!(list, all[8..].join(" "));
        assert!(is_among(&list, "10.0.0.39"));
        assert!(!is_among(&list, "10.0.0.3"), "the beginning of another is not the same");
        assert!(!is_among("", "10.0.0.3"));
    }
}
