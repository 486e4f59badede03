//! MySQL's and MariaDB's protocol: greeting, login, commands, and what answers them.

mod session;

pub(crate) use session::SESSION;

use super::ports::App;
use super::spoken::{Length, Spoken, Talk};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{FieldDef, Names, protocol};
use crate::table::{little, little_bits, words};

static COMMANDS: Names = &[
    (0, "SLEEP"),
    (1, "Quit"),
    (2, "Use Database"),
    (3, "Query"),
    (4, "Show Fields"),
    (5, "Create Database"),
    (6, "Drop Database"),
    (7, "Refresh"),
    (8, "Shutdown"),
    (9, "Statistics"),
    (10, "Process List"),
    (12, "Kill Server Thread"),
    (14, "Ping"),
    (17, "Change User"),
    (22, "Prepare Statement"),
    (23, "Execute Statement"),
    (24, "Send Long Data"),
    (25, "Close Statement"),
    (26, "Reset Statement"),
    (27, "Set Option"),
    (28, "Fetch Data"),
    (31, "Reset Connection"),
];

protocol! { MYSQL "mysql" "MySQL" "MySQL Protocol";
    LENGTH: u24 "mysql.packet_length" "Packet Length";
    NUMBER: u8 "mysql.packet_number" "Packet Number";
    GREETING: none "mysql.server_greeting" "Server Greeting";
    PROTOCOL: u8 "mysql.protocol" "Protocol";
    VERSION: text "mysql.version" "Version";
    THREAD: u32 "mysql.thread_id" "Thread ID";
    SALT: text "mysql.salt" "Salt";
    SALT2: text "mysql.salt2" "Salt";
    CAPS_SERVER: u16 "mysql.caps.server" "Server Capabilities", hex;
    CAPS_CLIENT: u16 "mysql.caps.client" "Client Capabilities", hex;
    CAP_LP: bool "mysql.caps.lp" "Long Password", mask(0x0001);
    CAP_FR: bool "mysql.caps.fr" "Found Rows", mask(0x0002);
    CAP_LF: bool "mysql.caps.lf" "Long Column Flags", mask(0x0004);
    CAP_CD: bool "mysql.caps.cd" "Connect With Database", mask(0x0008);
    CAP_NS: bool "mysql.caps.ns" "Don't Allow database.table.column", mask(0x0010);
    CAP_CP: bool "mysql.caps.cp" "Can use compression protocol", mask(0x0020);
    CAP_OB: bool "mysql.caps.ob" "ODBC Client", mask(0x0040);
    CAP_LI: bool "mysql.caps.li" "Can Use LOAD DATA LOCAL", mask(0x0080);
    CAP_IS: bool "mysql.caps.is" "Ignore Spaces before '('", mask(0x0100);
    CAP_CU: bool "mysql.caps.cu" "Speaks 4.1 protocol (new flag)", mask(0x0200);
    CAP_IA: bool "mysql.caps.ia" "Interactive Client", mask(0x0400);
    CAP_SL: bool "mysql.caps.sl" "Switch to SSL after handshake", mask(0x0800);
    CAP_II: bool "mysql.caps.ii" "Ignore sigpipes", mask(0x1000);
    CAP_TA: bool "mysql.caps.ta" "Knows about transactions", mask(0x2000);
    CAP_RS: bool "mysql.caps.rs" "Speaks 4.1 protocol (old flag)", mask(0x4000);
    CAP_SC: bool "mysql.caps.sc" "Can do 4.1 authentication", mask(0x8000);
    EXT_SERVER: u16 "mysql.extcaps.server" "Extended Server Capabilities", hex;
    EXT_CLIENT: u16 "mysql.extcaps.client" "Extended Client Capabilities", hex;
    EXT_MS: bool "mysql.caps.ms" "Multiple statements", mask(0x0001);
    EXT_MR: bool "mysql.caps.mr" "Multiple results", mask(0x0002);
    EXT_PM: bool "mysql.caps.pm" "PS Multiple results", mask(0x0004);
    EXT_PA: bool "mysql.caps.pa" "Plugin Auth", mask(0x0008);
    EXT_CA: bool "mysql.caps.ca" "Connect attrs", mask(0x0010);
    EXT_PM2: bool "mysql.caps.pm" "Plugin Auth LENENC Client Data", mask(0x0020);
    EXT_EP: bool "mysql.caps.ep" "Client can handle expired passwords", mask(0x0040);
    EXT_TRACK: bool "mysql.caps.session_track" "Session variable tracking", mask(0x0080);
    EXT_EOF: bool "mysql.caps.deprecate_eof" "Deprecate EOF", mask(0x0100);
    EXT_META: bool "mysql.caps.optional_metadata" "Client can handle optional resultset metadata", mask(0x0200);
    EXT_ZSTD: bool "mysql.caps.compress_zsd" "ZSTD Compression Algorithm", mask(0x0400);
    EXT_ATTRS: bool "mysql.caps.query_attrs" "Query Attributes", mask(0x0800);
    EXT_MFA: bool "mysql.caps.mf_auth" "Multifactor Authentication", mask(0x1000);
    EXT_EXT: bool "mysql.caps.cap_ext" "Capability Extension", mask(0x2000);
    EXT_UNUSED: u16 "mysql.caps.unused" "Unused", hex, mask(0xC000);
    MARIA_SERVER: u32 "mariadb.extcaps.server" "MariaDB Extended Server Capabilities", hex;
    MARIA_CLIENT: u32 "mariadb.extcaps.client" "MariaDB Extended Client Capabilities", hex;
    MARIA_PR: bool "mariadb.caps.pr" "Progress indication", mask(0x01);
    MARIA_CM: bool "mariadb.caps.cm" "Multi commands", mask(0x02);
    MARIA_BO: bool "mariadb.caps.bo" "Bulk Operations", mask(0x04);
    MARIA_EM: bool "mariadb.caps.em" "Extended metadata", mask(0x08);
    MARIA_ME: bool "mariadb.caps.me" "Metadata cache", mask(0x10);
    LANGUAGE: u8 "mysql.server_language" "Server Language";
    MARIA_LANGUAGE: u8 "mariadb.server_language" "Server Language";
    STATUS: u16 "mysql.server_status" "Server Status", hex;
    STAT_IT: bool "mysql.stat.it" "In transaction", mask(0x0001);
    STAT_AC: bool "mysql.stat.ac" "AUTO_COMMIT", mask(0x0002);
    STAT_MU: bool "mysql.stat.mu" "More results", mask(0x0004);
    STAT_MR: bool "mysql.stat.mr" "Multi query", mask(0x0008);
    STAT_BI: bool "mysql.stat.bi" "Bad index used", mask(0x0010);
    STAT_NI: bool "mysql.stat.ni" "No index used", mask(0x0020);
    STAT_CR: bool "mysql.stat.cr" "Cursor exists", mask(0x0040);
    STAT_LR: bool "mysql.stat.lr" "Last row sent", mask(0x0080);
    STAT_DR: bool "mysql.stat.dr" "Database dropped", mask(0x0100);
    STAT_BS: bool "mysql.stat.bs" "No backslash escapes", mask(0x0200);
    STAT_MC: bool "mysql.stat.mc" "Metadata changed", mask(0x0400);
    STAT_SLOW: bool "mysql.stat.query_was_slow" "Query was slow", mask(0x0800);
    STAT_OUT: bool "mysql.stat.ps_out_params" "PS Out Params", mask(0x1000);
    STAT_RO: bool "mysql.stat.trans_readonly" "In Trans Readonly", mask(0x2000);
    STAT_CHANGED: bool "mysql.stat.session_state_changed" "Session state changed", mask(0x4000);
    PLUGIN_LENGTH: u8 "mysql.auth_plugin.length" "Authentication Plugin Length";
    PLUGIN: text "mysql.auth_plugin" "Authentication Plugin";
    UNUSED: bytes "mysql.unused" "Unused";
    LOGIN: none "mysql.login_request" "Login Request";
    MAX_PACKET: u32 "mysql.max_packet" "MAX Packet";
    CHARSET: u8 "mysql.charset" "Charset";
    MARIA_CHARSET: u8 "mariadb.charset" "Charset";
    USER: text "mysql.user" "Username";
    PASSWORD: bytes "mysql.passwd" "Password";
    SCHEMA: text "mysql.schema" "Schema";
    CLIENT_PLUGIN: text "mysql.client_auth_plugin" "Client Auth Plugin";
    ATTRS: none "mysql.connattrs" "Connection Attributes";
    ATTRS_LENGTH: u64 "mysql.connattrs.length" "Connection Attributes length";
    ATTR: none "mysql.connattrs.attr" "Connection Attribute";
    ATTR_NAME_LENGTH: u64 "mysql.connattrs.name.length" "Connection Attribute Name Length";
    ATTR_NAME: text "mysql.connattrs.name" "Connection Attribute Name";
    ATTR_VALUE_LENGTH: u64 "mysql.connattrs.value.length" "Connection Attribute Value Length";
    ATTR_VALUE: text "mysql.connattrs.value" "Connection Attribute Value";
    REQUEST: none "mysql.request" "Request Command";
    COMMAND: u8 "mysql.command" "Command", names(COMMANDS);
    QUERY: text "mysql.query" "Statement";
    STATEMENT: u32 "mysql.stmt_id" "Statement ID";
    RESPONSE_CODE: u8 "mysql.response_code" "Response Code", hex;
    ERROR_CODE: u16 "mysql.error_code" "Error Code";
    SQLSTATE: text "mysql.sqlstate" "SQL state";
    ERROR: text "mysql.error.message" "Error message";
    MESSAGE: text "mysql.message" "Message";
    AFFECTED: u64 "mysql.affected_rows" "Affected Rows";
    INSERT_ID: u64 "mysql.insert_id" "Last INSERT ID";
    WARNINGS: u16 "mysql.warnings" "Warnings";
    EOF: u8 "mysql.eof" "EOF marker";
    FIELDS: u64 "mysql.num_fields" "Number of fields";
    CATALOG: text "mysql.field.catalog" "Catalog";
    DATABASE: text "mysql.field.db" "Database";
    TABLE: text "mysql.field.table" "Table";
    ORG_TABLE: text "mysql.field.org_table" "Original table";
    NAME: text "mysql.field.name" "Name";
    ORG_NAME: text "mysql.field.org_name" "Original name";
    FIELD_CHARSET: u16 "mysql.field.charsetnr" "Charset number";
    FIELD_LENGTH: u32 "mysql.field.length" "Length";
    FIELD_TYPE: u8 "mysql.field.type" "Type";
    FIELD_FLAGS: u16 "mysql.field.flags" "Flags", hex;
    DECIMALS: u8 "mysql.field.decimals" "Decimals";
    ROW: text "mysql.row.text" "text";
    SWITCH_STATUS: u8 "mysql.auth_switch_request.status" "Status", hex;
    SWITCH_NAME: text "mysql.auth_switch_request.name" "Auth Method Name";
    SWITCH_DATA: bytes "mysql.auth_switch_request.data" "Auth Method Data";
    SWITCH_ANSWER: bytes "mysql.auth_switch_response.data" "Auth Method Data";
    PAYLOAD: bytes "mysql.payload" "Payload";
}

static CAPS: [&FieldDef; 16] = [
    &CAP_LP, &CAP_FR, &CAP_LF, &CAP_CD, &CAP_NS, &CAP_CP, &CAP_OB, &CAP_LI, &CAP_IS, &CAP_CU, &CAP_IA,
    &CAP_SL, &CAP_II, &CAP_TA, &CAP_RS, &CAP_SC,
];
static EXTS: [&FieldDef; 15] = [
    &EXT_MS,
    &EXT_MR,
    &EXT_PM,
    &EXT_PA,
    &EXT_CA,
    &EXT_PM2,
    &EXT_EP,
    &EXT_TRACK,
    &EXT_EOF,
    &EXT_META,
    &EXT_ZSTD,
    &EXT_ATTRS,
    &EXT_MFA,
    &EXT_EXT,
    &EXT_UNUSED,
];
static MARIAS: [&FieldDef; 5] = [&MARIA_PR, &MARIA_CM, &MARIA_BO, &MARIA_EM, &MARIA_ME];
static STATS: [&FieldDef; 15] = [
    &STAT_IT,
    &STAT_AC,
    &STAT_MU,
    &STAT_MR,
    &STAT_BI,
    &STAT_NI,
    &STAT_CR,
    &STAT_LR,
    &STAT_DR,
    &STAT_BS,
    &STAT_MC,
    &STAT_SLOW,
    &STAT_OUT,
    &STAT_RO,
    &STAT_CHANGED,
];

/// `phase[0]`: what comes next (both sides take turns); `notes`: the client's capabilities, whether the server is
/// MariaDB, how many columns are still to come.
pub(crate) static SPOKEN: Spoken =
    Spoken { protocol: &MYSQL, ports: &[3306], eager: false, begins: None, length, show };

const GREET: u32 = 0;
const LOG_IN: u32 = 1;
const REQUESTS: u32 = 2;
const RESPONSE: u32 = 3;
const COLUMNS: u32 = 4;
const COLUMNS_END: u32 = 5;
const ROWS: u32 = 6;
const SWITCHED: u32 = 7;
const PREPARED: u32 = 8;

fn length(_: &Context<'_>, _: &Talk, _: usize, bytes: &[u8]) -> Length {
    match bytes {
        [a, b, c, _, ..] => Length::Whole(4 + u32::from_le_bytes([*a, *b, *c, 0]) as usize),
        _ => Length::More,
    }
}

fn show(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk, _: usize) -> Read {
    little(cx, c, &LENGTH, 3)?;
    c.u8(cx, &NUMBER)?;
    let to_server = SPOKEN.ports.contains(&cx.dst_port);
    if c.is_done() {
        return Ok(());
    }
    if !to_server {
        return answer(cx, c, talk);
    }
    match talk.phase[0] {
        LOG_IN => {
            let body = c.take_most(usize::MAX);
            cx.within(&LOGIN, body, |cx| login(cx, &mut body.cursor(), talk))
        }
        SWITCHED => {
            talk.phase[0] = LOG_IN;
            c.all(cx, &SWITCH_ANSWER);
            Ok(())
        }
        _ => {
            let body = c.take_most(usize::MAX);
            cx.within(&REQUEST, body, |cx| request(cx, &mut body.cursor(), talk))
        }
    }
}

fn answer(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk) -> Read {
    if talk.phase[0] == GREET {
        talk.phase[0] = LOG_IN;
        if c.peek()? == 0xFF {
            return error(cx, c, talk);
        }
        let body = c.take_most(usize::MAX);
        return cx.within(&GREETING, body, |cx| greeting(cx, &mut body.cursor(), talk));
    }
    let first = c.peek()?;
    match (first, talk.phase[0]) {
        (0xFF, _) => {
            let in_login = talk.phase[0] == LOG_IN;
            if !in_login {
                talk.phase[0] = REQUESTS;
            }
            error(cx, c, talk)
        }
        (0xFE, LOG_IN) => switch(cx, c, talk),
        (0xFE, _) if c.left() < 9 => eof(cx, c, talk),
        (0, LOG_IN | RESPONSE) => session::ok(cx, c, talk),
        (_, COLUMNS) => session::column(cx, c, talk),
        (_, ROWS) => session::row(cx, c),
        (_, RESPONSE) => {
            let columns = lenenc(cx, c, Some(&FIELDS), talk)?;
            if talk.notes[1] != 0 && !c.is_done() {
                c.u8(cx, &session::METADATA)?;
            }
            (talk.phase[0], talk.notes[2]) = (COLUMNS, columns);
            Ok(())
        }
        _ => {
            c.all(cx, &PAYLOAD);
            Ok(())
        }
    }
}

fn greeting(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk) -> Read {
    c.u8(cx, &PROTOCOL)?;
    let text = c.rest();
    words(cx, c, &VERSION)?;
    let maria = text.bytes.windows(7).take(64).any(|word| word == b"MariaDB");
    talk.notes[1] = u64::from(maria);
    little(cx, c, &THREAD, 4)?;
    words(cx, c, &SALT)?;
    if c.is_done() {
        return Ok(());
    }
    little_bits(cx, c, &CAPS_SERVER, 2, &CAPS)?;
    c.u8(cx, if maria { &MARIA_LANGUAGE } else { &LANGUAGE })?;
    little_bits(cx, c, &STATUS, 2, &STATS)?;
    little_bits(cx, c, &EXT_SERVER, 2, &EXTS)?;
    c.u8(cx, &PLUGIN_LENGTH)?;
    if maria {
        c.bytes(cx, &UNUSED, 6)?;
        little_bits(cx, c, &MARIA_SERVER, 4, &MARIAS)?;
    } else {
        c.bytes(cx, &UNUSED, 10)?;
    }
    words(cx, c, &SALT2)?;
    if c.is_done() { Ok(()) } else { words(cx, c, &PLUGIN).map(drop) }
}

fn login(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk) -> Read {
    let low = little_bits(cx, c, &CAPS_CLIENT, 2, &CAPS)?;
    let high = little_bits(cx, c, &EXT_CLIENT, 2, &EXTS)?;
    talk.notes[0] = low | high << 16;
    talk.phase[0] = LOG_IN;
    little(cx, c, &MAX_PACKET, 4)?;
    let maria = talk.notes[1] != 0;
    c.u8(cx, if maria { &MARIA_CHARSET } else { &CHARSET })?;
    if maria {
        c.bytes(cx, &UNUSED, 19)?;
        little_bits(cx, c, &MARIA_CLIENT, 4, &MARIAS)?;
    } else {
        c.bytes(cx, &UNUSED, 23)?;
    }
    if low & 0x0800 != 0 && c.is_done() {
        talk.inner = App::Tls(Box::default());
        return Ok(());
    }
    words(cx, c, &USER)?;
    let secret = usize::from(c.peek()?);
    c.skip(1)?;
    if secret > 0 {
        c.bytes(cx, &PASSWORD, secret)?;
    }
    if low & 8 != 0 && !c.is_done() {
        words(cx, c, &SCHEMA)?;
    }
    if high & 8 != 0 && !c.is_done() {
        words(cx, c, &CLIENT_PLUGIN)?;
    }
    if high & 16 != 0 && !c.is_done() { session::attributes(cx, c, talk) } else { Ok(()) }
}

fn switch(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk) -> Read {
    talk.phase[0] = SWITCHED;
    c.u8(cx, &SWITCH_STATUS)?;
    words(cx, c, &SWITCH_NAME)?;
    c.all(cx, &SWITCH_DATA);
    Ok(())
}

fn request(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk) -> Read {
    let command = c.u8(cx, &COMMAND)?;
    talk.phase[0] = match command {
        1 | 25 | 24 => REQUESTS,
        22 => PREPARED,
        _ => RESPONSE,
    };
    match command {
        2 | 5 | 6 => c.all(cx, &SCHEMA),
        3 | 22 => c.all(cx, &QUERY),
        23 | 25 | 26 => {
            little(cx, c, &STATEMENT, 4)?;
            c.all(cx, &PAYLOAD)
        }
        _ => c.all(cx, &PAYLOAD),
    };
    Ok(())
}

fn error(cx: &mut Context<'_>, c: &mut Cursor<'_>, _: &Talk) -> Read {
    c.u8(cx, &RESPONSE_CODE)?;
    little(cx, c, &ERROR_CODE, 2)?;
    if c.peek() == Ok(b'#') {
        c.skip(1)?;
        c.bytes(cx, &SQLSTATE, 5)?;
    }
    c.all(cx, &ERROR);
    Ok(())
}

fn eof(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk) -> Read {
    c.u8(cx, &RESPONSE_CODE)?;
    c.pos -= 1;
    c.u8(cx, &EOF)?;
    let mut more = false;
    if c.left() >= 4 {
        little(cx, c, &WARNINGS, 2)?;
        more = little_bits(cx, c, &STATUS, 2, &STATS)? & 8 != 0;
    }
    talk.phase[0] = match talk.phase[0] {
        COLUMNS | COLUMNS_END => ROWS,
        ROWS if more => RESPONSE,
        _ => REQUESTS,
    };
    Ok(())
}

/// A number in one to nine bytes; a first byte of 251 stands for none. MariaDB's are shown with their prefix.
fn lenenc(
    cx: &mut Context<'_>,
    c: &mut Cursor<'_>,
    def: Option<&'static FieldDef>,
    talk: &Talk,
) -> Read<u64> {
    let (begins, data) = (c.pos, c.data);
    let first = c.peek()?;
    let size = match first {
        252 => 2,
        253 => 3,
        254 => 8,
        _ => 0,
    };
    let bytes = data.bytes.get(begins + 1..begins + 1 + size).ok_or(Short)?;
    let number = match size {
        0 => u64::from(first),
        _ => bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)),
    };
    if talk.notes[1] != 0 {
        cx.add(&session::PREFIX, data, begins, 1, u64::from(first));
        if first != 251 {
            let (at, len) = if size == 0 { (begins, 1) } else { (begins + 1, size) };
            cx.add(&session::LENGTH, data, at, len, number);
        }
    }
    if let Some(def) = def {
        let (at, len) = if size == 0 { (begins, 1) } else { (begins + 1, size) };
        cx.add(def, data, at, len, number);
    }
    c.pos += 1 + size;
    Ok(number)
}

/// A length and so many characters.
fn string<'d>(
    cx: &mut Context<'_>,
    c: &mut Cursor<'d>,
    def: &'static FieldDef,
    talk: &Talk,
) -> Read<Data<'d>> {
    let len = lenenc(cx, c, None, talk)?;
    let taken = c.take(usize::try_from(len).map_err(|_| Short)?)?;
    cx.add(def, taken, 0, taken.len(), 0);
    Ok(taken)
}
