//! Shell lines. Those that only set or ask what our stack has too are carried out; any other makes the script one that
//! can't apply.

use thru_stack::tcp::TcpStats;

use super::{Runner, Stop};

/// What a shell line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    /// `sysctl name=value`, or any other way to say it.
    Set(String, String),
    /// Nothing that a script could see.
    Nothing,
    /// Forget what was learnt of peers.
    Forget,
    /// Linux's script for defaults.
    Defaults,
    /// `ip route … initcwnd N mtu N`
    Route { window: Option<u32>, mtu: Option<usize> },
    /// `sockstat … | grep STATE … | grep N`: are there N connections in a state?
    Count { state: String, port: Option<u16>, wanted: usize },
    /// `ss -n state STATE | grep ADDRESS:PORT`: is there a connection?
    Exists { half_open: bool, port: u16 },
    /// `nstat … | grep NAME [| grep -q " N "]`: has a counter of the host moved, or to N?
    Counter { name: String, wanted: Option<u64> },
    /// `tcpdrop -s STATE`
    Drop(String),
}

/// Why a shell line can't be carried out.
pub(crate) fn cannot_apply(text: &str) -> Option<String> {
    match read(text) {
        Err(reason) => Some(reason),
        Ok(lines) => lines.iter().find_map(|line| match line {
            Line::Set(name, value) => super::sysctl::cannot_apply(name, value),
            Line::Counter { name, .. } if counted(&TcpStats::default(), name).is_none() => {
                Some(format!("the counter {name} is not there"))
            }
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
                Line::Forget => self.host.tcp_forget_fast_open(),
                Line::Count { state, port, wanted } => self.count(&state, port, wanted)?,
                Line::Defaults => {
                    self.host.tcp_forget_fast_open();
                    for (name, value) in super::sysctl::LINUX_DEFAULTS {
                        self.sysctl(name, value)?;
                    }
                }
                Line::Route { window, mtu } => {
                    if let Some(window) = window {
                        self.settings.tcp.initial_window_segments = window;
                        let tcp = self.settings.tcp.clone();
                        self.host.set_tcp_config(tcp);
                    }
                    if let Some(mtu) = mtu {
                        self.host.set_mtu(self.interface, mtu);
                    }
                }
                Line::Exists { half_open, port } => self.exists(half_open, port)?,
                Line::Counter { name, wanted } => self.counter(&name, wanted)?,
                Line::Drop(_) => self.host.tcp_forget_time_wait(self.now),
            }
        }
        Ok(())
    }

    fn counter(&mut self, name: &str, wanted: Option<u64>) -> Result<(), Stop> {
        let Some(found) = counted(self.host.tcp_stats(), name) else {
            return Stop::skip(format!("the counter {name} is not there"));
        };
        if wanted.map_or(found > 0, |wanted| wanted == found) {
            Ok(())
        } else {
            Stop::fail(format!("the counter {name} is {found}"))
        }
    }

    fn exists(&mut self, half_open: bool, port: u16) -> Result<(), Stop> {
        use thru_stack::tcp::State;
        let state = if half_open { State::SynReceived } else { State::Established };
        if self.host.tcp_count(state, Some(port)) > 0 {
            Ok(())
        } else {
            Stop::fail(format!("no connection of port {port} is in {state:?}"))
        }
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
    for command in text.split(['\n', ';']).flat_map(|line| line.split("&&")).flat_map(|line| line.split("||"))
    {
        // What follows ` #` is for people; where output goes is of no concern.
        let command = command.split(" #").next().unwrap_or_default();
        let words: Vec<&str> = command
            .split_whitespace()
            .filter(|word| !matches!(*word, "/dev/null" | ">" | "&>" | "2>") && !word.contains(">/dev/null"))
            .filter(|word| !matches!(*word, "2>&1" | ">/dev/null" | ">&2"))
            .collect();
        if words.is_empty() || words[0].starts_with('#') {
            continue;
        }
        read_command(&words.join(" "), &words, &mut lines)?;
    }
    Ok(lines)
}

fn read_command(command: &str, words: &[&str], lines: &mut Vec<Line>) -> Result<(), String> {
    let unknown = || Err(format!("the shell line `{command}` can't be mapped"));
    let program = words[0].rsplit('/').next().unwrap_or_default();
    match program {
        "sysctl" => {
            return read_settings(&words[1..], lines).then_some(()).ok_or_else(|| unknown().unwrap_err());
        }
        "set_sysctls.py" => {
            return read_settings(&words[1..], lines).then_some(()).ok_or_else(|| unknown().unwrap_err());
        }
        "defaults.sh" => lines.push(Line::Defaults),
        // Both signs of a crowded path, as we look for them.
        "echo" if words.get(1) == Some(&"3") && command.contains("tcp_cubic/parameters/hystart_detect") => {
            lines.push(Line::Nothing)
        }
        "nstat" if command.contains('|') => match counter(command) {
            Some(line) => lines.push(line),
            None => return unknown(),
        },
        "sockstat" => match count(command) {
            Some(line) => lines.push(line),
            None => return unknown(),
        },
        "ss" if command.contains("| grep") => match exists(command) {
            Some(line) => lines.push(line),
            None => return unknown(),
        },
        "tcpdrop" if words.get(1..3) == Some(&["-s", "TIME_WAIT"]) => {
            lines.push(Line::Drop("TIME_WAIT".to_owned()))
        }
        // What only prepares the machine, not TCP. A queueing discipline neither drops nor delays here.
        "sleep" | "true" | ":" | "sync" | "rm" | "dd" | "truncate" | "touch" | "ethtool" | "modprobe"
        | "chmod" => {
            lines.push(Line::Nothing);
        }
        _ if program.starts_with("sysctl_restore") => lines.push(Line::Nothing),
        "nstat" => lines.push(Line::Nothing),
        "tc" if words.contains(&"qdisc") && !words.contains(&"netem") && !command.contains("limit 0") => {
            lines.push(Line::Nothing);
        }
        "ip" => return read_ip(words, lines).then_some(()).ok_or_else(|| unknown().unwrap_err()),
        _ => return unknown(),
    }
    Ok(())
}

/// `ip tcp_metrics flush all`, `ip route change … initcwnd 20`.
fn read_ip(words: &[&str], lines: &mut Vec<Line>) -> bool {
    let after = |name: &str| {
        let at = words.iter().position(|word| *word == name)?;
        words.get(at + 1)
    };
    if words.contains(&"tcp_metrics") {
        lines.push(Line::Forget);
        return true;
    }
    let lacking =
        ["advmss", "features", "rto_min", "quickack", "congctl", "window", "rtt", "ssthresh", "cwnd", "lock"];
    if !words.contains(&"route") || words.iter().any(|word| lacking.contains(word)) {
        return false;
    }
    let window = after("initcwnd").and_then(|word| word.parse().ok());
    let mtu = after("mtu").and_then(|word| word.parse().ok());
    lines.push(Line::Route { window, mtu });
    true
}

/// `name=value` or `/proc/sys/name=value` words; values of several words are quoted.
fn read_settings(words: &[&str], lines: &mut Vec<Line>) -> bool {
    let mut any = false;
    let mut rest = words.iter().filter(|word| !word.starts_with('-'));
    while let Some(word) = rest.next() {
        // Quotes may stand around the whole as well as around the value.
        let word = word.trim_start_matches(['"', '\'']);
        let Some((name, value)) = word.split_once('=') else { return false };
        let mut value = value.to_owned();
        if value.starts_with(['"', '\'']) {
            while !(value.len() > 1 && value.ends_with(['"', '\''])) {
                let Some(more) = rest.next() else { return false };
                value = format!("{value} {more}");
            }
        }
        let name = name.trim_start_matches("/proc/sys/").replace('/', ".");
        lines.push(Line::Set(name, value.trim_matches(['"', '\'']).to_owned()));
        any = true;
    }
    any
}

/// A counter of the host by the kernel's name.
fn counted(stats: &TcpStats, name: &str) -> Option<u64> {
    Some(match name.strip_prefix("TcpExt").or(name.strip_prefix("Tcp"))? {
        "OutOfWindowIcmps" => stats.icmp_out_of_window,
        "ActiveOpens" => stats.active_opens,
        "PassiveOpens" => stats.passive_opens,
        "RetransSegs" => stats.retransmissions,
        "OutRsts" => stats.resets_sent,
        "ListenOverflows" => stats.listen_overflows,
        "ListenDrops" => stats.listen_drops,
        "SyncookiesSent" => stats.cookies_sent,
        "SyncookiesRecv" => stats.cookies_received,
        "SyncookiesFailed" => stats.cookies_failed,
        "TCPChallengeACK" => stats.challenge_acks,
        "DelayedACKs" => stats.delayed_acks,
        "TCPTimeouts" => stats.timeouts,
        "TCPFastOpenActive" => stats.fast_open_active,
        "TCPFastOpenActiveFail" => stats.fast_open_active_failed,
        "TCPFastOpenPassive" => stats.fast_open_passive,
        "TCPFastOpenPassiveFail" => stats.fast_open_passive_failed,
        "TCPFastOpenListenOverflow" => stats.fast_open_overflows,
        "TCPFastOpenCookieReqd" => stats.fast_open_cookies,
        "TCPFastOpenBlackhole" => stats.fast_open_black_holes,
        "TCPAbortOnClose" => stats.aborts_on_close,
        "TCPAbortOnData" => stats.aborts_on_data,
        "TCPAbortOnLinger" => stats.aborts_on_linger,
        "TCPAbortOnTimeout" => stats.aborts_on_timeout,
        "TCPRcvQDrop" => stats.receive_queue_drops,
        "PAWSEstab" => stats.paws_drops,
        _ => return None,
    })
}

/// `nstat -s | grep NAME | grep -q " 2 "`
fn counter(command: &str) -> Option<Line> {
    let (mut name, mut wanted) = (None, None);
    for part in command.split('|').skip(1) {
        let plain = part.replace(['"', '\''], " ");
        let words: Vec<&str> = plain.split_whitespace().filter(|word| !word.starts_with('-')).collect();
        match words.as_slice() {
            ["grep", word] => match word.parse() {
                Ok(number) => wanted = Some(number),
                Err(_) => name = Some((*word).to_owned()),
            },
            _ => return None,
        }
    }
    Some(Line::Counter { name: name?, wanted })
}

/// `ss -4 -n state SYN-RECV | grep 192.168.0.1:8080`
fn exists(command: &str) -> Option<Line> {
    let mut parts = command.split('|').map(str::trim);
    let first = parts.next()?;
    let half_open = match first.split_once(" state ") {
        Some((_, state)) if state.starts_with("SYN-RECV") => true,
        Some((_, state)) if state.starts_with("ESTAB") || state.starts_with("established") => false,
        Some(_) => return None,
        None => false,
    };
    let address = parts.next_back()?.strip_prefix("grep ")?.trim();
    Some(Line::Exists { half_open, port: address.rsplit(':').next()?.parse().ok()? })
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
