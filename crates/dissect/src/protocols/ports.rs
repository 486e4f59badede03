//! Who gets which port, and whose bytes look like what.

use super::spoken::{self, Spoken, Talk};
use super::{
    bgp, classicstun, data, dhcp, dhcpv6, dns, dtls, ftp, gtp, http, http2, ldap, mpls, netflow, ntp,
    overheard, quic, rtp, sip, snmp, socks, stun, syslog, tls, tunnel, websocket, wireguard,
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
    Http(Box<http::Session>),
    Http2(Box<http2::Connection>),
    /// For each side: bytes are missing before what comes next.
    Dns([bool; 2]),
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
            App::Http(session) => session.lose(side),
            App::WebSocket(session) => session.lose(side),
            App::Dns(torn) => torn[side] = true,
            App::Unknown | App::Opaque | App::File => {}
        }
    }
}

/// Hands the payload of a UDP datagram on. The smaller port is asked first, as in Wireshark.
pub(crate) fn datagram(cx: &mut Context<'_>, payload: Data<'_>) {
    if cx.is_quoted {
        return quoted(cx, payload);
    }
    if !cx.state.media.is_empty() {
        let (from, to) = ((cx.src, cx.src_port), (cx.dst, cx.dst_port));
        if let Some(announced) = cx.state.media.get(&to).or_else(|| cx.state.media.get(&from)) {
            return rtp::dissect(cx, payload, announced);
        }
    }
    if !(by_owner(cx, payload) || by_port(cx, payload) || by_bytes(cx, payload)) {
        overheard::datagram(cx, payload.bytes);
        data::show(cx, payload);
    }
}

/// The beginning of a datagram that an ICMP error quotes: those are shown that need no memory, or have learned nothing
/// from it.
fn quoted(cx: &mut Context<'_>, payload: Data<'_>) {
    const WITHOUT_MEMORY: [u16; 13] = [53, 67, 68, 123, 161, 162, 514, 546, 547, 4789, 5353, 5355, 6081];
    let (low, high) = (cx.src_port.min(cx.dst_port), cx.src_port.max(cx.dst_port));
    // Media go from where they are expected, too.
    let (from, to) = ((cx.src, cx.src_port), (cx.dst, cx.dst_port));
    if let Some(announced) = cx.state.media.get(&to).or_else(|| cx.state.media.get(&from)) {
        return rtp::dissect(cx, payload, announced);
    }
    let first = [low, high].into_iter().find(|port| WITHOUT_MEMORY.contains(port));
    if first.is_some() && by_port(cx, payload) {
        return;
    }
    if [low, high].contains(&5060) && sip::is_message(payload.bytes) {
        sip::datagram(cx, payload);
    } else if cx.state.quic.knows((cx.src, cx.src_port), (cx.dst, cx.dst_port), payload.bytes) {
        quic::dissect(cx, payload);
    } else if wireguard::looks_like(payload.bytes) {
        wireguard::dissect(cx, payload);
    } else if stun::looks_like(payload.bytes) && stun::datagram(cx, payload) {
        // It is shown.
    } else if classicstun::looks_like(payload.bytes) {
        classicstun::dissect(cx, payload);
    } else if is_quic(cx, payload.bytes) {
        quic::dissect(cx, payload);
    } else {
        data::show(cx, payload);
    }
}

/// Whether a datagram begins a connection of QUIC, or belongs to one.
fn is_quic(cx: &mut Context<'_>, bytes: &[u8]) -> bool {
    let ends = ((cx.src, cx.src_port), (cx.dst, cx.dst_port));
    quic::looks_like(bytes) || cx.state.quic.knows(ends.0, ends.1, bytes)
}

/// The same for a segment: it is shown as far as it goes, and nothing is remembered of it.
pub(crate) fn quoted_stream(cx: &mut Context<'_>, payload: Data<'_>) {
    let ways = (std::mem::take(&mut cx.can_wait), std::mem::take(&mut cx.upgraded));
    let mut app = App::Unknown;
    speak(cx, &mut app, usize::from((cx.src, cx.src_port) > (cx.dst, cx.dst_port)), payload, false);
    (cx.can_wait, cx.upgraded) = ways;
}

/// Who was found to speak between two ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Nobody who would be asked before those whose port it is.
    #[default]
    None,
    Stun,
    Sip,
}

/// Gives a datagram to the protocol that was found to be spoken here; it may be another's after all.
fn by_owner(cx: &mut Context<'_>, payload: Data<'_>) -> bool {
    match cx.owner {
        Owner::None => false,
        Owner::Stun => stun::datagram(cx, payload),
        // Something else may be spoken here, too.
        Owner::Sip if sip::looks_like(payload.bytes) => {
            sip::datagram(cx, payload);
            true
        }
        Owner::Sip => false,
    }
}

/// Remembers who speaks between the two ends.
fn own(cx: &mut Context<'_>, owner: Owner) {
    let ends = ((cx.src, cx.src_port), (cx.dst, cx.dst_port));
    cx.state.udp.flow(ends.0, ends.1).owner = owner;
}

/// Gives a datagram to the protocol that one of its ports belongs to.
fn by_port(cx: &mut Context<'_>, payload: Data<'_>) -> bool {
    let (low, high) = (cx.src_port.min(cx.dst_port), cx.src_port.max(cx.dst_port));
    for port in [low, high] {
        match port {
            53 => dns::datagram(cx, payload, false),
            67 | 68 => dhcp::dissect(cx, payload),
            123 => ntp::dissect(cx, payload),
            161 | 162 | 8161 if snmp::accepts(payload.bytes, cx.missing) => snmp::dissect(cx, payload),
            389 => ldap::datagram(cx, payload),
            514 => syslog::dissect(cx, payload),
            546 | 547 => dhcpv6::dissect(cx, payload),
            // DNS over QUIC has the port of DNS over DTLS (RFC 9250 4.1.1).
            853 if is_quic(cx, payload.bytes) => quic::dissect(cx, payload),
            853 | 2221 | 5684 | 5868 => dtls::dissect(cx, payload),
            1900 => http::datagram(cx, payload),
            2055 | 4739 | 9996 => netflow::dissect(cx, payload),
            2123 | 2152 => gtp::dissect(cx, payload),
            3386 => gtp::charging(cx, payload),
            4754 => tunnel::gre(cx, payload),
            4789 => tunnel::vxlan(cx, payload),
            // What is sealed may have a line of words in it.
            5060 if !wireguard::looks_like(payload.bytes) && sip::is_message(payload.bytes) => {
                sip::datagram(cx, payload)
            }
            5353 => dns::datagram(cx, payload, true),
            5355 => dns::local(cx, payload),
            6081 => tunnel::geneve(cx, payload),
            6635 => mpls::dissect(cx, payload),
            3478 if stun::datagram(cx, payload) => {}
            _ => continue,
        }
        return true;
    }
    false
}

/// Gives a datagram to the protocol that it looks like; asked in Wireshark's order.
fn by_bytes(cx: &mut Context<'_>, payload: Data<'_>) -> bool {
    let bytes = payload.bytes;
    if wireguard::looks_like(bytes) {
        wireguard::dissect(cx, payload);
    } else if stun::looks_like(bytes) {
        own(cx, Owner::Stun);
        return stun::datagram(cx, payload);
    } else if sip::looks_like(bytes) {
        own(cx, Owner::Sip);
        sip::datagram(cx, payload);
    } else if rtp::looks_like_control(bytes) {
        rtp::control(cx, payload, None);
    } else if is_quic(cx, bytes) {
        quic::dissect(cx, payload);
    } else if dtls::looks_like(bytes) {
        dtls::dissect(cx, payload);
    } else if dns::looks_like(bytes) && ![cx.src_port, cx.dst_port].contains(&137) {
        // NetBIOS has names in the same form on a port of its own.
        dns::datagram(cx, payload, false);
    } else if classicstun::looks_like(bytes) {
        classicstun::dissect(cx, payload);
    } else {
        return false;
    }
    true
}

/// Shows what a relay carries: reports on media are recognised, as in Wireshark; all else is data.
pub(crate) fn tunnelled(cx: &mut Context<'_>, payload: Data<'_>) {
    if rtp::looks_like_control(payload.bytes) {
        rtp::control(cx, payload, None);
    } else {
        data::show(cx, payload);
    }
}

/// Shows what DTLS carries: ports tell who speaks, as in Wireshark.
pub(crate) fn datagram_sealed(cx: &mut Context<'_>, payload: Data<'_>) {
    let (low, high) = (cx.src_port.min(cx.dst_port), cx.src_port.max(cx.dst_port));
    for port in [low, high] {
        match port {
            853 => return dns::datagram(cx, payload, false),
            4740 => return netflow::dissect(cx, payload),
            10_161 | 10_162 => return snmp::dissect(cx, payload),
            _ => {}
        }
    }
    data::show(cx, payload);
}

/// Nothing but TLS is looked for on these.
const TLS_PORTS: [u16; 8] = [443, 465, 636, 853, 989, 990, 993, 995];

/// On these HTTP is expected, as in Wireshark.
const HTTP_PORTS: [u16; 11] = [80, 1900, 2710, 2869, 3128, 3132, 5985, 8080, 8088, 11371, 3689];

/// Whether HTTP is expected on a port.
pub(crate) fn is_http(port: u16) -> bool {
    HTTP_PORTS.contains(&port)
}

/// Who a port belongs to. The smaller one is asked first, as in Wireshark.
fn app_by_port(low: u16, high: u16, bytes: &[u8]) -> Option<App> {
    [low, high].into_iter().find_map(|port| match port {
        // BGP of routers that choose low ports is no file.
        20 if high == 179 && bgp::is_marked(bytes) => None,
        20 => Some(App::File),
        53 | 5353 => Some(App::Dns([false; 2])),
        port if is_http(port) => Some(App::Http(Box::default())),
        port if TLS_PORTS.contains(&port) && tls::accepts(bytes) => Some(App::Tls(Box::default())),
        port => spoken::of_port(port).map(|spoken| App::Spoken(spoken, Box::default())),
    })
}

/// What bytes look like.
fn app_by_bytes(bytes: &[u8]) -> Option<App> {
    if tls::looks_like(bytes) {
        Some(App::Tls(Box::default()))
    } else if http2::looks_like(bytes) {
        Some(App::Http2(Box::default()))
    } else if http::looks_like(bytes) {
        Some(App::Http(Box::default()))
    } else {
        spoken::by_bytes(bytes).map(|spoken| App::Spoken(spoken, Box::default()))
    }
}

/// What the ports of a connection, or its first bytes, tell.
fn recognise(cx: &mut Context<'_>, bytes: &[u8]) -> App {
    if cx.state.is_announced((cx.src, cx.src_port), (cx.dst, cx.dst_port)) {
        return App::File;
    }
    let (low, high) = (cx.src_port.min(cx.dst_port), cx.src_port.max(cx.dst_port));
    app_by_port(low, high, bytes).or_else(|| app_by_bytes(bytes)).unwrap_or(App::Opaque)
}

/// What was agreed upon to be spoken inside of TLS (RFC 7301).
pub(crate) fn negotiated(alpn: &[u8]) -> App {
    match alpn {
        b"http/1.1" | b"http/1.0" => App::Http(Box::default()),
        b"h2" => App::Http2(Box::default()),
        b"dot" => App::Dns([false; 2]),
        _ => App::Unknown,
    }
}

/// Shows the layer of a tunnel that a segment goes through, whatever becomes of what it carries.
pub(crate) fn tunnel(cx: &mut Context<'_>, bytes: Data<'_>) {
    let ends = ((cx.src, cx.src_port), (cx.dst, cx.dst_port));
    let mut app = std::mem::take(&mut cx.state.tcp.flow(ends.0, ends.1).app);
    if let App::Spoken(spoken, talk) = &mut app
        && socks::behind(spoken, talk).is_some()
    {
        socks::tunnel(cx, talk, bytes);
    }
    cx.state.tcp.flow(ends.0, ends.1).app = app;
}

/// Hands the next bytes of a TCP stream on. Gives how many were used; what is left waits for more.
pub(crate) fn stream(cx: &mut Context<'_>, side: usize, bytes: Data<'_>) -> usize {
    let ends = ((cx.src, cx.src_port), (cx.dst, cx.dst_port));
    let mut app = std::mem::take(&mut cx.state.tcp.flow(ends.0, ends.1).app);
    let used = speak(cx, &mut app, side, bytes, false);
    cx.state.tcp.flow(ends.0, ends.1).app = app;
    used
}

/// Who speaks inside of TLS, where neither side said so: by what it looks like, then by its port.
fn recognise_sealed(cx: &Context<'_>, bytes: &[u8]) -> App {
    let is = |port: u16| cx.src_port == port || cx.dst_port == port;
    if http2::looks_like(bytes) {
        App::Http2(Box::default())
    } else if http::looks_like(bytes) || is(443) {
        App::Http(Box::default())
    } else if is(853) {
        App::Dns([false; 2])
    } else {
        spoken::by_bytes(bytes).map_or(App::Opaque, |spoken| App::Spoken(spoken, Box::default()))
    }
}

/// The same for the stream inside of TLS.
pub(crate) fn speak_sealed(
    cx: &mut Context<'_>,
    app: &mut App,
    side: usize,
    bytes: Data<'_>,
    one: bool,
) -> usize {
    if matches!(app, App::Unknown | App::Opaque) {
        *app = recognise_sealed(cx, bytes.bytes);
    }
    speak(cx, app, side, bytes, one)
}

/// Through so many streams another one may go.
const STREAMS_MAX: usize = 16;

/// The same for any stream. `one`: only the first message, of which a part had waited.
pub(crate) fn speak(cx: &mut Context<'_>, app: &mut App, side: usize, bytes: Data<'_>, one: bool) -> usize {
    if cx.streams >= STREAMS_MAX {
        data::show(cx, bytes);
        return bytes.len();
    }
    cx.streams += 1;
    let used = read(cx, app, side, bytes, one);
    cx.streams -= 1;
    used
}

fn read(cx: &mut Context<'_>, app: &mut App, side: usize, bytes: Data<'_>, one: bool) -> usize {
    if matches!(app, App::Unknown | App::Opaque) {
        *app = recognise(cx, bytes.bytes);
    }
    match app {
        App::Unknown | App::Opaque => {
            overheard::segment(cx, bytes.bytes);
            data::show(cx, bytes);
            bytes.len()
        }
        App::Tls(session) if tls::accepts(bytes.bytes) => tls::stream(cx, session, side, bytes),
        App::Tls(session) => {
            let (low, high) = (cx.src_port.min(cx.dst_port), cx.src_port.max(cx.dst_port));
            match spoken::of_port(low).or_else(|| spoken::of_port(high)) {
                // It was agreed upon and did not begin: a capture with TLS taken out.
                Some(spoken) if session.is_new() => {
                    *app = App::Spoken(spoken, Box::default());
                    speak(cx, app, side, bytes, one)
                }
                _ => {
                    data::show(cx, bytes);
                    bytes.len()
                }
            }
        }
        App::Http(session) => {
            let used = http::stream(cx, session, side, bytes);
            let Some(terms) = cx.upgraded.take() else { return used };
            *app = App::WebSocket(terms);
            // The server may go on in the same segment.
            if used < bytes.len() { used + read(cx, app, side, bytes.from(used), one) } else { used }
        }
        App::Http2(connection) if connection.knows(side) => http2::stream(cx, connection, side, bytes, one),
        App::Dns(torn) if torn[side] && !dns::fill(bytes.bytes) => {
            data::show(cx, bytes);
            bytes.len()
        }
        App::Dns(torn) => {
            torn[side] = false;
            dns::stream(cx, bytes, one)
        }
        App::WebSocket(session) => websocket::stream(cx, session, side, bytes, one),
        App::File => {
            ftp::transfer(cx, bytes);
            bytes.len()
        }
        App::Spoken(spoken, talk) => {
            let used = match socks::behind(spoken, talk) {
                Some(port) => {
                    let own = (cx.src_port, cx.dst_port);
                    let to_server = spoken.ports.contains(&cx.dst_port);
                    *(if to_server { &mut cx.dst_port } else { &mut cx.src_port }) = port;
                    let used = speak(cx, &mut talk.inner, side, bytes, one);
                    (cx.src_port, cx.dst_port) = own;
                    used
                }
                None => spoken::stream(cx, spoken, talk, side, bytes, one),
            };
            if !matches!(talk.inner, App::Unknown) && !socks::is(spoken) {
                *app = std::mem::take(&mut talk.inner);
            }
            used
        }
        App::Http2(_) => {
            data::show(cx, bytes);
            bytes.len()
        }
    }
}

#[cfg(test)]
mod tests;
