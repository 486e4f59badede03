//! Who gets which port, and whose bytes look like what.

use super::{data, dhcp, dns, http, http2, ntp, quic, tls, tunnel};
use crate::context::Context;
use crate::cursor::Data;

/// What is spoken on a TCP connection, and what its reader has to remember.
#[derive(Debug, Default)]
pub(crate) enum App {
    /// Nothing has been sent yet.
    #[default]
    Unknown,
    /// Nobody understands it.
    Opaque,
    Tls(Box<tls::Session>),
    Http,
    Http2(Box<http2::Connection>),
    Dns,
}

impl App {
    /// Bytes of a side are missing: what follows may begin anywhere in a message, and refer to what was lost.
    pub(crate) fn lose(&mut self, side: usize) {
        match self {
            App::Tls(session) => session.lose(side),
            App::Http2(connection) => connection.lose(side),
            App::Unknown | App::Opaque | App::Http | App::Dns => {}
        }
    }
}

/// Hands the payload of a UDP datagram on. The smaller port is asked first, as in Wireshark.
pub(crate) fn datagram(cx: &mut Context<'_>, payload: Data<'_>) {
    let (low, high) = (cx.src_port.min(cx.dst_port), cx.src_port.max(cx.dst_port));
    if cx.is_quoted {
        return data::show(cx, payload);
    }
    for port in [low, high] {
        match port {
            53 => return dns::datagram(cx, payload, false),
            67 | 68 => return dhcp::dissect(cx, payload),
            123 => return ntp::dissect(cx, payload),
            2152 => return tunnel::gtp(cx, payload),
            4789 => return tunnel::vxlan(cx, payload),
            5353 => return dns::datagram(cx, payload, true),
            5355 => return dns::datagram(cx, payload, false),
            6081 => return tunnel::geneve(cx, payload),
            443 => return quic::dissect(cx, payload),
            _ => {}
        }
    }
    let ends = ((cx.src, cx.src_port), (cx.dst, cx.dst_port));
    let key = if ends.0 <= ends.1 { ends } else { (ends.1, ends.0) };
    if quic::looks_like(payload.bytes) || cx.state.quic.get_mut(&key).is_some() {
        return quic::dissect(cx, payload);
    }
    data::show(cx, payload);
}

/// What the first bytes of a connection, or its ports, tell.
fn recognise(cx: &Context<'_>, bytes: &[u8]) -> App {
    if [53, 853].iter().any(|port| cx.src_port == *port || cx.dst_port == *port) && !tls::looks_like(bytes) {
        App::Dns
    } else if tls::looks_like(bytes) {
        App::Tls(Box::default())
    } else if http2::looks_like(bytes) {
        App::Http2(Box::default())
    } else if http::looks_like(bytes) {
        App::Http
    } else {
        App::Opaque
    }
}

/// What was agreed upon to be spoken inside of TLS (RFC 7301).
pub(crate) fn negotiated(alpn: &[u8]) -> App {
    match alpn {
        b"http/1.1" | b"http/1.0" => App::Http,
        b"h2" => App::Http2(Box::default()),
        b"dot" => App::Dns,
        _ => App::Unknown,
    }
}

/// Hands the next bytes of a TCP stream on. `one`: only the first message, of which a part had waited. Gives how many
/// bytes were used; what is left waits for more.
pub(crate) fn stream(cx: &mut Context<'_>, side: usize, bytes: Data<'_>, one: bool) -> usize {
    let ends = ((cx.src, cx.src_port), (cx.dst, cx.dst_port));
    let mut app = std::mem::take(&mut cx.state.tcp.flow(ends.0, ends.1).app);
    let used = speak(cx, &mut app, side, bytes, one);
    cx.state.tcp.flow(ends.0, ends.1).app = app;
    used
}

/// The same for any stream, such as the one inside of TLS.
pub(crate) fn speak(cx: &mut Context<'_>, app: &mut App, side: usize, bytes: Data<'_>, one: bool) -> usize {
    if matches!(app, App::Unknown) {
        *app = recognise(cx, bytes.bytes);
    }
    match app {
        App::Unknown | App::Opaque => {
            data::show(cx, bytes);
            bytes.len()
        }
        App::Tls(session) if tls::looks_like(bytes.bytes) || bytes.len() < 5 => {
            tls::stream(cx, session, side, bytes, one)
        }
        App::Http if http::looks_like(bytes.bytes) || bytes.len() < 8 => http::stream(cx, bytes, one),
        App::Http2(connection) if connection.knows(side) => http2::stream(cx, connection, side, bytes, one),
        App::Dns => dns::stream(cx, bytes, one),
        // It was misunderstood, or went over to something else.
        App::Tls(_) | App::Http | App::Http2(_) => {
            data::show(cx, bytes);
            bytes.len()
        }
    }
}
