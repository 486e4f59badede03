//! A script's text to its parts.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::entry::{Entry, EntryReader};

/// Longest script read, in octets.
const SCRIPT_MAX: usize = 4 << 20;

/// Whose rules a script is written for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// unbound's testbound: clauses of configuration, and every question and answer counts.
    #[default]
    Testbound,
    /// Deckard, CZ.NIC's: single settings, questions that no range answers get SERVFAIL, and only the last answer is
    /// looked at.
    Deckard,
}

impl Dialect {
    /// Scripts for Deckard have no clauses, and settings of its own.
    fn of(config: &[Setting]) -> Dialect {
        const OWN: [&str; 8] = [
            "stub-addr",
            "stub-name",
            "forward-addr",
            "query-minimization",
            "features",
            "feature-list",
            "val-override-timestamp",
            "force-ipv6",
        ];
        let clauses = config.iter().any(|setting| setting.key == setting.clause);
        let own = config.iter().any(|setting| OWN.contains(&setting.key.as_str()));
        if own && !clauses { Dialect::Deckard } else { Dialect::Testbound }
    }
}

/// A whole script.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// Whose rules it is written for.
    pub dialect: Dialect,
    /// The lines `key: value` at the top.
    pub config: Vec<Setting>,
    /// Trust anchor files: lines by id.
    pub autotrust: BTreeMap<String, Vec<String>>,
    /// Zone files and the like: text by name.
    pub files: BTreeMap<String, String>,
    /// What the scenario calls itself.
    pub title: String,
    /// Answers of servers in the order in which they are tried: testbound takes the last of the script first.
    pub ranges: Vec<Range>,
    /// The steps in order.
    pub steps: Vec<Step>,
}

/// One line of configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Line number, from 1.
    pub line: usize,
    /// The clause it stands in, such as `server`; for a clause's own line the same as `key`.
    pub clause: String,
    /// Which clause of the script, counted from 0.
    pub clause_number: usize,
    /// Key without the colon.
    pub key: String,
    /// Value without quotation marks.
    pub value: String,
    /// What stands after a quoted value, or after its first word.
    pub rest: String,
}

/// Servers' answers for a range of steps.
#[derive(Clone, Debug)]
pub struct Range {
    /// First step.
    pub from: u32,
    /// Last step.
    pub to: u32,
    /// The servers that answer so; any when empty.
    pub addresses: Vec<IpAddr>,
    /// Tried in order.
    pub entries: Vec<Entry>,
}

/// A step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Line number, from 1.
    pub line: usize,
    /// Its number.
    pub number: u32,
    /// What happens.
    pub event: Event,
    /// The peer's address, where it matters.
    pub address: Option<IpAddr>,
}

/// What happens in a step.
#[derive(Clone, Debug)]
pub enum Event {
    /// Nothing.
    Nothing,
    /// A client asks.
    Query(Box<Entry>),
    /// The next answer to a client must look so.
    CheckAnswer(Box<Entry>),
    /// The resolver must have asked this.
    CheckOutQuery(Box<Entry>),
    /// A server answers the newest question.
    Reply(Box<Entry>),
    /// The newest question is never answered.
    Timeout,
    /// The newest question's connection fails.
    Error,
    /// Seconds go by, as an expression.
    TimePasses(String),
    /// Name and expression.
    Assign(String, String),
    /// Whatever can happen at this time happens.
    Traffic,
    /// The trust anchor file with this id must read so.
    CheckAutotrust(String, Vec<String>),
    /// The file of this name must read so.
    CheckFile(String, Vec<String>),
    /// The resolver shall believe this round trip (zone, milliseconds) of a server.
    RoundTrip(String, u32),
    /// The answer to `name type class` is taken from the cache.
    FlushMessage(String),
    /// The answer to `name type class` expires in the cache.
    ExpireMessage(String),
}

/// Reads a script; the error begins with its line.
pub fn parse(text: &str) -> Result<Script, (usize, String)> {
    if text.len() > SCRIPT_MAX {
        return Err((1, format!("the script is longer than {SCRIPT_MAX} octets")));
    }
    let lines: Vec<&str> = text.lines().collect();
    let mut parser = Parser { lines, at: 0, script: Script::default() };
    parser.config()?;
    parser.script.dialect = Dialect::of(&parser.script.config);
    parser.scenario()?;
    if parser.script.dialect == Dialect::Testbound {
        parser.script.ranges.reverse();
    }
    Ok(parser.script)
}

struct Parser<'a> {
    lines: Vec<&'a str>,
    at: usize,
    script: Script,
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let line = self.lines.get(self.at).copied()?;
        self.at += 1;
        Some(line)
    }

    fn fail<T>(&self, why: impl Into<String>) -> Result<T, (usize, String)> {
        Err((self.at, why.into()))
    }

    /// Lines up to the one that begins with `end`.
    fn until(&mut self, end: &str) -> Result<Vec<String>, (usize, String)> {
        let mut found = Vec::new();
        while let Some(line) = self.next() {
            if line.trim_start().starts_with(end) {
                return Ok(found);
            }
            found.push(line.trim_end().to_owned());
        }
        self.fail(format!("no {end}"))
    }

    fn config(&mut self) -> Result<(), (usize, String)> {
        const CLAUSES: [&str; 12] = [
            "server",
            "stub-zone",
            "forward-zone",
            "auth-zone",
            "rpz",
            "view",
            "remote-control",
            "python",
            "dynlib",
            "dnscrypt",
            "cachedb",
            "ipset",
        ];
        let mut clause = ("server".to_owned(), 0);
        let mut clauses = 0;
        while let Some(line) = self.next() {
            let line = line.trim();
            let word = line.split_whitespace().next().unwrap_or("");
            let argument = line[word.len()..].trim().to_owned();
            match word {
                "CONFIG_END" => return Ok(()),
                "" | "COMMANDLINE" => continue,
                "AUTOTRUST_FILE" => {
                    let lines = self.until("AUTOTRUST_END")?;
                    self.script.autotrust.insert(argument, lines);
                    continue;
                }
                "TEMPFILE_CONTENTS" => {
                    let lines = self.until("TEMPFILE_END")?;
                    self.script.files.insert(argument, lines.join("\n") + "\n");
                    continue;
                }
                "TEMPFILE_NAME" => {
                    match self.script.config.last_mut() {
                        Some(setting) if setting.value.is_empty() => setting.value = argument,
                        _ => return self.fail("a file name without a setting"),
                    }
                    continue;
                }
                _ if line.starts_with(';') || line.starts_with('#') => continue,
                _ => {}
            }
            let Some((key, value)) = line.split_once(':') else {
                return self.fail(format!("neither setting nor keyword: {line}"));
            };
            let (value, rest) = unquoted(value.trim());
            let mut settings = vec![(key.to_owned(), value, rest)];
            if CLAUSES.contains(&key) {
                // A clause may go on in its own line: `forward-zone: name: "." forward-addr: 192.0.2.1`.
                clause = (key.to_owned(), clauses);
                clauses += 1;
                let tail = line[key.len() + 1..].trim();
                let tail = &tail[..tail.find(['#', ';']).unwrap_or(tail.len())];
                settings = vec![(key.to_owned(), String::new(), String::new())];
                for word in tail.split_whitespace() {
                    match (word.strip_suffix(':'), settings.last_mut()) {
                        (Some(key), _) => settings.push((key.to_owned(), String::new(), String::new())),
                        (None, Some((_, value, _))) => *value = word.trim_matches('"').to_owned(),
                        (None, None) => {}
                    }
                }
            }
            for (key, value, rest) in settings {
                self.script.config.push(Setting {
                    line: self.at,
                    clause: clause.0.clone(),
                    clause_number: clause.1,
                    key,
                    value,
                    rest,
                });
            }
        }
        self.fail("no CONFIG_END")
    }

    fn scenario(&mut self) -> Result<(), (usize, String)> {
        let mut begun = false;
        while let Some(line) = self.next() {
            let line = line.split(';').next().unwrap_or("").trim();
            let word = line.split_whitespace().next().unwrap_or("");
            let rest = line[word.len()..].trim();
            match word {
                "" => {}
                "SCENARIO_BEGIN" => {
                    begun = true;
                    self.script.title = rest.to_owned();
                }
                "SCENARIO_END" if begun => return Ok(()),
                "RANGE_BEGIN" if begun => {
                    let range = self.range(rest)?;
                    self.script.ranges.push(range);
                }
                // testbound passes over what closes nothing.
                "RANGE_END" if begun => {}
                "STEP" if begun => {
                    let step = self.step(rest)?;
                    self.script.steps.push(step);
                }
                _ => return self.fail(format!("unexpected {word}")),
            }
        }
        self.fail("no SCENARIO_END")
    }

    fn range(&mut self, rest: &str) -> Result<Range, (usize, String)> {
        let mut numbers = rest.split_whitespace().map(|word| word.parse().ok());
        let (Some(Some(from)), Some(Some(to))) = (numbers.next(), numbers.next()) else {
            return self.fail("RANGE_BEGIN needs two numbers");
        };
        let mut range = Range { from, to, addresses: Vec::new(), entries: Vec::new() };
        let mut reader = EntryReader::new(self.script.dialect);
        while let Some(line) = self.next() {
            let bare = line.split(';').next().unwrap_or("").trim();
            let word = bare.split_whitespace().next().unwrap_or("");
            match word {
                // An entry that nobody ended ends here, as testbound has it.
                "RANGE_END" | "END_RANGE" => return Ok(range),
                "" if !reader.inside() => {}
                "ADDRESS" if !reader.inside() => {
                    let text = bare["ADDRESS".len()..].trim();
                    match address(text) {
                        Some(address) => range.addresses.push(address),
                        None => return self.fail(format!("no address: {text}")),
                    }
                }
                _ => {
                    if let Some(entry) = reader.line(line, self.at).map_err(|why| (self.at, why))? {
                        range.entries.push(entry);
                    }
                }
            }
        }
        self.fail("no RANGE_END")
    }

    fn entry(&mut self) -> Result<Box<Entry>, (usize, String)> {
        let mut reader = EntryReader::new(self.script.dialect);
        while let Some(line) = self.next() {
            let bare = line.split(';').next().unwrap_or("").trim();
            if bare.starts_with("STEP ") || bare.starts_with("SCENARIO_END") {
                break;
            }
            if let Some(entry) = reader.line(line, self.at).map_err(|why| (self.at, why))? {
                return Ok(Box::new(entry));
            }
        }
        self.fail("an entry without end")
    }

    fn step(&mut self, rest: &str) -> Result<Step, (usize, String)> {
        let line = self.at;
        let words: Vec<&str> = rest.split_whitespace().collect();
        let (Some(Ok(number)), Some(kind)) = (words.first().map(|word| word.parse()), words.get(1)) else {
            return self.fail("STEP needs a number and an event");
        };
        let tail = rest.splitn(3, char::is_whitespace).nth(2).unwrap_or("").trim();
        // Extra spaces may stand between number and event.
        let tail = tail.strip_prefix(kind).unwrap_or(tail).trim();
        let mut address = None;
        if let Some(at) = words.iter().position(|word| *word == "ADDRESS") {
            let text = words.get(at + 1).copied().unwrap_or("");
            address = self::address(text);
            if address.is_none() {
                return self.fail(format!("no address: {text}"));
            }
        }
        let event = match *kind {
            "NOTHING" => Event::Nothing,
            "QUERY" => Event::Query(self.entry()?),
            "CHECK_ANSWER" => Event::CheckAnswer(self.entry()?),
            "CHECK_OUT_QUERY" => Event::CheckOutQuery(self.entry()?),
            "REPLY" => Event::Reply(self.entry()?),
            "TIMEOUT" => Event::Timeout,
            "ERROR" => Event::Error,
            "TRAFFIC" => Event::Traffic,
            "TIME_PASSES" => match words.get(2) {
                Some(&"ELAPSE" | &"EVAL") => Event::TimePasses(
                    tail.split_once(char::is_whitespace).map_or("", |(_, text)| text).trim().to_owned(),
                ),
                _ => return self.fail("TIME_PASSES needs ELAPSE or EVAL"),
            },
            "ASSIGN" => {
                let Some((name, value)) = tail.split_once('=') else { return self.fail("ASSIGN needs =") };
                Event::Assign(name.trim().to_owned(), value.trim().to_owned())
            }
            "CHECK_AUTOTRUST" | "CHECK_TEMPFILE" => {
                let id = words.get(2).copied().unwrap_or("").to_owned();
                self.until("FILE_BEGIN")?;
                let lines = self.until("FILE_END")?;
                if *kind == "CHECK_AUTOTRUST" {
                    Event::CheckAutotrust(id, lines)
                } else {
                    Event::CheckFile(id, lines)
                }
            }
            "INFRA_RTT" => {
                // INFRA_RTT address zone milliseconds
                address = words.get(2).and_then(|text| self::address(text));
                let (Some(zone), Some(Ok(rtt))) = (words.get(3), words.get(4).map(|word| word.parse()))
                else {
                    return self.fail("INFRA_RTT needs address, zone, milliseconds");
                };
                Event::RoundTrip((*zone).to_owned(), rtt)
            }
            "FLUSH_MESSAGE" => Event::FlushMessage(tail.to_owned()),
            "EXPIRE_MESSAGE" => Event::ExpireMessage(tail.to_owned()),
            other => return self.fail(format!("unknown event {other}")),
        };
        Ok(Step { line, number, event, address })
    }
}

/// An address, perhaps with `@port`.
fn address(text: &str) -> Option<IpAddr> {
    text.trim().split('@').next()?.parse().ok()
}

/// A value without its quotation marks, and what follows it; comments left out.
fn unquoted(value: &str) -> (String, String) {
    let bare = |text: &str| {
        let end = text.find([';', '#']).unwrap_or(text.len());
        text[..end].trim().trim_matches('"').to_owned()
    };
    for quote in ['"', '\''] {
        if let Some(tail) = value.strip_prefix(quote) {
            let (inside, rest) = tail.split_once(quote).unwrap_or((tail, ""));
            return (inside.to_owned(), bare(rest));
        }
    }
    let end = value.find([';', '#']).unwrap_or(value.len());
    let value = value[..end].trim();
    match value.split_once(char::is_whitespace) {
        Some((first, rest)) => (first.to_owned(), rest.trim().trim_matches('"').to_owned()),
        None => (value.to_owned(), String::new()),
    }
}
