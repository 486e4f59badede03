//! Who gets which port, and whose bytes look like what.

use super::spoken::{self, Spoken, Talk};
use super::{
    data, dhcp, dhcpv6, dns, dtls, ftp, gtp, http, http2, netflow, ntp, quic, rtp, sip, snmp, socks, stun,
    syslog, tcp, tls, tunnel, websocket, wireguard,
};
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
    /// One of those that are a row of messages.
    Spoken(&'static Spoken, Box<Talk>),
    WebSocket(Box<websocket::Session>),
    /// A file that FTP announced.
    File,
}

impl App {
    /// Bytes of a side are missing: what follows may begin anywhere in a message, and refer to what was lost.
    pub(crate) fn lose(&mut self, side: usize) {
        match self {
            App::Tls(session) => session.lose(side),
            App::Http2(connection) => connection.lose(side),
            App::Spoken(_, talk) => talk.inner.lose(side),
            App::Unknown | App::Opaque | App::Http | App::Dns | App::File | App::WebSocket(_) => {}
        }
    }
}

/// Hands the payload of a UDP datagram on. The smaller port is asked first, as in Wireshark.
pub(crate) fn datagram(cx: &mut Context<'_>, payload: Data<'_>) {
    if cx.is_quoted {
        return data::show(cx, payload);
    }
    if !cx.state.media.is_empty() {
        let (from, to) = ((cx.src, cx.src_port), (cx.dst, cx.dst_port));
        let announced = [cx.state.media.get(&to), cx.state.media.get(&from)];
        if let Some(announced) = announced.into_iter().flatten().min_by_key(|one| one.frame) {
            return rtp::dissect(cx, payload, announced);
        }
    }
    if !(by_port(cx, payload) || by_bytes(cx, payload)) {
        data::show(cx, payload);
    }
}

/// Gives a datagram to the protocol that one of its ports belongs to.
fn by_port(cx: &mut Context<'_>, payload: Data<'_>) -> bool {
    let (low, high) = (cx.src_port.min(cx.dst_port), cx.src_port.max(cx.dst_port));
    for port in [low, high] {
        match port {
            53 => dns::datagram(cx, payload, false),
            67 | 68 => dhcp::dissect(cx, payload),
            123 => ntp::dissect(cx, payload),
            161 | 162 | 8161 => snmp::dissect(cx, payload),
            514 => syslog::dissect(cx, payload),
            546 | 547 => dhcpv6::dissect(cx, payload),
            853 | 2221 | 5684 | 5868 if dtls::looks_like(payload.bytes) => dtls::dissect(cx, payload),
            2055 | 4739 | 9996 => netflow::dissect(cx, payload),
            2152 => gtp::dissect(cx, payload),
            4789 => tunnel::vxlan(cx, payload),
            5060 => sip::datagram(cx, payload),
            5353 => dns::datagram(cx, payload, true),
            5355 => dns::datagram(cx, payload, false),
            6081 => tunnel::geneve(cx, payload),
            3478 if stun::datagram(cx, payload) => {}
            _ => continue,
        }
        return true;
    }
    false
}

/// Gives a datagram to the protocol that it looks like.
fn by_bytes(cx: &mut Context<'_>, payload: Data<'_>) -> bool {
    let ends = ((cx.src, cx.src_port), (cx.dst, cx.dst_port));
    let bytes = payload.bytes;
    if dtls::looks_like(bytes) {
        dtls::dissect(cx, payload);
    } else if rtp::looks_like_control(cx, bytes) {
        rtp::control(cx, payload, None);
    } else if wireguard::looks_like(payload.bytes) {
        wireguard::dissect(cx, payload);
    } else if stun::looks_like(payload.bytes) {
        return stun::datagram(cx, payload);
    } else if sip::looks_like(payload.bytes) {
        sip::datagram(cx, payload);
    } else if quic::looks_like(payload.bytes) || cx.state.quic.knows(ends.0, ends.1, payload.bytes) {
        quic::dissect(cx, payload);
    } else {
        return false;
    }
    true
}

/// Gives what a relay carries to the protocol that it looks like; `false`: none.
pub(crate) fn tunnelled(cx: &mut Context<'_>, payload: Data<'_>) -> bool {
    stun::looks_like(payload.bytes) && stun::datagram(cx, payload)
}

/// Nothing but TLS is looked for on these.
const TLS_PORTS: [u16; 8] = [443, 465, 636, 853, 989, 990, 993, 995];

/// On these HTTP is expected, as in Wireshark.
const HTTP_PORTS: [u16; 9] = [80, 1900, 2710, 2869, 3128, 3132, 8080, 8088, 11371];

/// What the ports of a connection, or its first bytes, tell.
fn recognise(cx: &mut Context<'_>, bytes: &[u8]) -> App {
    let ends = [(cx.src, cx.src_port), (cx.dst, cx.dst_port)];
    if !cx.state.announced.is_empty() && ends.iter().any(|end| cx.state.announced.get(end).is_some()) {
        return App::File;
    }
    let is = |port: u16| cx.src_port == port || cx.dst_port == port;
    let (low, high) = (cx.src_port.min(cx.dst_port), cx.src_port.max(cx.dst_port));
    if (is(53) || is(853)) && !tls::looks_like(bytes) {
        App::Dns
    } else if tls::looks_like(bytes) || TLS_PORTS.iter().any(|port| is(*port)) {
        App::Tls(Box::default())
    } else if http2::looks_like(bytes) {
        App::Http2(Box::default())
    } else if http::looks_like(bytes) || HTTP_PORTS.iter().any(|port| is(*port)) {
        App::Http
    } else {
        let spoken = spoken::by_port(low, high).or_else(|| spoken::by_bytes(bytes));
        spoken.map_or(App::Opaque, |spoken| App::Spoken(spoken, Box::default()))
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
        // The middle of a record whose beginning was not captured.
        App::Tls(_) => {
            tls::middle(cx, bytes);
            bytes.len()
        }
        App::Http if http::looks_like(bytes.bytes) || bytes.len() < 8 => {
            let used = http::stream(cx, bytes, one);
            if std::mem::take(&mut cx.upgraded) {
                *app = App::WebSocket(Box::default());
            }
            used
        }
        App::Http2(connection) if connection.knows(side) => http2::stream(cx, connection, side, bytes, one),
        App::Dns => dns::stream(cx, bytes, one),
        App::WebSocket(session) => websocket::stream(cx, session, side, bytes, one),
        App::File => {
            ftp::transfer(cx, bytes);
            bytes.len()
        }
        App::Spoken(spoken, talk) => {
            let used = match socks::behind(cx, spoken, talk, bytes) {
                true => speak(cx, &mut talk.inner, side, bytes, one),
                false => spoken::stream(cx, spoken, talk, side, bytes, one),
            };
            if !matches!(talk.inner, App::Unknown) && !socks::is(spoken) {
                *app = std::mem::take(&mut talk.inner);
            }
            used
        }
        // Not a line of HTTP, or not yet: it would go on until a line ends.
        App::Http
            if !bytes.bytes.contains(&b'\n')
                && HTTP_PORTS.iter().any(|port| [cx.src_port, cx.dst_port].contains(port)) =>
        {
            cx.add(&tcp::SEGMENT_DATA, bytes, 0, bytes.len(), 0);
            bytes.len()
        }
        // It was misunderstood, or went over to something else.
        App::Http => {
            cx.layer(&http::HTTP, bytes, |cx, c| {
                data::show(cx, c.rest());
                c.skip(c.left())
            });
            bytes.len()
        }
        App::Http2(_) => {
            data::show(cx, bytes);
            bytes.len()
        }
    }
}
