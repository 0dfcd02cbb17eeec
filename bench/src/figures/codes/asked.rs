//! `POST /api/auth/otp/request` for addresses with and without accounts in turn, each request
//! from a network of its own, so that no limit refuses any.
//!
//! The mail server takes connections and says nothing: the few messages that the outbox has in
//! hand wait for it, and the outbox with them. So a message is written, as it must be before the
//! answer, and what sending it costs is not in the figure.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use ironlatch_core::ids::{AccountId, CodeId, MessageId};
use ironlatch_core::ports::SystemRandom;
use ironlatch_core::time::{hours, minutes};

use super::direct::{Act, Piece};
use super::{Engine, Site, Subject, compare, now, random};
use crate::figures::{ACCOUNTS, parts, wait_for};
use crate::report::Report;
use crate::requests::{self, Requests};
use crate::seed::{self, Account};
use crate::server::Wish;
use crate::terms::Terms;

/// Enough that nobody is asked for more than ten times in the hour, which is the limit.
const REQUESTS: u32 = 150_000;

pub(super) fn measure(terms: &Terms, report: &mut Report, engine: Engine) -> anyhow::Result<()> {
    let site = Site::new(engine)?;
    let accounts = wait_for(async {
        let auth = site.store.open().await?;
        Ok(seed::bare_accounts(&auth, ACCOUNTS).await?.accounts)
    })?;
    let mut direct = site.copied()?;
    let known = accounts.iter().cycle();
    let all = (0..REQUESTS).zip(known).map(|(number, account)| {
        requests::ask_for_code(&email(number, *account), requests::network(number))
    });
    let requests = Arc::new(Requests::new(all.collect()));
    // Connections to it wait to be accepted until it goes.
    let silent = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let subject = Subject {
        name: match engine {
            Engine::Sqlite => "code requests on SQLite",
            Engine::Postgres => "code requests on PostgreSQL",
        },
        site: &site,
        wish: Wish { mail_to: Some(silent.local_addr()?), ..Wish::default() },
        requests,
        // Nothing; and the digests of the address for two limits, the code, the link and the
        // browser.
        signatures: 0.0,
        macs: 5.0,
    };
    let mut acts = (0..).zip(accounts.iter().cycle());
    let mut write = |span| {
        let acts = acts.by_ref().map(|(number, account)| act(number, *account));
        parts::aside(|| direct.write(acts, span))
    };
    compare(terms, report, &subject, &mut write)
}

/// Every other one has an account.
fn email(number: u32, account: Account) -> String {
    if number.is_multiple_of(2) { account.email() } else { seed::unknown_email(number) }
}

/// What one request writes.
fn act(number: u32, account: Account) -> Act {
    let now = now();
    let email = email(number, account);
    let owner: Option<AccountId> = number.is_multiple_of(2).then_some(account.id);
    let network = requests::network(number).to_string();
    let expires_at = now.plus(minutes(5));
    let details = format!(r#"{{"typed":"{email}","door":"codes"}}"#);
    let counted = Piece::new(
        COUNT,
        [random::<32>().into(), now.into(), now.plus(hours(1)).into(), 10_i64.into()],
    );
    let void = Piece::new(VOID, [email.as_str().into(), "sign_in".into(), network.as_str().into()]);
    let code = Piece::new(
        INSERT_CODE,
        [
            CodeId::new(now, &SystemRandom).into(),
            "sign_in".into(),
            owner.into(),
            email.as_str().into(),
            random::<32>().into(),
            random::<32>().into(),
            random::<32>().into(),
            network.into(),
            vec![7_u8; 110].into(),
            details.into(),
            3_i64.into(),
            1_i64.into(),
            1_i64.into(),
            now.into(),
            expires_at.into(),
        ],
    );
    let message = Piece::new(
        INSERT_MESSAGE,
        [
            MessageId::new(now, &SystemRandom).into(),
            email.into(),
            "sign_in_code".into(),
            vec![7_u8; 240].into(),
            now.into(),
            expires_at.into(),
            "mail".into(),
        ],
    );
    vec![vec![counted.must_change(), void, code, message]]
}

/// The statements of a request, as `limits`, `one_time_codes` and `messages` have them.
const COUNT: &str = "
    INSERT INTO attempts (subject, failures, blocked_until, last_at, expires_at)
    VALUES ($1, 1, $2, $2, $3)
        ON CONFLICT (subject) DO UPDATE
       SET failures = CASE WHEN attempts.expires_at <= $2 THEN 1 ELSE attempts.failures + 1 END,
           last_at = $2,
           expires_at = CASE WHEN attempts.expires_at <= $2 THEN $3 ELSE attempts.expires_at END
     WHERE attempts.expires_at <= $2 OR attempts.failures < $4";
const VOID: &str = "
    DELETE FROM one_time_codes
     WHERE target_key = $1 AND purpose = $2 AND network = $3 AND consumed_at IS NULL";
const INSERT_CODE: &str = "
    INSERT INTO one_time_codes
           (id, purpose, account_id, target_key, digest, link_digest, flow_digest, network,
            sealed_secret, details, attempts_left, others_attempts_left, resends_left, created_at,
            expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
const INSERT_MESSAGE: &str = "
    INSERT INTO messages (id, channel, recipient, template, sealed_body, created_at, send_after,
            expires_at, tries, leased_until)
    VALUES ($1, $7, $2, $3, $4, $5, $5, $6, 0, 0)";
