//! What both ends agree on while they greet (RFC 3168 6.1.1, RFC 9768 3.1).

use thru_wire::tcp::Flags;

use super::{ACE, CE, ECT0, ECT1, Ecn, EcnMode};
use crate::tcp::TcpConfig;

/// The three bits as a number: AE, CWR, ECE.
pub(super) fn ace(flags: Flags) -> u8 {
    u8::from(flags.contains(Flags::AE)) << 2
        | u8::from(flags.contains(Flags::CWR)) << 1
        | u8::from(flags.contains(Flags::ECE))
}

pub(super) fn flags_of(ace: u8) -> Flags {
    let mut flags = Flags::NONE;
    for (bit, flag) in [(4, Flags::AE), (2, Flags::CWR), (1, Flags::ECE)] {
        if ace & bit != 0 {
            flags |= flag;
        }
    }
    flags
}

/// RFC 9768 tables 2 and 3: what the handshake says of how the peer's SYN or SYN ACK arrived.
pub(super) fn handshake_code(codepoint: u8) -> u8 {
    match codepoint & 3 {
        ECT1 => 0b011,
        ECT0 => 0b100,
        CE => 0b110,
        _ => 0b010,
    }
}

impl EcnMode {
    /// What a client asks for.
    pub(crate) fn wanted(config: &TcpConfig) -> EcnMode {
        match config.ecn {
            Ecn::Request if config.accurate_ecn && config.accurate_ecn_asks => EcnMode::Accurate,
            Ecn::Request => EcnMode::Classic,
            _ => EcnMode::Off,
        }
    }

    /// The three bits of a SYN as a number.
    pub(crate) fn answer_code(flags: Flags) -> u8 {
        ace(flags)
    }

    /// What a server makes of the flags of a SYN (RFC 3168 6.1.1, RFC 9768 3.1.2 and 3.1.3).
    pub(crate) fn answer(config: &TcpConfig, flags: Flags) -> EcnMode {
        let code = ace(flags);
        if config.ecn == Ecn::Off || code == 0 {
            EcnMode::Off
        } else if code == 0b011 || (code == 0b111 && !config.accurate_ecn) {
            EcnMode::Classic
        } else if config.accurate_ecn {
            EcnMode::Accurate
        } else {
            EcnMode::Off
        }
    }

    /// What a client that asked for `self` has, after the flags of a SYN ACK (RFC 9768 table 2).
    pub(crate) fn agreed(self, flags: Flags, config: &TcpConfig) -> EcnMode {
        let code = ace(flags);
        let nonce = self == EcnMode::Accurate && config.habits.nonce_is_accurate;
        let classic = code == 0b001 || (code == 0b101 && !nonce);
        match self {
            EcnMode::Off => EcnMode::Off,
            EcnMode::Classic | EcnMode::Accurate if classic => EcnMode::Classic,
            // All three come back as they were sent: somebody reflects them.
            EcnMode::Accurate if code != 0 && code != 0b111 => EcnMode::Accurate,
            _ => EcnMode::Off,
        }
    }

    /// After a cookie: `asked` was kept; the rest shows in the acknowledgement, as Linux reads it.
    pub(crate) fn from_cookie(config: &TcpConfig, asked: bool, flags: Flags) -> EcnMode {
        match asked && config.ecn != Ecn::Off {
            true if config.accurate_ecn && ace(flags) >= 2 => EcnMode::Accurate,
            true => EcnMode::Classic,
            false => EcnMode::Off,
        }
    }

    /// The flags of a SYN that was sent again `times` times: a path that drops such SYNs gets another kind
    /// (RFC 3168 6.1.1.1, RFC 9768 3.1.4.1).
    /// `repeats`: how often classic ECN is asked for again.
    pub(crate) fn syn_flags(self, times: u32, repeats: u8) -> Flags {
        match self {
            EcnMode::Classic if times <= u32::from(repeats) => Flags::ECE | Flags::CWR,
            EcnMode::Accurate if times <= 1 => ACE,
            _ => Flags::NONE,
        }
    }

    /// The flags of a SYN ACK to a SYN that arrived with this codepoint.
    /// `times`: how often it was sent before. A path that dropped it twice may dislike the bits (RFC 9768 3.2.3.2.2).
    pub(crate) fn syn_ack_flags(self, arrived: u8, times: u32) -> Flags {
        match self {
            EcnMode::Accurate if times > 1 => Flags::NONE,
            EcnMode::Off => Flags::NONE,
            EcnMode::Classic => Flags::ECE,
            EcnMode::Accurate => flags_of(handshake_code(arrived)),
        }
    }
}
