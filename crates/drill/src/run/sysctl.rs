//! Names of kernel settings, and which of our settings they are.

use core::time::Duration;

use thru_stack::tcp::{Ecn, OpeningErrors, SynFin};

use super::{Runner, Stop};
use crate::Persona;

/// What a name means to us.
enum Meaning {
    /// A setting of ours.
    Ours,
    /// Nothing that a script could see here.
    Unseen,
    /// A mechanism that we don't have.
    Lacking,
}

/// Why a setting can't be carried out.
pub(crate) fn cannot_apply(name: &str, value: &str, _persona: Persona) -> Option<String> {
    match meaning(name, value) {
        Meaning::Lacking => Some(format!("the setting {name}={value} is not there")),
        Meaning::Ours | Meaning::Unseen => None,
    }
}

fn meaning(name: &str, value: &str) -> Meaning {
    let short = name
        .strip_prefix("net.inet.tcp.")
        .or_else(|| name.strip_prefix("net.ipv4.tcp_"))
        .or_else(|| name.strip_prefix("net.ipv4."))
        .or_else(|| name.strip_prefix("net.core."))
        .unwrap_or(name);
    match short {
        "rfc1323"
        | "sack.enable"
        | "ecn.enable"
        | "recvspace"
        | "sendspace"
        | "kern.ipc.maxsockbuf"
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
        | "ecn.maxretries"
        | "tolerate_missing_ts"
        | "fastopen.client_enable" => Meaning::Ours,
        "blackhole" if value == "0" => Meaning::Unseen,
        "hostcache.purgenow" | "syncookies" => Meaning::Unseen,
        "syncookies_only" if value == "0" => Meaning::Unseen,
        "timestamps" | "sack" | "window_scaling" | "ecn" | "rmem" | "wmem" => Meaning::Ours,
        _ => Meaning::Lacking,
    }
}

impl Runner {
    /// Changes a setting of the host.
    pub(super) fn sysctl(&mut self, name: &str, value: &str) -> Result<(), Stop> {
        let number: Option<u64> = value.trim().parse().ok();
        let Some(number) = number else { return Ok(()) };
        let millis = Duration::from_millis(number);
        let tcp = &mut self.settings.tcp;
        match name {
            "net.inet.tcp.rfc1323" => {
                tcp.timestamps = number != 0;
                tcp.window_scaling = number != 0;
            }
            "net.inet.tcp.sack.enable" | "net.ipv4.tcp_sack" => tcp.sack = number != 0,
            "net.ipv4.tcp_timestamps" => tcp.timestamps = number != 0,
            "net.ipv4.tcp_window_scaling" => tcp.window_scaling = number != 0,
            "kern.ipc.maxsockbuf" => tcp.receive_buffer_most = number as usize,
            "net.inet.tcp.recvspace" => tcp.receive_buffer = number as usize,
            "net.inet.tcp.sendspace" => tcp.send_buffer = number as usize,
            "net.inet.tcp.keepinit" => self.settings.keep_init = Some(millis),
            "net.inet.tcp.keepidle" => self.settings.keep_idle = millis,
            "net.inet.tcp.keepintvl" => tcp.keepalive_interval = millis,
            "net.inet.tcp.keepcnt" => tcp.keepalive_probes = number as u32,
            "net.inet.tcp.delacktime" => tcp.delayed_ack = millis,
            "net.inet.tcp.insecure_rst" => tcp.habits.reset_in_window = number != 0,
            "net.inet.tcp.insecure_syn" => tcp.habits.syn_resets = number != 0,
            "net.inet.tcp.drop_synfin" => {
                tcp.habits.syn_fin = if number == 0 { SynFin::Take } else { SynFin::Drop };
            }
            "net.inet.tcp.rexmit_initial" => tcp.habits.initial_rto = millis,
            "net.inet.tcp.rexmit_slop" => tcp.habits.rto_slop = millis,
            "net.inet.tcp.rexmit_drop_options" => {
                // FreeBSD tries with all options three times.
                tcp.habits.syn_plain_after = (number != 0).then_some(2);
            }
            "net.inet.tcp.ecn.enable" => {
                tcp.ecn = match number {
                    0 => Ecn::Off,
                    1 => Ecn::Request,
                    _ => Ecn::Accept,
                };
            }
            "net.inet.tcp.fastopen.client_enable" => tcp.fast_open_client = number != 0,
            "net.inet.tcp.icmp_may_rst" => {
                tcp.habits.opening_errors =
                    if number == 0 { OpeningErrors::None } else { OpeningErrors::Hard };
            }
            _ => {}
        }
        let tcp = self.settings.tcp.clone();
        self.host.set_tcp_config(tcp);
        Ok(())
    }
}
