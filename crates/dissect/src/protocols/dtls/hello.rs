//! What the messages of a handshake say, and their extensions.

use super::VERSIONS;
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read};
use crate::field::protocol;
use crate::table::{Step::*, walk};

protocol! { HELLO "dtls" "DTLS" "Datagram Transport Layer Security";
    VERSION: u16 "dtls.handshake.version" "Version", hex, names(VERSIONS);
    RANDOM: bytes "dtls.handshake.random" "Random";
    RANDOM_TIME: absolute "dtls.handshake.random_time" "GMT Unix Time";
    RANDOM_BYTES: bytes "dtls.handshake.random_bytes" "Random Bytes";
    SESSION_LENGTH: u8 "dtls.handshake.session_id_length" "Session ID Length";
    SESSION: bytes "dtls.handshake.session_id" "Session ID";
    COOKIE_LENGTH: u8 "dtls.handshake.cookie_length" "Cookie Length";
    COOKIE: bytes "dtls.handshake.cookie" "Cookie";
    SUITES_LENGTH: u16 "dtls.handshake.cipher_suites_length" "Cipher Suites Length";
    SUITES: none "dtls.handshake.ciphersuites" "Cipher Suites";
    SUITE: u16 "dtls.handshake.ciphersuite" "Cipher Suite", hex;
    METHODS_LENGTH: u8 "dtls.handshake.comp_methods_length" "Compression Methods Length";
    METHODS: none "dtls.handshake.comp_methods" "Compression Methods";
    METHOD: u8 "dtls.handshake.comp_method" "Compression Method";
    EXTENSIONS_LENGTH: u16 "dtls.handshake.extensions_length" "Extensions Length";
    EXTENSION: u16 "dtls.handshake.extension.type" "Type";
    EXTENSION_LENGTH: u16 "dtls.handshake.extension.len" "Length";
    NAMES_LENGTH: u16 "dtls.handshake.extensions_server_name_list_len" "Server Name list length";
    NAME_TYPE: u8 "dtls.handshake.extensions_server_name_type" "Server Name Type";
    NAME_LENGTH: u16 "dtls.handshake.extensions_server_name_len" "Server Name length";
    NAME: text "dtls.handshake.extensions_server_name" "Server Name";
    GROUPS_LENGTH: u16 "dtls.handshake.extensions_supported_groups_length" "Supported Groups List Length";
    GROUPS: none "dtls.handshake.extensions_supported_groups" "Supported Groups List";
    GROUP: u16 "dtls.handshake.extensions_supported_group" "Supported Group", hex;
    FORMATS_LENGTH: u8 "dtls.handshake.extensions_ec_point_formats_length" "EC point formats Length";
    FORMATS: none "dtls.handshake.extensions_ec_point_formats" "Elliptic curves point formats";
    FORMAT: u8 "dtls.handshake.extensions_ec_point_format" "EC point format";
    ALGORITHMS_LENGTH: u16 "dtls.handshake.sig_hash_alg_len" "Signature Hash Algorithms Length";
    ALGORITHMS: none "dtls.handshake.sig_hash_algs" "Signature Hash Algorithms";
    ALGORITHM: u16 "dtls.handshake.sig_hash_alg" "Signature Algorithm", hex;
    ALGORITHM_HASH: u8 "dtls.handshake.sig_hash_hash" "Signature Hash Algorithm Hash";
    ALGORITHM_SIGN: u8 "dtls.handshake.sig_hash_sig" "Signature Hash Algorithm Signature";
    ALPN_LENGTH: u16 "dtls.handshake.extensions_alpn_len" "ALPN Extension Length";
    ALPNS: none "dtls.handshake.extensions_alpn_list" "ALPN Protocol";
    ALPN_STR_LENGTH: u8 "dtls.handshake.extensions_alpn_str_len" "ALPN string length";
    ALPN: text "dtls.handshake.extensions_alpn_str" "ALPN Next Protocol";
    SRTP_LENGTH: u16 "dtls.use_srtp.protection_profiles_length" "SRTP Protection Profiles Length";
    SRTP: u16 "dtls.use_srtp.protection_profile" "SRTP Protection Profile", hex;
    SRTP_MKI_LENGTH: u8 "dtls.use_srtp.mki_length" "MKI Length";
    RENEGOTIATION_LENGTH: u8 "dtls.handshake.extensions_reneg_info_len" "Renegotiation info extension length";
    CURVE_TYPE: u8 "dtls.handshake.server_curve_type" "Curve Type", hex;
    CURVE: u16 "dtls.handshake.server_named_curve" "Named Curve", hex;
    POINT_LENGTH: u8 "dtls.handshake.server_point_len" "Pubkey Length";
    POINT: bytes "dtls.handshake.server_point" "Pubkey";
    SIGNATURE_LENGTH: u16 "dtls.handshake.sig_len" "Signature Length";
    SIGNATURE: bytes "dtls.handshake.sig" "Signature";
    CERTIFICATES_LENGTH: u24 "dtls.handshake.certificates_length" "Certificates Length";
    CERTIFICATES: none "dtls.handshake.certificates" "Certificates";
    CERTIFICATE_LENGTH: u24 "dtls.handshake.certificate_length" "Certificate Length";
    CERTIFICATE: bytes "dtls.handshake.certificate" "Certificate";
}

pub(super) fn body(cx: &mut Context<'_>, c: &mut Cursor<'_>, kind: u8) -> Read {
    match kind {
        1 => {
            beginning(cx, c)?;
            walk(cx, c, &[Counted(&COOKIE_LENGTH, &COOKIE)])?;
            list(
                cx,
                c,
                2,
                |cx, c| walk(cx, c, &[Is(&SUITES_LENGTH)]),
                |cx, inside| {
                    cx.within(&SUITES, inside, |cx| walk(cx, &mut inside.cursor(), &[Each(&[Is(&SUITE)])]))
                },
            )?;
            list(
                cx,
                c,
                1,
                |cx, c| walk(cx, c, &[Is(&METHODS_LENGTH)]),
                |cx, inside| {
                    cx.within(&METHODS, inside, |cx| walk(cx, &mut inside.cursor(), &[Each(&[Is(&METHOD)])]))
                },
            )?;
            extensions(cx, c)
        }
        2 => {
            beginning(cx, c)?;
            walk(cx, c, &[Is(&SUITE), Is(&METHOD)])?;
            extensions(cx, c)
        }
        3 => walk(cx, c, &[Is(&VERSION), Counted(&COOKIE_LENGTH, &COOKIE)]),
        11 => certificates(cx, c),
        12 if c.peek() == Ok(3) => walk(
            cx,
            c,
            &[
                Is(&CURVE_TYPE),
                Is(&CURVE),
                Counted(&POINT_LENGTH, &POINT),
                Call(algorithm),
                Counted(&SIGNATURE_LENGTH, &SIGNATURE),
            ],
        ),
        _ => Ok(()),
    }
}

fn beginning(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    walk(cx, c, &[Is(&VERSION)])?;
    let random = c.take(32)?;
    cx.within(&RANDOM, random, |cx| {
        let seconds = u64::from(random.u32(0)?);
        cx.add(&RANDOM_TIME, random, 0, 4, seconds * 1_000_000_000);
        cx.add(&RANDOM_BYTES, random, 4, 28, 0);
        Ok(())
    })?;
    walk(cx, c, &[Counted(&SESSION_LENGTH, &SESSION)])
}

/// A length of `size` bytes, shown by `length`, and what `inside` shows of so many bytes.
fn list(
    cx: &mut Context<'_>,
    c: &mut Cursor<'_>,
    size: usize,
    length: impl FnOnce(&mut Context<'_>, &mut Cursor<'_>) -> Read,
    inside: impl FnOnce(&mut Context<'_>, Data<'_>) -> Read,
) -> Read {
    let len = if size == 1 { usize::from(c.peek()?) } else { usize::from(c.peek_u16()?) };
    length(cx, c)?;
    let data = c.take(len)?;
    if data.is_empty() { Ok(()) } else { inside(cx, data) }
}

fn extensions(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    if c.is_done() {
        return Ok(());
    }
    c.u16(cx, &EXTENSIONS_LENGTH)?;
    while c.left() >= 4 {
        let kind = c.u16(cx, &EXTENSION)?;
        let len = usize::from(c.u16(cx, &EXTENSION_LENGTH)?);
        let body = c.take(len)?;
        if !body.is_empty() {
            extension(cx, &mut body.cursor(), kind)?;
        }
    }
    Ok(())
}

fn extension(cx: &mut Context<'_>, c: &mut Cursor<'_>, kind: u16) -> Read {
    match kind {
        0 => walk(cx, c, &[Is(&NAMES_LENGTH), Each(&[Is(&NAME_TYPE), Counted(&NAME_LENGTH, &NAME)])]),
        10 => walk(cx, c, &[Is(&GROUPS_LENGTH), Under(&GROUPS, &[Each(&[Is(&GROUP)])])]),
        11 => walk(cx, c, &[Is(&FORMATS_LENGTH), Under(&FORMATS, &[Each(&[Is(&FORMAT)])])]),
        13 => walk(cx, c, &[Is(&ALGORITHMS_LENGTH), Under(&ALGORITHMS, &[Each(&[Call(algorithm)])])]),
        14 => walk(
            cx,
            c,
            &[
                Call(|cx, c| {
                    list(
                        cx,
                        c,
                        2,
                        |cx, c| {
                            super::agree_on_media(cx);
                            walk(cx, c, &[Is(&SRTP_LENGTH)])
                        },
                        |cx, inside| walk(cx, &mut inside.cursor(), &[Each(&[Is(&SRTP)])]),
                    )
                }),
                Is(&SRTP_MKI_LENGTH),
            ],
        ),
        16 => walk(cx, c, &[Is(&ALPN_LENGTH), Under(&ALPNS, &[Each(&[Counted(&ALPN_STR_LENGTH, &ALPN)])])]),
        0xFF01 => walk(cx, c, &[Is(&RENEGOTIATION_LENGTH)]),
        _ => Ok(()),
    }
}

fn algorithm(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let whole = c.take(2)?;
    walk(cx, &mut whole.cursor(), &[Is(&ALGORITHM)])?;
    cx.depth += 1;
    let result = walk(cx, &mut whole.cursor(), &[Is(&ALGORITHM_HASH), Is(&ALGORITHM_SIGN)]);
    cx.depth -= 1;
    result
}

fn certificates(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    c.u24(cx, &CERTIFICATES_LENGTH)?;
    let all = c.take_most(usize::MAX);
    cx.within(&CERTIFICATES, all, |cx| {
        let mut c = all.cursor();
        while !c.is_done() {
            let len = c.u24(cx, &CERTIFICATE_LENGTH)? as usize;
            let one = c.take(len)?;
            cx.within(&CERTIFICATE, one, |cx| {
                crate::protocols::tls::certificate::show(cx, one);
                Ok(())
            })?;
        }
        Ok(())
    })
}
