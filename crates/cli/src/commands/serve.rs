//! `thru serve`.

mod dns;
mod keys;
mod orders;
mod updates;
mod zones;

pub(crate) use dns::usual_control;

use crate::Outcome;
use crate::args::names::ServeCommand;

/// Serves until interrupted.
pub(crate) fn run(command: &ServeCommand) -> Outcome {
    match command {
        ServeCommand::Dns(args) => dns::run(args),
    }
}
