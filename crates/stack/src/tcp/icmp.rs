//! ICMP errors about our segments: believed only if they quote what is in flight, and hardly ever obeyed
//! (RFC 5927, RFC 1122 4.2.3.9).

use thru_wire::tcp::SeqNumber;

use super::ack::header_bytes;
use super::connection::{Connection, Context};
use super::insight::TcpEventKind;
use super::{OpeningErrors, State, TcpError, seq};
use crate::icmp::{IcmpErrorKind, IcmpReport};

impl Connection {
    /// Whether a segment with this number was sent and is not acknowledged.
    pub(crate) fn is_in_flight(&self, number: SeqNumber) -> bool {
        let place = seq::place(self.una, number);
        (self.una..self.nxt).contains(&place)
    }

    pub(crate) fn on_icmp(
        &mut self,
        cx: &mut Context<'_>,
        report: &IcmpReport,
        quoted: SeqNumber,
        mtu: usize,
    ) {
        let quoted = seq::place(self.una, quoted);
        // RFC 5927 4.1: someone who can't see our segments can't name a number in flight.
        if quoted < self.una || quoted >= self.nxt {
            cx.stats.icmp_out_of_window += 1;
            return;
        }
        self.insight.record(cx.now, TcpEventKind::Icmp(report.clone()));
        match report.kind {
            IcmpErrorKind::PacketTooBig { .. } => {
                self.limit_to_mtu(mtu);
                self.limit_syn_to_mtu(mtu);
                return;
            }
            kind if ends_opening(cx.config.habits.opening_errors, kind, report)
                && (matches!(self.state, State::SynSent)
                    || (self.state == State::SynReceived
                        && (self.active || cx.config.habits.half_open_errors))) =>
            {
                self.end(cx, Some(TcpError::Unreachable(report.clone())));
                return;
            }
            _ => {}
        }
        self.last_icmp = Some(Box::new(report.clone()));
    }

    /// A SYN that leaves again announces no more than the path takes; one whose data did not fit leaves at once, bare.
    fn limit_syn_to_mtu(&mut self, mtu: usize) {
        if self.state != State::SynSent {
            return;
        }
        let most = mtu.saturating_sub(header_bytes(self.pair.remote.address));
        self.options.own_mss = self.options.own_mss.min(u16::try_from(most).unwrap_or(u16::MAX));
        self.options.path_mss = self.options.path_mss.min(self.options.own_mss);
        if self.fast_open.as_ref().is_some_and(|opening| opening.sent > 0) && self.syn.retransmissions == 0 {
            self.syn.retransmissions = 1;
            self.syn.due = true;
        }
    }

    /// The path takes packets of `mtu` bytes: what is longer and in flight is sent again in pieces that fit.
    /// That isn't congestion (RFC 1191 6.5): no window shrinks, beyond being counted in smaller segments.
    pub(crate) fn limit_to_mtu(&mut self, mtu: usize) {
        let header = header_bytes(self.pair.remote.address);
        let mtu = self.mtu_search.as_mut().map_or(mtu, |search| search.limit(mtu, header as u16));
        let most = mtu.saturating_sub(header);
        let before = self.options.mss;
        if !self.options.limit_mss(most) {
            return;
        }
        let mss = self.options.mss;
        self.congestion.on_mss(u64::from(mss));
        if mss < before && self.runs.lose_longer_than(u32::from(mss)) > 0 {
            self.recovery.force = true;
        }
    }
}

/// Whether an error ends a connection that is being opened.
fn ends_opening(errors: OpeningErrors, kind: IcmpErrorKind, report: &IcmpReport) -> bool {
    let hard = matches!(
        kind,
        IcmpErrorKind::ProtocolUnreachable
            | IcmpErrorKind::PortUnreachable
            | IcmpErrorKind::AdministrativelyProhibited
    );
    match errors {
        OpeningErrors::None => false,
        // Precedence (codes 14 and 15 of RFC 1812) is a matter of the path.
        OpeningErrors::Hard if report.icmp_type == 3 && matches!(report.icmp_code, 14 | 15) => false,
        OpeningErrors::Hard => hard || kind == IcmpErrorKind::TimeExceeded,
        OpeningErrors::Unreachable => {
            hard || matches!(
                kind,
                IcmpErrorKind::NetworkUnreachable
                    | IcmpErrorKind::HostUnreachable
                    | IcmpErrorKind::SourceRouteFailed
            )
        }
    }
}
