//! The `thru` command: arguments, wiring, exit codes.
//!
//! - [`args`]: the command line, declared once.
//! - [`commands`]: one file per command.
//! - [`place`]: which network a command runs on, and what URLs mean.
//! - [`session`]: that network, running. [`iface`]: our own stack on an interface of this machine.
//!   [`resolve`]: from a host to an address.
//! - [`joint`]: where a lab in real time meets this machine.
//! - [`output`]: width, colour, standard output. [`failure`]: errors in one line and a hint.

mod args;
mod commands;
mod failure;
mod iface;
mod joint;
mod output;
mod place;
mod resolve;
mod save;
mod session;

use std::panic;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Cli, Command};
use failure::Failure;

fn main() -> ExitCode {
    panic::set_hook(Box::new(report_bug));
    // The hook has told everything there is to tell.
    panic::catch_unwind(run).unwrap_or(ExitCode::from(failure::UNDECIDED))
}

fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let words = failure::typed();
            if let Some(failure) = failure::of_words(&error, &words) {
                return failure.report();
            }
            return match failure::of_clap(&error) {
                Ok(text) => {
                    output::print(&text);
                    ExitCode::from(if output::is_lost() { failure::UNDECIDED } else { failure::HEALTHY })
                }
                Err(failure) => failure.report(),
            };
        }
    };
    let result = match cli.command {
        Some(Command::Ping(args)) => commands::ping::run(&args),
        Some(Command::Route(args)) => commands::route::run(&args),
        Some(Command::Dig(args)) => commands::dig::run(&args),
        Some(Command::Serve(command)) => commands::serve::run(&command),
        Some(Command::Dns(command)) => commands::dns::run(&command),
        Some(Command::Drill(args)) => commands::drill::run(&args),
        Some(Command::Read(args)) => commands::read::run(&args),
        Some(Command::Capture(args)) => commands::capture::run(&args),
        Some(Command::Craft(args)) => commands::craft::run(&args),
        Some(Command::Doctor(args)) => commands::doctor::run(&args),
        Some(Command::Send(args)) => commands::send::run(&args),
        Some(Command::Impair(args)) => commands::impair::run(&args),
        Some(Command::Explain(args)) => commands::explain::run(&args),
        Some(Command::Bridge(args)) => commands::bridge::run(&args),
        Some(Command::Lab(command)) => commands::lab::run(&command),
        Some(Command::Bench(command)) => commands::bench::run(&command),
        None => match &cli.url.url {
            Some(url) => commands::url::run(url, &cli.url),
            None => {
                output::say(&Cli::command().render_help().to_string());
                return ExitCode::from(failure::USAGE);
            }
        },
    };
    match result {
        // Half an answer must not pass for a whole one.
        Ok(failure::HEALTHY) if output::is_lost() => ExitCode::from(failure::UNDECIDED),
        Ok(code) => ExitCode::from(code),
        Err(failure) => failure.report(),
    }
}

/// What a command ends with.
type Outcome = Result<u8, Failure>;

/// No input may make us panic: if something does, it is our bug, and the user learns how to tell us.
fn report_bug(panic: &panic::PanicHookInfo<'_>) {
    let what = panic
        .payload()
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.payload().downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_string());
    let place =
        panic.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
    output::say(&format!(
        "error: this is a bug in thru: {what}{place}\n\
         hint: please report it at {}/issues with the command you ran (thru {})\n",
        env!("CARGO_PKG_REPOSITORY"),
        env!("CARGO_PKG_VERSION")
    ));
    if std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0") {
        output::say(&format!("{}\n", std::backtrace::Backtrace::force_capture()));
    }
}
