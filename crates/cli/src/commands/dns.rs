//! `thru dns`: orders to a running `thru serve dns`.

use std::path::Path;

use clap::ValueEnum as _;
use thru_serve::nameserver::control::order;

use super::serve::usual_control;
use crate::args::names::DnsCommand;
use crate::failure::{FAULT, Failure, HEALTHY};
use crate::{Outcome, output, session};

/// Gives the order and prints the answer.
pub(crate) fn run(command: &DnsCommand) -> Outcome {
    let (words, control) = match command {
        DnsCommand::Flush { name: Some(name), control } => (format!("flush {name}"), control),
        DnsCommand::Flush { name: None, control } => ("flush".to_owned(), control),
        DnsCommand::Stats { control } => ("stats".to_owned(), control),
        DnsCommand::Reload { control } => ("reload".to_owned(), control),
        DnsCommand::Keys { control } => ("keys".to_owned(), control),
        DnsCommand::Roll { zone, what, algorithm, control } => {
            let algorithm = algorithm.and_then(|one| Some(one.to_possible_value()?.get_name().to_owned()));
            (format!("roll {zone} {what} {}", algorithm.unwrap_or_default()), control)
        }
        DnsCommand::Parent { zone, control } => (format!("parent {zone}"), control),
        DnsCommand::Wait { time, control } => (format!("wait {time}"), control),
    };
    let usual = usual_control(53);
    let path: &Path = control.as_deref().unwrap_or(&usual);
    let answer = session::real_time()?.block_on(order(path, &words)).map_err(|error| {
        Failure::undecided(
            format!("no server takes orders at {}: {error}", path.display()),
            "`thru serve dns` tells where it takes them; name the place with --control",
        )
    })?;
    if let Some(why) = answer.get("error").and_then(serde_json::Value::as_str) {
        return Err(Failure { code: FAULT, message: why.to_owned(), hint: String::new(), excerpt: None });
    }
    output::print(&format!("{answer:#}\n"));
    Ok(HEALTHY)
}
