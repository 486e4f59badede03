//! Names of kernel settings, and which of our settings they are.

use core::time::Duration;

use thru_stack::tcp::{
    AcceptOverflow, CounterOption, Ecn, MtuProbing, OpeningErrors, SynCookies, SynFin, TcpConfig,
};

use super::kernel::controller;
use super::settings::Settings;
use super::{Runner, Stop};

/// What a name means to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// A setting of ours.
    Ours,
    /// Nothing that a script could see here.
    Unseen,
    /// A mechanism that we don't have.
    Lacking,
}

/// Why a setting can't be carried out.
pub(crate) fn cannot_apply(name: &str, value: &str) -> Option<String> {
    let lacking = || Some(format!("the setting {name}={value} is not there"));
    match meaning(name, value) {
        Meaning::Lacking => lacking(),
        Meaning::Ours | Meaning::Unseen => None,
    }
}

fn meaning(name: &str, value: &str) -> Meaning {
    let (linux, short) = match name.strip_prefix("net.inet.tcp.") {
        Some(short) => (false, short),
        None => (true, name.strip_prefix("net.ipv4.tcp_").unwrap_or(name)),
    };
    let only = |wanted: &str| if value == wanted { Meaning::Unseen } else { Meaning::Lacking };
    match (linux, short) {
        (_, "syncookies" | "syncookies_only" | "kern.ipc.maxsockbuf") => Meaning::Ours,
        (
            false,
            "rfc1323"
            | "sack.enable"
            | "ecn.enable"
            | "ecn.maxretries"
            | "recvspace"
            | "sendspace"
            | "insecure_rst"
            | "insecure_syn"
            | "drop_synfin"
            | "rexmit_initial"
            | "rexmit_slop"
            | "rexmit_drop_options"
            | "keepinit"
            | "keepidle"
            | "keepintvl"
            | "keepcnt"
            | "delacktime"
            | "icmp_may_rst"
            | "fastopen.client_enable",
        ) => Meaning::Ours,
        (false, "hostcache.purgenow" | "tolerate_missing_ts" | "msl" | "pmtud_blackhole_detection") => {
            Meaning::Unseen
        }
        (false, "blackhole") => only("0"),
        (
            true,
            "timestamps"
            | "sack"
            | "window_scaling"
            | "ecn"
            | "ecn_option"
            | "ecn_fallback"
            | "mtu_probing"
            | "rmem"
            | "wmem"
            | "syn_retries"
            | "synack_retries"
            | "retries2"
            | "congestion_control"
            | "fin_timeout"
            | "keepalive_time"
            | "keepalive_intvl"
            | "keepalive_probes"
            | "abort_on_overflow"
            | "rfc1337"
            | "tw_reuse"
            | "early_retrans"
            | "frto"
            | "max_reordering"
            | "syn_linear_timeouts"
            | "rto_min_us"
            | "challenge_ack_limit"
            | "fastopen"
            | "fastopen_key"
            | "fastopen_cookies"
            | "fastopen_blackhole_timeout_sec"
            | "moderate_rcvbuf",
        ) => Meaning::Ours,
        // How large a super-segment is, and when it leaves: segments are joined where a script expects larger ones.
        (
            true,
            "min_tso_segs"
            | "tso_win_divisor"
            | "tso_rtt_log"
            | "limit_output_bytes"
            | "autocorking"
            | "no_metrics_save"
            | "pacing_ss_ratio"
            | "pacing_ca_ratio"
            | "invalid_ratelimit"
            | "plb_enabled"
            | "ecn_option_beacon"
            | "retries1"
            | "orphan_retries"
            | "mem"
            | "available_congestion_control"
            | "stdurg"
            | "workaround_signed_windows",
        ) => Meaning::Unseen,
        (true, "dsack" | "recovery" | "shrink_window") => match (short, value) {
            ("shrink_window", "0") | ("dsack" | "recovery", "1") => Meaning::Unseen,
            _ => Meaning::Lacking,
        },
        (true, "fack" | "thin_linear_timeouts" | "slow_start_after_idle") if value == "0" => {
            if short == "slow_start_after_idle" { Meaning::Ours } else { Meaning::Unseen }
        }
        (true, "slow_start_after_idle") => Meaning::Ours,
        (true, "reordering") => only("3"),
        (true, "notsent_lowat") if value.starts_with("42949") || value == "-1" => Meaning::Unseen,
        (true, "notsent_lowat") => Meaning::Ours,
        (true, _)
            if matches!(
                name,
                "net.core.rmem_max"
                    | "net.core.wmem_max"
                    | "net.core.somaxconn"
                    | "net.ipv4.ip_local_port_range"
                    | "net.core.default_qdisc"
                    | "net.core.optmem_max"
            ) =>
        {
            Meaning::Unseen
        }
        _ => Meaning::Lacking,
    }
}

/// What Linux's scripts for defaults set.
pub(crate) const LINUX_DEFAULTS: &[(&str, &str)] = &[
    ("net.ipv4.tcp_rmem", "4096 540000 15728640"),
    ("net.ipv4.tcp_wmem", "4096 262144 4194304"),
    ("net.ipv4.tcp_timestamps", "1"),
    ("net.ipv4.tcp_syn_retries", "5"),
    ("net.ipv4.tcp_synack_retries", "5"),
    ("net.ipv4.tcp_frto", "2"),
    ("net.ipv4.tcp_sack", "1"),
    ("net.ipv4.tcp_congestion_control", "cubic"),
    ("net.ipv4.tcp_slow_start_after_idle", "0"),
    ("net.ipv4.tcp_early_retrans", "4"),
    ("net.ipv4.tcp_ecn", "0"),
    ("net.ipv4.tcp_fastopen", "0x70403"),
    ("net.ipv4.tcp_fastopen_key", "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4"),
    ("net.ipv4.tcp_syncookies", "1"),
];

/// Four words of 32 bits in hex, each of which lies in memory with its low byte first.
fn key_of(text: &str) -> Option<[u8; 16]> {
    let words: Vec<&str> = text.split('-').collect();
    let mut key = [0; 16];
    for (bytes, word) in key.chunks_exact_mut(4).zip(&words) {
        bytes.copy_from_slice(&u32::from_str_radix(word, 16).ok()?.to_le_bytes());
    }
    (words.len() == 4).then_some(key)
}

/// `0x403` or `1027`; of several numbers, the last.
fn number_of(value: &str) -> Option<u64> {
    let last = value.split_whitespace().last()?;
    match last.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => last.parse().ok(),
    }
}

impl Runner {
    /// Changes a setting of the host.
    pub(super) fn sysctl(&mut self, name: &str, value: &str) -> Result<(), Stop> {
        if name == "net.ipv4.tcp_fastopen_key" {
            // Several keys: the first is in use, the second is still taken.
            for key in value.split(',').rev() {
                match key_of(key) {
                    Some(key) => self.host.tcp_rotate_fast_open_key(key),
                    None => return Stop::fail(format!("`{key}` is not a key")),
                }
            }
            return Ok(());
        }
        if name == "net.ipv4.tcp_fastopen_cookies" {
            // No longer there in Linux: how many cookies are remembered.
            if number_of(value) == Some(0) {
                self.host.tcp_forget_fast_open();
            }
            return Ok(());
        }
        let settings = &mut self.settings;
        if name == "net.ipv4.tcp_congestion_control" {
            match controller(value.trim_matches('"')) {
                Some(congestion) => settings.tcp.congestion = congestion,
                None => return Stop::skip(format!("the congestion control `{value}` is not there")),
            }
        } else if let Some(number) = number_of(value) {
            match name.strip_prefix("net.ipv4.tcp_") {
                Some(short) => linux(settings, short, number, value),
                None => freebsd(settings, name.strip_prefix("net.inet.tcp.").unwrap_or(name), number),
            }
        }
        let tcp = settings.tcp.clone();
        self.host.set_tcp_config(tcp);
        Ok(())
    }
}

fn linux(settings: &mut Settings, name: &str, number: u64, value: &str) {
    let on = number != 0;
    let seconds = Duration::from_secs(number);
    let middle = value.split_whitespace().nth(1).and_then(|word| word.parse::<usize>().ok());
    let tcp: &mut TcpConfig = &mut settings.tcp;
    match name {
        "timestamps" => tcp.timestamps = on,
        "sack" => tcp.sack = on,
        "window_scaling" => tcp.window_scaling = on,
        "ecn" => {
            tcp.accurate_ecn = number >= 3;
            tcp.accurate_ecn_asks = number == 3;
            tcp.ecn = match number {
                0 => Ecn::Off,
                1 | 3 | 4 => Ecn::Request,
                _ => Ecn::Accept,
            };
        }
        "ecn_option" => {
            tcp.habits.accurate_ecn_option = match number {
                0 => CounterOption::Never,
                1 => CounterOption::WhenChanged,
                _ => CounterOption::Always,
            }
        }
        "mtu_probing" => {
            tcp.mtu_probing = match number {
                0 => MtuProbing::Off,
                1 => MtuProbing::AfterBlackHole,
                _ => MtuProbing::Always,
            }
        }
        "ecn_fallback" => tcp.habits.accurate_ecn_validates = on,
        "rmem" => {
            tcp.receive_buffer = middle.unwrap_or(tcp.receive_buffer);
            tcp.receive_buffer_most = number as usize;
        }
        "wmem" => {
            tcp.send_buffer = middle.unwrap_or(tcp.send_buffer);
            tcp.send_buffer_most = number as usize;
        }
        "syn_retries" => tcp.syn_retries = number as u32,
        "synack_retries" => tcp.syn_ack_retries = number as u32,
        "retries2" => tcp.data_retries = number as u32,
        "fin_timeout" => tcp.fin_wait2 = seconds,
        "keepalive_time" => settings.keep_idle = seconds,
        "keepalive_intvl" => tcp.keepalive_interval = seconds,
        "keepalive_probes" => tcp.keepalive_probes = number as u32,
        "abort_on_overflow" => {
            tcp.accept_overflow = if on { AcceptOverflow::Reset } else { AcceptOverflow::Drop };
        }
        "rfc1337" => tcp.time_wait_assassination = !on,
        "tw_reuse" => tcp.time_wait_reuse = on,
        "early_retrans" => tcp.tail_loss_probe = number >= 3,
        "frto" => tcp.frto = on,
        "max_reordering" => tcp.max_reordering = number as u32,
        "syn_linear_timeouts" => tcp.habits.syn_linear_timeouts = number as u32,
        "rto_min_us" => tcp.min_rto = Duration::from_micros(number),
        "challenge_ack_limit" => tcp.challenge_acks_per_second = number as u32,
        "fastopen" => {
            tcp.fast_open_client = number & 1 != 0;
            tcp.fast_open_server = number & 2 != 0;
            // 4: data goes along with every SYN, and nobody asks for a cookie.
            settings.fast_open = number;
        }
        "fastopen_blackhole_timeout_sec" => tcp.fast_open_black_hole = seconds,
        "moderate_rcvbuf" => tcp.receive_autotuning = on,
        "slow_start_after_idle" => tcp.habits.slow_start_after_idle = on,
        "notsent_lowat" => settings.notsent_low = Some(number as usize),
        "syncookies" => {
            tcp.syn_cookies = match number {
                0 => SynCookies::Never,
                1 => SynCookies::WhenFull,
                _ => SynCookies::Always,
            };
        }
        _ => {}
    }
}

fn freebsd(settings: &mut Settings, name: &str, number: u64) {
    let on = number != 0;
    let millis = Duration::from_millis(number);
    let tcp: &mut TcpConfig = &mut settings.tcp;
    match name {
        "rfc1323" => {
            tcp.timestamps = on;
            tcp.window_scaling = on;
        }
        "sack.enable" => tcp.sack = on,
        "kern.ipc.maxsockbuf" => tcp.receive_buffer_most = number as usize,
        "recvspace" => tcp.receive_buffer = number as usize,
        "sendspace" => tcp.send_buffer = number as usize,
        "keepinit" => settings.keep_init = Some(millis),
        "keepidle" => settings.keep_idle = millis,
        "keepintvl" => tcp.keepalive_interval = millis,
        "keepcnt" => tcp.keepalive_probes = number as u32,
        "delacktime" => tcp.delayed_ack = millis,
        "insecure_rst" => tcp.habits.reset_in_window = on,
        "insecure_syn" => tcp.habits.syn_resets = on,
        "drop_synfin" => tcp.habits.syn_fin = if on { SynFin::Drop } else { SynFin::Take },
        "rexmit_initial" => tcp.habits.initial_rto = millis,
        "rexmit_slop" => tcp.habits.rto_slop = millis,
        // FreeBSD tries with all options three times.
        "rexmit_drop_options" => tcp.habits.syn_plain_after = on.then_some(2),
        "ecn.enable" => {
            tcp.ecn = match number {
                0 => Ecn::Off,
                1 => Ecn::Request,
                _ => Ecn::Accept,
            };
        }
        "ecn.maxretries" => tcp.habits.ecn_syn_repeats = number.min(255) as u8,
        "fastopen.client_enable" => tcp.fast_open_client = on,
        "icmp_may_rst" => {
            tcp.habits.opening_errors = if on { OpeningErrors::Hard } else { OpeningErrors::None };
        }
        _ => {}
    }
}
