//! `POST /api/auth/otp/verify` with right codes, each of an account of its own that signs in for
//! the first time, in the network that asked for the code. The codes were asked for beforehand
//! and taken out of their mails.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use ironlatch_core::Auth;
use ironlatch_core::accounts::{Contact, Email};
use ironlatch_core::client::{Client, Network};
use ironlatch_core::ids::{AuditEntryId, SessionId};
use ironlatch_core::ports::{Clock, Mail, MailTransport, SendError, SystemClock, SystemRandom};
use ironlatch_core::sessions::Door;
use ironlatch_core::sign_in::Arrival;
use ironlatch_core::time::{Timestamp, days, hours, micros_of, minutes};
use uuid::Uuid;

use super::direct::{Act, Direct, Piece};
use super::{Engine, Site, Subject, compare, now, random};
use crate::figures::refreshes::CLIENTS;
use crate::figures::{parts, wait_for};
use crate::report::Report;
use crate::requests::{self, Requests};
use crate::seed::{self, Account};
use crate::server::Wish;
use crate::terms::{ROUNDS, Terms};

/// How far ahead the clock is by which codes are asked for: they live for five minutes, and a
/// slow machine needs as long to have them all sent.
const AHEAD: Duration = minutes(30);

/// Codes that are asked for before their mails are delivered.
const DELIVERED_TOGETHER: usize = 4_096;

pub(super) fn measure(terms: &Terms, report: &mut Report, engine: Engine) -> anyhow::Result<()> {
    let site = Site::new(engine)?;
    let load = terms.warm_up + terms.window;
    // More than are verified in that time: each code works once.
    let a_second = match engine {
        Engine::Sqlite => 6_000.0,
        Engine::Postgres => 3_000.0,
    };
    let count = (0..ROUNDS).map(|_| load).sum::<Duration>().mul_f64(a_second).as_secs();
    let codes = wait_for(asked_for(&site, u32::try_from(count)?))?;
    let mut direct = site.copied()?;
    let verify = |code: &Code| {
        let Code { account, digits } = code;
        requests::verify_code(&account.email(), digits, requests::network(account.number))
    };
    let subject = Subject {
        name: match engine {
            Engine::Sqlite => "code verifications on SQLite",
            Engine::Postgres => "code verifications on PostgreSQL",
        },
        site: &site,
        wish: Wish::default(),
        requests: Arc::new(Requests::new(codes.iter().map(verify).collect())),
        // The access token; both refresh tokens, the known-device cookie, and the digests of the
        // code and of whose failures are counted.
        signatures: 1.0,
        macs: 5.0,
    };
    let stored = stored(&direct)?;
    let mut write = |span| {
        parts::aside(|| {
            // Codes in the copy are used again.
            direct.run(UNUSED)?;
            direct.write(stored.iter().map(act), span)
        })
    };
    compare(terms, report, &subject, &mut write)
}

struct Code {
    account: Account,
    digits: String,
}

/// Makes accounts and has codes sent to them.
async fn asked_for(site: &Site, count: u32) -> anyhow::Result<Vec<Code>> {
    let mailbox = Arc::new(Mailbox::default());
    let transport: Arc<dyn MailTransport> = mailbox.clone();
    let auth = site.store.open_with(transport, Arc::new(Ahead)).await?;
    let seeded = seed::bare_accounts(&auth, count).await?;
    // A mail that waits longer than its code lives is not sent, so they go a few at a time.
    for some in seeded.accounts.chunks(DELIVERED_TOGETHER) {
        for accounts in some.chunks(CLIENTS) {
            let asked = accounts.iter().map(|account| ask(&auth, *account));
            futures_util::future::try_join_all(asked).await?;
        }
        auth.messages().deliver_due().await?;
    }
    let mut mails = mailbox.0.lock().unwrap_or_else(PoisonError::into_inner);
    let code = |account: Account| {
        let digits = mails.remove(&account.email()).context("a code was not sent")?;
        Ok(Code { account, digits })
    };
    seeded.accounts.into_iter().map(code).collect()
}

async fn ask(auth: &Auth, account: Account) -> anyhow::Result<()> {
    let client = Client {
        address: IpAddr::V4(requests::network(account.number)),
        user_agent: "bench/1".to_owned(),
        device: None,
    };
    let contact = Contact::Email(Email::parse(&account.email()).ok().context("no address")?);
    let arrival = Arrival::new(client).through(Door::Codes);
    auth.sign_in().request_code(&contact, None, &arrival).await?;
    Ok(())
}

/// A clock that goes before.
struct Ahead;

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(AHEAD)
    }
}

/// The latest code of every recipient.
#[derive(Default)]
struct Mailbox(Mutex<HashMap<String, String>>);

impl MailTransport for Mailbox {
    fn send<'a>(
        &'a self,
        mail: &'a Mail,
    ) -> Pin<Box<dyn Future<Output = Result<(), SendError>> + Send + 'a>> {
        let mut words = mail.text.split(|c: char| !c.is_ascii_alphanumeric());
        let code = words.find(|word| word.len() == 6 && word.bytes().all(|it| it.is_ascii_digit()));
        let mut mails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        mails.extend(code.map(|code| (mail.to.clone(), code.to_owned())));
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A code as the store has it.
struct Stored {
    id: Uuid,
    account: Uuid,
    email: String,
    digest: Vec<u8>,
}

const STORED: &str = "SELECT id, account_id, target_key, digest FROM one_time_codes ORDER BY id";

fn stored(direct: &Direct) -> anyhow::Result<Vec<Stored>> {
    match direct {
        Direct::Sqlite(connection) => {
            let mut statement = connection.prepare(STORED)?;
            let rows = statement
                .query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
            rows.map(|row| {
                let (id, account, email, digest): ([u8; 16], [u8; 16], _, _) = row?;
                let (id, account) = (Uuid::from_bytes(id), Uuid::from_bytes(account));
                Ok(Stored { id, account, email, digest })
            })
            .collect()
        }
        Direct::Postgres(url) => wait_for(async {
            let rows = super::direct::connected(url).await?.query(STORED, &[]).await?;
            let stored = |row: &tokio_postgres::Row| {
                Ok(Stored {
                    id: row.try_get(0)?,
                    account: row.try_get(1)?,
                    email: row.try_get(2)?,
                    digest: row.try_get(3)?,
                })
            };
            rows.iter().map(stored).collect()
        }),
    }
}

/// What one verification writes: the comparison, counted as a failure first; then, once it was
/// right, the sign-in, which takes that back and uses the code up.
fn act(code: &Stored) -> Act {
    let written = Written {
        code,
        now: now(),
        subject: random(),
        matched_by: Uuid::from_bytes(random()),
        network: Network::of(IpAddr::from([10, 0, 0, 1])).to_string(),
    };
    let mut sign_in = written.proof();
    sign_in.extend(written.session());
    vec![written.comparison(), sign_in]
}

/// What the statements of one verification have in common.
struct Written<'a> {
    code: &'a Stored,
    now: Timestamp,
    /// Whose failures are counted.
    subject: [u8; 32],
    matched_by: Uuid,
    network: String,
}

impl Written<'_> {
    fn comparison(&self) -> Vec<Piece> {
        let now = self.now;
        let failure = Piece::new(
            RESERVE,
            [
                self.subject.into(),
                now.into(),
                now.plus(days(30)).into(),
                5_i64.into(),
                100_i64.into(),
                now.plus(days(2)).into(),
            ],
        );
        let comparison = Piece::new(
            COMPARE,
            [
                self.code.id.into(),
                self.code.digest.as_slice().into(),
                self.matched_by.into(),
                0_i64.into(),
                now.into(),
            ],
        );
        vec![failure.must_change(), comparison.must_change()]
    }

    fn proof(&self) -> Vec<Piece> {
        let (now, account) = (self.now, self.code.account);
        let email = self.code.email.as_str();
        let signed_in = Piece::new(SIGNED_IN, [account.into(), 1_i64.into(), now.into()]);
        let forgotten = Piece::new(FORGET, [self.subject.into()]);
        let used = [self.code.id.into(), self.matched_by.into(), now.into()];
        let voided = Piece::new(VOID, [email.into(), "sign_in".into()]);
        let proven = Piece::new(PROVEN, [account.into(), email.into(), now.into()]);
        let audited = Piece::new(
            AUDIT,
            [
                AuditEntryId::new(now, &SystemRandom).into(),
                now.into(),
                "signed_in".into(),
                account.into(),
                self.network.as_str().into(),
                r#"{"door":"codes","way":"code"}"#.into(),
                now.plus(days(400)).into(),
            ],
        );
        vec![
            signed_in.must_change(),
            forgotten.must_change(),
            Piece::new(CONSUME, used).must_change(),
            voided,
            proven.must_change(),
            audited,
        ]
    }

    fn session(&self) -> Vec<Piece> {
        let (now, account) = (self.now, self.code.account);
        let session = SessionId::new(now, &SystemRandom);
        let opened = Piece::new(
            SESSION,
            [
                session.into(),
                account.into(),
                now.into(),
                self.network.as_str().into(),
                micros_of(days(14)).into(),
                now.plus(days(90)).into(),
            ],
        );
        let chains = Piece::new(CHAINS, [session.into(), now.into()]);
        let why = "too_many";
        let oldest =
            Piece::new(END_OLDEST, [account.into(), now.into(), 100_i64.into(), why.into()]);
        let numbered = Piece::new(TAKE_NUMBER, [account.into(), now.into(), why.into()]);
        let until = now.plus(minutes(20) + hours(24));
        let told = Piece::new(
            TELL,
            [account.into(), now.into(), why.into(), "session".into(), until.into()],
        );
        vec![opened, chains, oldest, numbered, told]
    }
}

const UNUSED: &str = "
    UPDATE one_time_codes SET attempts_left = 3, matched_by = NULL, consumed_at = NULL";

/// The statements of a sign-in with a code, as the rooms have them; only the delays of many
/// failures are shorter here, which do not come up.
const RESERVE: &str = "
    INSERT INTO attempts (subject, failures, blocked_until, last_at, expires_at)
    VALUES ($1, 1, 0, $2, $6)
        ON CONFLICT (subject) DO UPDATE
       SET failures = CASE WHEN attempts.expires_at <= $2 THEN 1 ELSE attempts.failures + 1 END,
           blocked_until = CASE
               WHEN attempts.expires_at <= $2 OR attempts.failures + 1 < $4 THEN 0
               WHEN attempts.failures + 1 >= $5 THEN $3
               ELSE $2 + 3600000000 END,
           last_at = $2,
           expires_at = CASE WHEN attempts.expires_at <= $2 THEN $6 ELSE $3 END
     WHERE attempts.blocked_until <= $2 OR attempts.expires_at <= $2
 RETURNING blocked_until";
const COMPARE: &str = "
    UPDATE one_time_codes
       SET attempts_left = attempts_left - 1,
           others_attempts_left = others_attempts_left - $4,
           matched_by = CASE WHEN digest = $2 THEN $3 ELSE matched_by END
     WHERE id = $1 AND attempts_left > 0 AND others_attempts_left >= $4
       AND matched_by IS NULL AND consumed_at IS NULL AND expires_at > $5
 RETURNING matched_by IS NOT NULL";
const SIGNED_IN: &str = "
    UPDATE accounts SET last_sign_in_at = $3
     WHERE id = $1 AND security_version = $2 AND disabled_at IS NULL AND deleted_at IS NULL";
const FORGET: &str = "DELETE FROM attempts WHERE subject = $1";
const CONSUME: &str = "
    UPDATE one_time_codes SET consumed_at = $3, sealed_secret = NULL
     WHERE id = $1 AND matched_by = $2 AND consumed_at IS NULL";
const VOID: &str = "
    DELETE FROM one_time_codes WHERE target_key = $1 AND purpose = $2 AND consumed_at IS NULL";
const PROVEN: &str = "
    UPDATE accounts SET email_verified_at = COALESCE(email_verified_at, $3)
     WHERE id = $1 AND email_key = $2 AND deleted_at IS NULL";
const AUDIT: &str = "
    INSERT INTO audit_entries
           (id, at, event, account_id, session_id, network, details, expires_at)
    VALUES ($1, $2, $3, $4, NULL, $5, $6, $7)";
const SESSION: &str = "
    INSERT INTO sessions (id, account_id, door, amr, auth_time, user_agent, network,
           cookie_digest, created_at, last_used_at, idle_for, ends_at)
    VALUES ($1, $2, 'codes', 'email', $3, 'bench/1', $4, NULL, $3, $3, $5, $6)";
const CHAINS: &str = "
    INSERT INTO session_chains (session_id, kind, generation, parent, first_child, rotated_at)
    VALUES ($1, 'cookie', 1, 0, 1, $2), ($1, 'body', 1, 0, 1, $2)";
const END_OLDEST: &str = "
    UPDATE sessions SET revoked_at = $2, revoked_because = $4, ends_at = $2
     WHERE id = (SELECT id FROM sessions
                  WHERE account_id = $1 AND revoked_at IS NULL AND ends_at > $2
                  ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET $3)
       AND revoked_at IS NULL AND ends_at > $2";
const TAKE_NUMBER: &str = "
    UPDATE revocation_feed SET n = n + 1
     WHERE id = 1 AND EXISTS (SELECT 1 FROM sessions
                               WHERE account_id = $1 AND revoked_at = $2
                                 AND revoked_because = $3)";
const TELL: &str = "
    INSERT INTO revocations (n, kind, account_id, session_id, except_session_id, below_version,
           created_at, expires_at)
    SELECT f.n, $4, NULL, s.id, NULL, NULL, $2, $5
      FROM revocation_feed f
      JOIN (SELECT id FROM sessions
             WHERE account_id = $1 AND revoked_at = $2 AND revoked_because = $3
             ORDER BY created_at DESC, id DESC LIMIT 1) s ON f.id = 1
 RETURNING n";
