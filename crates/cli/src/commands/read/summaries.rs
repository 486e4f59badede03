//! What is told of all packets together, when the last one was read.

use std::io::Write as _;

use thru_dissect::summary::conversations::Conversations;
use thru_dissect::summary::follow::{Follow, Form};
use thru_dissect::summary::hierarchy::Hierarchy;
use thru_dissect::summary::insight::Insight;
use thru_dissect::summary::io::Io;
use thru_dissect::summary::ladder::Ladder;
use thru_dissect::{Arena, Dissector, Tree};

use super::objects::Export;
use super::table::Table;
use crate::args::Color;
use crate::args::captures::{FollowForm, ShowArgs, Stats};
use crate::failure::Failure;
use crate::output;

/// What was asked for besides, or instead of, packets.
pub(super) enum Summary {
    Follow(Follow),
    Ladder(Ladder),
    Objects(Export),
    Stats(Vec<Counter>),
    Table(Table),
}

/// One of the statistics.
pub(super) enum Counter {
    Conversations(Conversations),
    Endpoints(Conversations),
    Io(Io),
    Hierarchy(Hierarchy),
    Tcp(Insight),
}

impl Summary {
    /// `None`: the packets themselves were asked for.
    pub(super) fn new(args: &ShowArgs) -> Result<Option<Summary>, Failure> {
        if let Some(id) = args.follow {
            let form = match args.form {
                _ if args.json => Form::Json,
                FollowForm::Text => Form::Text,
                FollowForm::Hex => Form::Hex,
                FollowForm::Raw => Form::Raw,
            };
            return Ok(Some(Summary::Follow(Follow::new(id, form))));
        }
        if let Some(id) = args.ladder {
            return Ok(Some(Summary::Ladder(Ladder::new(id))));
        }
        if let Some(folder) = &args.export_objects {
            return Ok(Some(Summary::Objects(Export::new(folder)?)));
        }
        let counter = |what: &Stats| match what {
            Stats::Conv => Counter::Conversations(Conversations::default()),
            Stats::Endpoints => Counter::Endpoints(Conversations::default()),
            Stats::Io => Counter::Io(Io::default()),
            Stats::Phs => Counter::Hierarchy(Hierarchy::default()),
            Stats::Tcp => Counter::Tcp(Insight::default()),
        };
        let counters: Vec<Counter> = args.stats.iter().map(counter).collect();
        Ok((!counters.is_empty()).then_some(Summary::Stats(counters)))
    }

    /// Takes a packet that passed the filters.
    pub(super) fn take(&mut self, out: &mut Vec<u8>, tree: Tree<'_>) -> Result<(), Failure> {
        match self {
            Summary::Follow(follow) => follow.take(out, tree),
            Summary::Ladder(ladder) => ladder.take(tree),
            Summary::Objects(export) => return export.take(tree),
            Summary::Table(table) => return table.take(tree),
            Summary::Stats(counters) => {
                for counter in counters {
                    match counter {
                        Counter::Conversations(counter) | Counter::Endpoints(counter) => counter.take(tree),
                        Counter::Io(counter) => counter.take(tree),
                        Counter::Hierarchy(counter) => counter.take(tree),
                        Counter::Tcp(counter) => counter.take(tree),
                    }
                }
            }
        }
        Ok(())
    }

    /// When the last packet was taken: takes what waits for others.
    pub(super) fn rest(&mut self, out: &mut Vec<u8>, dissector: &mut Dissector, arena: &mut Arena) {
        if let Summary::Follow(follow) = self {
            follow.rest(out, dissector, arena);
        }
    }

    /// Tells what was found; `Err`: what was asked for is not in the capture.
    pub(super) fn finish(self, out: &mut Vec<u8>, args: &ShowArgs) -> Result<(), Failure> {
        const HINT: &str = "thru read FILE --stats conv lists the flows; -f tcp.stream,udp.stream,quic.connection.number numbers them";
        match self {
            Summary::Follow(follow) => {
                if follow.said() == 0 {
                    return Err(Failure::undecided(
                        "nothing was said on that stream, or it could not be opened",
                        HINT,
                    ));
                }
                if args.form == FollowForm::Text && !args.json && out.last() != Some(&b'\n') {
                    out.push(b'\n');
                }
            }
            Summary::Ladder(ladder) => {
                if ladder.is_empty() {
                    return Err(Failure::undecided("that flow is not in the capture", HINT));
                }
                if args.svg {
                    ladder.svg(out);
                } else {
                    ladder.text(out, output::style(Color::Never).width);
                }
            }
            Summary::Objects(export) => export.finish(),
            Summary::Table(table) => return table.finish(),
            Summary::Stats(counters) => {
                for counter in counters {
                    match (counter, args.json) {
                        (Counter::Conversations(counter), false) => counter.text(out),
                        (Counter::Conversations(counter), true) => counter.json(out),
                        (Counter::Endpoints(counter), false) => counter.endpoints_text(out),
                        (Counter::Endpoints(counter), true) => counter.endpoints_json(out),
                        (Counter::Io(counter), false) => counter.text(out),
                        (Counter::Io(counter), true) => counter.json(out),
                        (Counter::Hierarchy(counter), false) => counter.text(out),
                        (Counter::Hierarchy(counter), true) => counter.json(out),
                        (Counter::Tcp(counter), false) => counter.text(out),
                        (Counter::Tcp(counter), true) => counter.json(out),
                    }
                }
                // A blank line between, none at the end.
                if out.ends_with(b"\n\n") {
                    out.pop();
                }
            }
        }
        out.flush().map_err(|error| Failure::undecided(error.to_string(), ""))
    }
}
