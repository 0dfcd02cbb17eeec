//! What operators do at the command line, beside a running server or without one.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use ironlatch_core::Auth;
use ironlatch_core::accounts::{AccountIdentity, AccountRef, Email, Username};
use ironlatch_core::ids::AccountId;
use ironlatch_core::ports::Token;
use ironlatch_core::sessions::Account as Found;
use ironlatch_core::sign_in::{NewAccount, SignUpError};
use ironlatch_core::time::Timestamp;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cli::{Account, Command, Keys, Sms};
use crate::doctor;
use crate::master_key;
use crate::opening::Opening;
use crate::restoring;
use crate::sources;

/// Runs a command that is neither a server nor about the configuration.
pub(crate) async fn run(command: Command, opening: Opening) -> anyhow::Result<()> {
    match command {
        Command::Account(act) => account(act, &opening.for_command().await?).await,
        Command::Keys(Keys::Rotate { compromised }) => {
            let from = opening.for_command().await?.tokens().rotate(compromised).await?;
            if compromised {
                println!("A new key signs from now on; what the old ones signed is void.");
            } else {
                let from = words(Some(from));
                println!("A new key is published; every verifier knows it when it begins to sign.");
                println!("begins at     {from}");
            }
            Ok(())
        }
        Command::Sources(report) => sources::report(report, &opening.for_command().await?).await,
        Command::Sms(act) => sms(&act, &opening.for_command().await?).await,
        Command::Backup { file } => backup(&file, &opening).await,
        Command::Restore { file, force } => restoring::restore(&file, force, &opening).await,
        Command::Doctor { target } => doctor::examine(&opening, target).await,
        Command::Serve(_) | Command::Dev(_) | Command::Config(_) => Ok(()),
    }
}

async fn account(act: Account, auth: &Auth) -> anyhow::Result<()> {
    let accounts = auth.accounts();
    let account = match act {
        Account::Create { .. } => create(act, auth).await?,
        Account::Show { account } => {
            accounts.find(&named(&account)?).await?.context("there is no such account")?
        }
        Account::Disable { account } => accounts.disable(&named(&account)?).await?,
        Account::Enable { account } => accounts.enable(&named(&account)?).await?,
        Account::ResetSecondFactor { account } => reset_second_factor(&account, auth).await?,
        Account::SetRole { account, role } => accounts.set_role(&named(&account)?, &role).await?,
    };
    show(&account);
    Ok(())
}

/// The owner hears of it by mail.
async fn reset_second_factor(account: &str, auth: &Auth) -> anyhow::Result<Found> {
    let found = auth.accounts().find(&named(account)?).await?;
    let found = found.context("there is no such account")?;
    auth.sign_in().reset_second_factor(found.id).await?;
    println!("No second factor is asked for any more; every session has ended.");
    Ok(found)
}

async fn sms(act: &Sms, auth: &Auth) -> anyhow::Result<()> {
    match act {
        Sms::Stop if auth.limits().stop_sms().await? => println!("SMS are stopped on every node."),
        Sms::Stop => println!("SMS were stopped already."),
        Sms::Start if auth.limits().start_sms().await? => println!("SMS go again."),
        Sms::Start => println!("SMS were not stopped."),
        Sms::Status => {}
    }
    let status = auth.messages().sms_status().await?;
    let configured = if status.is_configured { "yes" } else { "no" };
    println!("configured    {configured}");
    println!("stopped       {}", words(status.stopped_at));
    println!("today (UTC)   {} of {}", status.sent_today, status.daily_budget);
    Ok(())
}

fn named(text: &str) -> anyhow::Result<AccountRef> {
    if let Some(id) = AccountId::parse(text) {
        return Ok(AccountRef::Id(id));
    }
    let email = Email::parse(text).ok();
    Ok(AccountRef::Email(email.context("name the account by its identifier or its address")?))
}

async fn create(act: Account, auth: &Auth) -> anyhow::Result<Found> {
    let Account::Create { email, username, role, staff, superuser, password_stdin } = act else {
        bail!("this is not about a new account");
    };
    let email = Email::parse(&email).ok().context("this is not an e-mail address")?;
    let username = username.map(|name| Username::parse(&name)).transpose();
    let username = username.ok().context("this cannot be a username")?;
    let mut password = None;
    if password_stdin {
        let mut text = String::new();
        std::io::stdin().lock().take(4096).read_to_string(&mut text)?;
        password = Some(Token::new(text.trim_end_matches(['\r', '\n']).to_owned()));
    }
    let new =
        NewAccount { email, username, password, is_staff: staff, is_superuser: superuser, role };
    let id = auth.sign_in().create_account(new).await.map_err(|error| match error {
        SignUpError::Password(problem) => {
            anyhow::anyhow!("the password cannot be used: {problem:?}")
        }
        SignUpError::Taken { username: true, .. } => anyhow::anyhow!("the username is taken"),
        SignUpError::Taken { .. } => anyhow::anyhow!("the address has an account"),
        other => other.into(),
    })?;
    auth.accounts().find(&AccountRef::Id(id)).await?.context("the account is not there")
}

/// A moment in words.
fn words(moment: Option<Timestamp>) -> String {
    let moment = moment.and_then(|at| OffsetDateTime::from_unix_timestamp(at.seconds()).ok());
    moment.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_else(|| "never".to_owned())
}

/// Prints an account, a line a fact.
fn show(account: &Found) {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    println!("id            {}", account.id);
    println!("number        {}", account.number);
    println!("email         {}", text(&account.email));
    println!("verified      {}", words(account.email_verified_at));
    println!("username      {}", text(&account.username));
    println!("role          {}", account.role);
    println!("staff         {}", account.is_staff);
    println!("superuser     {}", account.is_superuser);
    println!("groups        {}", account.groups.join(", "));
    // Who somebody is there is the provider's text, and this is a terminal.
    let said = |one: &AccountIdentity| format!("{} ({})", one.provider, one.subject.escape_debug());
    let providers: Vec<_> = account.identities.iter().map(said).collect();
    println!("providers     {}", providers.join(", "));
    println!("created       {}", words(Some(account.created_at)));
    println!("last sign-in  {}", words(account.last_sign_in_at));
    println!("disabled      {}", words(account.disabled_at));
    println!("closed        {}", words(account.deleted_at));
}

async fn backup(file: &Path, opening: &Opening) -> anyhow::Result<()> {
    ensure!(
        opening.configuration.is_embedded(),
        "this is for the embedded database; for PostgreSQL use pg_dump"
    );
    ensure!(!file.exists(), "{} is there already; name a new file", file.display());
    opening.for_command().await?.database().backup(file).await?;
    println!(
        "{} is complete. It opens only with the master key {}, which is not in it.",
        file.display(),
        master_key::path(&opening.configuration).display()
    );
    Ok(())
}
