//! `ironlatch`: the server, and the commands of its operator.

mod app;
mod cli;
mod commands;
mod configuration;
mod dev;
mod doctor;
mod logs;
mod master_key;
mod metrics;
mod opening;
mod restoring;
mod serve;
mod sources;

use std::process::ExitCode;

use clap::Parser as _;
use rustix::fs::Mode;

use cli::{Cli, Command, Config};
use configuration::{Layers, Mistakes};
use dev::Development;
use opening::Opening;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Whatever this process writes belongs to its user alone.
    rustix::process::umask(Mode::from_bits_truncate(0o077));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // The database has threads of its own; what blocks here is looking up host names.
        .max_blocking_threads(16)
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ironlatch: {error:#}");
            // 78 is EX_CONFIG of sysexits.h: a supervisor need not try again.
            if error.is::<Mistakes>() { ExitCode::from(78) } else { ExitCode::FAILURE }
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let mut layers = Layers::default();
    let mut mistakes = Mistakes::default();
    if let Some(path) = &cli.config {
        layers.add_file(path, &mut mistakes);
    }
    layers.add_environment(std::env::vars_os());
    let development = matches!(cli.command, Command::Dev(_));
    if let Command::Serve(place) | Command::Dev(place) = &cli.command {
        layers.add_flags(place);
    }
    let temporary = if development { layers.add_development()? } else { None };
    let configuration = layers.read(&mut mistakes);
    if matches!(cli.command, Command::Config(Config::Print)) {
        mistakes.into_result()?;
        print!("{}", layers.print(&configuration)?);
        return Ok(());
    }
    let settings = configuration.resolve(development, &mut mistakes);
    mistakes.into_result()?;
    logs::start(settings.log.clone(), development);
    let opening = Opening { configuration, settings };
    match cli.command {
        Command::Serve(_) => Box::pin(serve::run(opening, None)).await?,
        Command::Dev(_) => Box::pin(serve::run(opening, Some(Development::new()))).await?,
        Command::Config(_) => println!("The configuration is fine."),
        command => commands::run(command, opening).await?,
    }
    drop(temporary);
    Ok(())
}
