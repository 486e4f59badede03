//! The ring: blocks of packets that the kernel fills one after the other, in memory that both see.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::af_packet::{AfPacket, Mapping, Plain, RX_RING};

/// A block holds several of the largest packets.
const BLOCK: usize = 1 << 18;
const STATUS_USER: u32 = 1;
const STATUS_VLAN_VALID: u32 = 1 << 4;
const STATUS_VLAN_TPID_VALID: u32 = 1 << 6;
/// Bytes of `struct tpacket3_hdr`; `struct sockaddr_ll` stands behind.
const HEADER: usize = 48;
const ADDRESS: usize = 20;

/// `struct tpacket_req3`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Request {
    block_size: u32,
    blocks: u32,
    frame_size: u32,
    frames: u32,
    retire_after: u32,
    private: u32,
    features: u32,
}

// SAFETY: seven numbers of the same size.
unsafe impl Plain for Request {}

/// The mapping, and which block is next.
#[derive(Debug)]
pub(super) struct Ring {
    memory: Mapping,
    blocks: usize,
    next: usize,
}

impl Ring {
    /// A ring of about so many bytes, whose blocks are handed over after so many milliseconds even if they are not full.
    pub(super) fn new(socket: &AfPacket, bytes: usize, latency: u32) -> io::Result<Ring> {
        let blocks = (bytes / BLOCK).clamp(2, 1 << 12);
        let request = Request {
            block_size: BLOCK as u32,
            blocks: blocks as u32,
            frame_size: 1 << 11,
            frames: ((blocks * BLOCK) >> 11) as u32,
            retire_after: latency,
            private: 0,
            features: 0,
        };
        socket.set(RX_RING, &request)?;
        Ok(Ring { memory: socket.map(blocks * BLOCK)?, blocks, next: 0 })
    }

    /// How many blocks it has.
    pub(super) fn blocks(&self) -> usize {
        self.blocks
    }

    fn status(&self) -> &AtomicU32 {
        // SAFETY: the block lies in the mapping and is aligned; its status stands behind version and offset. The
        // kernel writes it too, hence atomic.
        unsafe { &*self.memory.at(self.next * BLOCK + 8, 4).cast::<AtomicU32>() }
    }

    /// The next block, if the kernel has finished it. It stays ours until it is given back.
    pub(super) fn next(&mut self) -> Option<Block<'_>> {
        if self.status().load(Ordering::Acquire) & STATUS_USER == 0 {
            return None;
        }
        // SAFETY: while the status says so, the kernel does not write to the block.
        Some(Block(unsafe { std::slice::from_raw_parts(self.memory.at(self.next * BLOCK, BLOCK), BLOCK) }))
    }

    /// Gives the block back to the kernel.
    pub(super) fn give_back(&mut self) {
        self.status().store(0, Ordering::Release);
        self.next = (self.next + 1) % self.blocks;
    }
}

/// A block that the kernel has finished: `struct tpacket_block_desc` and packets.
pub(super) struct Block<'a>(&'a [u8]);

/// What a block says of a packet.
pub(super) struct Slot<'a> {
    pub(super) time: u64,
    pub(super) original: u32,
    pub(super) bytes: &'a [u8],
    /// Type and tag, as they would stand in the frame.
    pub(super) vlan: Option<[u8; 4]>,
    pub(super) protocol: [u8; 2],
    pub(super) interface: u32,
    pub(super) hardware: u16,
    pub(super) kind: u8,
    pub(super) address_len: u8,
    pub(super) address: [u8; 8],
}

impl<'a> Block<'a> {
    /// The packets; what makes no sense ends them.
    pub(super) fn packets(&self) -> impl Iterator<Item = Slot<'a>> + use<'a> {
        let block = self.0;
        let (mut left, mut at) = (word(block, 12), word(block, 16) as usize);
        std::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            let slot = block.get(at..)?;
            let packet = read(slot)?;
            let step = word(slot, 0) as usize;
            // The last one's step is 0.
            at = if step == 0 { block.len() } else { at + step };
            Some(packet)
        })
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |word| u32::from_ne_bytes(word.try_into().expect("four bytes")))
}

fn half(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |half| u16::from_ne_bytes([half[0], half[1]]))
}

/// `struct tpacket3_hdr`, `struct sockaddr_ll`, the packet.
fn read(slot: &[u8]) -> Option<Slot<'_>> {
    let (seconds, nanos) = (u64::from(word(slot, 4)), u64::from(word(slot, 8)));
    let (captured, original, status) = (word(slot, 12) as usize, word(slot, 16), word(slot, 20));
    let begins = usize::from(half(slot, 24));
    let vlan = (status & STATUS_VLAN_VALID != 0).then(|| {
        let kind = if status & STATUS_VLAN_TPID_VALID != 0 { half(slot, 36) } else { 0x8100 };
        let (kind, tag) = (kind.to_be_bytes(), (word(slot, 32) as u16).to_be_bytes());
        [kind[0], kind[1], tag[0], tag[1]]
    });
    let address = slot.get(HEADER..HEADER + ADDRESS)?;
    Some(Slot {
        time: seconds * 1_000_000_000 + nanos,
        original,
        bytes: slot.get(begins..begins + captured)?,
        vlan,
        protocol: [address[2], address[3]],
        interface: word(address, 4),
        hardware: half(address, 8),
        kind: address[10],
        address_len: address[11],
        address: address[12..20].try_into().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block as the kernel writes it, with packets of these sizes.
    fn block(sizes: &[usize]) -> Vec<u8> {
        let mut block = vec![0; 48];
        block[12..16].copy_from_slice(&(sizes.len() as u32).to_ne_bytes());
        block[16..20].copy_from_slice(&48_u32.to_ne_bytes());
        for (number, &size) in sizes.iter().enumerate() {
            let mut slot = vec![0; 82];
            let step = if number + 1 == sizes.len() { 0 } else { (82 + size).next_multiple_of(8) };
            let words = [step as u32, 7, 5, size as u32, 2 * size as u32, STATUS_USER | STATUS_VLAN_VALID];
            for (place, word) in words.into_iter().enumerate() {
                slot[place * 4..place * 4 + 4].copy_from_slice(&word.to_ne_bytes());
            }
            slot[24..26].copy_from_slice(&82_u16.to_ne_bytes());
            slot[32..36].copy_from_slice(&99_u32.to_ne_bytes());
            slot[52..56].copy_from_slice(&3_u32.to_ne_bytes());
            slot.extend(vec![number as u8; size]);
            slot.resize(step.max(slot.len()), 0);
            block.extend(slot);
        }
        block
    }

    #[test]
    fn packets_of_a_block() {
        let bytes = block(&[60, 1514, 1]);
        let packets: Vec<_> = Block(&bytes).packets().collect();
        let told: Vec<_> = packets.iter().map(|slot| (slot.bytes.len(), slot.bytes[0])).collect();
        assert_eq!(told, [(60, 0), (1514, 1), (1, 2)]);
        let first = &packets[0];
        assert_eq!((first.time, first.original, first.interface), (7_000_000_005, 120, 3));
        assert_eq!(first.vlan, Some([0x81, 0, 0, 99]));
    }

    #[test]
    fn a_block_that_makes_no_sense_ends() {
        let whole = block(&[60, 1514, 1]);
        for end in 0..whole.len() {
            assert!(Block(&whole[..end]).packets().count() <= 3);
        }
        let mut wild = whole;
        wild[12..16].fill(0xFF);
        wild[48..52].fill(0xFF);
        assert!(Block(&wild).packets().count() < 3);
    }
}
