//! Frames that arrive together: what belongs together is handled together.

use thru_wire::Instant;

use super::ingress::Arrival;
use super::{Host, InterfaceId, Medium};
use crate::frame::Frame;
use crate::header::Header;
use crate::offload::Coalescer;

/// Bytes of an Ethernet header without tags.
const ETHERNET: usize = 14;

impl Host {
    /// Frames that arrived on `interface` in this order, as a device gives them in one go. The same as
    /// [`Host::handle_frame`] for each, but segments of one connection that follow each other count as one, as with a
    /// network card that coalesces: they are acknowledged once.
    pub fn handle_frames(
        &mut self,
        now: Instant,
        interface: InterfaceId,
        frames: impl IntoIterator<Item = Frame>,
    ) {
        self.begin(now);
        let mut coalescer = core::mem::take(&mut self.coalescer);
        for mut frame in frames {
            self.stats.frames_received += 1;
            if coalescer.goes_on(&mut frame) {
                continue;
            }
            self.receive_in_batch(now, interface, frame, &mut coalescer);
        }
        self.receive_train(now, interface, &mut coalescer);
        self.coalescer = coalescer;
        self.finish(now);
    }

    fn receive_in_batch(
        &mut self,
        now: Instant,
        interface: InterfaceId,
        mut frame: Frame,
        coalescer: &mut Coalescer,
    ) {
        if let Some(ip_at) = self.place_of_ip(interface, &frame) {
            match coalescer.push(frame, ip_at) {
                Ok(()) => return,
                Err(back) => frame = back,
            }
            if !coalescer.is_empty() {
                self.receive_train(now, interface, coalescer);
                match coalescer.push(frame, ip_at) {
                    Ok(()) => return,
                    Err(back) => frame = back,
                }
            }
        }
        // Nothing overtakes what came before it.
        self.receive_train(now, interface, coalescer);
        self.receive_frame(now, interface, frame);
    }

    /// Where the IP header of a frame begins that may be part of a train: one for this host alone, where nobody wants to
    /// see each packet.
    fn place_of_ip(&self, id: InterfaceId, frame: &Frame) -> Option<usize> {
        let watched = self.hook.is_some() || self.raw.is_wanted() || self.config.forwarding;
        let interface = self.tables.interface(id).filter(|_| !watched)?;
        if interface.config.medium == Medium::Ip {
            return Some(0);
        }
        let header = frame.bytes.get(..ETHERNET)?;
        let ip = matches!(header[12..], [0x08, 0x00] | [0x86, 0xdd]);
        (ip && header[..6] == interface.config.mac.0).then_some(ETHERNET)
    }

    fn receive_train(&mut self, now: Instant, interface: InterfaceId, coalescer: &mut Coalescer) {
        if !coalescer.is_train() {
            if let Some(arrived) = coalescer.take() {
                let mut frame = arrived.frame;
                // It was verified on the way into the train.
                frame.offload.checksum = crate::frame::Checksum::Verified;
                self.receive_frame(now, interface, frame);
            }
            return;
        }
        let arrival = Arrival {
            interface: Some(interface),
            to_group: false,
            rx_time: coalescer.rx_time(),
            verify: false,
        };
        let header = coalescer.ip_header().and_then(Header::parse);
        let Some(header) = header.filter(|header| self.is_plain_tcp(&arrival, header)) else {
            if let Some(frame) = coalescer.take_frame(self.tcp.buffer_pool()) {
                self.receive_frame(now, interface, frame);
            }
            return;
        };
        if let Some(arrived) = coalescer.take() {
            let (start, mut bytes) = (arrived.ip_at, arrived.frame.bytes);
            bytes.truncate(start + header.total_len);
            bytes::Buf::advance(&mut bytes, start + header.len);
            let segment = Host::segment_in(&arrival, &header, bytes);
            self.tcp.handle_train(&self.tables, segment, arrived.more.drain(..), arrived.ends);
        }
    }
}
