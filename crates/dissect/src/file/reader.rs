//! From bytes to items, whatever the format.

use super::pcap::{self, Dialect};
use super::pcapng;
use super::{BLOCK_BYTES_MAX, FileError, Interface, Item, Options, Order, Record};
use std::io::Read;

/// The source is asked for this much at a time.
const CHUNK: usize = 256 << 10;

/// A section's interfaces are all kept, so that there is a bound to them.
const INTERFACES_MAX: usize = 1 << 16;

/// And to the bytes of what they are called and said to be: no machine has so many words.
const INTERFACE_TEXTS_MAX: usize = 1 << 20;

/// Reads a capture from any byte source: a file, a pipe, memory. It keeps one block, what was read ahead and a
/// section's interfaces, never the file.
pub struct Reader<R> {
    source: R,
    /// What was read ahead: `buffer[start..end]` is not used yet.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Of `buffer[start]` in the file.
    position: u64,
    format: Format,
    interfaces: Vec<Interface>,
    /// So many bytes of the section's texts about interfaces will be kept yet.
    text_room: usize,
    packets: u64,
    failed: bool,
    /// A pcap file's header.
    header: [u8; pcap::HEADER],
    /// Where in the buffer the last item's own bytes are.
    last: (usize, usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Pcap(Dialect),
    Pcapng(Order),
}

impl<R: Read> Reader<R> {
    /// Reads as much as is needed to know the format.
    ///
    /// # Errors
    /// [`FileError::NotACapture`], or what the source fails with.
    pub fn new(source: R) -> Result<Reader<R>, FileError> {
        let mut reader = Reader {
            source,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            position: 0,
            format: Format::Pcapng(Order::Little),
            interfaces: Vec::new(),
            text_room: INTERFACE_TEXTS_MAX,
            packets: 0,
            failed: false,
            header: [0; pcap::HEADER],
            last: (0, 0),
        };
        let have = reader.fill(4)?;
        if have < 4 {
            return Err(FileError::NotACapture);
        }
        let magic: [u8; 4] = *reader.buffer.first_chunk().expect("four bytes were read");
        if u32::from_le_bytes(magic) == pcapng::SECTION_HEADER {
            return Ok(reader);
        }
        let dialect = pcap::dialect(magic).ok_or(FileError::NotACapture)?;
        reader.need(pcap::HEADER)?;
        reader.header = *reader.buffer.first_chunk().expect("the header was read");
        reader.interfaces.push(pcap::interface(dialect, &reader.header));
        reader.format = Format::Pcap(dialect);
        reader.take(pcap::HEADER);
        Ok(reader)
    }

    /// Interfaces of the current section, as far as they were described.
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// Whether the file is pcapng; otherwise it is pcap.
    pub fn is_pcapng(&self) -> bool {
        matches!(self.format, Format::Pcapng(_))
    }

    /// Whether a pcap file counts nanoseconds.
    pub fn counts_nanoseconds(&self) -> bool {
        match self.format {
            Format::Pcap(dialect) => dialect.nanoseconds,
            Format::Pcapng(_) => true,
        }
    }

    /// The next item; `None` at the end.
    ///
    /// # Errors
    /// What is wrong with the file, once: after an error there is nothing more.
    #[expect(clippy::should_implement_trait, reason = "the item borrows the reader: no iterator can do that")]
    pub fn next(&mut self) -> Result<Option<Item<'_>>, FileError> {
        if self.failed {
            return Ok(None);
        }
        self.failed = true; // until this item has turned out well
        match self.format {
            Format::Pcap(dialect) => self.next_record(dialect),
            Format::Pcapng(order) => self.next_block(order),
        }
    }

    /// The bytes of the item that [`Reader::next`] gave last, as they stand in the file: the whole block with its
    /// header and both lengths.
    pub fn raw(&self) -> &[u8] {
        &self.buffer[self.last.0..self.last.1]
    }

    /// A pcap file's header as it stands in the file; `None` for pcapng, whose header is its first item.
    pub fn raw_header(&self) -> Option<&[u8]> {
        (!self.is_pcapng()).then_some(&self.header)
    }

    fn next_record(&mut self, dialect: Dialect) -> Result<Option<Item<'_>>, FileError> {
        if self.fill(dialect.record_header)? == 0 {
            return Ok(None);
        }
        self.need(dialect.record_header)?;
        let header = pcap::record(dialect, &self.buffer[self.start..self.end]);
        if header.captured > BLOCK_BYTES_MAX {
            return Err(FileError::Damaged { at: self.position, what: "a record claims an absurd length" });
        }
        let total = dialect.record_header + header.captured as usize;
        self.need(total)?;
        let at = self.take(total);
        self.packets += 1;
        self.failed = false;
        Ok(Some(Item::Packet(Record {
            number: self.packets,
            time: Some(header.time),
            interface: 0,
            link: self.interfaces[0].link,
            original: header.original,
            bytes: &self.buffer[at + dialect.record_header..at + total],
            options: Options::none(),
        })))
    }

    fn next_block(&mut self, mut order: Order) -> Result<Option<Item<'_>>, FileError> {
        if self.fill(12)? == 0 {
            return Ok(None);
        }
        self.need(12)?;
        let damaged = |at, what| FileError::Damaged { at, what };
        let begins = self.position;
        let head = &self.buffer[self.start..self.start + 12];
        let is_section = u32::from_le_bytes(*head.first_chunk().expect("12 bytes")) == pcapng::SECTION_HEADER;
        if is_section {
            order = pcapng::order(&head[8..]).ok_or(damaged(begins, "a section has no byte order"))?;
        }
        let (kind, total) = (order.u32(head), order.u32(&head[4..]));
        if total < 12 || total % 4 != 0 || total > BLOCK_BYTES_MAX {
            return Err(damaged(begins, "a block has an impossible length"));
        }
        let total = total as usize;
        self.need(total)?;
        let at = self.take(total);
        let block = &self.buffer[at..at + total];
        if order.u32(&block[total - 4..]) as usize != total {
            return Err(damaged(begins, "a block's two lengths differ"));
        }
        let body = &block[8..total - 4];
        if is_section {
            if body.len() < 16 {
                return Err(damaged(begins, "a section header is too short"));
            }
            self.interfaces.clear();
            self.text_room = INTERFACE_TEXTS_MAX;
            self.format = Format::Pcapng(order);
            self.failed = false;
            return Ok(Some(Item::Section(Options::new(&body[16..], order))));
        }
        if kind == pcapng::INTERFACE {
            if self.interfaces.len() >= INTERFACES_MAX {
                return Err(damaged(begins, "a section describes too many interfaces"));
            }
            let interface =
                pcapng::interface(body, order, &mut self.text_room).map_err(|what| damaged(begins, what))?;
            self.interfaces.push(interface);
            self.failed = false;
            return Ok(Some(Item::Interface(self.interfaces.len() as u32 - 1)));
        }
        let item = pcapng::item(kind, body, order, &self.interfaces, self.packets + 1)
            .map_err(|what| damaged(begins, what));
        self.packets += u64::from(matches!(item, Ok(Item::Packet(_))));
        self.failed = item.is_err();
        item.map(Some)
    }

    /// Takes `count` bytes that are there, and gives where they begin in the buffer.
    fn take(&mut self, count: usize) -> usize {
        let at = self.start;
        self.start += count;
        self.position += count as u64;
        self.last = (at, at + count);
        at
    }

    /// Makes sure that `count` bytes are there.
    fn need(&mut self, count: usize) -> Result<(), FileError> {
        let have = self.fill(count)?;
        if have < count {
            return Err(FileError::Truncated { at: self.position, have: have as u64, need: count as u64 });
        }
        Ok(())
    }

    /// Reads until `count` bytes are there or the source ends; gives how many are there.
    fn fill(&mut self, count: usize) -> Result<usize, FileError> {
        while self.end - self.start < count {
            if self.start > 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, self.end - self.start);
            }
            // The buffer grows with what arrives, not with what a length field claims.
            let room = (self.end + CHUNK).next_multiple_of(CHUNK);
            if self.buffer.len() < room {
                self.buffer.resize(room, 0);
            }
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(FileError::Io(error)),
            }
        }
        Ok(self.end - self.start)
    }
}
