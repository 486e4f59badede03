//! PostgreSQL's protocol, version 3.

use super::ports::App;
use super::spoken::{Length, Spoken, Talk};
use crate::context::Context;
use crate::cursor::{Cursor, Read, Short};
use crate::field::{FieldDef, Names, protocol};
use crate::table::{Layout, Step::*, walk, words};

static STATUSES: Names = &[(69, "In a failed transaction"), (73, "Idle"), (84, "In a transaction")];
static AUTHENTICATION: Names = &[
    (0, "Success"),
    (2, "Kerberos V5"),
    (3, "Plaintext password"),
    (4, "crypt()ed password"),
    (5, "MD5 password"),
    (6, "SCM credentials"),
    (7, "GSSAPI"),
    (8, "GSSAPI or SSPI continue"),
    (9, "SSPI"),
    (10, "SASL"),
    (11, "SASL continue"),
    (12, "SASL complete"),
];
static FORMATS: Names = &[(0, "Text"), (1, "Binary")];

protocol! { PGSQL "pgsql" "PGSQL" "PostgreSQL";
    TYPE: text "pgsql.type" "Type";
    LENGTH: u32 "pgsql.length" "Length";
    FRONTEND: bool "pgsql.frontend" "Frontend";
    MAJOR: u16 "pgsql.version_major" "Protocol major version";
    MINOR: u16 "pgsql.version_minor" "Protocol minor version";
    PARAMETER: text "pgsql.parameter_name" "Parameter name";
    PARAMETER_VALUE: text "pgsql.parameter_value" "Parameter value";
    QUERY: text "pgsql.query" "Query";
    PASSWORD: text "pgsql.password" "Password";
    AUTH_TYPE: u32 "pgsql.authtype" "Authentication type", names(AUTHENTICATION);
    SALT: bytes "pgsql.salt" "Salt value";
    SASL_MECH: text "pgsql.auth.sasl.mech" "SASL authentication mechanism";
    SASL_LENGTH: int "pgsql.auth.sasl.data.length" "SASL authentication data length";
    SASL_DATA: bytes "pgsql.auth.sasl.data" "SASL authentication data";
    STATEMENT: text "pgsql.statement" "Statement";
    PORTAL: text "pgsql.portal" "Portal";
    RETURNS: u32 "pgsql.returns" "Returns";
    TAG: text "pgsql.tag" "Tag";
    STATUS: u8 "pgsql.status" "Status", names(STATUSES);
    COPY_DATA: bytes "pgsql.copydata" "Copy data";
    ERROR: text "pgsql.error" "Error";
    PID: u32 "pgsql.pid" "PID";
    KEY: u32 "pgsql.key" "Key";
    CONDITION: text "pgsql.condition" "Condition";
    TEXT: text "pgsql.text" "Text";
    TABLE_OID: u32 "pgsql.oid.table" "Table OID";
    TYPE_OID: u32 "pgsql.oid.type" "Type OID";
    OID: u32 "pgsql.oid" "OID";
    FORMAT: u16 "pgsql.format" "Format", names(FORMATS);
    COUNT: u16 "pgsql.field.count" "Field count";
    COLUMN: text "pgsql.col.name" "Column name";
    COLUMN_INDEX: u32 "pgsql.col.index" "Column index";
    VALUE_LENGTH: int "pgsql.val.length" "Column length";
    VALUE: bytes "pgsql.val.data" "Data";
    TYPEMOD: int "pgsql.col.typemod" "Type modifier";
    SEVERITY: text "pgsql.severity" "Severity";
    CODE: text "pgsql.code" "Code";
    MESSAGE: text "pgsql.message" "Message";
    DETAIL: text "pgsql.detail" "Detail";
    HINT: text "pgsql.hint" "Hint";
    POSITION: text "pgsql.position" "Position";
    INTERNAL_POSITION: text "pgsql.internal_position" "Position (Internal)";
    INTERNAL_QUERY: text "pgsql.internal_query" "Query (Internal)";
    WHERE: text "pgsql.where" "Context";
    SCHEMA: text "pgsql.schema_name" "Schema";
    TABLE: text "pgsql.table_name" "Table";
    COLUMN_NAME: text "pgsql.column_name" "Column";
    TYPE_NAME: text "pgsql.type_name" "Type";
    CONSTRAINT: text "pgsql.constraint_name" "Constraint";
    FILE: text "pgsql.file" "File";
    LINE: text "pgsql.line" "Line";
    ROUTINE: text "pgsql.routine" "Routine";
}

/// `notes[0]`: the last authentication that was asked for, and one; `notes[1]`: the client asked for encryption.
pub(crate) static SPOKEN: Spoken =
    Spoken { protocol: &PGSQL, ports: &[5432], eager: false, begins: None, length, show };

/// The codes in the place of a version.
const SSL_REQUEST: u32 = 80_877_103;
const CANCEL_REQUEST: u32 = 80_877_102;
const GSS_REQUEST: u32 = 80_877_104;

fn length(cx: &Context<'_>, talk: &Talk, _: usize, bytes: &[u8]) -> Length {
    let word = |at: usize| {
        let word = bytes.get(at..).and_then(|rest| rest.first_chunk()).map(|word| u32::from_be_bytes(*word));
        word.map(|word| word as usize)
    };
    if talk.notes[1] != 0 && cx.src_port == 5432 && matches!(bytes, [b'S' | b'N' | b'G']) {
        return if bytes == b"N" { Length::Quiet(1) } else { Length::Whole(1) };
    }
    // A startup packet has no type: it begins with its length.
    let (at, header) = if bytes.first() == Some(&0) { (0, 0) } else { (1, 1) };
    match word(at) {
        Some(len) if len < 4 => Length::Foreign,
        Some(len) => Length::Whole(len + header),
        None => Length::More,
    }
}

fn show(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk, _: usize) -> Read {
    let from_client = cx.dst_port == 5432;
    if c.data.len() == 1 {
        talk.notes[1] = 0;
        let answer = c.take(1)?;
        let accepts = answer.bytes == b"S";
        cx.add_words(&TYPE, answer, if accepts { b"SSL request accepted" } else { b"SSL request rejected" });
        if accepts {
            talk.inner = App::Tls(Box::default());
            talk.phase = [1, 1];
        }
        return Ok(());
    }
    let kind = c.peek()?;
    if kind == 0 {
        return startup(cx, c, talk);
    }
    let name = if from_client { frontend(kind) } else { backend(kind) };
    let first = c.take(1)?;
    let sasl = kind == b'p' && from_client;
    let name = match (sasl, talk.notes[0]) {
        (true, 11) => "SASLInitialResponse message",
        (true, 12) => "SASLResponse message",
        (true, _) => "Password message",
        _ => name,
    };
    cx.add_words(&TYPE, first, name.as_bytes());
    c.u32(cx, &LENGTH)?;
    cx.hide(&FRONTEND, c.data, 0, 0, u64::from(from_client));
    if from_client { from_frontend(cx, c, kind, talk) } else { from_backend(cx, c, kind, talk) }
}

fn frontend(kind: u8) -> &'static str {
    match kind {
        b'Q' => "Simple query",
        b'P' => "Parse",
        b'B' => "Bind",
        b'E' => "Execute",
        b'D' => "Describe",
        b'C' => "Close",
        b'H' => "Flush",
        b'S' => "Sync",
        b'F' => "Function call",
        b'd' => "Copy data",
        b'c' => "Copy completion",
        b'f' => "Copy failure",
        b'X' => "Termination",
        _ => "Unknown",
    }
}

fn backend(kind: u8) -> &'static str {
    match kind {
        b'R' => "Authentication request",
        b'K' => "Backend key data",
        b'S' => "Parameter status",
        b'1' => "Parse completion",
        b'2' => "Bind completion",
        b'3' => "Close completion",
        b'C' => "Command completion",
        b't' => "Parameter description",
        b'T' => "Row description",
        b'D' => "Data row",
        b'I' => "Empty query",
        b'n' => "No data",
        b'E' => "Error",
        b'N' => "Notice",
        b's' => "Portal suspended",
        b'Z' => "Ready for query",
        b'A' => "Notification",
        b'V' => "Function call response",
        b'G' => "CopyIn response",
        b'H' => "CopyOut response",
        b'd' => "Copy data",
        b'c' => "Copy completion",
        b'v' => "Negotiate protocol version",
        _ => "Unknown",
    }
}

fn startup(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk) -> Read {
    let code = c.data.u32(4)?;
    let name: &[u8] = match code {
        SSL_REQUEST => b"SSL request",
        GSS_REQUEST => b"GSS encrypt request",
        CANCEL_REQUEST => b"Cancel request",
        _ => b"Startup message",
    };
    cx.conclude_words(&TYPE, name);
    c.u32(cx, &LENGTH)?;
    cx.hide(&FRONTEND, c.data, 0, 0, 1);
    match code {
        SSL_REQUEST | GSS_REQUEST => {
            talk.notes[1] = 1;
            c.skip(4)
        }
        CANCEL_REQUEST => walk(cx, c, &[Skip(4), Is(&PID), Is(&KEY)]),
        _ => {
            walk(cx, c, &[Is(&MAJOR), Is(&MINOR)])?;
            while c.left() > 1 {
                words(cx, c, &PARAMETER)?;
                words(cx, c, &PARAMETER_VALUE)?;
            }
            Ok(())
        }
    }
}

fn from_frontend(cx: &mut Context<'_>, c: &mut Cursor<'_>, kind: u8, talk: &Talk) -> Read {
    match kind {
        b'p' => match talk.notes[0] {
            11 => {
                words(cx, c, &SASL_MECH)?;
                let len = c.int(cx, &SASL_LENGTH, 4)?;
                if len > 0 { c.bytes(cx, &SASL_DATA, len as usize).map(drop) } else { Ok(()) }
            }
            12 => walk(cx, c, &[Rest(&SASL_DATA)]),
            _ => words(cx, c, &PASSWORD).map(drop),
        },
        b'Q' => words(cx, c, &QUERY).map(drop),
        b'P' => {
            words(cx, c, &STATEMENT)?;
            words(cx, c, &QUERY)?;
            each(cx, c, &[Is(&TYPE_OID)])
        }
        b'B' => {
            words(cx, c, &PORTAL)?;
            words(cx, c, &STATEMENT)?;
            each(cx, c, &[Is(&FORMAT)])?;
            each(cx, c, &[Call(value)])?;
            each(cx, c, &[Is(&FORMAT)])
        }
        b'E' => walk(cx, c, &[Words(&PORTAL), Is(&RETURNS)]),
        b'C' | b'D' => {
            let what = c.peek()?;
            c.skip(1)?;
            words(cx, c, if what == b'P' { &PORTAL } else { &STATEMENT }).map(drop)
        }
        b'F' => {
            walk(cx, c, &[Is(&OID)])?;
            each(cx, c, &[Is(&FORMAT)])?;
            each(cx, c, &[Call(value)])?;
            walk(cx, c, &[Is(&FORMAT)])
        }
        b'd' => walk(cx, c, &[Rest(&COPY_DATA)]),
        b'f' => words(cx, c, &ERROR).map(drop),
        _ => Ok(()),
    }
}

/// A count of fields, and a layout so often, one level deeper.
fn repeat(cx: &mut Context<'_>, c: &mut Cursor<'_>, layout: Layout<'_>) -> Read {
    cx.add(&COUNT, c.data, c.pos, 2, u64::from(c.peek_u16()?));
    each(cx, c, layout)
}

/// The same for what are no fields, whose count has no name.
fn each(cx: &mut Context<'_>, c: &mut Cursor<'_>, layout: Layout<'_>) -> Read {
    let count = c.peek_u16()?;
    c.skip(2)?;
    cx.depth += 1;
    let result = (0..count).try_for_each(|_| walk(cx, c, layout));
    cx.depth -= 1;
    result
}

/// A length and the value; -1 stands for none.
fn value(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let len = c.int(cx, &VALUE_LENGTH, 4)?;
    if len > 0 { c.bytes(cx, &VALUE, len as usize).map(drop) } else { Ok(()) }
}

fn from_backend(cx: &mut Context<'_>, c: &mut Cursor<'_>, kind: u8, talk: &mut Talk) -> Read {
    match kind {
        b'R' => authentication(cx, c, talk),
        b'K' => walk(cx, c, &[Is(&PID), Is(&KEY)]),
        b'S' => walk(cx, c, &[Words(&PARAMETER), Words(&PARAMETER_VALUE)]),
        b'C' => words(cx, c, &TAG).map(drop),
        b'Z' => c.u8(cx, &STATUS).map(drop),
        b't' => each(cx, c, &[Is(&TYPE_OID)]),
        b'T' => repeat(
            cx,
            c,
            &[
                Words(&COLUMN),
                Is(&TABLE_OID),
                Wide(&COLUMN_INDEX, 2),
                Is(&TYPE_OID),
                Wide(&VALUE_LENGTH, 2),
                Wide(&TYPEMOD, 4),
                Is(&FORMAT),
            ],
        ),
        b'D' => repeat(cx, c, &[Call(value)]),
        b'E' | b'N' => notice(cx, c),
        b'A' => walk(cx, c, &[Is(&PID), Words(&CONDITION), Words(&TEXT)]),
        b'G' | b'H' => {
            c.uint(cx, &FORMAT, 1)?;
            each(cx, c, &[Is(&FORMAT)])
        }
        b'd' => walk(cx, c, &[Rest(&COPY_DATA)]),
        b'V' => value(cx, c),
        _ => Ok(()),
    }
}

fn authentication(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk) -> Read {
    let kind = c.u32(cx, &AUTH_TYPE)?;
    talk.notes[0] = u64::from(kind) + 1;
    match kind {
        4 => c.bytes(cx, &SALT, 2).map(drop),
        5 => c.bytes(cx, &SALT, 4).map(drop),
        10 => {
            while c.peek()? != 0 {
                words(cx, c, &SASL_MECH)?;
            }
            Ok(())
        }
        11 | 12 => walk(cx, c, &[Rest(&SASL_DATA)]),
        _ => Ok(()),
    }
}

/// What an error or notice says, each part behind a letter.
fn notice(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    static PARTS: [(u8, &FieldDef); 18] = [
        (b'S', &SEVERITY),
        (b'V', &TEXT),
        (b'C', &CODE),
        (b'M', &MESSAGE),
        (b'D', &DETAIL),
        (b'H', &HINT),
        (b'P', &POSITION),
        (b'p', &INTERNAL_POSITION),
        (b'q', &INTERNAL_QUERY),
        (b'W', &WHERE),
        (b's', &SCHEMA),
        (b't', &TABLE),
        (b'c', &COLUMN_NAME),
        (b'd', &TYPE_NAME),
        (b'n', &CONSTRAINT),
        (b'F', &FILE),
        (b'L', &LINE),
        (b'R', &ROUTINE),
    ];
    loop {
        let letter = c.peek()?;
        c.skip(1)?;
        if letter == 0 {
            return Ok(());
        }
        match PARTS.iter().find(|(key, _)| *key == letter) {
            Some((_, def)) => words(cx, c, def).map(drop)?,
            None => {
                let end = c.rest().bytes.iter().position(|byte| *byte == 0).ok_or(Short)?;
                c.skip(end + 1)?;
            }
        }
    }
}
