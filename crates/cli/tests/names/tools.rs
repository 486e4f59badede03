//! dig, kdig, drill and delv see of our resolver what `thru dig` sees: the same codes, the same AD, the same records,
//! octet for octet; and delv, which validates by itself, judges as AD and `thru dig +chain` do.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use serde_json::Value;
use thru_names::proto::rr::{Name, RecordType};
use thru_names::rdata::{canonical, hex, master_records};
use thru_names::text::{name_text, parse_name};

use crate::house::{Folder, run, thru};

/// Questions on one command line.
const AT_ONCE: usize = 50;
/// Commands that run side by side.
const SIDE_BY_SIDE: usize = 4;

/// Where validation begins: root hints, a DS record, the same for delv.
pub(crate) struct Begin<'a> {
    pub(crate) hints: &'a str,
    pub(crate) anchor: &'a str,
    pub(crate) keys: &'a str,
}

/// Owner, type and canonical data, of a whole section.
type Section = BTreeSet<(String, u16, Vec<u8>)>;

/// What a tool showed of one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Shown {
    code: String,
    secure: bool,
    answer: Section,
    authority: Section,
}

/// A difference that is known: which tool, in which rows, for which answers, and who is right.
struct Known {
    tool: &'static str,
    rows: &'static [&'static str],
    concerns: fn(&Shown) -> bool,
    why: &'static str,
}

const KNOWN: [Known; 2] = [
    // DNAME is type 39.
    Known {
        tool: "delv",
        rows: &["answer records"],
        concerns: |own| own.answer.iter().any(|(_, number, _)| *number == 39),
        why: "delv prints a DNAME under the name that was asked for, and not the CNAME that it implies; dig, kdig and drill \
              print what came",
    },
    // An NSEC3 record (50) with the flag for opt-out, and no record beside it but aliases: a denial, or a wildcard's proof.
    Known {
        tool: "delv",
        rows: &["AD", "own validation"],
        concerns: |own| {
            let opt_out = |data: &[u8]| data.get(1).is_some_and(|flags| flags & 1 == 1);
            let spans = own.authority.iter().any(|(_, number, data)| *number == 50 && opt_out(data));
            let denied = own.authority.iter().any(|(_, number, _)| *number == 6);
            spans && denied && !own.secure
        },
        why: "delv says that a denial validates whose span opts out; RFC 5155 section 9.2 wants no AD there, for names without \
              signatures may lie in it, and unbound, BIND and Knot Resolver give none either",
    },
];

/// How often tools agreed with `thru dig`.
#[derive(Default)]
struct Tally {
    asked: usize,
    rows: BTreeMap<(&'static str, &'static str), usize>,
    /// How often each known difference was met.
    known: [usize; KNOWN.len()],
    differences: Vec<String>,
}

impl Tally {
    fn count<T: PartialEq + std::fmt::Debug>(
        &mut self,
        (tool, row): (&'static str, &'static str),
        (about, answer): (&str, &Shown),
        own: &T,
        other: &T,
    ) {
        let agreed = self.rows.entry((tool, row)).or_default();
        if own == other {
            *agreed += 1;
            return;
        }
        let fits =
            |known: &Known| known.tool == tool && known.rows.contains(&row) && (known.concerns)(answer);
        match KNOWN.iter().position(fits) {
            Some(at) => self.known[at] += 1,
            None => self.differences.push(format!("{about}: {row}\n  thru dig {own:?}\n  {tool} {other:?}")),
        }
    }

    fn print(&self, tools: &[&'static str]) {
        eprintln!("{} questions by thru dig and:", self.asked);
        eprintln!("  {:22}{}", "", tools.iter().map(|tool| format!("{tool:>8}")).collect::<String>());
        for row in ["code", "AD", "answer records", "authority records", "own validation"] {
            let cell = |tool: &&'static str| match self.rows.get(&(*tool, row)) {
                Some(count) => format!("{count:>8}"),
                None => format!("{:>8}", "-"),
            };
            eprintln!("  {row:22}{}", tools.iter().map(cell).collect::<String>());
        }
        for (known, count) in KNOWN.iter().zip(self.known) {
            eprintln!("  {count} differences: {}", known.why);
        }
    }
}

/// Asks all with all tools, prints the table, and panics with what differs.
pub(crate) fn agree(folder: &Folder, asked: &[(String, RecordType)], begin: &Begin<'_>) {
    let list: String = asked.iter().map(|(name, rtype)| format!("{name} {rtype}\n")).collect();
    let list = folder.write("list", &list);
    let Said { own, chains, dug, kdug, drilled, delved } = ask_all(asked, &list, begin);
    assert_eq!(own.len(), asked.len(), "an object for each question");
    assert_eq!(chains.len(), asked.len(), "a chain for each question");
    let trouble = ["malformed", "mismatch", "WARNING"].map(|word| dug.matches(word).count());
    assert_eq!(trouble, [0; 3], "dig finds nothing wrong");

    let mut tally = Tally { asked: asked.len(), ..Tally::default() };
    for (tool, text) in [("dig", &dug), ("kdig", &kdug), ("drill", &drilled)] {
        let shown: Vec<Shown> = text.split("->>HEADER<<-").skip(1).map(of_text).collect();
        assert_eq!(shown.len(), asked.len(), "{tool} shows every answer");
        for ((own, other), (name, rtype)) in own.iter().zip(&shown).zip(asked) {
            let about = format!("{name} {rtype}");
            let about = (about.as_str(), own);
            tally.count((tool, "code"), about, &own.code, &other.code);
            tally.count((tool, "AD"), about, &own.secure, &other.secure);
            tally.count((tool, "answer records"), about, &own.answer, &other.answer);
            tally.count((tool, "authority records"), about, &own.authority, &other.authority);
        }
    }
    let said: Vec<&str> = delved.split("->>HEADER<<-\n").skip(1).collect();
    assert_eq!(said.len(), asked.len());
    for (at, (name, rtype)) in asked.iter().enumerate() {
        let own = &own[at];
        let about = format!("{name} {rtype}, delv said {}", said[at]);
        let about = (about.as_str(), own);
        let judgement = delv_judged(said[at]);
        tally.count(("delv", "own validation"), about, &chains[at], &judgement);
        // What it does not believe it does not show.
        tally.count(("delv", "code"), about, &own.code.as_str(), &delv_code(said[at]));
        tally.count(("delv", "AD"), about, &own.secure, &(judgement == "secure"));
        let shown = if judgement == "broken" { Section::new() } else { records(said[at].lines()) };
        tally.count(("delv", "answer records"), about, &own.answer, &shown);
    }
    tally.print(&["dig", "kdig", "drill", "delv"]);
    // Our own two views of one question are of one validator.
    for ((own, chain), (name, rtype)) in own.iter().zip(&chains).zip(asked) {
        let judged = (own.secure, own.code == "SERVFAIL");
        assert_eq!(judged, (*chain == "secure", *chain == "broken"), "{name} {rtype}: AD and +chain differ");
    }
    let count = tally.differences.len();
    assert_eq!(count, 0, "{}", tally.differences[..count.min(20)].join("\n"));
    assert!(tally.known.iter().all(|count| *count > 0), "a difference that nobody meets is none");
}

/// What each tool said.
struct Said {
    own: Vec<Shown>,
    chains: Vec<&'static str>,
    dug: String,
    kdug: String,
    drilled: String,
    delved: String,
}

/// Asks all with all tools at the same time: starting hundreds of processes is what takes long.
fn ask_all(asked: &[(String, RecordType)], list: &str, begin: &Begin<'_>) -> Said {
    let each = |batch: &[(String, String)], one: &dyn Fn(&str, &str) -> String| {
        batch.iter().map(|(name, kind)| one(name, kind)).collect::<String>()
    };
    let own = || -> Vec<Shown> {
        let said = thru(&["dig", "-f", list, "@127.0.0.1", "+dnssec", "--json"]);
        said.lines().map(|line| of_json(&serde_json::from_str(line).expect("JSON"))).collect()
    };
    let chains = || -> Vec<&'static str> {
        let words =
            ["dig", "-f", list, "+chain", "--json", "--root-hints", begin.hints, "--anchor", begin.anchor];
        thru(&words).lines().map(|line| judged(&serde_json::from_str(line).expect("JSON"))).collect()
    };
    let dug = || run("dig", &["@127.0.0.1", "+tries=1", "+time=9", "+dnssec", "+nosplit", "-f", list]);
    let kdug = || {
        in_batches(asked, |batch| {
            let mut words = vec!["@127.0.0.1", "+dnssec"];
            batch.iter().for_each(|(name, kind)| words.extend([name.as_str(), kind.as_str()]));
            run("kdig", &words)
        })
    };
    // Of itself it does not ask again over TCP when an answer is cut.
    let drilled = || {
        in_batches(asked, |batch| {
            each(batch, &|name, kind| run("drill", &["-a", "-D", "@127.0.0.1", name, kind]))
        })
    };
    let delved = || {
        in_batches(asked, |batch| {
            each(batch, &|name, kind| {
                let said = run("delv", &["@127.0.0.1", "-a", begin.keys, "+root=.", "+nosplit", name, kind]);
                format!("->>HEADER<<-\n{said}")
            })
        })
    };
    thread::scope(|scope| {
        let (own, chains) = (scope.spawn(own), scope.spawn(chains));
        let texts = [scope.spawn(dug), scope.spawn(kdug), scope.spawn(drilled)];
        let delved = delved();
        let [dug, kdug, drilled] = texts.map(|text| text.join().expect("it asks to the end"));
        let (own, chains) = (own.join().expect("it asks"), chains.join().expect("it asks"));
        Said { own, chains, dug, kdug, drilled, delved }
    })
}

/// Runs it for batches side by side; what it gave, in order.
fn in_batches(asked: &[(String, RecordType)], run: impl Fn(&[(String, String)]) -> String + Sync) -> String {
    let all: Vec<(String, String)> =
        asked.iter().map(|(name, rtype)| (name.clone(), rtype.to_string())).collect();
    let batches: Vec<&[(String, String)]> = all.chunks(AT_ONCE).collect();
    let mut texts = vec![String::new(); batches.len()];
    let share = batches.len().div_ceil(SIDE_BY_SIDE);
    thread::scope(|scope| {
        for (batches, texts) in batches.chunks(share).zip(texts.chunks_mut(share)) {
            let run = &run;
            scope.spawn(move || batches.iter().zip(texts).for_each(|(batch, text)| *text = run(batch)));
        }
    });
    texts.concat()
}

/// An object of `thru dig --json`.
fn of_json(line: &Value) -> Shown {
    let message = &line["message"];
    let section = |key: &str| {
        let records = message[key].as_array().expect("a section");
        let record = |record: &Value| {
            let number = record["TYPE"].as_u64().expect("a number") as u16;
            let data = hex(record["RDATAHEX"].as_str().expect("text")).expect("hex");
            let name = parse_name(record["NAME"].as_str().expect("text")).expect("a name");
            (name_text(&name.to_lowercase()), number, canonical(RecordType::from(number), &data))
        };
        records.iter().map(record).collect::<Section>()
    };
    Shown {
        code: line["status"].as_str().expect("a code").to_owned(),
        secure: message["AD"] == 1,
        answer: section("answerRRs"),
        authority: section("authorityRRs"),
    }
}

/// `secure`, `insecure` or `broken`, of `thru dig +chain --json`.
fn judged(line: &Value) -> &'static str {
    let summary = line["summary"].as_str().expect("a summary");
    ["secure", "insecure", "broken"]
        .into_iter()
        .find(|word| summary.starts_with(word))
        .unwrap_or_else(|| panic!("{summary}"))
}

/// One answer as dig, kdig and drill write it.
fn of_text(text: &str) -> Shown {
    let after = |word: &str| text.split_once(word).map_or("", |(_, rest)| rest);
    let code = ["status: ", "rcode: "].map(after).concat();
    let flags = text.lines().find(|line| line.to_lowercase().contains("flags: qr")).unwrap_or_default();
    let section = |title: &str| {
        let lines = text.lines().skip_while(|line| !line.contains(title)).skip(1);
        records(lines.take_while(|line| !line.is_empty() && !line.starts_with(";; ")))
    };
    Shown {
        code: code.split([',', ';']).next().unwrap_or_default().to_owned(),
        secure: flags.split([' ', ';']).any(|word| word == "ad"),
        answer: section(" ANSWER SECTION:"),
        authority: section(" AUTHORITY SECTION:"),
    }
}

/// The records in these lines.
fn records<'a>(lines: impl Iterator<Item = &'a str>) -> Section {
    let lines: String = lines.filter(|line| !line.starts_with(';')).map(|line| format!("{line}\n")).collect();
    let found = master_records(&lines, &Name::root()).unwrap_or_else(|why| panic!("{why}: {lines}"));
    found
        .into_iter()
        .map(|record| {
            let data = canonical(record.rtype, &record.data);
            (name_text(&record.name.to_lowercase()), u16::from(record.rtype), data)
        })
        .collect()
}

fn delv_judged(said: &str) -> &'static str {
    // It says it of each set: an alias may be worth less than what it leads to.
    match (said.contains("fully validated"), said.contains("unsigned answer")) {
        (_, true) => "insecure",
        (true, false) => "secure",
        (false, false) => "broken",
    }
}

fn delv_code(said: &str) -> &'static str {
    match () {
        () if said.contains("ncache nxdomain") || said.contains("NXDOMAIN") => "NXDOMAIN",
        () if delv_judged(said) == "broken" => "SERVFAIL",
        () => "NOERROR",
    }
}
