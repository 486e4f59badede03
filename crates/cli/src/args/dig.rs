//! Dig's words, and our own options among them.

use std::path::PathBuf;

use clap::{Args, Parser};

use super::Where;
use crate::failure::Failure;

/// `thru dig`: the words are dig's; ours stand among them.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Dig's words: @SERVER, NAME, TYPE, -x ADDRESS, -t TYPE, -c CH, -p PORT, -f FILE (a question a line), -4, -6, +short, +trace, +dnssec, +nsid, +tcp,\n\
                        +cdflag, +norecurse, +tries=N, +time=SECONDS, +after=SECONDS, +tls, +https[=PATH], +https-get, +quic, +tls-ca[=FILE], +tls-host=NAME.\n\
                        Ours: +h3 (HTTP/3), +brief (one line), +chain (the chain of trust; --svg FILE draws it), --check (audit the name's zone),\n\
                        --root-hints FILE, --anchor FILE (where +trace, +chain and --check begin, and what they trust),\n\
                        --on NETWORK, --seed N, --set LINK.KEY=VALUE, --json, --color WHEN."
)]
pub(crate) struct DigArgs {
    /// What to ask, in dig's words and any order, as in `www.shop.lab AAAA @192.0.2.53 +short`
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "WORDS")]
    pub words: Vec<String>,
}

/// Our own options among dig's words.
#[derive(Debug, Parser)]
#[command(name = "thru dig", no_binary_name = true, disable_help_flag = true)]
pub(crate) struct OwnArgs {
    /// Where and how.
    #[command(flatten)]
    pub place: Where,
    /// Begin traces, chains and audits at the root's name servers in this master file
    #[arg(long, value_name = "FILE")]
    pub root_hints: Option<PathBuf>,
    /// Trust the DS and DNSKEY records in this master file
    #[arg(long, value_name = "FILE")]
    pub anchor: Vec<PathBuf>,
}

impl OwnArgs {
    /// Takes our options out; gives them and dig's words. `-4` and `-6` stay with dig.
    pub(crate) fn split(words: &[String]) -> Result<(OwnArgs, Vec<String>), Failure> {
        let (mut own, mut rest) = (Vec::new(), Vec::new());
        let mut words = words.iter();
        while let Some(word) = words.next() {
            // An audit and a picture are dig's own matter.
            if !word.starts_with("--") || matches!(word.as_str(), "--check" | "--svg") {
                rest.push(word.clone());
                continue;
            }
            own.push(word.clone());
            if matches!(
                word.as_str(),
                "--on"
                    | "--seed"
                    | "--set"
                    | "--color"
                    | "--address"
                    | "--gateway"
                    | "--resolver"
                    | "--mac"
                    | "--device"
                    | "--root-hints"
                    | "--anchor"
            ) {
                own.extend(words.next().cloned());
            }
        }
        match OwnArgs::try_parse_from(own) {
            Ok(own) => Ok((own, rest)),
            Err(error) => match crate::failure::of_clap(&error) {
                Ok(text) => Err(Failure::usage(text, "")),
                Err(failure) => Err(failure),
            },
        }
    }
}
