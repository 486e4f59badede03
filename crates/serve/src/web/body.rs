//! A body that is made while it is sent, and the ways to send one badly.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use thru_net::{Network, Sleep, TcpInspector};

use super::pages::{Content, pattern};
use super::{Announced, Delivery};

/// Bytes made at a time.
const PIECE: u64 = 16 * 1024;
/// Between the last bytes and a reset: they are to arrive.
const BEFORE_RESET: std::time::Duration = std::time::Duration::from_secs(1);

/// The body of an answer: never more than one piece of it in memory.
pub(super) struct PageBody {
    network: Network,
    content: Content,
    delivery: Delivery,
    sent: u64,
    length: u64,
    pause: Option<Sleep>,
    /// The transport had its turn before the body breaks off.
    flushed: bool,
    /// The connection, for bodies that end with its reset.
    connection: Option<TcpInspector>,
}

impl PageBody {
    pub(super) fn new(
        network: &Network,
        content: Content,
        delivery: Delivery,
        connection: Option<TcpInspector>,
    ) -> PageBody {
        let length = content.length();
        let network = network.clone();
        PageBody { network, content, delivery, sent: 0, length, pause: None, flushed: false, connection }
    }

    /// For answers to HEAD, and where there is nothing to say.
    pub(super) fn empty(network: &Network) -> PageBody {
        PageBody::new(network, Content::Text(Bytes::new()), Delivery::Whole, None)
    }

    fn piece(&mut self, size: u64) -> Bytes {
        let size = size.min(self.length - self.sent);
        let length = usize::try_from(size).expect("a piece is small");
        let bytes = match &self.content {
            Content::Text(text) => {
                let from = usize::try_from(self.sent).expect("a text is in memory");
                text.slice(from..from + length)
            }
            Content::Pattern { salt, .. } => pattern(*salt, self.sent, length).into(),
        };
        self.sent += size;
        bytes
    }
}

/// The site breaks off here on purpose.
#[derive(Debug)]
pub(super) struct BrokenOff;

impl fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body breaks off here, as the site was told")
    }
}

impl std::error::Error for BrokenOff {}

impl Body for PageBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let this = &mut *self;
        if let Some(pause) = &mut this.pause {
            ready!(Pin::new(pause).poll(cx));
            this.pause = None;
        }
        if this.sent == this.length {
            return Poll::Ready(None);
        }
        let size = match this.delivery {
            Delivery::Whole => PIECE,
            Delivery::Drip { bytes, every } => {
                this.pause = Some(this.network.sleep(every));
                (bytes.max(1) as u64).min(PIECE)
            }
            // Nobody wakes this task again for the body's sake: the connection ends when the client gives up or
            // when it was idle for too long.
            Delivery::Stall { after } if this.sent >= after => return Poll::Pending,
            Delivery::Break { after, .. } if this.sent >= after && this.flushed => {
                return Poll::Ready(Some(Err(BrokenOff)));
            }
            // A reset throws away what is still to be sent; what was sent has to arrive first.
            Delivery::Reset { after } if this.sent >= after && this.flushed => {
                if let Some(connection) = &this.connection {
                    connection.reset();
                }
                return Poll::Ready(Some(Err(BrokenOff)));
            }
            Delivery::Reset { after } if this.sent >= after => {
                this.flushed = true;
                this.pause = Some(this.network.sleep(BEFORE_RESET));
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            // hyper throws away what it has not written yet when a body fails; one turn of waiting makes it write.
            Delivery::Break { after, .. } if this.sent >= after => {
                this.flushed = true;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Delivery::Stall { after } | Delivery::Break { after, .. } | Delivery::Reset { after } => {
                PIECE.min(after - this.sent)
            }
        };
        Poll::Ready(Some(Ok(Frame::data(this.piece(size)))))
    }

    fn is_end_stream(&self) -> bool {
        self.sent == self.length
    }

    fn size_hint(&self) -> SizeHint {
        if let Delivery::Break { announced: Announced::Chunks, .. } = self.delivery {
            return SizeHint::default();
        }
        SizeHint::with_exact(self.length - self.sent)
    }
}
