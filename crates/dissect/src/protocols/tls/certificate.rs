//! What an X.509 certificate says (RFC 5280), read straight from its DER. Nothing is verified, and what is not understood
//! is passed over.
//!
//! - `names`: who it is of, and by whom. `extensions`: other names, usage, policies, where to ask.

mod extensions;
mod names;

pub(crate) use extensions::X509CE;
pub(crate) use names::X509SAT;
pub(super) use names::distinguished;

use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{FieldDef, Names, protocol};
use names::name;

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
    SUBJECT_NAMES: u32 "x509af.rdnSequence" "rdnSequence";
    KEY_INFO: none "x509af.subjectPublicKeyInfo_element" "subjectPublicKeyInfo";
    KEY_ALGORITHM: none "x509af.algorithm_element" "algorithm";
    PUBLIC_KEY: bytes "x509af.subjectPublicKey" "subjectPublicKey";
    EXTENSIONS: u32 "x509af.extensions" "extensions";
    EXTENSION: none "x509af.Extension_element" "Extension";
    EXTENSION_ID: oid "x509af.extension.id" "Extension Id";
    CRITICAL: bool "x509af.critical" "critical";
    SIGNATURE_ALGORITHM: none "x509af.algorithmIdentifier_element" "algorithmIdentifier";
    ENCRYPTED: bytes "x509af.encrypted" "encrypted";
}

protocol! { PKCS1 "pkcs-1" "PKCS-1" "PKCS#1";
    CURVE: u32 "pkcs1.ECParameters" "ECParameters", names(CURVES);
    NAMED_CURVE: oid "pkcs1.namedCurve" "namedCurve";
    MODULUS: bytes "pkcs1.modulus" "modulus";
    EXPONENT: int "pkcs1.publicExponent" "publicExponent";
}

static CURVES: Names = &[(0, "specifiedCurve"), (1, "namedCurve"), (2, "implicitCurve")];

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
    pub(super) const UNIVERSAL: u8 = 28;
    pub(super) const BMP: u8 = 30;
    pub(super) const IA5: u8 = 22;
    pub(super) const UTC_TIME: u8 = 23;
    pub(super) const GENERALIZED_TIME: u8 = 24;
    pub(super) const SEQUENCE: u8 = 0x30;
}

/// Shows a certificate, a level below what stands before it. Damage ends it early and nothing else.
pub(crate) fn show(cx: &mut Context<'_>, der: Data<'_>) {
    let depth = cx.depth;
    cx.depth += 1;
    let _ended_early = certificate(cx, der);
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

/// How many elements there are: what Wireshark shows of a list.
fn count(list: Data<'_>) -> u64 {
    let mut c = list.cursor();
    std::iter::from_fn(|| next(&mut c).ok()).count() as u64
}

/// A list under a heading that counts it; `read` is given each element, and one that is strange does not hide the others.
fn each(
    cx: &mut Context<'_>,
    def: &'static FieldDef,
    list: Data<'_>,
    mut read: impl FnMut(&mut Context<'_>, u8, Data<'_>) -> Read,
) {
    let open = cx.open(def, list, 0, count(list));
    let depth = cx.depth;
    let mut c = list.cursor();
    while let Ok((tag, content)) = next(&mut c) {
        let _strange = read(cx, tag, content);
        cx.depth = depth;
    }
    cx.close(open, list.len());
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
    name(cx, &ISSUER, &names::NAMES, expect(&mut c, tag::SEQUENCE)?)?;
    let validity = expect(&mut c, tag::SEQUENCE)?;
    cx.within(&VALIDITY, validity, |cx| {
        let mut c = validity.cursor();
        time(cx, &NOT_BEFORE, &mut c)?;
        time(cx, &NOT_AFTER, &mut c)
    })?;
    name(cx, &SUBJECT, &SUBJECT_NAMES, expect(&mut c, tag::SEQUENCE)?)?;
    let key = expect(&mut c, tag::SEQUENCE)?;
    cx.within(&KEY_INFO, key, |cx| public_key(cx, key))?;
    while !c.is_done() {
        let (tag, content) = next(&mut c)?;
        // 1 and 2 are unique identifiers that nobody uses.
        if tag == 0xA3 {
            let list = expect(&mut content.cursor(), tag::SEQUENCE)?;
            each(cx, &EXTENSIONS, list, |cx, _, one| {
                cx.within(&EXTENSION, one, |cx| extensions::extension(cx, one))
            });
        }
    }
    Ok(())
}

/// The key that the certificate is for: of RSA its numbers, of elliptic curves which curve it is on.
fn public_key(cx: &mut Context<'_>, info: Data<'_>) -> Read {
    /// id-ecPublicKey, whose parameters are PKCS #1's to Wireshark.
    const EC: [u8; 7] = [0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1];
    /// rsaEncryption.
    const RSA: [u8; 9] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 1];
    let mut c = info.cursor();
    let algorithm = expect(&mut c, tag::SEQUENCE)?;
    let kind = expect(&mut algorithm.cursor(), tag::OID)?.bytes;
    cx.within(&KEY_ALGORITHM, algorithm, |cx| {
        let mut c = algorithm.cursor();
        oid(cx, &ALGORITHM, &mut c)?;
        if kind == EC { curve(cx, c.rest()) } else { Ok(()) }
    })?;
    let bits = expect(&mut c, tag::BIT_STRING)?.from(1);
    cx.within(&PUBLIC_KEY, bits, |cx| {
        if kind != RSA {
            return Ok(());
        }
        let mut c = expect(&mut bits.cursor(), tag::SEQUENCE)?.cursor();
        let (modulus, exponent) = (expect(&mut c, tag::INTEGER)?, expect(&mut c, tag::INTEGER)?);
        cx.add(&MODULUS, modulus, 0, modulus.len(), 0);
        cx.add(&EXPONENT, exponent, 0, exponent.len(), integer(exponent));
        Ok(())
    })
}

fn curve(cx: &mut Context<'_>, parameters: Data<'_>) -> Read {
    cx.arena.layers.push(&PKCS1);
    let (tag, content) = next(&mut parameters.cursor())?;
    let choice = match tag {
        tag::SEQUENCE => 0,
        tag::OID => 1,
        _ => 2,
    };
    let open = cx.open(&CURVE, parameters, 0, choice);
    match tag {
        tag::OID => cx.add(&NAMED_CURVE, content, 0, content.len(), 0),
        // What field it is over has a layer of its own there.
        tag::SEQUENCE => cx.arena.layers.push(&PKCS1),
        _ => {}
    }
    cx.close(open, parameters.len());
    Ok(())
}

/// A number, of which the last eight bytes are heeded.
fn integer(content: Data<'_>) -> u64 {
    content.bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn oid(cx: &mut Context<'_>, def: &'static FieldDef, c: &mut Cursor<'_>) -> Read {
    let id = expect(c, tag::OID)?;
    cx.add(def, id, 0, id.len(), 0);
    Ok(())
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
