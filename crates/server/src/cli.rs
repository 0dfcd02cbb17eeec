//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use ironlatch_core::sources::Day;

/// Ironlatch, an authentication server.
#[derive(Debug, Parser)]
#[command(version, about, propagate_version = true)]
pub(crate) struct Cli {
    /// The configuration file (TOML).
    #[arg(long, global = true, env = "IRONLATCH_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs the server.
    Serve(Place),
    /// Runs a server to try things out: mails stay in an inbox, the clock can be moved.
    Dev(Place),
    /// Creates, shows and changes accounts.
    #[command(subcommand)]
    Account(Account),
    /// Changes the keys that sign access tokens.
    #[command(subcommand)]
    Keys(Keys),
    /// Tells where people came from.
    #[command(subcommand)]
    Sources(Sources),
    /// Stops SMS, lets them go again, shows how they stand.
    #[command(subcommand)]
    Sms(Sms),
    /// Writes a copy of the embedded database, also while the server runs. The master key is not
    /// in it: keep that elsewhere.
    Backup {
        /// The file to make.
        file: PathBuf,
    },
    /// Puts a copy back. Ends all sessions and voids all codes, as some may have been ended or
    /// used since the copy was made.
    Restore {
        /// A file made by `backup`.
        file: PathBuf,
        /// Replaces the present database.
        #[arg(long)]
        force: bool,
    },
    /// Shows or checks the configuration.
    #[command(subcommand)]
    Config(Config),
    /// Looks whether everything the server needs is there, and how fast it hashes.
    Doctor {
        /// Says which costs of hashing fit a time of 1ms to 1s, as OWASP and RFC 9106 advise.
        #[arg(long, value_name = "TIME", value_parser = crate::doctor::advice::target)]
        target: Option<Duration>,
    },
}

/// Where to run; overrides the configuration.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The folder of the embedded database and the master key.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Address and port; port 0 takes any free one.
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Account {
    /// Creates an account. Its address counts as proven: you vouch for it.
    Create {
        /// The e-mail address.
        email: String,
        #[arg(long)]
        username: Option<String>,
        /// One of the configured roles.
        #[arg(long)]
        role: Option<String>,
        /// May use the operator's console.
        #[arg(long)]
        staff: bool,
        /// Has every permission.
        #[arg(long)]
        superuser: bool,
        /// Reads a first password from standard input; without it the person sets one by
        /// "forgot password".
        #[arg(long)]
        password_stdin: bool,
    },
    /// Shows an account.
    Show {
        /// Identifier or e-mail address.
        account: String,
    },
    /// Disables an account and ends its sessions.
    Disable {
        /// Identifier or e-mail address.
        account: String,
    },
    /// Enables a disabled account.
    Enable {
        /// Identifier or e-mail address.
        account: String,
    },
    /// Takes the authenticator app and the recovery codes from an account whose owner has lost
    /// them; ends its sessions. Make sure first that it is the owner who asks.
    ResetSecondFactor {
        /// Identifier or e-mail address.
        account: String,
    },
    /// Gives an account another role.
    SetRole {
        /// Identifier or e-mail address.
        account: String,
        /// One of the configured roles.
        role: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Publishes a new signing key, which signs five minutes later. Tokens signed with the old
    /// one stay good until they run out.
    Rotate {
        /// Lets the new key sign at once and refuses tokens signed with the old one.
        #[arg(long)]
        compromised: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Sms {
    /// Stops SMS on every node at once; those that wait stay and expire.
    Stop,
    /// Lets SMS go again.
    Start,
    /// Shows whether SMS go, and how many of the day's budget went.
    Status,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Prints what holds, where it comes from, and no secrets.
    Print,
    /// Reports every mistake.
    Check,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Sources {
    /// The sources that most accounts are linked to, of all time.
    Top(ReportForm),
    /// Who came from where in a period: sign-ups, and accounts linked at sign-up or later.
    Period(PeriodReport),
    /// Sign-ups by day and source.
    Daily(PeriodReport),
    /// How many first code requests became accounts.
    Conversion(PeriodReport),
}

/// A report about some days.
#[derive(Debug, Args)]
pub(crate) struct PeriodReport {
    /// The first day (UTC), e.g. 2026-07-01; 30 days in all where not given.
    #[arg(long, value_name = "DAY", value_parser = day)]
    pub(crate) from: Option<Day>,
    /// The last day, itself included; today where not given.
    #[arg(long, value_name = "DAY", value_parser = day)]
    pub(crate) to: Option<Day>,
    #[command(flatten)]
    pub(crate) form: ReportForm,
}

/// How a report is written.
#[derive(Debug, Args)]
pub(crate) struct ReportForm {
    /// How many rows, 1,000 at most.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u32>,
    /// Also sources that were set aside.
    #[arg(long)]
    pub(crate) include_inactive: bool,
    /// Writes CSV (RFC 4180) instead of a table.
    #[arg(long)]
    pub(crate) csv: bool,
}

fn day(text: &str) -> Result<Day, &'static str> {
    Day::parse(text).ok_or("write days as 2026-07-01")
}
