//! Segments as they come from and go to the IP layer.

use bytes::{Buf, Bytes, BytesMut};
use thru_wire::Instant;
use thru_wire::checksum::{PseudoHeader, Sum};
use thru_wire::ipv4::Protocol;
use thru_wire::tcp::{Flags, SeqNumber, Tcp as Header, TcpOptions};

use super::demux::{Endpoint, Pair};
use super::{SegmentBytes, SegmentIn, SegmentOut};
use crate::buffers::Spare;
use crate::offload::Train;

/// A segment that arrived undamaged.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    /// Our end first.
    pub(crate) pair: Pair,
    pub(crate) header: Header,
    pub(crate) payload: Bytes,
    pub(crate) ttl: u8,
    /// The two ECN bits of its IP header.
    pub(crate) ecn: u8,
    /// Arrival of its frame.
    pub(crate) at: Instant,
}

impl Segment {
    /// `None` if it is damaged, malformed, or from where no segment can come.
    #[inline(always)]
    pub(crate) fn parse(mut arrived: SegmentIn) -> Option<Segment> {
        if arrived.src.is_ipv4() != arrived.dst.is_ipv4()
            || arrived.src.is_multicast()
            || arrived.src.is_unspecified()
        {
            return None;
        }
        let pseudo = PseudoHeader::new(arrived.src, arrived.dst, Protocol::TCP);
        let to_verify = (!arrived.verified).then_some(&pseudo);
        let (header, payload) = Header::parse(&arrived.bytes, to_verify).ok()?;
        let header_len = arrived.bytes.len() - payload.len();
        arrived.bytes.advance(header_len);
        if header.src_port == 0 || header.dst_port == 0 {
            return None;
        }
        Some(Segment {
            pair: Pair {
                local: Endpoint { address: arrived.dst, port: header.dst_port },
                remote: Endpoint { address: arrived.src, port: header.src_port },
            },
            header,
            payload: arrived.bytes,
            ttl: arrived.ttl,
            ecn: arrived.ecn & 3,
            at: arrived.rx_time,
        })
    }

    /// Its payload was taken: the segment that follows begins where it ended.
    pub(crate) fn take_payload(&mut self) -> Bytes {
        let payload = core::mem::take(&mut self.payload);
        self.header.seq += payload.len() as u32;
        payload
    }

    /// Becomes the segment that follows, with the same header.
    pub(crate) fn go_on(&mut self, payload: Bytes, fin: bool, cwr_once: bool, spare: &mut Spare) {
        self.header.seq += self.payload.len() as u32;
        if fin {
            self.header.flags |= Flags::FIN;
        }
        if cwr_once {
            self.header.flags = Flags(self.header.flags.0 & !Flags::CWR.0);
        }
        let before = core::mem::replace(&mut self.payload, payload);
        if !before.is_empty() {
            spare.give(before);
        }
    }

    pub(crate) fn flags(&self) -> Flags {
        self.header.flags
    }

    /// Sequence numbers it takes: SYN and FIN count one each.
    pub(crate) fn len(&self) -> u32 {
        self.header.sequence_len(self.payload.len())
    }
}

/// A segment without payload.
pub(crate) fn bare(
    spare: &mut Spare,
    pair: &Pair,
    flags: Flags,
    seq: SeqNumber,
    ack: SeqNumber,
    window: u16,
    options: TcpOptions,
) -> SegmentOut {
    let header = Header {
        src_port: pair.local.port,
        dst_port: pair.remote.port,
        seq,
        ack: if flags.ack() { ack } else { SeqNumber(0) },
        flags,
        window,
        urgent: 0,
        options,
    };
    let buffer = spare.take(SegmentBytes::HEADROOM + Header::MAX_LEN);
    emit(buffer, pair, &header, |_| {})
}

/// A segment in `buffer`, which is empty, whose payload `fill` appends.
pub(crate) fn emit(
    buffer: BytesMut,
    pair: &Pair,
    header: &Header,
    fill: impl FnOnce(&mut BytesMut),
) -> SegmentOut {
    let header_len = header.header_len();
    let mut bytes = SegmentBytes::in_buffer(buffer, header_len);
    fill(bytes.end());
    let pseudo = PseudoHeader::new(pair.local.address, pair.remote.address, Protocol::TCP);
    let mut front = [0; Header::MAX_LEN];
    let payload = &bytes[header_len..];
    let written = header.write_header(Sum::of(payload), payload.len(), &pseudo, &mut front);
    debug_assert_eq!(written, header_len);
    bytes[..header_len].copy_from_slice(&front[..header_len]);
    SegmentOut {
        src: pair.local.address,
        dst: pair.remote.address,
        ecn: 0,
        class: 0,
        ttl: None,
        bytes,
        train: None,
    }
}

/// Several segments in one: the header in `buffer`, the payload beside it.
pub(crate) fn emit_train(buffer: BytesMut, pair: &Pair, header: &Header, train: Train) -> SegmentOut {
    let header_len = header.header_len();
    let mut bytes = SegmentBytes::in_buffer(buffer, header_len);
    let pseudo = PseudoHeader::new(pair.local.address, pair.remote.address, Protocol::TCP);
    let mut front = [0; Header::MAX_LEN];
    header.write_header(Sum::EMPTY, train.len(), &pseudo, &mut front);
    // Whoever cuts it or carries it whole adds the rest.
    let open = !pseudo.sum(header_len + train.len()).checksum();
    front[16..18].copy_from_slice(&open.to_be_bytes());
    bytes[..header_len].copy_from_slice(&front[..header_len]);
    let (src, dst) = (pair.local.address, pair.remote.address);
    SegmentOut { src, dst, ecn: 0, class: 0, ttl: None, bytes, train: Some(train) }
}

/// The RST that answers a segment nobody expects (RFC 9293 3.10.7.1); none for a RST.
pub(crate) fn reset_for(spare: &mut Spare, segment: &Segment) -> Option<SegmentOut> {
    let header = &segment.header;
    if header.flags.rst() {
        return None;
    }
    Some(if header.flags.ack() {
        bare(spare, &segment.pair, Flags::RST, header.ack, SeqNumber(0), 0, TcpOptions::NONE)
    } else {
        let ack = header.seq + segment.len();
        bare(spare, &segment.pair, Flags::RST | Flags::ACK, SeqNumber(0), ack, 0, TcpOptions::NONE)
    })
}
