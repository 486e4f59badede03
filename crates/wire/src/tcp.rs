//! TCP (RFC 9293): the segment header and its options.

/// A sequence number; comparison wraps (RFC 9293 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct SeqNumber(pub u32);
// Add<u32>, Sub<u32>, Sub<SeqNumber> -> i32 (signed distance), fn lt/le/gt/ge, fn in_window(self, start, len)

/// The control bits. `ae` is AccECN's (RFC 9768), formerly NS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Flags(pub u16);
// consts FIN SYN RST PSH ACK URG ECE CWR AE; BitOr; contains(); Debug/Display as "SYN ACK"

/// A TCP header, always legal.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Tcp {
    pub src_port: u16,
    pub dst_port: u16,
    pub seq: SeqNumber,
    pub ack: SeqNumber,
    pub flags: Flags,
    /// As on the wire, unscaled.
    pub window: u16,
    pub urgent: u16,
    pub options: TcpOptions,
}

/// The options a stack acts upon, parsed in one pass without allocation; the rest is kept for the view.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TcpOptions {
    pub mss: Option<u16>,
    pub window_scale: Option<u8>,
    pub sack_permitted: bool,
    pub timestamps: Option<Timestamps>,
    /// Up to 4 blocks, in the order of the wire.
    pub sack: SackBlocks,
    // fast_open cookie (bounded array), user_timeout, md5, tcp-ao, mptcp, accecn: bounded inline forms
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Timestamps {
    pub value: u32,
    pub echo: u32,
}

/// `[left, right)` edges, inline, at most 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SackBlocks {
    blocks: [(SeqNumber, SeqNumber); 4],
    len: u8,
}
