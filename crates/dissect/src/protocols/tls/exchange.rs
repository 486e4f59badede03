//! How keys are agreed upon before TLS 1.3 (RFC 4279, 5246 7.4, 8422), who may sign, and tickets: the same messages in
//! TLS and in DTLS, whose fields have names of their own.

use super::certificate;
use super::handshake::{GROUPS, SCHEMES, Said};
use crate::context::Context;
use crate::crypto::Exchange;
use crate::cursor::{Cursor, Data, Read};
use crate::field::{FieldDef, Names, Protocol, protocol};

static HASHES: Names =
    &[(0, "None"), (1, "MD5"), (2, "SHA1"), (3, "SHA224"), (4, "SHA256"), (5, "SHA384"), (6, "SHA512")];
static SIGNS: Names = &[(0, "Anonymous"), (1, "RSA"), (2, "DSA"), (3, "ECDSA"), (4, "SM2")];
static CERTIFICATE_TYPES: Names =
    &[(1, "RSA Sign"), (2, "DSS Sign"), (3, "RSA Fixed DH"), (4, "DSS Fixed DH"), (64, "ECDSA Sign")];

macro_rules! fields {
    ($($field:ident : $kind:ident $name:literal $label:literal $(, $option:ident $(($value:expr))?)* ;)*) => {
        /// The fields of one of the two.
        #[derive(Debug)]
        pub(crate) struct Fields {
            $(pub(crate) $field: FieldDef,)*
        }

        /// Those of TLS.
        pub(crate) static OF_TLS: Fields = Fields {
            $($field: FieldDef::new(concat!("tls.handshake.", $name), $label, protocol!(@kind $kind))
                $(.$option($($value)?))*,)*
        };
        /// Those of DTLS.
        pub(crate) static OF_DTLS: Fields = Fields {
            $($field: FieldDef::new(concat!("dtls.handshake.", $name), $label, protocol!(@kind $kind))
                $(.$option($($value)?))*,)*
        };
        pub(crate) static TLS_EXCHANGE: Protocol = Protocol {
            layer: FieldDef::new("tls", "Transport Layer Security", crate::field::Kind::Protocol),
            fields: &[$(&OF_TLS.$field,)*],
            short: "TLS",
        };
        pub(crate) static DTLS_EXCHANGE: Protocol = Protocol {
            layer: FieldDef::new("dtls", "Datagram Transport Layer Security", crate::field::Kind::Protocol),
            fields: &[$(&OF_DTLS.$field,)*],
            short: "DTLS",
        };
    };
}

fields! {
    curve_type: u8 "server_curve_type" "Curve Type", hex;
    curve: u16 "server_named_curve" "Named Curve", hex, names(GROUPS);
    point_length: u8 "server_point_len" "Pubkey Length";
    point: bytes "server_point" "Pubkey";
    p_length: u16 "p_len" "p Length";
    p: bytes "p" "p";
    g_length: u16 "g_len" "g Length";
    g: bytes "g" "g";
    ys_length: u16 "ys_len" "Pubkey Length";
    ys: bytes "ys" "Pubkey";
    yc_length: u16 "yc_len" "Pubkey Length";
    yc: bytes "yc" "Pubkey";
    client_point_length: u8 "client_point_len" "Pubkey Length";
    client_point: bytes "client_point" "Pubkey";
    sealed_length: u16 "epms_len" "Encrypted PreMaster length";
    sealed: bytes "epms" "Encrypted PreMaster";
    hint_length: u16 "hint_len" "Hint Length";
    hint: bytes "hint" "Hint";
    identity_length: u16 "identity_len" "Identity Length";
    identity: bytes "identity" "Identity";
    signature_length: u16 "sig_len" "Signature Length";
    signature: bytes "sig" "Signature";
    verify_length: u16 "client_cert_vrfy.sig_len" "Signature length";
    verify: bytes "client_cert_vrfy.sig" "Signature";
    schemes_length: u16 "sig_hash_alg_len" "Signature Hash Algorithms Length";
    schemes: none "sig_hash_algs" "Signature Hash Algorithms";
    scheme: u16 "sig_hash_alg" "Signature Algorithm", hex, names(SCHEMES);
    scheme_hash: u8 "sig_hash_hash" "Signature Hash Algorithm Hash", names(HASHES);
    scheme_sign: u8 "sig_hash_sig" "Signature Hash Algorithm Signature", names(SIGNS);
    types_count: u8 "cert_types_count" "Certificate types count";
    types: none "cert_types" "Certificate types";
    type_of_certificate: u8 "cert_type" "Certificate type", names(CERTIFICATE_TYPES);
    names_length: u16 "dnames_len" "Distinguished Names Length";
    names: none "dnames" "Distinguished Names";
    name_length: u16 "dname_len" "Distinguished Name Length";
    name: none "dname" "Distinguished Name";
    ja3_full: text "ja3_full" "JA3 Fullstring";
    ja3: text "ja3" "JA3";
    ja3s_full: text "ja3s_full" "JA3S Fullstring";
    ja3s: text "ja3s" "JA3S";
    ticket_lifetime: u32 "session_ticket_lifetime_hint" "Session Ticket Lifetime Hint";
    ticket_age_add: u32 "session_ticket_age_add" "Session Ticket Age Add";
    ticket_nonce_length: u8 "session_ticket_nonce_length" "Session Ticket Nonce Length";
    ticket_nonce: bytes "session_ticket_nonce" "Session Ticket Nonce";
    ticket_length: u16 "session_ticket_length" "Session Ticket Length";
    ticket: bytes "session_ticket" "Session Ticket";
}

/// Before TLS 1.2 the key's kind says how it signs (RFC 4346 7.4.3); DTLS counts its versions downwards.
fn names_schemes(said: &Said) -> bool {
    said.version == 0 || said.tls_version() >= 0x0303
}

/// Two bytes of length and so many.
fn long(cx: &mut Context<'_>, c: &mut Cursor<'_>, length: &'static FieldDef, def: &'static FieldDef) -> Read {
    let len = usize::from(c.u16(cx, length)?);
    if len == 0 { Ok(()) } else { c.bytes(cx, def, len).map(drop) }
}

/// One byte of length and so many.
fn short(
    cx: &mut Context<'_>,
    c: &mut Cursor<'_>,
    length: &'static FieldDef,
    def: &'static FieldDef,
) -> Read {
    let len = usize::from(c.u8(cx, length)?);
    c.bytes(cx, def, len).map(drop)
}

/// A server's key, and its signature over both randoms and it; what the suite asks for of these.
pub(crate) fn server(cx: &mut Context<'_>, c: &mut Cursor<'_>, f: &'static Fields, said: &Said) -> Read {
    const NAMED_CURVE: u8 = 3;
    let Some(exchange) = said.suite.and_then(Exchange::of) else { return Ok(()) };
    match exchange {
        Exchange::Dhe | Exchange::DhAnonymous => {
            long(cx, c, &f.p_length, &f.p)?;
            long(cx, c, &f.g_length, &f.g)?;
            long(cx, c, &f.ys_length, &f.ys)?;
        }
        Exchange::Ecdhe | Exchange::EcdhAnonymous => {
            // Other kinds are not in use.
            if c.u8(cx, &f.curve_type)? != NAMED_CURVE {
                return Ok(());
            }
            c.u16(cx, &f.curve)?;
            short(cx, c, &f.point_length, &f.point)?;
        }
        Exchange::Psk | Exchange::RsaPsk => return long(cx, c, &f.hint_length, &f.hint),
        Exchange::Rsa | Exchange::Ecdh => return Ok(()),
    }
    if matches!(exchange, Exchange::DhAnonymous | Exchange::EcdhAnonymous) {
        return Ok(());
    }
    if names_schemes(said) {
        scheme(cx, c, f)?;
    }
    long(cx, c, &f.signature_length, &f.signature)
}

/// A client's share of the key.
pub(crate) fn client(cx: &mut Context<'_>, c: &mut Cursor<'_>, f: &'static Fields, said: &Said) -> Read {
    let Some(exchange) = said.suite.and_then(Exchange::of) else { return Ok(()) };
    match exchange {
        Exchange::Rsa => long(cx, c, &f.sealed_length, &f.sealed),
        Exchange::Dhe | Exchange::DhAnonymous => long(cx, c, &f.yc_length, &f.yc),
        Exchange::Ecdhe | Exchange::EcdhAnonymous | Exchange::Ecdh => {
            short(cx, c, &f.client_point_length, &f.client_point)
        }
        Exchange::Psk => long(cx, c, &f.identity_length, &f.identity),
        Exchange::RsaPsk => {
            long(cx, c, &f.identity_length, &f.identity)?;
            long(cx, c, &f.sealed_length, &f.sealed)
        }
    }
}

/// A signature over all messages so far.
pub(crate) fn verify(cx: &mut Context<'_>, c: &mut Cursor<'_>, f: &'static Fields, said: &Said) -> Read {
    if said.is_13 || names_schemes(said) {
        scheme(cx, c, f)?;
    }
    long(cx, c, &f.verify_length, &f.verify)
}

/// A server asks for a certificate, and says of which kinds and from whom.
pub(crate) fn request(cx: &mut Context<'_>, c: &mut Cursor<'_>, f: &'static Fields, said: &Said) -> Read {
    let count = usize::from(c.u8(cx, &f.types_count)?);
    let types = c.take(count)?;
    if count > 0 {
        cx.within(&f.types, types, |cx| {
            (0..count)
                .for_each(|at| cx.add(&f.type_of_certificate, types, at, 1, u64::from(types.bytes[at])));
            Ok(())
        })?;
    }
    if names_schemes(said) {
        schemes(cx, c, f)?;
    }
    authorities(cx, c, f)
}

/// Names of those who may have signed it.
pub(crate) fn authorities(cx: &mut Context<'_>, c: &mut Cursor<'_>, f: &'static Fields) -> Read {
    let len = usize::from(c.u16(cx, &f.names_length)?);
    let names = c.take(len)?;
    if len == 0 {
        return Ok(());
    }
    cx.within(&f.names, names, |cx| {
        let mut c = names.cursor();
        while !c.is_done() {
            let len = usize::from(c.u16(cx, &f.name_length)?);
            let name = c.take(len)?;
            certificate::distinguished(cx, &f.name, name);
        }
        Ok(())
    })
}

/// How one is ready to sign.
pub(crate) fn schemes(cx: &mut Context<'_>, c: &mut Cursor<'_>, f: &'static Fields) -> Read {
    let len = usize::from(c.u16(cx, &f.schemes_length)?);
    let list: Data<'_> = c.take(len)?;
    cx.within(&f.schemes, list, |cx| {
        let mut c = list.cursor();
        while !c.is_done() {
            scheme(cx, &mut c, f)?;
        }
        Ok(())
    })
}

/// One such way: a number, whose bytes were those of hash and signature once.
pub(super) fn scheme(cx: &mut Context<'_>, c: &mut Cursor<'_>, f: &'static Fields) -> Read {
    let at = c.pos;
    let number = c.u16(cx, &f.scheme)?;
    cx.depth += 1;
    cx.add(&f.scheme_hash, c.data, at, 1, u64::from(number >> 8));
    cx.add(&f.scheme_sign, c.data, at + 1, 1, u64::from(number & 0xFF));
    cx.depth -= 1;
    Ok(())
}

/// A ticket, without the extensions behind it.
pub(crate) fn ticket(cx: &mut Context<'_>, c: &mut Cursor<'_>, f: &'static Fields, said: &Said) -> Read {
    c.u32(cx, &f.ticket_lifetime)?;
    if said.is_13 {
        c.u32(cx, &f.ticket_age_add)?;
        let len = usize::from(c.u8(cx, &f.ticket_nonce_length)?);
        if len > 0 {
            c.bytes(cx, &f.ticket_nonce, len)?;
        }
    }
    let len = usize::from(c.u16(cx, &f.ticket_length)?);
    c.bytes(cx, &f.ticket, len).map(drop)
}
