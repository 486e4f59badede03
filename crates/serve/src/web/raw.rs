//! Bytes as somebody wrote them down, where HTTP was expected.

use std::time::Duration;

use thru_net::Network;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Most bytes of a request that are read before it is answered.
const HEAD_MAX: usize = 64 * 1024;
/// How long a peer may take for its next word.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a request's head ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// With an empty line.
    Http1,
    /// With a HEADERS frame behind the preface (RFC 9113 3.4).
    Http2,
}

/// Waits for a request, writes `bytes` and closes, with or without a `goodbye`. Without bytes: neither writes nor closes.
pub(super) async fn answer<S>(network: &Network, stream: &mut S, bytes: &[u8], goodbye: bool, head: Head)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut seen = Vec::new();
    while !has_request(&seen, head) && seen.len() < HEAD_MAX {
        if !more(network, stream, &mut seen).await {
            return;
        }
    }
    if bytes.is_empty() {
        return std::future::pending().await;
    }
    if stream.write_all(bytes).await.is_ok() && stream.flush().await.is_ok() && goodbye {
        let _ = stream.shutdown().await;
        // Bytes that arrive at a closed socket are answered with a reset, which would overtake the answer.
        while more(network, stream, &mut seen).await && seen.len() < HEAD_MAX {}
    }
}

/// Says `greeting`, waits for a word, and closes.
pub(super) async fn greet<S>(network: &Network, mut stream: S, greeting: &[u8])
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if stream.write_all(greeting).await.is_err() || stream.flush().await.is_err() {
        return;
    }
    more(network, &mut stream, &mut Vec::new()).await;
    let _ = stream.shutdown().await;
}

/// A fatal alert in a record of its own (RFC 8446 6).
pub(super) fn alert(description: u8) -> [u8; 7] {
    [21, 3, 3, 0, 2, 2, description]
}

/// Whether anything came.
async fn more<S: AsyncRead + Unpin>(network: &Network, stream: &mut S, seen: &mut Vec<u8>) -> bool {
    let mut piece = [0; 4096];
    match network.timeout(PATIENCE, stream.read(&mut piece)).await {
        Some(Ok(count)) if count > 0 => {
            seen.extend_from_slice(&piece[..count]);
            true
        }
        _ => false,
    }
}

fn has_request(seen: &[u8], head: Head) -> bool {
    match head {
        Head::Http1 => seen.windows(4).any(|four| four == b"\r\n\r\n"),
        Head::Http2 => {
            // The preface, then frames: 24 bits of length, 8 of type; 1 is HEADERS.
            let mut rest = seen.get(24..).unwrap_or_default();
            while let Some(&[high, middle, low, kind]) = rest.first_chunk() {
                let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
                let Some(next) = rest.get(9 + length..) else { return false };
                if kind == 1 {
                    return true;
                }
                rest = next;
            }
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_seen_when_its_head_is_whole() {
        assert!(!has_request(b"GET / HTTP/1.1\r\nHost: a\r\n", Head::Http1));
        assert!(has_request(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", Head::Http1));
        let mut http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        http2.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
        assert!(!has_request(&http2, Head::Http2));
        http2.extend([0, 0, 2, 1, 5, 0, 0, 0, 1, 0x82]);
        assert!(!has_request(&http2, Head::Http2), "the frame lacks a byte");
        http2.push(0x84);
        assert!(has_request(&http2, Head::Http2));
    }
}
