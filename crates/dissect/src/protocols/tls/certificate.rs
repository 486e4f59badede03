//! What an X.509 certificate says (RFC 5280), read straight from its DER: names, validity, key, alternative names and
//! usage. Nothing is verified, and what is not understood is passed over.

use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{FieldDef, Names, protocol};

static VERSIONS: Names = &[(0, "v1"), (1, "v2"), (2, "v3")];

protocol! { X509AF "x509af" "X509AF" "X.509 Authentication Framework";
    SIGNED: none "x509af.signedCertificate_element" "signedCertificate";
    VERSION: u8 "x509af.version" "version", names(VERSIONS);
    SERIAL: bytes "x509af.serialNumber" "serialNumber";
    SIGNATURE: none "x509af.signature_element" "signature";
    ALGORITHM: oid "x509af.algorithm.id" "Algorithm Id";
    ISSUER: none "x509af.issuer" "issuer";
    SUBJECT: none "x509af.subject" "subject";
    VALIDITY: none "x509af.validity_element" "validity";
    NOT_BEFORE: none "x509af.notBefore" "notBefore";
    NOT_AFTER: none "x509af.notAfter" "notAfter";
    UTC_TIME: text "x509af.utcTime" "utcTime";
    GENERALIZED_TIME: text "x509af.generalizedTime" "generalizedTime";
    KEY_INFO: none "x509af.subjectPublicKeyInfo_element" "subjectPublicKeyInfo";
    PUBLIC_KEY: bytes "x509af.subjectPublicKey" "subjectPublicKey";
    EXTENSION: none "x509af.Extension_element" "Extension";
    EXTENSION_ID: oid "x509af.extension.id" "Extension Id";
    CRITICAL: bool "x509af.critical" "critical";
    SIGNATURE_ALGORITHM: none "x509af.algorithmIdentifier_element" "algorithmIdentifier";
    ENCRYPTED: bytes "x509af.encrypted" "encrypted";
}

protocol! { X509CE "x509ce" "X509CE" "X.509 Certificate Extensions";
    DNS_NAME: text "x509ce.dNSName" "dNSName";
    MAIL: text "x509ce.rfc822Name" "rfc822Name";
    URI: text "x509ce.uniformResourceIdentifier" "uniformResourceIdentifier";
    IPV4: ipv4 "x509ce.IPAddress.ipv4" "iPAddress";
    IPV6: ipv6 "x509ce.IPAddress.ipv6" "iPAddress";
    CA: bool "x509ce.cA" "cA";
    PATH_LENGTH: u64 "x509ce.pathLenConstraint" "pathLenConstraint";
    SUBJECT_KEY: bytes "x509ce.SubjectKeyIdentifier" "SubjectKeyIdentifier";
    AUTHORITY_KEY: bytes "x509ce.keyIdentifier" "keyIdentifier";
    PURPOSE: oid "x509ce.KeyPurposeId" "KeyPurposeId";
    USAGE: bytes "x509ce.KeyUsage" "KeyUsage";
}

protocol! { PKCS1 "pkcs-1" "PKCS-1" "PKCS#1"; }
protocol! { X509SAT "x509sat" "X509SAT" "X.509 Selected Attribute Types";
    ATTRIBUTE: oid "x509if.oid" "Object Id";
    COUNTRY: text "x509sat.CountryName" "CountryName";
    UTF8: text "x509sat.uTF8String" "uTF8String";
    PRINTABLE: text "x509sat.printableString" "printableString";
    TELETEX: text "x509sat.teletexString" "teletexString";
    IA5: text "x509ce.IA5String" "IA5String";
}

/// DER's tags.
mod tag {
    pub(super) const BOOLEAN: u8 = 1;
    pub(super) const INTEGER: u8 = 2;
    pub(super) const BIT_STRING: u8 = 3;
    pub(super) const OCTET_STRING: u8 = 4;
    pub(super) const OID: u8 = 6;
    pub(super) const UTF8: u8 = 12;
    pub(super) const PRINTABLE: u8 = 19;
    pub(super) const TELETEX: u8 = 20;
    pub(super) const IA5: u8 = 22;
    pub(super) const UTC_TIME: u8 = 23;
    pub(super) const GENERALIZED_TIME: u8 = 24;
    pub(super) const SEQUENCE: u8 = 0x30;
    pub(super) const SET: u8 = 0x31;
}

/// Shows a certificate, a level below what stands before it. Damage ends it early and nothing else.
pub(crate) fn show(cx: &mut Context<'_>, der: Data<'_>) {
    let depth = cx.depth;
    cx.depth += 1;
    let _ended_early = certificate(cx, der);
    cx.depth = depth;
}

/// Shows a distinguished name that stands for itself, such as an authority's.
pub(super) fn distinguished(cx: &mut Context<'_>, def: &'static FieldDef, der: Data<'_>) {
    let depth = cx.depth;
    let _ended_early = expect(&mut der.cursor(), tag::SEQUENCE).and_then(|inner| name(cx, def, inner));
    cx.depth = depth;
}

/// The next element: its tag and its content (X.690 8.1, lengths of up to four bytes).
fn next<'d>(c: &mut Cursor<'d>) -> Read<(u8, Data<'d>)> {
    let (tag, first) = (c.data.u8(c.pos)?, c.data.u8(c.pos + 1)?);
    c.skip(2)?;
    let mut len = usize::from(first);
    if first & 0x80 != 0 {
        let count = usize::from(first & 0x7F);
        if count == 0 || count > 4 {
            return Err(Short);
        }
        len = c.take(count)?.bytes.iter().fold(0, |len, byte| len << 8 | usize::from(*byte));
    }
    Ok((tag, c.take(len)?))
}

/// The next element, which must have this tag.
fn expect<'d>(c: &mut Cursor<'d>, wanted: u8) -> Read<Data<'d>> {
    let (tag, content) = next(c)?;
    if tag == wanted { Ok(content) } else { Err(Short) }
}

fn certificate(cx: &mut Context<'_>, der: Data<'_>) -> Read {
    let mut c = expect(&mut der.cursor(), tag::SEQUENCE)?.cursor();
    let signed = expect(&mut c, tag::SEQUENCE)?;
    cx.within(&SIGNED, signed, |cx| self::signed(cx, signed))?;
    let algorithm = expect(&mut c, tag::SEQUENCE)?;
    cx.within(&SIGNATURE_ALGORITHM, algorithm, |cx| oid(cx, &ALGORITHM, &mut algorithm.cursor()))?;
    let signature = expect(&mut c, tag::BIT_STRING)?.from(1);
    cx.add(&ENCRYPTED, signature, 0, signature.len(), 0);
    Ok(())
}

fn signed(cx: &mut Context<'_>, signed: Data<'_>) -> Read {
    let mut c = signed.cursor();
    if c.peek()? == 0xA0 {
        let mut inner = next(&mut c)?.1.cursor();
        let version = expect(&mut inner, tag::INTEGER)?;
        cx.add(&VERSION, version, 0, version.len(), u64::from(version.u8(0)?));
    }
    let serial = expect(&mut c, tag::INTEGER)?;
    cx.add(&SERIAL, serial, 0, serial.len(), 0);
    let algorithm = expect(&mut c, tag::SEQUENCE)?;
    cx.within(&SIGNATURE, algorithm, |cx| oid(cx, &ALGORITHM, &mut algorithm.cursor()))?;
    name(cx, &ISSUER, expect(&mut c, tag::SEQUENCE)?)?;
    let validity = expect(&mut c, tag::SEQUENCE)?;
    cx.within(&VALIDITY, validity, |cx| {
        let mut c = validity.cursor();
        time(cx, &NOT_BEFORE, &mut c)?;
        time(cx, &NOT_AFTER, &mut c)
    })?;
    name(cx, &SUBJECT, expect(&mut c, tag::SEQUENCE)?)?;
    let key = expect(&mut c, tag::SEQUENCE)?;
    cx.within(&KEY_INFO, key, |cx| {
        let mut c = key.cursor();
        let algorithm = expect(&mut c, tag::SEQUENCE)?;
        // id-ecPublicKey, whose parameters are PKCS #1's to Wireshark.
        if algorithm.bytes.starts_with(&[6, 7, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1]) {
            cx.arena.layers.push(&PKCS1);
        }
        oid(cx, &ALGORITHM, &mut algorithm.cursor())?;
        let bits = expect(&mut c, tag::BIT_STRING)?.from(1);
        cx.add(&PUBLIC_KEY, bits, 0, bits.len(), 0);
        Ok(())
    })?;
    while !c.is_done() {
        let (tag, content) = next(&mut c)?;
        // 1 and 2 are unique identifiers that nobody uses.
        if tag == 0xA3 {
            let mut c = expect(&mut content.cursor(), tag::SEQUENCE)?.cursor();
            while !c.is_done() {
                let one = expect(&mut c, tag::SEQUENCE)?;
                // One that is strange does not hide the others.
                let _strange = cx.within(&EXTENSION, one, |cx| extension(cx, one));
            }
        }
    }
    Ok(())
}

fn oid(cx: &mut Context<'_>, def: &'static FieldDef, c: &mut Cursor<'_>) -> Read {
    let id = expect(c, tag::OID)?;
    cx.add(def, id, 0, id.len(), 0);
    Ok(())
}

/// A distinguished name: sets of attributes.
fn name(cx: &mut Context<'_>, def: &'static FieldDef, name: Data<'_>) -> Read {
    cx.within(def, name, |cx| {
        let mut sets = name.cursor();
        while !sets.is_done() {
            let mut set = expect(&mut sets, tag::SET)?.cursor();
            while !set.is_done() {
                let mut c = expect(&mut set, tag::SEQUENCE)?.cursor();
                let id = expect(&mut c, tag::OID)?;
                cx.add(&ATTRIBUTE, id, 0, id.len(), 0);
                let (tag, words) = next(&mut c)?;
                let def = match tag {
                    // id-at-countryName
                    _ if id.bytes == [0x55, 4, 6] => &COUNTRY,
                    tag::UTF8 => &UTF8,
                    tag::PRINTABLE => &PRINTABLE,
                    tag::TELETEX => &TELETEX,
                    tag::IA5 => &IA5,
                    _ => continue,
                };
                cx.arena.layers.push(&X509SAT);
                cx.add(def, words, 0, words.len(), 0);
            }
        }
        Ok(())
    })
}

/// `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ`, written out.
fn time(cx: &mut Context<'_>, def: &'static FieldDef, c: &mut Cursor<'_>) -> Read {
    let (kind, digits) = next(c)?;
    let words = digits.bytes;
    let (def_of_kind, century, rest) = match kind {
        // RFC 5280 4.1.2.5.1: years from 50 on are of the last century.
        tag::UTC_TIME if words.first() >= Some(&b'5') => (&UTC_TIME, "19", words),
        tag::UTC_TIME => (&UTC_TIME, "20", words),
        tag::GENERALIZED_TIME => (&GENERALIZED_TIME, "", words),
        _ => return Err(Short),
    };
    let text = format!("{century}{}", String::from_utf8_lossy(rest));
    let part = |from: usize, len: usize| text.get(from..from + len).ok_or(Short);
    let (date, clock) = ((part(0, 4)?, part(4, 2)?, part(6, 2)?), (part(8, 2)?, part(10, 2)?, part(12, 2)?));
    let words = format!("{}-{}-{} {}:{}:{} (UTC)", date.0, date.1, date.2, clock.0, clock.1, clock.2);
    cx.within(def, digits, |cx| {
        cx.add_words(def_of_kind, digits, words.as_bytes());
        Ok(())
    })
}

fn extension(cx: &mut Context<'_>, one: Data<'_>) -> Read {
    let mut c = one.cursor();
    let id = expect(&mut c, tag::OID)?;
    cx.add(&EXTENSION_ID, id, 0, id.len(), 0);
    let (mut tag, mut content) = next(&mut c)?;
    if tag == tag::BOOLEAN {
        cx.add(&CRITICAL, content, 0, content.len(), u64::from(content.u8(0)? != 0));
        (tag, content) = next(&mut c)?;
    }
    if id.bytes.starts_with(&[0x55, 0x1D]) {
        cx.arena.layers.push(&X509CE);
    }
    // All of those below are id-ce: 2.5.29.
    let (tag::OCTET_STRING, [0x55, 0x1D, which]) = (tag, id.bytes) else { return Ok(()) };
    let mut c = content.cursor();
    match which {
        14 => {
            let key = expect(&mut c, tag::OCTET_STRING)?;
            cx.add(&SUBJECT_KEY, key, 0, key.len(), 0);
        }
        15 => {
            let usage = expect(&mut c, tag::BIT_STRING)?.from(1);
            cx.add(&USAGE, usage, 0, usage.len(), 0);
        }
        17 => {
            let mut c = expect(&mut c, tag::SEQUENCE)?.cursor();
            while !c.is_done() {
                let (tag, content) = next(&mut c)?;
                general_name(cx, tag, content);
            }
        }
        19 => basic_constraints(cx, expect(&mut c, tag::SEQUENCE)?)?,
        35 => {
            let (tag, key) = next(&mut expect(&mut c, tag::SEQUENCE)?.cursor())?;
            if tag == 0x80 {
                cx.add(&AUTHORITY_KEY, key, 0, key.len(), 0);
            }
        }
        37 => {
            let mut c = expect(&mut c, tag::SEQUENCE)?.cursor();
            while !c.is_done() {
                oid(cx, &PURPOSE, &mut c)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn general_name(cx: &mut Context<'_>, tag: u8, content: Data<'_>) {
    let len = content.len();
    match (tag, content.bytes) {
        (0x81, _) => cx.add(&MAIL, content, 0, len, 0),
        (0x82, _) => cx.add(&DNS_NAME, content, 0, len, 0),
        (0x86, _) => cx.add(&URI, content, 0, len, 0),
        (0x87, [a, b, c, d]) => {
            let address = u32::from_be_bytes([*a, *b, *c, *d]);
            cx.add(&IPV4, content, 0, len, u64::from(address));
        }
        (0x87, bytes) if bytes.len() == 16 => cx.add(&IPV6, content, 0, len, 0),
        _ => {}
    }
}

fn basic_constraints(cx: &mut Context<'_>, content: Data<'_>) -> Read {
    let mut c = content.cursor();
    while !c.is_done() {
        let (tag, value) = next(&mut c)?;
        match tag {
            tag::BOOLEAN => cx.add(&CA, value, 0, value.len(), u64::from(value.u8(0)? != 0)),
            tag::INTEGER => {
                let number =
                    value.bytes.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
                cx.add(&PATH_LENGTH, value, 0, value.len(), number);
            }
            _ => {}
        }
    }
    Ok(())
}
