//! LDAP (RFC 4511): which operation, on what, how it ended; entries and filters are not read. What SASL sealed is not
//! opened, what it only signed is (RFC 4121 4.2.4).

use super::ports::App;
use super::spoken::{Length, Spoken, Talk};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{FieldDef, Names, protocol};

static OPERATIONS: Names = &[
    (0, "bindRequest"),
    (1, "bindResponse"),
    (2, "unbindRequest"),
    (3, "searchRequest"),
    (4, "searchResEntry"),
    (5, "searchResDone"),
    (6, "modifyRequest"),
    (7, "modifyResponse"),
    (8, "addRequest"),
    (9, "addResponse"),
    (10, "delRequest"),
    (11, "delResponse"),
    (12, "modDNRequest"),
    (13, "modDNResponse"),
    (14, "compareRequest"),
    (15, "compareResponse"),
    (16, "abandonRequest"),
    (19, "searchResRef"),
    (23, "extendedReq"),
    (24, "extendedResp"),
    (25, "intermediateResponse"),
];
static RESULTS: Names = &[
    (0, "success"),
    (1, "operationsError"),
    (2, "protocolError"),
    (3, "timeLimitExceeded"),
    (4, "sizeLimitExceeded"),
    (5, "compareFalse"),
    (6, "compareTrue"),
    (7, "authMethodNotSupported"),
    (8, "strongAuthRequired"),
    (10, "referral"),
    (11, "adminLimitExceeded"),
    (12, "unavailableCriticalExtension"),
    (13, "confidentialityRequired"),
    (14, "saslBindInProgress"),
    (16, "noSuchAttribute"),
    (17, "undefinedAttributeType"),
    (19, "constraintViolation"),
    (20, "attributeOrValueExists"),
    (21, "invalidAttributeSyntax"),
    (32, "noSuchObject"),
    (34, "invalidDNSyntax"),
    (48, "inappropriateAuthentication"),
    (49, "invalidCredentials"),
    (50, "insufficientAccessRights"),
    (51, "busy"),
    (52, "unavailable"),
    (53, "unwillingToPerform"),
    (64, "namingViolation"),
    (65, "objectClassViolation"),
    (66, "notAllowedOnNonLeaf"),
    (67, "notAllowedOnRDN"),
    (68, "entryAlreadyExists"),
    (80, "other"),
];
static SCOPES: Names = &[(0, "baseObject"), (1, "singleLevel"), (2, "wholeSubtree")];
static AUTHENTICATIONS: Names = &[(0, "simple"), (3, "sasl"), (10, "ntlmsspNegotiate"), (11, "ntlmsspAuth")];

protocol! { LDAP "ldap" "LDAP" "Lightweight Directory Access Protocol";
    SASL_LENGTH: u32 "ldap.sasl_buffer_length" "SASL Buffer Length";
    ID: u32 "ldap.messageID" "messageID";
    OPERATION: u32 "ldap.protocolOp" "protocolOp", names(OPERATIONS);
    VERSION: u32 "ldap.version" "version";
    NAME: text "ldap.name" "name";
    AUTHENTICATION: u32 "ldap.authentication" "authentication", names(AUTHENTICATIONS);
    SIMPLE: text "ldap.simple" "simple";
    MECHANISM: text "ldap.mechanism" "mechanism";
    BASE: text "ldap.baseObject" "baseObject";
    SCOPE: u32 "ldap.scope" "scope", names(SCOPES);
    OBJECT: text "ldap.objectName" "objectName";
    RESULT: u32 "ldap.resultCode" "resultCode", names(RESULTS);
    MATCHED: text "ldap.matchedDN" "matchedDN";
    ERROR: text "ldap.errorMessage" "errorMessage";
    REQUEST_NAME: text "ldap.requestName" "requestName";
    CONTROL: text "ldap.controlType" "controlType";
    CRITICALITY: bool "ldap.criticality" "criticality";
}
protocol! { CLDAP "cldap" "CLDAP" "Connectionless Lightweight Directory Access Protocol"; }

/// The catalogue of a forest has a port of its own.
pub(crate) static SPOKEN: Spoken =
    Spoken { protocol: &LDAP, ports: &[389, 3268], eager: false, begins: None, length, show };

const SEQUENCE: u8 = 0x30;
/// The shortest message that says anything.
const MESSAGE_MIN: usize = 7;
/// What SASL may seal at once; the same bound as in Wireshark.
const SEALED_MAX: usize = 1 << 20;
/// `talk.notes[SASL]`: a bind by SASL was seen, so that lengths of four bytes may stand before what follows.
const SASL: usize = 0;
/// `talk.notes[TLS]`: TLS was asked for.
const TLS: usize = 1;
/// The extended request for TLS (RFC 4511 4.14.1).
const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";

/// A message's form, and its length.
enum Form {
    Plain(usize),
    Sealed(usize),
    Unknown,
}

fn form(talk: &Talk, bytes: &[u8]) -> Option<Form> {
    let sealed = u32::from_be_bytes(*bytes.first_chunk()?) as usize;
    if talk.notes[SASL] != 0 && (2..=SEALED_MAX).contains(&sealed) {
        return Some(Form::Sealed(sealed + 4));
    }
    if bytes[0] == SEQUENCE {
        let (header, len) = ber_length(&bytes[1..])?;
        if len >= 2 {
            return (bytes.len() >= MESSAGE_MIN).then_some(Form::Plain(1 + header + len));
        }
    }
    // The bind may not have been captured.
    Some(if sealed.checked_add(4) == Some(bytes.len()) { Form::Sealed(sealed + 4) } else { Form::Unknown })
}

/// How long a BER length is, and what it says. `None`: it is not all there, or none.
fn ber_length(bytes: &[u8]) -> Option<(usize, usize)> {
    let first = *bytes.first()?;
    if first & 0x80 == 0 {
        return Some((1, usize::from(first)));
    }
    let count = usize::from(first & 0x7F);
    let digits = bytes.get(1..=count).filter(|_| count <= 4)?;
    Some((1 + count, digits.iter().fold(0, |len, byte| len << 8 | usize::from(*byte))))
}

fn length(_: &Context<'_>, talk: &Talk, _: usize, bytes: &[u8]) -> Length {
    match form(talk, bytes) {
        Some(Form::Plain(len) | Form::Sealed(len)) => Length::Whole(len),
        Some(Form::Unknown) => Length::Quiet(bytes.len()),
        None if bytes.len() < MESSAGE_MIN => Length::More,
        None => Length::Whole(bytes.len()),
    }
}

/// A datagram: questions and answers of domain controllers (MS-ADTS 6.3.3), one message behind the other.
pub(crate) fn datagram(cx: &mut Context<'_>, payload: Data<'_>) {
    cx.layer(&CLDAP, payload, |cx, c| {
        let mut talk = Talk::default();
        while !c.is_done() {
            message(cx, c, &mut talk)?;
        }
        Ok(())
    });
}

fn show(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk, _: usize) -> Read {
    match form(talk, c.data.bytes) {
        Some(Form::Plain(_)) => message(cx, c, talk),
        Some(Form::Sealed(_)) => {
            c.u32(cx, &SASL_LENGTH)?;
            if let Some(plain) = signed(c.rest()) {
                let mut plain = plain.cursor();
                while !plain.is_done() {
                    message(cx, &mut plain, talk)?;
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// What a token of Kerberos carries if it was signed, not sealed.
fn signed(token: Data<'_>) -> Option<Data<'_>> {
    const HEADER: usize = 16;
    const SEALED: u8 = 2;
    let [5, 4, flags, _, extra @ .., _, _] = token.bytes.get(..8)? else { return None };
    let rotated = token.u16(6).ok()?;
    let is_plain = flags & SEALED == 0 && extra == rotated.to_be_bytes();
    // The checksum was turned to the front.
    is_plain.then(|| token.from(HEADER + usize::from(rotated)))
}

/// The next element: its tag and what is inside.
fn take<'d>(c: &mut Cursor<'d>) -> Read<(u8, Data<'d>)> {
    let tag = c.peek()?;
    let (header, len) = ber_length(c.rest().from(1).bytes).ok_or(Short)?;
    c.skip(1 + header)?;
    Ok((tag, c.take(len)?))
}

fn number(cx: &mut Context<'_>, c: &mut Cursor<'_>, def: &'static FieldDef) -> Read {
    let (_, inside) = take(c)?;
    let value = inside.bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    cx.add(def, inside, 0, inside.len(), value);
    Ok(())
}

fn words<'d>(cx: &mut Context<'_>, c: &mut Cursor<'d>, def: &'static FieldDef) -> Read<&'d [u8]> {
    let (_, inside) = take(c)?;
    cx.add(def, inside, 0, inside.len(), 0);
    Ok(inside.bytes)
}

fn message(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk) -> Read {
    let (_, inside) = take(c)?;
    let mut inside = inside.cursor();
    number(cx, &mut inside, &ID)?;
    let tag = inside.peek()?;
    let whole = inside.rest();
    cx.add(&OPERATION, whole, 0, whole.len(), u64::from(tag & 0x1F));
    let (_, body) = take(&mut inside)?;
    cx.depth += 1;
    let result = operation(cx, &mut body.cursor(), talk, tag & 0x1F).and_then(|()| controls(cx, inside));
    cx.depth -= 1;
    result
}

/// Results in pages, sorted results, and what else has a value that Wireshark reads as a layer of its own.
const WITH_A_LAYER: [&[u8]; 8] = [
    b"1.2.840.113556.1.4.319",
    b"1.2.840.113556.1.4.473",
    b"1.2.840.113556.1.4.474",
    b"1.2.840.113556.1.4.841",
    b"2.16.840.1.113730.3.4.9",
    b"2.16.840.1.113730.3.4.10",
    b"1.3.6.1.4.1.42.2.27.8.5.1",
    b"1.3.6.1.1.13.1",
];

/// What belongs to an operation beyond its body (RFC 4511 4.1.11).
fn controls(cx: &mut Context<'_>, mut rest: Cursor<'_>) -> Read {
    const CONTROLS: u8 = 0xA0;
    const BOOLEAN: u8 = 1;
    if rest.is_done() || rest.peek()? != CONTROLS {
        return Ok(());
    }
    let (_, all) = take(&mut rest)?;
    let mut all = all.cursor();
    while !all.is_done() {
        let (_, control) = take(&mut all)?;
        let mut control = control.cursor();
        let kind = words(cx, &mut control, &CONTROL)?;
        if !control.is_done() && control.peek()? == BOOLEAN {
            number(cx, &mut control, &CRITICALITY)?;
        }
        if !control.is_done() && WITH_A_LAYER.contains(&kind) {
            let (_, value) = take(&mut control)?;
            cx.layer(&LDAP, value, |_, c| c.skip(c.left()));
        }
    }
    Ok(())
}

fn operation(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk, operation: u8) -> Read {
    match operation {
        0 => bind(cx, c, talk)?,
        3 => {
            words(cx, c, &BASE)?;
            number(cx, c, &SCOPE)?;
        }
        4 => drop(words(cx, c, &OBJECT)?),
        1 | 5 | 7 | 9 | 11 | 13 | 15 | 24 => {
            let is_done = c.data.bytes.get(..3) == Some(&[0x0A, 1, 0]);
            number(cx, c, &RESULT)?;
            words(cx, c, &MATCHED)?;
            words(cx, c, &ERROR)?;
            if operation == 24 && is_done && std::mem::take(&mut talk.notes[TLS]) != 0 {
                talk.inner = App::Tls(Box::default());
            }
        }
        23 => {
            let name = words(cx, c, &REQUEST_NAME)?;
            talk.notes[TLS] = u64::from(name == START_TLS);
        }
        _ => {}
    }
    Ok(())
}

fn bind(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk) -> Read {
    number(cx, c, &VERSION)?;
    words(cx, c, &NAME)?;
    let kind = c.peek()? & 0x1F;
    let whole = c.rest();
    cx.add(&AUTHENTICATION, whole, 0, whole.len(), u64::from(kind));
    match kind {
        0 => drop(words(cx, c, &SIMPLE)?),
        3 => {
            talk.notes[SASL] = 1;
            let (_, inside) = take(c)?;
            words(cx, &mut inside.cursor(), &MECHANISM)?;
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_stand_before_what_sasl_carries_once_a_bind_was_seen() {
        let (sealed, plain) = ([0, 0, 0, 9, 5, 4, 0, 0], [0x30, 0x84, 0, 0, 0, 5, 2, 1, 9, 0x42, 0]);
        let mut talk = Talk::default();
        let of = |talk: &Talk, bytes: &[u8]| match form(talk, bytes) {
            Some(Form::Plain(len)) => ("plain", len),
            Some(Form::Sealed(len)) => ("sealed", len),
            Some(Form::Unknown) => ("unknown", 0),
            None => ("more", 0),
        };
        assert_eq!(of(&talk, &sealed), ("unknown", 0));
        assert_eq!(of(&talk, &plain), ("plain", 11));
        assert_eq!(of(&talk, &plain[..4]), ("more", 0));
        talk.notes[SASL] = 1;
        assert_eq!(of(&talk, &sealed), ("sealed", 13));
        assert_eq!(of(&talk, &plain), ("plain", 11), "more than SASL may seal at once");
    }

    #[test]
    fn lengths_of_more_than_four_bytes_are_none() {
        assert_eq!(ber_length(&[0x85, 1, 0, 0, 0, 0]), None);
        assert_eq!(ber_length(&[0x82, 1, 2]), Some((3, 258)));
    }
}
