//! The capture's packets from the first on, with a dissector of their own.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Read};
use std::rc::Rc;

use thru_dissect::file::{Interface, Item, Reader, SECRETS_TLS_KEY_LOG};
use thru_dissect::filter::Filter;
use thru_dissect::summary::follow::Follow;
use thru_dissect::{Arena, Dissector, Meta, Options, Tree};

/// Opens the capture anew, from its first byte.
pub type Open = Box<dyn Fn() -> io::Result<Box<dyn Read>>>;

/// What is looked at.
pub struct Capture {
    /// Its name, for the title.
    pub name: String,
    /// How to read it.
    pub open: Open,
    /// How many bytes [`Capture::open`] gives, where that is known: it shows how far a reading has come.
    pub size: Option<u64>,
    /// TLS secrets, each as programs write them to `SSLKEYLOGFILE`.
    pub secrets: Vec<Vec<u8>>,
    /// A pcap filter: what it drops is not there. Empty: everything is.
    pub headers: String,
    /// How to dissect.
    pub options: Options,
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A reading of the capture.
pub(crate) struct Pass {
    reader: Reader<Counted>,
    dissector: Dissector,
    headers: Option<Filter>,
    arena: Arena,
    interfaces: Vec<Interface>,
    read: Rc<Cell<u64>>,
    /// The last packet's number.
    pub(crate) number: u64,
    pub(crate) is_done: bool,
    /// What was wrong with the file, once that is known.
    pub(crate) error: Option<String>,
}

impl Pass {
    /// Begins at the first packet.
    ///
    /// # Errors
    /// Why it cannot be read, in words.
    pub(crate) fn new(capture: &Capture) -> Result<Pass, String> {
        Pass::with(capture, capture.options)
    }

    /// The same, with TCP's segments in order, as who follows a stream wants it.
    pub(crate) fn in_order(capture: &Capture) -> Result<Pass, String> {
        Pass::with(capture, Options { reassemble_out_of_order: true, ..capture.options })
    }

    fn with(capture: &Capture, options: Options) -> Result<Pass, String> {
        let read = Rc::new(Cell::new(0));
        let source = (capture.open)().map_err(|error| error.to_string())?;
        let source = Counted { inner: source, bytes: Rc::clone(&read) };
        let reader = Reader::new(source).map_err(|error| error.to_string())?;
        let headers = match capture.headers.trim() {
            "" => None,
            words => Some(Filter::pcap(words).map_err(|error| error.to_string())?),
        };
        let mut dissector = Dissector::new(options);
        for secrets in &capture.secrets {
            dissector.secrets(SECRETS_TLS_KEY_LOG, secrets);
        }
        let interfaces = reader.interfaces().to_vec();
        let arena = Arena::new();
        Ok(Pass {
            reader,
            dissector,
            headers,
            arena,
            interfaces,
            read,
            number: 0,
            is_done: false,
            error: None,
        })
    }

    /// How many bytes of the capture were read.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.read.get()
    }

    /// When the last packet was read: appends what waits of a stream behind gaps.
    pub(crate) fn rest(&mut self, follow: &mut Follow, text: &mut Vec<u8>) {
        follow.rest(text, &mut self.dissector, &mut self.arena);
    }

    /// Takes the next packet, dissects it and hands it to `see`; `false`: there is none.
    pub(crate) fn next(&mut self, see: impl FnOnce(u64, Tree<'_>)) -> bool {
        while !self.is_done {
            let record = match self.reader.next() {
                Ok(Some(Item::Packet(record))) => record,
                Ok(None) => break,
                Err(error) => {
                    self.error = Some(error.to_string());
                    break;
                }
                Ok(Some(Item::Section(_))) => {
                    self.interfaces.clear();
                    continue;
                }
                Ok(Some(Item::Secrets { kind, bytes })) => {
                    self.dissector.secrets(kind, bytes);
                    continue;
                }
                Ok(Some(Item::Interface(at))) => {
                    self.interfaces.extend(self.reader.interfaces().get(at as usize).cloned());
                    continue;
                }
                Ok(Some(_)) => continue,
            };
            self.number = record.number;
            if let Some(headers) = &mut self.headers {
                // A link layer for which it cannot be compiled has no such packets.
                let passes = headers.matches_bytes(record.link, record.bytes, record.original);
                if !passes.unwrap_or(false) {
                    continue;
                }
            }
            let comments: Vec<String> = record.comments().collect();
            let interface = self.interfaces.get(record.interface as usize);
            let meta = Meta { comments: &comments, ..Meta::of(&record, interface) };
            see(record.number, self.dissector.dissect(&meta, record.bytes, &mut self.arena));
            return true;
        }
        self.is_done = true;
        false
    }
}

/// Counts what is read.
struct Counted {
    inner: Box<dyn Read>,
    bytes: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.bytes.set(self.bytes.get() + count as u64);
        Ok(count)
    }
}
