//! The headers of SIP that have fields of their own, and what is inside the most important ones.

use crate::context::Context;
use crate::cursor::Data;
use crate::field::{FieldDef, protocol};
use crate::table::{digits, split};

protocol! { HEADERS "sip" "SIP" "Session Initiation Protocol";
    ACCEPT: text "sip.Accept" "Accept";
    ALLOW: text "sip.Allow" "Allow";
    AUTHORIZATION: text "sip.Authorization" "Authorization";
    CALL_ID: text "sip.Call-ID" "Call-ID";
    CONTACT: text "sip.Contact" "Contact";
    CONTACT_URI: text "sip.contact.uri" "Contact URI";
    CONTACT_USER: text "sip.contact.user" "Contact URI User Part";
    CONTACT_HOST: text "sip.contact.host" "Contact URI Host Part";
    CONTACT_PORT: text "sip.contact.port" "Contact URI Host Port";
    CONTENT_LENGTH: u32 "sip.Content-Length" "Content-Length";
    CONTENT_TYPE: text "sip.Content-Type" "Content-Type";
    CSEQ: text "sip.CSeq" "CSeq";
    CSEQ_NUMBER: u32 "sip.CSeq.seq" "Sequence Number";
    CSEQ_METHOD: text "sip.CSeq.method" "Method";
    DATE: text "sip.Date" "Date";
    EVENT: text "sip.Event" "Event";
    EXPIRES: u32 "sip.Expires" "Expires";
    FROM: text "sip.From" "From";
    FROM_NAME: text "sip.from.display.info" "SIP from display info";
    FROM_ADDR: text "sip.from.addr" "SIP from address";
    FROM_USER: text "sip.from.user" "SIP from address User Part";
    FROM_HOST: text "sip.from.host" "SIP from address Host Part";
    FROM_PORT: text "sip.from.port" "SIP from address Host Port";
    FROM_TAG: text "sip.from.tag" "SIP from tag";
    MAX_FORWARDS: u32 "sip.Max-Forwards" "Max-Forwards";
    PROXY_AUTHENTICATE: text "sip.Proxy-Authenticate" "Proxy-Authenticate";
    PROXY_AUTHORIZATION: text "sip.Proxy-Authorization" "Proxy-Authorization";
    RECORD_ROUTE: text "sip.Record-Route" "Record-Route";
    REQUIRE: text "sip.Require" "Require";
    ROUTE: text "sip.Route" "Route";
    SERVER: text "sip.Server" "Server";
    SUBJECT: text "sip.Subject" "Subject";
    SUBSCRIPTION: text "sip.Subscription-State" "Subscription-State";
    SUPPORTED: text "sip.Supported" "Supported";
    TO: text "sip.To" "To";
    TO_NAME: text "sip.to.display.info" "SIP to display info";
    TO_ADDR: text "sip.to.addr" "SIP to address";
    TO_USER: text "sip.to.user" "SIP to address User Part";
    TO_HOST: text "sip.to.host" "SIP to address Host Part";
    TO_PORT: text "sip.to.port" "SIP to address Host Port";
    TO_TAG: text "sip.to.tag" "SIP to tag";
    USER_AGENT: text "sip.User-Agent" "User-Agent";
    VIA: text "sip.Via" "Via";
    VIA_TRANSPORT: text "sip.Via.transport" "Transport";
    VIA_ADDRESS: text "sip.Via.sent-by.address" "Sent-by Address";
    VIA_PORT: u16 "sip.Via.sent-by.port" "Sent-by port";
    VIA_BRANCH: text "sip.Via.branch" "Branch";
    VIA_RECEIVED: text "sip.Via.received" "Received";
    VIA_RPORT: text "sip.Via.rport" "RPort";
    ALLOW_EVENTS: text "sip.Allow-Events" "Allow-Events";
    CONTENT_ENCODING: text "sip.Content-Encoding" "Content-Encoding";
    DIVERSION: text "sip.Diversion" "Diversion";
    HISTORY: text "sip.History-Info" "History-Info";
    MIN_EXPIRES: text "sip.Min-Expires" "Min-Expires";
    ORGANIZATION: text "sip.Organization" "Organization";
    ASSERTED: text "sip.P-Asserted-Identity" "P-Asserted-Identity";
    ACCESS_NETWORK: text "sip.P-Access-Network-Info" "P-Access-Network-Info";
    CHARGING: text "sip.P-Charging-Vector" "P-Charging-Vector";
    PREFERRED: text "sip.P-Preferred-Identity" "P-Preferred-Identity";
    PATH: text "sip.Path" "Path";
    PRIVACY: text "sip.Privacy" "Privacy";
    REASON: text "sip.Reason" "Reason";
    REFER_TO: text "sip.Refer-To" "Refer-To";
    REFERRED_BY: text "sip.Referred-by" "Referred By";
    REPLACES: text "sip.Replaces" "Replaces";
    RETRY_AFTER: u32 "sip.Retry-After" "Retry-After";
    RSEQ: u32 "sip.RSeq" "RSeq";
    SESSION_EXPIRES: text "sip.Session-Expires" "Session-Expires";
    UNSUPPORTED: text "sip.Unsupported" "Unsupported";
    TAG: text "sip.tag" "SIP tag";
    DISPLAY: text "sip.display.info" "SIP Display info";
    CONTACT_PARAM: text "sip.contact.param" "Contact URI parameter";
    FROM_PARAM: text "sip.from.param" "SIP From URI parameter";
    TO_PARAM: text "sip.to.param" "SIP To URI parameter";
    WARNING: text "sip.Warning" "Warning";
    WWW_AUTHENTICATE: text "sip.WWW-Authenticate" "WWW-Authenticate";
}

/// Name, its short form, field.
static KNOWN: [(&str, &str, &FieldDef); 47] = [
    ("accept", "", &ACCEPT),
    ("allow", "", &ALLOW),
    ("allow-events", "u", &ALLOW_EVENTS),
    ("authorization", "", &AUTHORIZATION),
    ("call-id", "i", &CALL_ID),
    ("contact", "m", &CONTACT),
    ("content-encoding", "e", &CONTENT_ENCODING),
    ("content-length", "l", &CONTENT_LENGTH),
    ("content-type", "c", &CONTENT_TYPE),
    ("cseq", "", &CSEQ),
    ("date", "", &DATE),
    ("diversion", "", &DIVERSION),
    ("event", "o", &EVENT),
    ("expires", "", &EXPIRES),
    ("from", "f", &FROM),
    ("history-info", "", &HISTORY),
    ("max-forwards", "", &MAX_FORWARDS),
    ("min-expires", "", &MIN_EXPIRES),
    ("organization", "", &ORGANIZATION),
    ("p-access-network-info", "", &ACCESS_NETWORK),
    ("p-asserted-identity", "", &ASSERTED),
    ("p-charging-vector", "", &CHARGING),
    ("p-preferred-identity", "", &PREFERRED),
    ("path", "", &PATH),
    ("privacy", "", &PRIVACY),
    ("proxy-authenticate", "", &PROXY_AUTHENTICATE),
    ("proxy-authorization", "", &PROXY_AUTHORIZATION),
    ("reason", "", &REASON),
    ("record-route", "", &RECORD_ROUTE),
    ("refer-to", "r", &REFER_TO),
    ("referred-by", "b", &REFERRED_BY),
    ("replaces", "", &REPLACES),
    ("require", "", &REQUIRE),
    ("retry-after", "", &RETRY_AFTER),
    ("route", "", &ROUTE),
    ("rseq", "", &RSEQ),
    ("server", "", &SERVER),
    ("session-expires", "x", &SESSION_EXPIRES),
    ("subject", "s", &SUBJECT),
    ("subscription-state", "", &SUBSCRIPTION),
    ("supported", "k", &SUPPORTED),
    ("to", "t", &TO),
    ("unsupported", "", &UNSUPPORTED),
    ("user-agent", "", &USER_AGENT),
    ("via", "v", &VIA),
    ("warning", "", &WARNING),
    ("www-authenticate", "", &WWW_AUTHENTICATE),
];

fn trimmed_start(data: Data<'_>) -> Data<'_> {
    data.from(data.bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count())
}

fn trimmed(data: Data<'_>) -> Data<'_> {
    let data = data.from(data.bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count());
    data.first(data.bytes.trim_ascii_end().len())
}

/// Shows a header that has a field.
pub(super) fn show(cx: &mut Context<'_>, name: &[u8], value: Data<'_>) {
    let value = trimmed(value);
    let fits = |word: &str| !word.is_empty() && name.eq_ignore_ascii_case(word.as_bytes());
    let known = KNOWN.iter().find(|(long, short, _)| fits(long) || fits(short));
    let Some((_, _, def)) = known else { return };
    let number = match def.kind {
        crate::field::Kind::Uint(_) => digits(value.bytes),
        _ => 0,
    };
    cx.add(def, value, 0, value.len(), number);
    cx.depth += 1;
    match *def {
        def if def.is(&FROM) => {
            let uri: Uri = [&FROM_USER, &FROM_HOST, &FROM_PORT];
            party(cx, value, [&FROM_NAME, &FROM_ADDR, &FROM_PARAM, &FROM_TAG], uri)
        }
        def if def.is(&TO) => {
            let uri: Uri = [&TO_USER, &TO_HOST, &TO_PORT];
            party(cx, value, [&TO_NAME, &TO_ADDR, &TO_PARAM, &TO_TAG], uri)
        }
        def if def.is(&CONTACT) => contact(cx, value),
        def if def.is(&CSEQ) => {
            let (number, method) = split(value, b' ');
            cx.add(&CSEQ_NUMBER, number, 0, number.len(), digits(number.bytes));
            cx.add(&CSEQ_METHOD, method, 0, method.len(), 0);
        }
        def if def.is(&VIA) => via(cx, value),
        _ => {}
    }
    cx.depth -= 1;
}

/// The address between angle brackets, or what comes before the parameters.
fn address(value: Data<'_>) -> (Data<'_>, Data<'_>, Data<'_>) {
    if let Some(at) = value.bytes.iter().position(|byte| *byte == b'<') {
        let name = trimmed_start(value.first(at));
        // Quotes end a name; without them it goes on to the bracket.
        let name = if name.bytes.first() == Some(&b'"') { trimmed(name) } else { name };
        let (inside, after) = split(value.from(at + 1), b'>');
        return (name, inside, after);
    }
    let (inside, after) = split(value, b';');
    (value.first(0), trimmed(inside), after)
}

/// One of those who talk. Whoever it is, the name and the tag have fields for filters, too.
fn party(cx: &mut Context<'_>, value: Data<'_>, defs: [&'static FieldDef; 4], uri: Uri) {
    let (name, inside, after) = address(value);
    if !name.is_empty() {
        cx.hide(&DISPLAY, name, 0, name.len(), 0);
        cx.add(defs[0], name, 0, name.len(), 0);
    }
    cx.add(defs[1], inside, 0, inside.len(), 0);
    cx.depth += 1;
    uri_parts(cx, inside, uri, Some(defs[2]));
    cx.depth -= 1;
    if let Some(tag) = parameter(after, b"tag=") {
        cx.hide(&TAG, tag, 0, tag.len(), 0);
        cx.add(defs[3], tag, 0, tag.len(), 0);
    }
}

fn contact(cx: &mut Context<'_>, value: Data<'_>) {
    let (name, inside, _) = address(value);
    if inside.bytes == b"*" {
        return;
    }
    if !name.is_empty() {
        cx.hide(&DISPLAY, name, 0, name.len(), 0);
    }
    cx.add(&CONTACT_URI, inside, 0, inside.len(), 0);
    cx.depth += 1;
    uri_parts(cx, inside, [&CONTACT_USER, &CONTACT_HOST, &CONTACT_PORT], Some(&CONTACT_PARAM));
    cx.depth -= 1;
}

/// The fields of an address: user, host, port.
pub(super) type Uri = [&'static FieldDef; 3];

/// `sip:user@host:port;parameters`.
pub(super) fn uri_parts(
    cx: &mut Context<'_>,
    uri: Data<'_>,
    [user, host, port]: Uri,
    parameter: Option<&'static FieldDef>,
) {
    let (scheme, rest) = split(uri, b':');
    // A telephone number has no host (RFC 3966).
    if scheme.bytes.eq_ignore_ascii_case(b"tel") {
        return;
    }
    let (rest, mut said) = split(rest, b';');
    let (rest, _) = split(rest, b'?');
    let place = match rest.bytes.iter().position(|byte| *byte == b'@') {
        Some(at) => {
            let (name, _) = split(rest.first(at), b':');
            cx.add(user, name, 0, name.len(), 0);
            rest.from(at + 1)
        }
        None => rest,
    };
    let bracket = place.bytes.iter().position(|byte| *byte == b']').unwrap_or(0);
    let colon = place.bytes[bracket..].iter().position(|byte| *byte == b':').map(|at| at + bracket);
    let name = place.first(colon.unwrap_or(place.len()));
    if !name.is_empty() {
        cx.add(host, name, 0, name.len(), 0);
    }
    if let Some(colon) = colon {
        let digits = place.from(colon + 1);
        cx.add(port, digits, 0, digits.len(), 0);
    }
    while let Some(def) = parameter.filter(|_| !said.is_empty()) {
        let (one, after) = split(said, b';');
        cx.add(def, one, 0, one.len(), 0);
        said = after;
    }
}

fn parameter<'d>(mut rest: Data<'d>, name: &[u8]) -> Option<Data<'d>> {
    while !rest.is_empty() {
        let (one, after) = split(rest, b';');
        let one = trimmed(one);
        if one.bytes.len() >= name.len() && one.bytes[..name.len()].eq_ignore_ascii_case(name) {
            return Some(one.from(name.len()));
        }
        // Without a value it stands for itself.
        if name.strip_suffix(b"=") == Some(one.bytes) {
            return Some(one);
        }
        rest = after;
    }
    None
}

/// The way a message has come, the last hop first; one line may name several.
fn via(cx: &mut Context<'_>, value: Data<'_>) {
    let mut rest = value;
    while !rest.is_empty() {
        let (one, after) = split(rest, b',');
        hop(cx, one);
        rest = after;
    }
}

fn hop(cx: &mut Context<'_>, value: Data<'_>) {
    let (head, parameters) = split(value, b';');
    let (protocol, place) = split(trimmed(head), b' ');
    let at = protocol.bytes.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
    let transport = protocol.from(at);
    cx.add(&VIA_TRANSPORT, transport, 0, transport.len(), 0);
    // An IPv6 address stands in brackets (RFC 3261 25.1).
    let place = trimmed(place);
    let (host, port) = match place.bytes.iter().position(|byte| *byte == b']') {
        Some(end) if place.bytes.first() == Some(&b'[') => {
            (place.first(end).from(1), split(place.from(end + 1), b':').1)
        }
        _ => split(place, b':'),
    };
    cx.add(&VIA_ADDRESS, host, 0, host.len(), 0);
    if !port.is_empty() {
        cx.add(&VIA_PORT, port, 0, port.len(), digits(port.bytes));
    }
    for (name, def) in
        [(&b"branch="[..], &VIA_BRANCH), (b"received=", &VIA_RECEIVED), (b"rport=", &VIA_RPORT)]
    {
        if let Some(found) = parameter(parameters, name) {
            cx.add(def, found, 0, found.len(), 0);
        }
    }
}
