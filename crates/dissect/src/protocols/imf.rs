//! Mail as SMTP carries it (RFC 5322): headers and a body.

use super::media;
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read};
use crate::field::{FieldDef, protocol};
use crate::table::{line, split};

protocol! { IMF "imf" "IMF" "Internet Message Format";
    FROM: text "imf.from" "From";
    TO: text "imf.to" "To";
    CC: text "imf.cc" "Cc";
    SUBJECT: text "imf.subject" "Subject";
    DATE: text "imf.date" "Date";
    MESSAGE_ID: text "imf.message_id" "Message-ID";
    REPLY_TO: text "imf.reply_to" "Reply-To";
    MIME_VERSION: text "imf.mime_version" "MIME-Version";
    CONTENT_TYPE: text "imf.content.type" "Content-Type";
    CONTENT_ENCODING: text "imf.content.transfer_encoding" "Content-Transfer-Encoding";
}

static HEADERS: [(&str, &FieldDef); 10] = [
    ("from", &FROM),
    ("to", &TO),
    ("cc", &CC),
    ("subject", &SUBJECT),
    ("date", &DATE),
    ("message-id", &MESSAGE_ID),
    ("reply-to", &REPLY_TO),
    ("mime-version", &MIME_VERSION),
    ("content-type", &CONTENT_TYPE),
    ("content-transfer-encoding", &CONTENT_ENCODING),
];

/// A header whose first line has so many bytes: a line that begins with a space goes on with the one before.
pub(crate) fn unfolded(rest: Data<'_>, used: usize) -> Data<'_> {
    let mut len = used;
    while matches!(rest.bytes.get(len), Some(b' ' | b'\t')) {
        let Some((_, used)) = line(&rest.from(len)) else { break };
        len += used;
    }
    rest.first(len)
}

pub(crate) fn dissect(cx: &mut Context<'_>, mail: Data<'_>) {
    cx.layer(&IMF, mail, body);
}

fn body(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let mut kind: &[u8] = b"";
    while let Some((text, used)) = line(&c.rest()) {
        let end = c.pos + used;
        if text.is_empty() {
            c.pos = end;
            break;
        }
        let whole = unfolded(c.rest(), used);
        c.pos += whole.len();
        let (name, value) = split(whole, b':');
        let spaces = value.bytes.iter().take_while(|byte| **byte == b' ').count();
        let value = value.from(spaces);
        let value = value.first(value.bytes.trim_ascii_end().len());
        let known = HEADERS.iter().find(|(word, _)| name.bytes.eq_ignore_ascii_case(word.as_bytes()));
        if let Some((_, def)) = known {
            cx.add(def, value, 0, value.len(), 0);
        }
        if name.bytes.eq_ignore_ascii_case(b"content-type") {
            kind = value.bytes;
        }
    }
    let rest = c.rest();
    // Without a type it is text (RFC 2045 5.2), which Wireshark shows as no layer of its own.
    if !rest.is_empty() && !kind.is_empty() {
        media::dissect(cx, kind, rest);
    }
    Ok(())
}
