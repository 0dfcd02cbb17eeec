//! Durable refreshes a second with 64 clients, against the limit made of their parts: a bare
//! request, one signature, two MACs, and the write itself done directly on the driver.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use ironlatch_core::ids::SessionId;
use rusqlite::Connection;
use tokio_postgres::NoTls;

use super::{ACCOUNTS, parts, wait_for};
use crate::baseline::Baseline;
use crate::load::{Load, Waiting};
use crate::machine;
use crate::postgres::Postgres;
use crate::report::{Report, Target, rounds};
use crate::requests::{self, Requests};
use crate::seed::{self, Store};
use crate::server::{Server, Wish};
use crate::terms::Terms;

pub(super) const CLIENTS: usize = 64;
/// As many connections as the server keeps.
pub(super) const CONNECTIONS: usize = 16;
/// Enough that no session comes round again within the half minute in which a refresh may be
/// answered without a write.
const SESSIONS: usize = 150_000;

/// The statement a refresh runs, as `sessions` has it.
const ROTATE: &str = "
    UPDATE session_chains
       SET parent      = CASE WHEN $3 >= first_child THEN $3 ELSE parent END,
           first_child = CASE WHEN $3 >= first_child THEN generation + 1 ELSE first_child END,
           generation  = generation + 1,
           rotated_at  = $4
     WHERE session_id = $1 AND kind = $2
       AND ($3 = parent
            OR ($3 >= first_child AND $3 <= generation AND (rotated_at < $5 OR $6 = 0)))
       AND EXISTS (SELECT 1 FROM sessions s JOIN accounts a ON a.id = s.account_id
                    WHERE s.id = session_chains.session_id
                      AND s.revoked_at IS NULL AND s.ends_at > $4
                      AND (s.last_used_at + s.idle_for > $4
                           OR session_chains.rotated_at + s.idle_for > $4)
                      AND a.disabled_at IS NULL AND a.deleted_at IS NULL)
 RETURNING generation,
           (SELECT idle_for FROM sessions WHERE id = session_chains.session_id),
           (SELECT ends_at FROM sessions WHERE id = session_chains.session_id),
           (SELECT network || ' ' || later_networks FROM sessions
             WHERE id = session_chains.session_id)";

pub(crate) fn measure(terms: &Terms, report: &mut Report) -> anyhow::Result<()> {
    let store = Store::embedded()?;
    let seeded = populate(&store)?;
    let file = store.folder().join("parts.db");
    std::fs::copy(store.folder().join("ironlatch.db"), &file)?;
    // Set as the server's writer is.
    let mut direct = Connection::open(&file)?;
    direct.pragma_update(None, "journal_mode", "WAL")?;
    direct.pragma_update(None, "synchronous", "FULL")?;
    direct.pragma_update(None, "foreign_keys", true)?;
    let mut write = |span| parts::aside(|| grouped_commits(&mut direct, &seeded.sessions, span));
    compare(terms, report, &store, &seeded, ("SQLite", &mut write))?;

    let postgres = Postgres::start()?;
    let store = Store::at(&postgres.url())?;
    let seeded = populate(&store)?;
    let url = postgres.url();
    let mut write =
        |span| parts::aside(|| wait_for(single_statements(&url, &seeded.sessions, span)));
    compare(terms, report, &store, &seeded, ("PostgreSQL", &mut write))
}

struct Sessions {
    sessions: Vec<SessionId>,
    requests: Arc<Requests>,
}

fn populate(store: &Store) -> anyhow::Result<Sessions> {
    wait_for(async {
        let auth = store.open().await?;
        let seeded = seed::accounts(&auth, ACCOUNTS).await?;
        let sessions = seed::sessions(&auth, &seeded, SESSIONS).await?;
        let request = |&(session, owner)| {
            let token = seed::refresh_token(&auth, session, owner)?;
            anyhow::Ok(requests::refresh(token.reveal()))
        };
        let requests = sessions.iter().map(request).collect::<Result<_, _>>()?;
        let sessions = sessions.into_iter().map(|(session, _)| session).collect();
        Ok(Sessions { sessions, requests: Arc::new(Requests::new(requests)) })
    })
}

/// Seconds that one write takes, tried for a while.
pub(super) type Write<'a> = dyn FnMut(Duration) -> anyhow::Result<f64> + 'a;

fn compare(
    terms: &Terms,
    report: &mut Report,
    store: &Store,
    seeded: &Sessions,
    (engine, write): (&str, &mut Write<'_>),
) -> anyhow::Result<()> {
    let server = Server::start(store, Wish::default())?;
    let request = seeded.requests.next();
    let baseline = Baseline::start(request, &server.ask(request)?)?;
    let load = Load {
        requests: &seeded.requests,
        clients: CLIENTS,
        waiting: Waiting::Awake,
        warm_up: terms.warm_up,
        window: terms.window,
    };
    let measured = rounds(|| {
        let ours = load.measure(server.address, server.process())?;
        let request = 1.0 / load.measure(baseline.address, baseline.process())?.per_cpu_second;
        let signature = parts::signature(terms.window / 5)?;
        let mac = parts::mac(terms.window / 5)?;
        let written = write(terms.window)?;
        let limit = 1.0 / (request + signature + 2.0 * mac + written);
        report.detail(&format!(
            "{:.0}/s of {limit:.0}/s; µs: request {:.1}, signature {:.1}, MAC {:.1}, write {:.1}; \
             ours on the processor {:.1}",
            ours.per_second,
            request * 1e6,
            signature * 1e6,
            mac * 1e6,
            written * 1e6,
            1e6 / ours.per_cpu_second
        ));
        Ok(ours.per_second / limit)
    })?;
    let name = format!("refreshes on {engine} ÷ limit of their parts");
    report.ratios(&name, Target::AtLeast(0.70), &measured);
    Ok(())
}

/// What a rotation is told besides its session: used long ago, presented in time.
fn now() -> i64 {
    use ironlatch_core::ports::{Clock as _, SystemClock};
    SystemClock.now().micros()
}

/// Writes the same rows as refreshes do, 64 to a durable commit.
fn grouped_commits(
    connection: &mut Connection,
    sessions: &[SessionId],
    span: Duration,
) -> anyhow::Result<f64> {
    // In SQLite `$2` would be a name, numbered by its first use.
    let rotate = ROTATE.replace('$', "?");
    let mut turn = sessions.iter().cycle();
    let (start, mut written) = (Instant::now(), 0);
    while start.elapsed() < span {
        let group = connection.transaction()?;
        {
            let mut rotate = group.prepare_cached(&rotate)?;
            for session in turn.by_ref().take(CLIENTS) {
                let (id, now) = (session.uuid(), now());
                let values = (id.as_bytes(), "body", 1, now, now, 0);
                let mut rows = rotate.query(values)?;
                ensure!(rows.next()?.is_some(), "a rotation changed nothing");
                written += 1;
            }
        }
        group.commit()?;
    }
    Ok(1.0 / machine::per_second(written, start.elapsed()))
}

/// Writes the same rows as refreshes do, each as a transaction of one prepared statement, from
/// 64 clients over as many connections as the server keeps.
async fn single_statements(
    url: &str,
    sessions: &[SessionId],
    span: Duration,
) -> anyhow::Result<f64> {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        let rotate = client.prepare_typed(ROTATE, &TYPES).await?;
        clients.push((client, rotate));
    }
    let turn = std::cell::RefCell::new(sessions.iter().cycle());
    let start = Instant::now();
    let work = clients.iter().map(|(client, rotate)| async {
        let mut written = 0;
        while start.elapsed() < span {
            let session = turn.borrow_mut().next().map(|session| session.uuid());
            let now = now();
            let rows =
                client.query(rotate, &[&session, &"body", &1_i64, &now, &now, &0_i64]).await?;
            ensure!(rows.len() == 1, "a rotation changed nothing");
            written += 1;
        }
        anyhow::Ok(written)
    });
    let written: u64 = futures_util::future::try_join_all(work).await?.into_iter().sum();
    Ok(1.0 / machine::per_second(written, start.elapsed()))
}

const TYPES: [tokio_postgres::types::Type; 6] = {
    use tokio_postgres::types::Type;
    [Type::UUID, Type::TEXT, Type::INT8, Type::INT8, Type::INT8, Type::INT8]
};
