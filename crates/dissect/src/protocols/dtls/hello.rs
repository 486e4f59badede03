//! What the messages of a handshake say, and their extensions.

use super::{Session, VERSIONS};
use crate::context::Context;
use crate::crypto::SUITE_NAMES;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::protocol;
use crate::protocols::tls::exchange::{self, OF_DTLS};
use crate::protocols::tls::{self, EXTENSIONS, Fingerprint, Said};
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
    SUITE: u16 "dtls.handshake.ciphersuite" "Cipher Suite", hex, names(SUITE_NAMES);
    METHODS_LENGTH: u8 "dtls.handshake.comp_methods_length" "Compression Methods Length";
    METHODS: none "dtls.handshake.comp_methods" "Compression Methods";
    METHOD: u8 "dtls.handshake.comp_method" "Compression Method";
    EXTENSIONS_LENGTH: u16 "dtls.handshake.extensions_length" "Extensions Length";
    EXTENSION: u16 "dtls.handshake.extension.type" "Type", names(EXTENSIONS);
    EXTENSION_LENGTH: u16 "dtls.handshake.extension.len" "Length";
    NAMES_LENGTH: u16 "dtls.handshake.extensions_server_name_list_len" "Server Name list length";
    NAME_TYPE: u8 "dtls.handshake.extensions_server_name_type" "Server Name Type";
    NAME_LENGTH: u16 "dtls.handshake.extensions_server_name_len" "Server Name length";
    NAME: text "dtls.handshake.extensions_server_name" "Server Name";
    GROUPS_LENGTH: u16 "dtls.handshake.extensions_supported_groups_length" "Supported Groups List Length";
    GROUPS: none "dtls.handshake.extensions_supported_groups" "Supported Groups List";
    GROUP: u16 "dtls.handshake.extensions_supported_group" "Supported Group", hex, names(tls::GROUPS);
    FORMATS_LENGTH: u8 "dtls.handshake.extensions_ec_point_formats_length" "EC point formats Length";
    FORMATS: none "dtls.handshake.extensions_ec_point_formats" "Elliptic curves point formats";
    FORMAT: u8 "dtls.handshake.extensions_ec_point_format" "EC point format";
    ALPN_LENGTH: u16 "dtls.handshake.extensions_alpn_len" "ALPN Extension Length";
    ALPNS: none "dtls.handshake.extensions_alpn_list" "ALPN Protocol";
    ALPN_STR_LENGTH: u8 "dtls.handshake.extensions_alpn_str_len" "ALPN string length";
    ALPN: text "dtls.handshake.extensions_alpn_str" "ALPN Next Protocol";
    SRTP_LENGTH: u16 "dtls.use_srtp.protection_profiles_length" "SRTP Protection Profiles Length";
    SRTP: u16 "dtls.use_srtp.protection_profile" "SRTP Protection Profile", hex;
    SRTP_MKI_LENGTH: u8 "dtls.use_srtp.mki_length" "MKI Length";
    RENEGOTIATION_LENGTH: u8 "dtls.handshake.extensions_reneg_info_len" "Renegotiation info extension length";
    CERTIFICATES_LENGTH: u24 "dtls.handshake.certificates_length" "Certificates Length";
    CERTIFICATES: none "dtls.handshake.certificates" "Certificates";
    CERTIFICATE_LENGTH: u24 "dtls.handshake.certificate_length" "Certificate Length";
    CERTIFICATE: bytes "dtls.handshake.certificate" "Certificate";
    VERIFY_DATA: none "dtls.handshake.verify_data" "Verify Data";
}

pub(super) fn body(cx: &mut Context<'_>, c: &mut Cursor<'_>, kind: u8, session: &mut Session) -> Read {
    match kind {
        1 => client(cx, c, session),
        2 => {
            let said = &mut session.said;
            let (version, random) = beginning(cx, c)?;
            let suite = c.u16(cx, &SUITE)?;
            (said.version, said.server_random, said.suite) = (version, Some(random), Some(suite));
            walk(cx, c, &[Is(&METHOD)])?;
            cx.state.print.begin(&[]);
            extensions(cx, c, kind, said)?;
            Fingerprint::server(cx, &OF_DTLS, version, suite);
            Ok(())
        }
        3 => walk(cx, c, &[Is(&VERSION), Counted(&COOKIE_LENGTH, &COOKIE)]),
        4 => exchange::ticket(cx, c, &OF_DTLS, &session.said),
        11 => certificates(cx, c),
        12 => exchange::server(cx, c, &OF_DTLS, &session.said),
        13 => exchange::request(cx, c, &OF_DTLS, &session.said),
        15 => exchange::verify(cx, c, &OF_DTLS, &session.said),
        16 => exchange::client(cx, c, &OF_DTLS, &session.said),
        20 => {
            c.all(cx, &VERIFY_DATA);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn client(cx: &mut Context<'_>, c: &mut Cursor<'_>, session: &mut Session) -> Read {
    let (version, random) = beginning(cx, c)?;
    session.begin((cx.src, cx.src_port), random);
    walk(cx, c, &[Counted(&COOKIE_LENGTH, &COOKIE)])?;
    let len = usize::from(c.peek_u16()?);
    cx.state.print.begin(c.rest().from(2).first(len).bytes);
    list(
        cx,
        c,
        2,
        |cx, c| walk(cx, c, &[Is(&SUITES_LENGTH)]),
        |cx, inside| cx.within(&SUITES, inside, |cx| walk(cx, &mut inside.cursor(), &[Each(&[Is(&SUITE)])])),
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
    extensions(cx, c, 1, &mut session.said)?;
    Fingerprint::client(cx, &OF_DTLS, version);
    Ok(())
}

/// What both hellos begin with: the version and the random number.
fn beginning(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read<(u16, [u8; 32])> {
    let version = c.u16(cx, &VERSION)?;
    let random = c.take(32)?;
    cx.within(&RANDOM, random, |cx| {
        let seconds = u64::from(random.u32(0)?);
        cx.add(&RANDOM_TIME, random, 0, 4, seconds * 1_000_000_000);
        cx.add(&RANDOM_BYTES, random, 4, 28, 0);
        Ok(())
    })?;
    walk(cx, c, &[Counted(&SESSION_LENGTH, &SESSION)])?;
    Ok((version, *random.bytes.first_chunk().ok_or(Short)?))
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

fn extensions(cx: &mut Context<'_>, c: &mut Cursor<'_>, message: u8, said: &mut Said) -> Read {
    if c.is_done() {
        return Ok(());
    }
    c.u16(cx, &EXTENSIONS_LENGTH)?;
    while c.left() >= 4 {
        let kind = c.u16(cx, &EXTENSION)?;
        let len = usize::from(c.u16(cx, &EXTENSION_LENGTH)?);
        let body = c.take(len)?;
        said.encrypt_then_mac |= kind == 22 && message == 2;
        cx.state.print.extension(kind, body.bytes);
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
        13 => exchange::schemes(cx, c, &OF_DTLS),
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
