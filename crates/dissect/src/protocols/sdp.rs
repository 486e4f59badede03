//! Session descriptions (RFC 8866), as SIP carries them: what they say of media, and where those go to.

use super::rtp::{self, Announced};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read};
use crate::field::{FieldDef, protocol};
use crate::table::{digits, line, split};
use std::net::IpAddr;

protocol! { SDP "sdp" "SDP" "Session Description Protocol";
    VERSION: text "sdp.version" "Session Description Protocol Version (v)";
    OWNER: text "sdp.owner" "Owner/Creator, Session Id (o)";
    OWNER_USER: text "sdp.owner.username" "Owner Username";
    OWNER_SESSION: text "sdp.owner.sessionid" "Session ID";
    OWNER_VERSION: text "sdp.owner.version" "Session Version";
    OWNER_NETWORK: text "sdp.owner.network_type" "Owner Network Type";
    OWNER_FAMILY: text "sdp.owner.address_type" "Owner Address Type";
    OWNER_ADDRESS: text "sdp.owner.address" "Owner Address";
    NAME: text "sdp.session_name" "Session Name (s)";
    INFO: text "sdp.session_info" "Session Information (i)";
    URI: text "sdp.uri" "URI of Description (u)";
    EMAIL: text "sdp.email" "E-mail Address (e)";
    PHONE: text "sdp.phone" "Phone Number (p)";
    CONNECTION: text "sdp.connection_info" "Connection Information (c)";
    NETWORK: text "sdp.connection_info.network_type" "Connection Network Type";
    FAMILY: text "sdp.connection_info.address_type" "Connection Address Type";
    ADDRESS: text "sdp.connection_info.address" "Connection Address";
    TTL: text "sdp.connection_info.ttl" "Connection TTL";
    ADDRESSES: text "sdp.connection_info.num_addr" "Connection Number of Addresses";
    BANDWIDTH: text "sdp.bandwidth" "Bandwidth Information (b)";
    BANDWIDTH_OF: text "sdp.bandwidth.modifier" "Bandwidth Modifier";
    BANDWIDTH_VALUE: text "sdp.bandwidth.value" "Bandwidth Value";
    TIME: text "sdp.time" "Time Description, active time (t)";
    START: text "sdp.time.start" "Session Start Time";
    STOP: text "sdp.time.stop" "Session Stop Time";
    ATTRIBUTE: text "sdp.session_attr" "Session Attribute (a)";
    ATTRIBUTE_FIELD: text "sdp.session_attr.field" "Session Attribute Fieldname";
    ATTRIBUTE_VALUE: text "sdp.session_attr.value" "Session Attribute Value";
    MEDIA: text "sdp.media" "Media Description, name and address (m)";
    MEDIA_TYPE: text "sdp.media.media" "Media Type";
    MEDIA_PORT_STRING: text "sdp.media.port_string" "Media Port";
    MEDIA_PORT: u16 "sdp.media.port" "Media Port";
    MEDIA_PORTS: text "sdp.media.portcount" "Media Port Count";
    MEDIA_PROTO: text "sdp.media.proto" "Media Protocol";
    MEDIA_FORMAT: text "sdp.media.format" "Media Format";
    OF_MEDIA: text "sdp.media_attr" "Media Attribute (a)";
    OF_MEDIA_FIELD: text "sdp.media_attribute.field" "Media Attribute Fieldname";
    OF_MEDIA_VALUE: text "sdp.media_attribute.value" "Media Attribute Value";
    MIME_TYPE: text "sdp.mime.type" "MIME Type";
    SAMPLE_RATE: text "sdp.sample_rate" "Sample Rate";
    PARAMETER: text "sdp.fmtp.parameter" "Media format specific parameters";
}

/// What was said so far: where media go to.
#[derive(Default)]
struct Session {
    /// Of all media that have none of their own.
    address: Option<IpAddr>,
    /// Of the medium that is being described, as what follows.
    own_address: Option<IpAddr>,
    port: Option<u16>,
    events: u8,
    /// The frame that counts as the one that announced it.
    frame: u64,
    /// A medium is being described; before, what is said is about all of them.
    in_media: bool,
}

impl Session {
    /// An address, of the medium that is being described or of all.
    fn goes_to(&mut self, word: &[u8]) {
        if let Some(address) = std::str::from_utf8(word).ok().and_then(|text| text.parse().ok()) {
            *(if self.in_media { &mut self.own_address } else { &mut self.address }) = Some(address);
        }
    }

    /// A port. Faxes (UDPTL) and data channels have ports, too.
    fn comes_on(&mut self, port: &[u8], proto: &[u8]) {
        let number = std::str::from_utf8(port).ok().and_then(|text| text.parse().ok());
        self.port = number.filter(|port| *port != 0 && proto.windows(4).any(|part| part == b"RTP/"));
    }

    /// Remembers a port with its even-odd pair once its part of the description ends.
    fn announce(&mut self, cx: &mut Context<'_>) {
        let address = self.own_address.take().or(self.address);
        let (port, events) = (self.port.take(), std::mem::take(&mut self.events));
        if let (Some(address), Some(port), false) = (address, port, cx.is_quoted) {
            Announced { frame: self.frame, is_control: false, event_type: events, method: b"SDP" }
                .remember(cx, address, port);
        }
    }
}

/// A description, as a layer; `frame` counts as the one that announced what it describes.
pub(super) fn dissect(cx: &mut Context<'_>, body: Data<'_>, frame: u64) {
    cx.layer(&SDP, body, |cx, c| description(cx, c, frame));
}

/// Descriptions within other signalling: nothing is shown, only what they announce is remembered.
pub(super) fn overhear(cx: &mut Context<'_>, bytes: &[u8]) {
    let mut session = Session { frame: cx.number, ..Session::default() };
    for line in bytes.split(|byte| matches!(byte, b'\r' | b'\n')) {
        let words: Vec<&[u8]> = line.trim_ascii().split(|byte| *byte == b' ').take(WORDS_MAX).collect();
        match *words.as_slice() {
            [first, ..] if first.starts_with(b"v=") => {
                session.announce(cx);
                session = Session { frame: cx.number, ..Session::default() };
            }
            [first, _, address, ..] if first.starts_with(b"c=") => session.goes_to(address),
            [first, port, proto, ..] if first.starts_with(b"m=") => {
                session.announce(cx);
                session.in_media = true;
                session.comes_on(port, proto);
            }
            [format, kind, ..] if kind.starts_with(b"telephone-event") => {
                if let Some(number) = format.strip_prefix(b"a=rtpmap:") {
                    session.events = u8::try_from(digits(number)).unwrap_or(0);
                }
            }
            _ => {}
        }
    }
    session.announce(cx);
}

/// So many words of a line are looked at.
const WORDS_MAX: usize = 4;

fn description(cx: &mut Context<'_>, c: &mut Cursor<'_>, frame: u64) -> Read {
    let mut session = Session { frame, ..Session::default() };
    while let Some((text, used)) = line(&c.rest()) {
        let value = text.from(2);
        let whole = |cx: &mut Context<'_>, def: &'static FieldDef| cx.add(def, value, 0, value.len(), 0);
        let depth = cx.depth;
        match text.bytes.first() {
            Some(b'v') => whole(cx, &VERSION),
            Some(b'o') => {
                whole(cx, &OWNER);
                let defs: [&'static FieldDef; 6] = [
                    &OWNER_USER,
                    &OWNER_SESSION,
                    &OWNER_VERSION,
                    &OWNER_NETWORK,
                    &OWNER_FAMILY,
                    &OWNER_ADDRESS,
                ];
                words(cx, value, &defs);
            }
            Some(b's') => whole(cx, &NAME),
            Some(b'i') => whole(cx, &INFO),
            Some(b'u') => whole(cx, &URI),
            Some(b'e') => whole(cx, &EMAIL),
            Some(b'p') => whole(cx, &PHONE),
            Some(b'c') => {
                whole(cx, &CONNECTION);
                connection(cx, &mut session, value);
            }
            Some(b'b') => {
                whole(cx, &BANDWIDTH);
                named(cx, value, &BANDWIDTH_OF, &BANDWIDTH_VALUE);
            }
            Some(b't') => {
                whole(cx, &TIME);
                words(cx, value, &[&START, &STOP]);
            }
            Some(b'm') => {
                whole(cx, &MEDIA);
                session.announce(cx);
                session.in_media = true;
                media(cx, &mut session, value);
            }
            Some(b'a') if session.in_media => {
                whole(cx, &OF_MEDIA);
                of_media(cx, &mut session, value);
            }
            Some(b'a') => {
                whole(cx, &ATTRIBUTE);
                if value.bytes.contains(&b':') {
                    named(cx, value, &ATTRIBUTE_FIELD, &ATTRIBUTE_VALUE);
                }
            }
            _ => {}
        }
        cx.depth = depth;
        c.skip(used)?;
    }
    session.announce(cx);
    c.skip(c.left())
}

/// Shows a part, a level deeper than the line.
fn part(cx: &mut Context<'_>, def: &'static FieldDef, data: Data<'_>) {
    cx.depth += 1;
    cx.add(def, data, 0, data.len(), 0);
    cx.depth -= 1;
}

/// Words with spaces between.
fn words(cx: &mut Context<'_>, value: Data<'_>, defs: &[&'static FieldDef]) {
    let mut rest = value;
    for def in defs {
        let (word, after) = split(rest, b' ');
        if word.is_empty() {
            break;
        }
        part(cx, def, word);
        rest = after;
    }
}

/// A name and a value with a colon between.
fn named(cx: &mut Context<'_>, value: Data<'_>, name: &'static FieldDef, def: &'static FieldDef) {
    let (word, after) = split(value, b':');
    part(cx, name, word);
    if !after.is_empty() {
        part(cx, def, after);
    }
}

/// Where to: an address, and for groups how far and how many of them.
fn connection(cx: &mut Context<'_>, session: &mut Session, value: Data<'_>) {
    words(cx, value, &[&NETWORK, &FAMILY]);
    let address = split(split(value, b' ').1, b' ').1;
    let (word, rest) = split(address, b'/');
    session.goes_to(word.bytes);
    for (def, word) in [(&ADDRESS, word), (&TTL, split(rest, b'/').0), (&ADDRESSES, split(rest, b'/').1)] {
        if !word.is_empty() {
            part(cx, def, word);
        }
    }
}

/// A medium, its port, and the formats in which it may come.
fn media(cx: &mut Context<'_>, session: &mut Session, value: Data<'_>) {
    let (kind, rest) = split(value, b' ');
    let (ports, rest) = split(rest, b' ');
    let (proto, mut formats) = split(rest, b' ');
    part(cx, &MEDIA_TYPE, kind);
    let (port, count) = split(ports, b'/');
    if !port.is_empty() {
        part(cx, &MEDIA_PORT_STRING, port);
    }
    if let Some(number) = std::str::from_utf8(port.bytes).ok().and_then(|text| text.parse::<u16>().ok()) {
        cx.depth += 1;
        cx.add(&MEDIA_PORT, port, 0, port.len(), u64::from(number));
        cx.depth -= 1;
    }
    session.comes_on(port.bytes, proto.bytes);
    if !count.is_empty() {
        part(cx, &MEDIA_PORTS, count);
    }
    if !proto.is_empty() {
        part(cx, &MEDIA_PROTO, proto);
    }
    let has_numbers = proto.bytes.starts_with(b"RTP/");
    while !formats.is_empty() {
        let (word, rest) = split(formats, b' ');
        match rtp::format_name(digits(word.bytes)) {
            Some(name) if has_numbers && word.bytes.iter().all(u8::is_ascii_digit) => {
                cx.depth += 1;
                cx.add_words(&MEDIA_FORMAT, word, name.as_bytes());
                cx.depth -= 1;
            }
            _ if !word.is_empty() => part(cx, &MEDIA_FORMAT, word),
            _ => {}
        }
        formats = rest;
    }
}

/// What is said of a medium: what a number of a format stands for, and whatever else.
fn of_media(cx: &mut Context<'_>, session: &mut Session, value: Data<'_>) {
    let (name, what) = split(value, b':');
    if name.len() == value.len() {
        return;
    }
    part(cx, &OF_MEDIA_FIELD, name);
    let (number, rest) = split(what, b' ');
    match name.bytes {
        b"rtpmap" => {
            part(cx, &MEDIA_FORMAT, number);
            let (kind, rate) = split(rest, b'/');
            part(cx, &MIME_TYPE, kind);
            let rate = rate.first(rate.bytes.iter().take_while(|byte| byte.is_ascii_digit()).count());
            if !rate.is_empty() {
                part(cx, &SAMPLE_RATE, rate);
            }
            if kind.bytes.starts_with(b"telephone-event") {
                session.events = u8::try_from(digits(number.bytes)).unwrap_or(session.events);
            }
        }
        b"fmtp" => {
            part(cx, &MEDIA_FORMAT, number);
            let mut left = Some(rest).filter(|rest| !rest.is_empty());
            while let Some(rest) = left {
                let (one, after) = split(rest, b';');
                left = (one.len() < rest.len()).then_some(after);
                let spaces = one.bytes.iter().take_while(|byte| **byte == b' ').count();
                part(cx, &PARAMETER, one.from(spaces));
            }
        }
        _ => part(cx, &OF_MEDIA_VALUE, what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;
    use crate::tree::Arena;

    /// What was announced for a port of an address, by a description: the payload type of telephone events.
    fn events(lines: &str, address: [u8; 4], port: u16) -> Option<u8> {
        let (mut arena, mut state) = (Arena::new(), State::default());
        let mut cx = Context::new(&mut arena, &mut state, 1, 0);
        dissect(&mut cx, Data { bytes: lines.as_bytes(), at: 0, source: 0 }, 1);
        state.media.get(&(address.into(), port)).map(|announced| announced.event_type)
    }

    const CALL: &str = "v=0\nc=IN IP4 10.0.0.1\nm=audio 1000 RTP/AVP 101\nc=IN IP4 10.0.0.2\n\
        a=rtpmap:101 telephone-event/8000\nm=video 2000 RTP/AVP 101\na=rtpmap:101 H264/90000\n\
        m=image 3000 udptl t38\n";

    #[test]
    fn an_address_of_a_medium_is_only_its_own() {
        assert_eq!(events(CALL, [10, 0, 0, 2], 1000), Some(101));
        assert_eq!(events(CALL, [10, 0, 0, 1], 1000), None);
        assert_eq!(events(CALL, [10, 0, 0, 2], 2000), None);
    }

    #[test]
    fn events_of_one_medium_are_not_those_of_the_next() {
        assert_eq!(events(CALL, [10, 0, 0, 1], 2000), Some(0));
    }

    #[test]
    fn what_is_no_rtp_is_not_announced_as_such() {
        assert_eq!(events(CALL, [10, 0, 0, 1], 3000), None);
    }
}
