//! What the user is told: each answer below its question, what stayed without, and the counts.

use std::collections::BTreeMap;

use serde_json::json;
use thru_net::Network;
use thru_probe::send::matching::{Link, Relation};
use thru_probe::send::{Event, Summary};
use thru_report::json as report_json;

use crate::args::packets::SendArgs;
use crate::commands::craft::save::Save;
use crate::commands::craft::show::Shown;
use crate::commands::craft::{ETHERNET, RAW};
use crate::failure::Failure;
use crate::output;

/// So many packets without an answer are listed.
const LISTED: usize = 20;

/// Tells what happens as it happens.
pub(super) struct Told {
    json: bool,
    tree: bool,
    link: u16,
    shown: Shown,
    save: Option<Save>,
    network: Network,
    /// Sent and not answered yet.
    open: BTreeMap<u64, Vec<u8>>,
    trouble: Option<Failure>,
}

impl Told {
    pub(super) fn new(args: &SendArgs, link: u16, save: Option<Save>, network: Network) -> Told {
        Told {
            json: args.place.json,
            tree: args.tree,
            link,
            shown: Shown::new(),
            save,
            network,
            open: BTreeMap::new(),
            trouble: None,
        }
    }

    pub(super) fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Sent { number, question, .. } => {
                self.keep(&question.bytes);
                self.open.insert(number, question.bytes.clone());
            }
            Event::Failed { number, question, error } => {
                let line = self.shown.line(number + 1, self.link, &question.bytes);
                output::say(&format!("warning: #{} was not sent: {error}: {line}", number + 1));
            }
            Event::Answered { number, question, answer, relation, rtt, first } => {
                let (link, bytes) = match (self.link, answer.ip()) {
                    (RAW, Some(ip)) => (RAW, ip),
                    _ => (if answer.ethernet { ETHERNET } else { RAW }, &answer.bytes[..]),
                };
                if link == self.link {
                    self.keep(bytes);
                }
                let was_open = self.open.remove(&number).is_some();
                debug_assert_eq!(was_open, first);
                let text = if self.json {
                    let value = json!({
                        "number": number + 1, "question": hex(&question.bytes), "answer": hex(bytes),
                        "relation": word(relation), "rtt_nanos": rtt.as_nanos() as u64, "first": first,
                        "packet": self.shown.json(number + 1, link, bytes),
                    });
                    report_json::line("answer", &value)
                } else {
                    let asked = if first {
                        self.shown.line(number + 1, self.link_of(question.link), &question.bytes)
                    } else {
                        String::new()
                    };
                    let asked = if asked.is_empty() { asked } else { format!("#{} {asked}", number + 1) };
                    let answered = if self.tree {
                        format!("\n{}", self.shown.tree(number + 1, link, bytes))
                    } else {
                        self.shown.line(number + 1, link, bytes)
                    };
                    let millis = rtt.as_secs_f64() * 1e3;
                    let quoted = if relation == Relation::Quoted { " (quotes it)" } else { "" };
                    format!("{asked}  {millis:.3} ms{quoted}: {answered}")
                };
                output::print(&text);
            }
        }
    }

    /// The rest, and the counts.
    pub(super) fn finish(mut self, summary: &Summary) -> Result<(), Failure> {
        let open = std::mem::take(&mut self.open);
        for (number, bytes) in open.iter().take(if self.json { usize::MAX } else { LISTED }) {
            let text = if self.json {
                report_json::line("unanswered", &json!({ "number": number + 1, "question": hex(bytes) }))
            } else {
                format!("#{} {}  no answer\n", number + 1, self.shown.line(number + 1, self.link, bytes))
            };
            output::print(&text);
        }
        let Summary { sent, failed, answered, errors, repeated, others } = *summary;
        let unanswered = sent - answered;
        output::print(&if self.json {
            let value = json!({
                "sent": sent, "failed": failed, "answered": answered, "errors": errors, "unanswered": unanswered,
                "repeated": repeated, "others": others,
            });
            report_json::line("send", &value)
        } else {
            let more = open.len().saturating_sub(LISTED);
            let more = if more > 0 { format!("and {more} more without an answer\n") } else { String::new() };
            let mut text = format!("{more}{sent} sent, {answered} answered");
            if errors > 0 {
                text.push_str(&format!(" ({errors} by ICMP errors)"));
            }
            text.push_str(&format!(", {unanswered} unanswered"));
            for (count, words) in
                [(failed, "not sent"), (repeated, "answered again"), (others, "seen that answer nothing")]
            {
                if count > 0 {
                    text.push_str(&format!(", {count} {words}"));
                }
            }
            text + "\n"
        });
        if let Some(trouble) = self.trouble {
            return Err(trouble);
        }
        self.save.map_or(Ok(()), Save::finish)
    }

    fn link_of(&self, link: Link) -> u16 {
        if link == Link::Ethernet { ETHERNET } else { RAW }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let time = self.network.unix_time().as_nanos() as u64;
        if let Some(save) = &mut self.save
            && let Err(failure) = save.packet(time, bytes)
        {
            self.trouble.get_or_insert(failure);
        }
    }
}

fn word(relation: Relation) -> &'static str {
    match relation {
        Relation::Flow => "flow",
        Relation::Quoted => "quoted",
        Relation::Arp => "arp",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
