//! MQTT 3.1.1 and 5 (OASIS standards).

use super::spoken::{Length, Spoken, Talk};
use crate::context::Context;
use crate::cursor::{Cursor, Read, Short};
use crate::field::{FieldDef, Names, protocol};
use crate::table::counted;

static TYPES: Names = &[
    (0, "Reserved"),
    (1, "Connect Command"),
    (2, "Connect Ack"),
    (3, "Publish Message"),
    (4, "Publish Ack"),
    (5, "Publish Received"),
    (6, "Publish Release"),
    (7, "Publish Complete"),
    (8, "Subscribe Request"),
    (9, "Subscribe Ack"),
    (10, "Unsubscribe Request"),
    (11, "Unsubscribe Ack"),
    (12, "Ping Request"),
    (13, "Ping Response"),
    (14, "Disconnect Req"),
    (15, "Authentication Exchange"),
];
static VERSIONS: Names = &[(3, "MQTT v3.1"), (4, "MQTT v3.1.1"), (5, "MQTT v5.0")];
static QOS: Names = &[
    (0, "At most once delivery (Fire and Forget)"),
    (1, "At least once delivery (Acknowledged deliver)"),
    (2, "Exactly once delivery (Assured Delivery)"),
    (3, "Reserved"),
];
static RETURN_CODES: Names = &[
    (0, "Connection Accepted"),
    (1, "Connection Refused: unacceptable protocol version"),
    (2, "Connection Refused: identifier rejected"),
    (3, "Connection Refused: server unavailable"),
    (4, "Connection Refused: bad user name or password"),
    (5, "Connection Refused: not authorized"),
];
static REASONS: Names = &[
    (0x00, "Success"),
    (0x01, "Granted QoS 1"),
    (0x02, "Granted QoS 2"),
    (0x04, "Disconnect with Will Message"),
    (0x10, "No matching subscribers"),
    (0x11, "No subscription existed"),
    (0x80, "Unspecified error"),
    (0x81, "Malformed Packet"),
    (0x82, "Protocol Error"),
    (0x84, "Unsupported Protocol Version"),
    (0x85, "Client Identifier not valid"),
    (0x86, "Bad User Name or Password"),
    (0x87, "Not authorized"),
    (0x88, "Server unavailable"),
    (0x8D, "Keep Alive timeout"),
    (0x8E, "Session taken over"),
    (0x90, "Topic Name invalid"),
    (0x97, "Quota exceeded"),
];
static PROPERTIES: Names = &[
    (0x01, "Payload Format Indicator"),
    (0x02, "Publication Expiry Interval"),
    (0x03, "Content Type"),
    (0x08, "Response Topic"),
    (0x09, "Correlation Data"),
    (0x0B, "Subscription Identifier"),
    (0x11, "Session Expiry Interval"),
    (0x12, "Assigned Client Identifier"),
    (0x13, "Server Keep Alive"),
    (0x15, "Authentication Method"),
    (0x16, "Authentication Data"),
    (0x17, "Request Problem Information"),
    (0x18, "Will Delay Interval"),
    (0x19, "Request Response Information"),
    (0x1A, "Response Information"),
    (0x1C, "Server Reference"),
    (0x1F, "Reason String"),
    (0x21, "Receive Maximum"),
    (0x22, "Topic Alias Maximum"),
    (0x23, "Topic Alias"),
    (0x24, "Maximum QoS"),
    (0x25, "Retain Available"),
    (0x26, "User Property"),
    (0x27, "Maximum Packet Size"),
    (0x28, "Wildcard Subscription Available"),
    (0x29, "Subscription Identifiers Available"),
    (0x2A, "Shared Subscription Available"),
];

protocol! { MQTT "mqtt" "MQTT" "MQ Telemetry Transport Protocol";
    FLAGS: u8 "mqtt.hdrflags" "Header Flags", hex;
    TYPE: u8 "mqtt.msgtype" "Message Type", mask(0xF0), names(TYPES);
    RESERVED: u8 "mqtt.hdr_reserved" "Reserved", mask(0x0F);
    DUP: bool "mqtt.dupflag" "DUP Flag", mask(0x08);
    QOS_LEVEL: u8 "mqtt.qos" "QoS Level", mask(0x06), names(QOS);
    RETAIN: bool "mqtt.retain" "Retain", mask(0x01);
    LEN: u64 "mqtt.len" "Msg Len";
    PROTO_LEN: u16 "mqtt.proto_len" "Protocol Name Length";
    PROTO_NAME: text "mqtt.protoname" "Protocol Name";
    VERSION: u8 "mqtt.ver" "Version", names(VERSIONS);
    CON_FLAGS: u8 "mqtt.conflags" "Connect Flags", hex;
    CON_USER: bool "mqtt.conflag.uname" "User Name Flag", mask(0x80);
    CON_PASSWORD: bool "mqtt.conflag.passwd" "Password Flag", mask(0x40);
    CON_RETAIN: bool "mqtt.conflag.retain" "Will Retain", mask(0x20);
    CON_QOS: u8 "mqtt.conflag.qos" "QoS Level", mask(0x18), names(QOS);
    CON_WILL: bool "mqtt.conflag.willflag" "Will Flag", mask(0x04);
    CON_CLEAN: bool "mqtt.conflag.cleansess" "Clean Session Flag", mask(0x02);
    CON_RESERVED: bool "mqtt.conflag.reserved" "(Reserved)", mask(0x01);
    KEEP_ALIVE: u16 "mqtt.kalive" "Keep Alive";
    CLIENT_LEN: u16 "mqtt.clientid_len" "Client ID Length";
    CLIENT: text "mqtt.clientid" "Client ID";
    WILL_TOPIC_LEN: u16 "mqtt.willtopic_len" "Will Topic Length";
    WILL_TOPIC: text "mqtt.willtopic" "Will Topic";
    WILL_LEN: u16 "mqtt.willmsg_len" "Will Message Length";
    WILL: bytes "mqtt.willmsg" "Will Message";
    USER_LEN: u16 "mqtt.username_len" "User Name Length";
    USER: text "mqtt.username" "User Name";
    PASSWORD_LEN: u16 "mqtt.passwd_len" "Password Length";
    PASSWORD: text "mqtt.passwd" "Password";
    ACK_FLAGS: u8 "mqtt.conack.flags" "Acknowledge Flags", hex;
    ACK_RESERVED: bool "mqtt.conack.flags.reserved" "Reserved", mask(0xFE);
    ACK_PRESENT: bool "mqtt.conack.flags.sp" "Session Present", mask(0x01);
    ACK_VALUE: u8 "mqtt.conack.val" "Return Code", names(RETURN_CODES);
    ACK_REASON: u8 "mqtt.connack.reason_code" "Reason Code", names(REASONS);
    PUBACK_REASON: u8 "mqtt.puback.reason_code" "Reason Code", names(REASONS);
    PUBREC_REASON: u8 "mqtt.pubrec.reason_code" "Reason Code", names(REASONS);
    PUBREL_REASON: u8 "mqtt.pubrel.reason_code" "Reason Code", names(REASONS);
    PUBCOMP_REASON: u8 "mqtt.pubcomp.reason_code" "Reason Code", names(REASONS);
    SUBACK_REASON: u8 "mqtt.suback.reason_code" "Reason Code", names(REASONS);
    UNSUBACK_REASON: u8 "mqtt.unsuback.reason_code" "Reason Code", names(REASONS);
    DISCONNECT_REASON: u8 "mqtt.disconnect.reason_code" "Reason Code", names(REASONS);
    AUTH_REASON: u8 "mqtt.auth.reason_code" "Reason Code", names(REASONS);
    MESSAGE_ID: u16 "mqtt.msgid" "Message Identifier";
    TOPIC_LEN: u16 "mqtt.topic_len" "Topic Length";
    TOPIC: text "mqtt.topic" "Topic";
    MESSAGE: bytes "mqtt.msg" "Message";
    SUB_QOS: u8 "mqtt.sub.qos" "Requested QoS", names(QOS);
    SUBACK_QOS: u8 "mqtt.suback.qos" "Granted QoS", names(QOS);
    SUB_OPTIONS: u8 "mqtt.subscription_options" "Subscription Options", hex;
    SUB_OPT_QOS: u8 "mqtt.subscription_options_qos" "QoS", mask(0x03), names(QOS);
    SUB_OPT_NL: bool "mqtt.subscription_options_nl" "No Local", mask(0x04);
    SUB_OPT_RAP: bool "mqtt.subscription_options_rap" "Retain As Published", mask(0x08);
    SUB_OPT_RETAIN: u8 "mqtt.subscription_options_retain" "Retain Handling", mask(0x30);
    SUB_OPT_RESERVED: u8 "mqtt.subscription_options_reserved" "Reserved", hex, mask(0xC0);
    PROPS: none "mqtt.properties" "Properties";
    WILL_PROPS: none "mqtt.will_properties" "Will Properties";
    PROP_LEN: u64 "mqtt.property_len" "Total Length";
    PROP_ID: u8 "mqtt.property_id" "ID", hex, names(PROPERTIES);
    PROP_NUMBER: u32 "mqtt.prop_number" "Value";
    PROP_CONTENT_TYPE: text "mqtt.property.content_type" "Content Type";
    PROP_MAX_QOS: u8 "mqtt.property.max_qos" "QoS", names(QOS);
    PROP_ALIAS: u16 "mqtt.property.topic_alias" "Topic Alias";
    PROP_UNKNOWN: text "mqtt.prop_unknown" "Unknown Property";
    PROP_STRING_LEN: u32 "mqtt.prop_string_len" "Length";
    PROP_STRING: text "mqtt.prop_string" "Value";
    PROP_KEY_LEN: u32 "mqtt.prop_key_len" "Key Length";
    PROP_KEY: text "mqtt.prop_key" "Key";
    PROP_VALUE_LEN: u32 "mqtt.prop_value_len" "Value Length";
    PROP_VALUE: text "mqtt.prop_value" "Value";
}

/// `notes[0]`: the version that the CONNECT told; 0: it was not seen.
pub(crate) static SPOKEN: Spoken =
    Spoken { protocol: &MQTT, ports: &[1883], eager: false, begins: None, length, show };

fn length(_: &Context<'_>, _: &Talk, _: usize, bytes: &[u8]) -> Length {
    match variable(bytes, 1) {
        Some((len, used)) => Length::Whole(1 + used + len as usize),
        None if bytes.len() >= 5 => Length::Foreign,
        None => Length::More,
    }
}

/// A number of up to four bytes, seven bits each; with how many bytes it has.
fn variable(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut number = 0;
    for (place, byte) in bytes.get(at..)?.iter().take(4).enumerate() {
        number |= u64::from(byte & 0x7F) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((number, place + 1));
        }
    }
    None
}

fn show(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk, _: usize) -> Read {
    let first = c.peek()?;
    let kind = first >> 4;
    let publish: &[_] = &[&TYPE, &DUP, &QOS_LEVEL, &RETAIN];
    let others: &[_] = &[&TYPE, &RESERVED];
    // Before 3.1.1 requests that are answered had a quality of service, too (MQTT 3.1, 2.1).
    let asks: &[_] = &[&TYPE, &DUP, &QOS_LEVEL];
    let flags = match kind {
        3 => publish,
        6 | 8 | 10 if talk.notes[0] == 3 => asks,
        _ => others,
    };
    c.bits(cx, &FLAGS, 1, flags)?;
    variable_field(cx, c, &LEN)?;
    let v5 = talk.notes[0] == 5;
    match kind {
        1 => connect(cx, c, talk),
        2 => {
            match talk.notes[0] {
                3 => c.parts(cx, 1, &[&ACK_RESERVED]).map(drop)?,
                _ => c.bits(cx, &ACK_FLAGS, 1, &[&ACK_RESERVED, &ACK_PRESENT]).map(drop)?,
            }
            // Where the command was not captured, the length tells: version 5 has more behind it.
            let has_more = talk.notes[0] == 0 && c.left() > 1;
            c.u8(cx, if v5 || has_more { &ACK_REASON } else { &ACK_VALUE })?;
            if v5 { properties(cx, c, &PROPS) } else { Ok(()) }
        }
        3 => {
            string(cx, c, &TOPIC_LEN, &TOPIC)?;
            if first & 0x06 != 0 {
                c.u16(cx, &MESSAGE_ID)?;
            }
            if v5 {
                properties(cx, c, &PROPS)?;
            }
            if !c.is_done() {
                c.all(cx, &MESSAGE);
            }
            Ok(())
        }
        4..=7 => {
            c.u16(cx, &MESSAGE_ID)?;
            let reasons = [&PUBACK_REASON, &PUBREC_REASON, &PUBREL_REASON, &PUBCOMP_REASON];
            reason(cx, c, reasons[usize::from(kind - 4)], v5)
        }
        8 => subscribe(cx, c, v5),
        9 | 11 => {
            c.u16(cx, &MESSAGE_ID)?;
            if v5 {
                properties(cx, c, &PROPS)?;
            }
            let def = match (kind, v5) {
                (9, false) => &SUBACK_QOS,
                (9, true) => &SUBACK_REASON,
                _ => &UNSUBACK_REASON,
            };
            while !c.is_done() && (v5 || kind == 9) {
                c.u8(cx, def)?;
            }
            Ok(())
        }
        10 => {
            c.u16(cx, &MESSAGE_ID)?;
            if v5 {
                properties(cx, c, &PROPS)?;
            }
            while !c.is_done() {
                string(cx, c, &TOPIC_LEN, &TOPIC)?;
            }
            Ok(())
        }
        14 => reason(cx, c, &DISCONNECT_REASON, v5),
        15 => reason(cx, c, &AUTH_REASON, v5),
        _ => Ok(()),
    }
}

/// The reason, which version 5 leaves out if all went well.
fn reason(cx: &mut Context<'_>, c: &mut Cursor<'_>, def: &'static FieldDef, v5: bool) -> Read {
    if !v5 || c.is_done() {
        return Ok(());
    }
    c.u8(cx, def)?;
    if c.is_done() { Ok(()) } else { properties(cx, c, &PROPS) }
}

fn connect(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk) -> Read {
    string(cx, c, &PROTO_LEN, &PROTO_NAME)?;
    let version = c.u8(cx, &VERSION)?;
    talk.notes[0] = u64::from(version);
    let parts: &[_] =
        &[&CON_USER, &CON_PASSWORD, &CON_RETAIN, &CON_QOS, &CON_WILL, &CON_CLEAN, &CON_RESERVED];
    let flags = c.bits(cx, &CON_FLAGS, 1, parts)?;
    c.u16(cx, &KEEP_ALIVE)?;
    if version == 5 {
        properties(cx, c, &PROPS)?;
    }
    string(cx, c, &CLIENT_LEN, &CLIENT)?;
    if flags & 0x04 != 0 {
        if version == 5 {
            properties(cx, c, &WILL_PROPS)?;
        }
        string(cx, c, &WILL_TOPIC_LEN, &WILL_TOPIC)?;
        string(cx, c, &WILL_LEN, &WILL)?;
    }
    if flags & 0x80 != 0 {
        string(cx, c, &USER_LEN, &USER)?;
    }
    if flags & 0x40 != 0 {
        string(cx, c, &PASSWORD_LEN, &PASSWORD)?;
    }
    Ok(())
}

fn subscribe(cx: &mut Context<'_>, c: &mut Cursor<'_>, v5: bool) -> Read {
    c.u16(cx, &MESSAGE_ID)?;
    if v5 {
        properties(cx, c, &PROPS)?;
    }
    while !c.is_done() {
        string(cx, c, &TOPIC_LEN, &TOPIC)?;
        if v5 {
            let parts: &[_] = &[&SUB_OPT_RESERVED, &SUB_OPT_RETAIN, &SUB_OPT_RAP, &SUB_OPT_NL, &SUB_OPT_QOS];
            c.bits(cx, &SUB_OPTIONS, 1, parts)?;
        } else {
            c.u8(cx, &SUB_QOS)?;
        }
    }
    Ok(())
}

fn string(
    cx: &mut Context<'_>,
    c: &mut Cursor<'_>,
    len: &'static FieldDef,
    words: &'static FieldDef,
) -> Read {
    let count = c.u16(cx, len)?;
    if count == 0 {
        cx.add(words, c.data, c.pos, 0, 0);
        return Ok(());
    }
    counted(cx, c, words, u64::from(count))
}

/// A length of up to four bytes as a field.
fn variable_field(cx: &mut Context<'_>, c: &mut Cursor<'_>, def: &'static FieldDef) -> Read<u64> {
    let (number, used) = variable(c.data.bytes, c.pos).ok_or(Short)?;
    cx.add(def, c.data, c.pos, used, number);
    c.pos += used;
    Ok(number)
}

fn properties(cx: &mut Context<'_>, c: &mut Cursor<'_>, heading: &'static FieldDef) -> Read {
    let (len, used) = variable(c.data.bytes, c.pos).ok_or(Short)?;
    let claimed = used.saturating_add(len as usize);
    let whole = c.take_most(claimed);
    cx.within(heading, whole, |cx| {
        let mut c = whole.cursor();
        variable_field(cx, &mut c, &PROP_LEN)?;
        while !c.is_done() {
            property(cx, &mut c, whole.len() == claimed)?;
        }
        if whole.len() < claimed { Err(Short) } else { Ok(()) }
    })
}

fn property(cx: &mut Context<'_>, c: &mut Cursor<'_>, is_whole: bool) -> Read {
    let id = c.u8(cx, &PROP_ID)?;
    match id {
        0x01 | 0x17 | 0x19 | 0x25 | 0x28..=0x2A => c.uint(cx, &PROP_NUMBER, 1).map(drop),
        0x13 | 0x21 | 0x22 => c.uint(cx, &PROP_NUMBER, 2).map(drop),
        0x02 | 0x11 | 0x18 | 0x27 => c.uint(cx, &PROP_NUMBER, 4).map(drop),
        0x0B => variable_field(cx, c, &PROP_NUMBER).map(drop),
        0x23 => c.u16(cx, &PROP_ALIAS).map(drop),
        0x24 => c.u8(cx, &PROP_MAX_QOS).map(drop),
        0x03 => {
            let len = usize::from(c.peek_u16()?);
            let whole = c.take(len + 2)?;
            cx.add_slice(&PROP_CONTENT_TYPE, whole, 2, len);
            Ok(())
        }
        0x08 | 0x09 | 0x12 | 0x15 | 0x16 | 0x1A | 0x1C | 0x1F => {
            let len = c.uint(cx, &PROP_STRING_LEN, 2)?;
            counted(cx, c, &PROP_STRING, len)
        }
        0x26 => {
            let key = c.uint(cx, &PROP_KEY_LEN, 2)?;
            counted(cx, c, &PROP_KEY, key)?;
            let value = c.uint(cx, &PROP_VALUE_LEN, 2)?;
            counted(cx, c, &PROP_VALUE, value)
        }
        _ if !is_whole => Err(Short),
        _ => {
            c.all(cx, &PROP_UNKNOWN);
            Ok(())
        }
    }
}
