//! Shell lines. Those that only set or ask what our stack has too are carried out; any other makes the script one that
//! can't apply.

use super::{Runner, Stop};
use crate::Persona;

/// What a shell line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    /// `sysctl name=value`, or any other way to say it.
    Set(String, String),
    /// Reset what was learnt of peers; we learn nothing that a script could see.
    Nothing,
    /// `sockstat … | grep STATE … | grep N`: are there N connections in a state?
    Count { state: String, port: Option<u16>, wanted: usize },
    /// `tcpdrop -s STATE`
    Drop(String),
}

/// Why a shell line can't be carried out.
pub(crate) fn cannot_apply(text: &str, persona: Persona) -> Option<String> {
    match read(text) {
        Err(reason) => Some(reason),
        Ok(lines) => lines.iter().find_map(|line| match line {
            Line::Set(name, value) => super::sysctl::cannot_apply(name, value, persona),
            _ => None,
        }),
    }
}

impl Runner {
    pub(super) fn shell(&mut self, text: &str) -> Result<(), Stop> {
        let lines = read(text).map_err(Stop::Skip)?;
        for line in lines {
            match line {
                Line::Set(name, value) => self.sysctl(&name, &value)?,
                Line::Nothing => {}
                Line::Count { state, port, wanted } => self.count(&state, port, wanted)?,
                Line::Drop(_) => self.host.tcp_forget_time_wait(self.now),
            }
        }
        Ok(())
    }

    fn count(&mut self, state: &str, port: Option<u16>, wanted: usize) -> Result<(), Stop> {
        let wanted_state = match state {
            "SYN_RCVD" => thru_stack::tcp::State::SynReceived,
            "TIME_WAIT" => thru_stack::tcp::State::TimeWait,
            "CLOSED" => thru_stack::tcp::State::Closed,
            "ESTABLISHED" => thru_stack::tcp::State::Established,
            other => return Stop::skip(format!("counting connections in {other} is not there")),
        };
        let found = self.host.tcp_count(wanted_state, port);
        if found == wanted {
            Ok(())
        } else {
            Stop::fail(format!("{found} connections are in {state}, not {wanted}"))
        }
    }
}

/// All commands of a shell line.
fn read(text: &str) -> Result<Vec<Line>, String> {
    let mut lines = Vec::new();
    for command in text.split(['\n', ';']).flat_map(|line| line.split("&&")) {
        let command = command.trim();
        if command.is_empty() || command.starts_with('#') {
            continue;
        }
        read_command(command, &mut lines)?;
    }
    Ok(lines)
}

fn read_command(command: &str, lines: &mut Vec<Line>) -> Result<(), String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let unknown = || Err(format!("the shell line `{command}` can't be mapped"));
    let program = words[0].rsplit('/').next().unwrap_or_default();
    match program {
        "sysctl" => {
            let mut any = false;
            let mut rest = words[1..].iter().filter(|word| !word.starts_with('-')).peekable();
            while let Some(word) = rest.next() {
                let Some((name, value)) = word.split_once('=') else { return unknown() };
                let mut value = value.to_owned();
                // Values of several words are quoted.
                if value.starts_with(['"', '\'']) {
                    while !(value.len() > 1 && value.ends_with(['"', '\''])) {
                        let Some(more) = rest.next() else { return unknown() };
                        value = format!("{value} {more}");
                    }
                    value = value.trim_matches(['"', '\'']).to_owned();
                }
                lines.push(Line::Set(name.replace('/', "."), value));
                any = true;
            }
            if any { Ok(()) } else { unknown() }
        }
        "defaults.sh" => {
            lines.push(Line::Nothing);
            Ok(())
        }
        "set_sysctls.py" => {
            for word in &words[1..] {
                let Some((name, value)) = word.split_once('=') else { return unknown() };
                let name = name.trim_start_matches("/proc/sys/").replace('/', ".");
                lines.push(Line::Set(name, value.to_owned()));
            }
            Ok(())
        }
        "sockstat" => match count(command) {
            Some(line) => {
                lines.push(line);
                Ok(())
            }
            None => unknown(),
        },
        "tcpdrop" if words.get(1) == Some(&"-s") && words.get(2) == Some(&"TIME_WAIT") => {
            lines.push(Line::Drop("TIME_WAIT".to_owned()));
            Ok(())
        }
        "sleep" | "true" | ":" | "sync" => {
            lines.push(Line::Nothing);
            Ok(())
        }
        _ => unknown(),
    }
}

/// `sockstat -4 -P tcp -s -p 8080 | grep -c SYN_RCVD | grep 1`
fn count(command: &str) -> Option<Line> {
    let mut parts = command.split('|').map(str::trim);
    let first: Vec<&str> = parts.next()?.split_whitespace().collect();
    let port = first.iter().position(|word| *word == "-p").and_then(|at| first.get(at + 1)?.parse().ok());
    let (mut state, mut wanted) = (None, None);
    for part in parts {
        let words: Vec<&str> = part.split_whitespace().collect();
        match words.as_slice() {
            ["grep", "-c", word] => state = Some((*word).to_owned()),
            ["grep", word] => wanted = word.parse().ok().or(wanted),
            _ => return None,
        }
    }
    Some(Line::Count { state: state?, port, wanted: wanted? })
}
