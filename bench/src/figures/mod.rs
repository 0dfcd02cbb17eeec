//! The figures, one file each.

mod argon2id;
mod codes;
mod footprint;
mod isolation;
mod lookups;
mod me;
mod parts;
mod refreshes;
mod sign_ins;

use std::sync::Arc;

use ironlatch_core::Auth;

use crate::report::Report;
use crate::requests::{self, Requests};
use crate::seed::{self, Seeded, Store};
use crate::terms::Terms;

type Measure = fn(&Terms, &mut Report) -> anyhow::Result<()>;

/// Every figure by its name, in the order they are measured.
pub(crate) const ALL: &[(&str, Measure)] = &[
    ("argon2id", argon2id::measure),
    ("sign_ins", sign_ins::measure),
    ("me", me::measure),
    ("refreshes", refreshes::measure),
    ("codes", codes::measure),
    ("isolation", isolation::measure),
    ("footprint", footprint::measure),
    ("lookups", lookups::measure),
];

/// How many accounts most figures are measured with.
const ACCOUNTS: u32 = 10_000;
/// How many people are signed in at the same time where that matters.
const BEARERS: usize = 1_000;

/// Runs something that waits, on the calling thread.
pub(crate) fn wait_for<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// Sign-ins of all accounts in turn, from 64 networks.
fn sign_in_requests(seeded: &Seeded) -> Arc<Requests> {
    let all = seeded
        .accounts
        .iter()
        .map(|account| requests::sign_in(&account.email(), seed::PASSWORD, account.number));
    Arc::new(Requests::new(all.collect()))
}

/// `me` of many bearers in turn.
async fn me_requests(auth: &Auth, seeded: &Seeded) -> anyhow::Result<Arc<Requests>> {
    let sessions = seed::sessions(auth, seeded, BEARERS).await?;
    let request = |&(session, owner)| {
        seed::access_token(auth, session, owner).map(|token| requests::me(token.reveal()))
    };
    Ok(Arc::new(Requests::new(sessions.iter().map(request).collect::<Result<_, _>>()?)))
}

/// A store with the usual accounts, and what is asked of a server on it.
struct Population {
    store: Store,
    sign_ins: Arc<Requests>,
    me: Arc<Requests>,
}

impl Population {
    fn new() -> anyhow::Result<Self> {
        let store = Store::embedded()?;
        let (sign_ins, me) = wait_for(async {
            let auth = store.open().await?;
            let seeded = seed::accounts(&auth, ACCOUNTS).await?;
            let me = me_requests(&auth, &seeded).await?;
            Ok((sign_in_requests(&seeded), me))
        })?;
        Ok(Self { store, sign_ins, me })
    }
}
