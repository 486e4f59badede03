//! The options a stack acts upon, and a bounded place for the rest.

use core::fmt;

use crate::error::{ParseError, u32_at};
use crate::tcp::{AccEcnCounters, SeqNumber, TcpOption, TcpOptionIter};

/// Bytes that options may take.
const ROOM: usize = 40;

/// A header's options, parsed in one pass without allocation. Those met in nearly every segment are
/// fields; the rest lies in [`TcpOptions::extra`], in the order of the wire.
///
/// Emission leaves out what does not fit in 40 bytes, in this order: SACK blocks from the last on, then
/// extra options from the last on. What was parsed always fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TcpOptions {
    /// The largest segment the sender takes, without headers (RFC 9293 section 3.7.1). Only in SYNs.
    pub mss: Option<u16>,
    /// The shift of later windows, at most 14 (RFC 7323 section 2.3). Only in SYNs.
    pub window_scale: Option<u8>,
    /// SACK may be used (RFC 2018). Only in SYNs.
    pub sack_permitted: bool,
    /// RFC 7323 section 3.
    pub timestamps: Option<Timestamps>,
    /// Up to 4 blocks, in the order of the wire.
    pub sack: SackBlocks,
    /// Every other option.
    pub extra: ExtraOptions,
    /// In which order they are written. Reading doesn't tell.
    pub layout: OptionLayout,
}

/// In which order options are written, and where padding goes. Receivers don't care; observers tell systems apart by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OptionLayout {
    /// As Linux: MSS, SACK-permitted with timestamps, window scale, SACK; each word is padded with NOP.
    #[default]
    TimestampsFirst,
    /// As FreeBSD: MSS, window scale, SACK-permitted, timestamps, SACK; padding before what needs it, the rest is EOL.
    ScaleFirst,
}

/// The timestamps option (RFC 7323 section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Timestamps {
    /// The sender's clock.
    pub value: u32,
    /// The clock value it echoes.
    pub echo: u32,
}

impl TcpOptions {
    /// No options.
    pub const NONE: TcpOptions = TcpOptions {
        mss: None,
        window_scale: None,
        sack_permitted: false,
        timestamps: None,
        sack: SackBlocks::NONE,
        extra: ExtraOptions::NONE,
        layout: OptionLayout::TimestampsFirst,
    };

    /// Reads the options from the end of the fixed header on. Of two of a kind that can be there only
    /// once, the last counts.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<TcpOptions, ParseError> {
        // What nearly every segment of an established connection has: two paddings and timestamps.
        if let [1, 1, 8, 10, data @ ..] = bytes
            && data.len() == 8
        {
            let timestamps = Some(Timestamps { value: u32_at(data, 0), echo: u32_at(data, 4) });
            return Ok(TcpOptions { timestamps, ..TcpOptions::NONE });
        }
        TcpOptions::parse_any(bytes)
    }

    fn parse_any(bytes: &[u8]) -> Result<TcpOptions, ParseError> {
        let mut options = TcpOptions::NONE;
        let mut raw = TcpOptionIter::new(bytes);
        while let Some(option) = raw.next_raw() {
            let (kind, data) = option?;
            if kind == 1 {
                continue;
            }
            match TcpOption::understand(kind, data) {
                TcpOption::MaxSegmentSize(mss) => options.mss = Some(mss),
                // RFC 7323 section 2.3: a larger shift is taken as 14.
                TcpOption::WindowScale(shift) => options.window_scale = Some(shift.min(14)),
                TcpOption::SackPermitted => options.sack_permitted = true,
                TcpOption::Timestamps(timestamps) => options.timestamps = Some(timestamps),
                TcpOption::Sack(blocks) => options.sack = blocks,
                _ => {
                    let fits = options.extra.push_raw(kind, data);
                    debug_assert!(fits, "40 bytes of options hold at most 40 bytes of extra options");
                }
            }
        }
        Ok(options)
    }

    /// Bytes they take in a header, a multiple of 4.
    pub fn padded_len(&self) -> usize {
        if self.layout == OptionLayout::ScaleFirst {
            return self.scale_first().1.next_multiple_of(4);
        }
        self.plan().2.next_multiple_of(4)
    }

    /// What will be emitted: SACK blocks, bytes of extra options, bytes altogether without the final
    /// padding, and whether options are aligned.
    fn plan(&self) -> (usize, usize, usize, bool) {
        let syn = usize::from(self.mss.is_some()) * 4;
        let scale = usize::from(self.window_scale.is_some()) * 3;
        let permitted = usize::from(self.sack_permitted) * 2;
        let timestamps = usize::from(self.timestamps.is_some()) * 10;
        let fixed = syn + scale + permitted + timestamps;
        let extra = self.extra.fitting(ROOM - fixed);
        // Linux's layout: words stay on 32-bit boundaries, SACK-permitted fills the hole before timestamps.
        let scale_aligned = scale.next_multiple_of(4);
        let stamps_aligned = (permitted + timestamps).next_multiple_of(4);
        let aligned = syn + scale_aligned + stamps_aligned;
        let sack_len = |blocks: usize| if blocks == 0 { 0 } else { 2 + 8 * blocks };
        let wanted = self.sack.len();
        if aligned + extra <= ROOM {
            let head = |blocks: usize| if blocks == 0 { 0 } else { 4 + 8 * blocks };
            if aligned + extra + head(wanted) <= ROOM {
                return (wanted, extra, aligned + extra + head(wanted), true);
            }
        }
        let blocks = (0..=wanted).rev().find(|blocks| fixed + extra + sack_len(*blocks) <= ROOM).unwrap_or(0);
        if blocks < wanted {
            // Blocks are lost in any case: prefer alignment if it loses no more.
            let head = 4 + 8 * blocks;
            if blocks > 0 && aligned + extra + head <= ROOM {
                return (blocks, extra, aligned + extra + head, true);
            }
        }
        (blocks, extra, fixed + extra + sack_len(blocks), false)
    }

    /// Writes them, padded to a multiple of 4; returns how many bytes they take.
    pub(super) fn emit(&self, out: &mut [u8]) -> usize {
        if self.layout == OptionLayout::ScaleFirst {
            let (bytes, len) = self.scale_first();
            let padded = len.next_multiple_of(4);
            out[..padded].copy_from_slice(&bytes[..padded]);
            return padded;
        }
        let (blocks, extra, len, aligned) = self.plan();
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            out[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        if let Some(mss) = self.mss {
            let [high, low] = mss.to_be_bytes();
            put(&[2, 4, high, low]);
        }
        // Linux has the counters of accurate ECN ahead of what fills words by itself.
        let kind = self.extra.bytes[0];
        let alone = extra > 0 && usize::from(self.extra.bytes[1]) == extra;
        let early = aligned && alone && matches!(kind, 172 | 174);
        if self.sack_permitted && (self.timestamps.is_some() || !early) {
            if aligned && self.timestamps.is_none() {
                put(&[1, 1]);
            }
            put(&[4, 2]);
        }
        if let Some(timestamps) = self.timestamps {
            if aligned && !self.sack_permitted {
                put(&[1, 1]);
            }
            put(&[8, 10]);
            put(&timestamps.value.to_be_bytes());
            put(&timestamps.echo.to_be_bytes());
        }
        if early {
            put(&self.extra.bytes[..extra]);
            put(&[1; 3][..extra.next_multiple_of(4) - extra]);
            if self.sack_permitted && self.timestamps.is_none() {
                put(&[1, 1, 4, 2]);
            }
        }
        if let Some(shift) = self.window_scale {
            if aligned {
                put(&[1]);
            }
            put(&[3, 3, shift.min(14)]);
        }
        if blocks > 0 {
            if aligned {
                put(&[1, 1]);
            }
            put(&[5, (2 + 8 * blocks) as u8]);
            for (left, right) in self.sack.iter().take(blocks) {
                put(&left.0.to_be_bytes());
                put(&right.0.to_be_bytes());
            }
        }
        let padded = len.next_multiple_of(4);
        if early {
            debug_assert_eq!(at, padded, "options were planned with another length");
            return padded;
        }
        put(&self.extra.bytes[..extra]);
        debug_assert_eq!(at, len, "options were planned with another length");
        // Behind other options Linux pads with NOP, too.
        out[len..padded].fill(u8::from(extra > 0));
        padded
    }

    /// The bytes of [`OptionLayout::ScaleFirst`], and how many before the final padding with zeros.
    fn scale_first(&self) -> ([u8; ROOM], usize) {
        let mut bytes = [0; ROOM];
        let mut len = 0;
        // What doesn't fit any more is left out.
        let mut put = |pad: usize, option: &[u8]| {
            if len + pad + option.len() <= ROOM {
                bytes[len..len + pad].fill(1);
                bytes[len + pad..len + pad + option.len()].copy_from_slice(option);
                len += pad + option.len();
            }
            len
        };
        // NOPs that bring a place to `rest` beyond a multiple of four.
        let to = |place: usize, rest: usize| (rest + 4 - place % 4) % 4;
        let mut at = 0;
        if let Some(mss) = self.mss {
            let [high, low] = mss.to_be_bytes();
            at = put(0, &[2, 4, high, low]);
        }
        if let Some(shift) = self.window_scale {
            at = put(1 - at % 2, &[3, 3, shift.min(14)]);
        }
        if self.sack_permitted {
            at = put(at % 2, &[4, 2]);
        }
        if let Some(timestamps) = self.timestamps {
            let mut option = [8, 10, 0, 0, 0, 0, 0, 0, 0, 0];
            option[2..6].copy_from_slice(&timestamps.value.to_be_bytes());
            option[6..].copy_from_slice(&timestamps.echo.to_be_bytes());
            at = put(to(at, 2), &option);
        }
        let extra = self.extra.fitting(ROOM - at);
        let room = (ROOM - at).saturating_sub(to(at, 2) + 2 + extra) / 8;
        let blocks = self.sack.len().min(room);
        if blocks > 0 {
            let mut option = [0; 34];
            option[..2].copy_from_slice(&[5, (2 + 8 * blocks) as u8]);
            for (slot, (left, right)) in option[2..].chunks_exact_mut(8).zip(self.sack.iter().take(blocks)) {
                slot[..4].copy_from_slice(&left.0.to_be_bytes());
                slot[4..].copy_from_slice(&right.0.to_be_bytes());
            }
            put(to(at, 2), &option[..2 + 8 * blocks]);
        }
        put(0, &self.extra.bytes[..extra]);
        (bytes, len)
    }
}

/// `[left, right)` edges, inline, at most 4.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct SackBlocks {
    blocks: [(SeqNumber, SeqNumber); 4],
    len: u8,
}

impl SackBlocks {
    /// No blocks.
    pub const NONE: SackBlocks = SackBlocks { blocks: [(SeqNumber(0), SeqNumber(0)); 4], len: 0 };

    /// Adds a block at the end; `false` if there are 4 already.
    pub fn push(&mut self, left: SeqNumber, right: SeqNumber) -> bool {
        let Some(slot) = self.blocks.get_mut(usize::from(self.len)) else { return false };
        *slot = (left, right);
        self.len += 1;
        true
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The blocks in the order of the wire.
    pub fn as_slice(&self) -> &[(SeqNumber, SeqNumber)] {
        &self.blocks[..self.len()]
    }

    /// The blocks in the order of the wire.
    pub fn iter(&self) -> impl Iterator<Item = (SeqNumber, SeqNumber)> + '_ {
        self.as_slice().iter().copied()
    }

    pub(super) fn from_wire(data: &[u8]) -> Option<SackBlocks> {
        if data.is_empty() || data.len() > 32 || !data.len().is_multiple_of(8) {
            return None;
        }
        let mut blocks = SackBlocks::NONE;
        for block in data.chunks_exact(8) {
            blocks.push(SeqNumber(u32_at(block, 0)), SeqNumber(u32_at(block, 4)));
        }
        Some(blocks)
    }
}

impl FromIterator<(SeqNumber, SeqNumber)> for SackBlocks {
    /// Takes the first four.
    fn from_iter<I: IntoIterator<Item = (SeqNumber, SeqNumber)>>(blocks: I) -> SackBlocks {
        let mut made = SackBlocks::NONE;
        for (left, right) in blocks {
            if !made.push(left, right) {
                break;
            }
        }
        made
    }
}

impl fmt::Debug for SackBlocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(left, right)| left.0..right.0)).finish()
    }
}

/// The rarer options, inline: at most 40 bytes, each well-formed, in the order of the wire.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ExtraOptions {
    bytes: [u8; ROOM],
    len: u8,
}

impl Default for ExtraOptions {
    fn default() -> ExtraOptions {
        ExtraOptions::NONE
    }
}

impl ExtraOptions {
    /// None.
    pub const NONE: ExtraOptions = ExtraOptions { bytes: [0; ROOM], len: 0 };

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The options in the order of the wire.
    pub fn iter(&self) -> impl Iterator<Item = TcpOption<'_>> {
        TcpOptionIter::new(&self.bytes[..usize::from(self.len)]).filter_map(Result::ok)
    }

    /// The Fast Open cookie (RFC 7413); empty: a request for one.
    pub fn fast_open(&self) -> Option<&[u8]> {
        self.iter().find_map(|option| match option {
            TcpOption::FastOpen(cookie) => Some(cookie),
            // The experiment that came before the number was assigned (RFC 7413 4.1.1, appendix A).
            TcpOption::Experiment { id: 0xf989, data, .. } => Some(data),
            _ => None,
        })
    }

    /// The user timeout (RFC 5482).
    pub fn user_timeout(&self) -> Option<core::time::Duration> {
        self.iter().find_map(|option| match option {
            TcpOption::UserTimeout { minutes, value } => {
                Some(core::time::Duration::from_secs(u64::from(value) * if minutes { 60 } else { 1 }))
            }
            _ => None,
        })
    }

    /// The MD5 signature (RFC 2385).
    pub fn md5(&self) -> Option<&[u8; 16]> {
        self.iter().find_map(|option| match option {
            TcpOption::Md5(digest) => Some(digest),
            _ => None,
        })
    }

    /// The counters of accurate ECN (RFC 9768).
    pub fn acc_ecn(&self) -> Option<AccEcnCounters> {
        self.iter().find_map(|option| match option {
            TcpOption::AccEcn(counters) => Some(counters),
            _ => None,
        })
    }

    /// Adds a Fast Open cookie of 4 to 16 bytes, an even number, or none to ask for one. `false`: not legal, or no room.
    pub fn push_fast_open(&mut self, cookie: &[u8]) -> bool {
        matches!(TcpOption::understand(34, cookie), TcpOption::FastOpen(_)) && self.push_raw(34, cookie)
    }

    /// Whether Fast Open speaks by its experimental option only.
    pub fn fast_open_is_experimental(&self) -> bool {
        self.iter().any(|option| matches!(option, TcpOption::Experiment { id: 0xf989, .. }))
            && !self.iter().any(|option| matches!(option, TcpOption::FastOpen(_)))
    }

    /// The same in the experimental option. `false`: no room.
    pub fn push_fast_open_experiment(&mut self, cookie: &[u8]) -> bool {
        cookie.len() <= 16 && self.push_raw(254, &[&[0xf9, 0x89], cookie].concat())
    }

    /// Adds a user timeout: in seconds up to 32767, then in minutes (RFC 5482). `false`: no room.
    pub fn push_user_timeout(&mut self, timeout: core::time::Duration) -> bool {
        let seconds = timeout.as_secs();
        let field = match u16::try_from(seconds) {
            Ok(seconds) if seconds < 0x8000 => seconds,
            _ => 0x8000 | (seconds / 60).min(0x7fff) as u16,
        };
        self.push_raw(28, &field.to_be_bytes())
    }

    /// Adds an MD5 signature. `false`: no room.
    pub fn push_md5(&mut self, digest: &[u8; 16]) -> bool {
        self.push_raw(19, digest)
    }

    /// Adds TCP-AO (RFC 5925). `false`: no room.
    pub fn push_authentication(&mut self, key_id: u8, next_key_id: u8, mac: &[u8]) -> bool {
        let mut data = [0; ROOM];
        let Some(room) = data.get_mut(2..2 + mac.len()) else { return false };
        room.copy_from_slice(mac);
        data[0] = key_id;
        data[1] = next_key_id;
        self.push_raw(29, &data[..2 + mac.len()])
    }

    /// Adds AccECN's counters. `false`: no room.
    pub fn push_acc_ecn(&mut self, counters: AccEcnCounters) -> bool {
        let (bytes, len) = counters.to_wire();
        self.push_raw(bytes[0], &bytes[2..len])
    }

    /// Adds any option of kind 2 or higher. `false`: no room, or padding.
    pub fn push_raw(&mut self, kind: u8, data: &[u8]) -> bool {
        let start = usize::from(self.len);
        let end = start + 2 + data.len();
        if kind < 2 || end > ROOM {
            return false;
        }
        self.bytes[start] = kind;
        self.bytes[start + 1] = (2 + data.len()) as u8;
        self.bytes[start + 2..end].copy_from_slice(data);
        self.len = end as u8;
        true
    }

    /// Bytes of the leading options that fit in `room` bytes.
    fn fitting(&self, room: usize) -> usize {
        let len = usize::from(self.len);
        if len <= room {
            return len;
        }
        let mut end = 0;
        while end < len {
            let next = end + usize::from(self.bytes[end + 1]);
            if next > room {
                break;
            }
            end = next;
        }
        end
    }
}

impl fmt::Debug for ExtraOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
