//! MySQL's and MariaDB's protocol: greeting, login, commands, and what answers them.

mod answer;
mod request;
mod session;
mod value;

pub(crate) use request::COMMANDS;
pub(crate) use session::SESSION;
pub(crate) use value::VALUES;

use super::ports::App;
use super::spoken::{Length, Own, Spoken, Talk};
use crate::context::Context;
use crate::cursor::{Cursor, Read, Short};
use crate::field::{FieldDef, protocol};
use crate::table::{little, little_bits, words};

protocol! { MYSQL "mysql" "MySQL" "MySQL Protocol";
    LENGTH: u24 "mysql.packet_length" "Packet Length";
    PACKED_LENGTH: u24 "mysql.compressed_packet_length" "Compressed Packet Length";
    PACKED_NUMBER: u24 "mysql.compressed_packet_number" "Compressed Packet Number";
    UNPACKED_LENGTH: u24 "mysql.compressed_packet_length_uncompressed" "Uncompressed Packet Length";
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
    ZSTD_LEVEL: u8 "mysql.compression.zstd_level" "ZSTD Compression Level";
    ATTRS: none "mysql.connattrs" "Connection Attributes";
    ATTRS_LENGTH: u64 "mysql.connattrs.length" "Connection Attributes length";
    ATTR: none "mysql.connattrs.attr" "Connection Attribute";
    ATTR_NAME_LENGTH: u64 "mysql.connattrs.name.length" "Connection Attribute Name Length";
    ATTR_NAME: text "mysql.connattrs.name" "Connection Attribute Name";
    ATTR_VALUE_LENGTH: u64 "mysql.connattrs.value.length" "Connection Attribute Value Length";
    ATTR_VALUE: text "mysql.connattrs.value" "Connection Attribute Value";
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
    EXTRA: u64 "mysql.extra" "Extra data";
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
    DEFAULT: text "mysql.field.default" "Default";
    DECIMALS: u8 "mysql.field.decimals" "Decimals";
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

pub(crate) static SPOKEN: Spoken =
    Spoken { protocol: &MYSQL, ports: &[3306], eager: false, begins: None, length, show };

/// What comes next on a connection; both sides take turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Next {
    /// Nothing is known: the server greets, or the capture begins within.
    #[default]
    Undefined,
    Login,
    Request,
    Ok,
    Message,
    Tabular,
    /// Columns of a table that was asked for.
    ShownFields,
    Columns,
    Rows,
    Prepare,
    Parameters,
    PreparedFields,
    SwitchRequest,
    SwitchResponse,
    Binlog,
}

/// Whether packets are packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Packing {
    #[default]
    None,
    /// From the frame after the next OK on.
    Agreed(u64),
    Active(u64),
}

/// Type and flags of a column or parameter.
type Column = (u8, u16);

/// So many prepared statements are remembered.
const STATEMENTS_MAX: usize = 64;
/// So many columns may a result have; the same as in Wireshark.
const COLUMNS_MAX: u64 = 32_767;

/// What is remembered of a connection.
#[derive(Debug, Default)]
pub(crate) struct Session {
    next: Next,
    /// Capabilities: lower half, upper half.
    server: (u64, u64),
    client: (u64, u64),
    maria_server: bool,
    maria_client: bool,
    /// MariaDB's own capabilities.
    maria: (u64, u64),
    major: u32,
    /// So many columns are still to come.
    left: u64,
    columns: Vec<Column>,
    /// The statement that was prepared last, and how many fields its result has.
    last: u32,
    fields: u64,
    /// Parameters of the prepared statements.
    statements: Vec<(u32, Vec<Column>)>,
    /// The rows are those of a prepared statement.
    is_binary: bool,
    packing: Packing,
}

impl Session {
    /// Both sides have this of the lower capabilities.
    fn agreed(&self, bit: u64) -> bool {
        self.server.0 & self.client.0 & bit != 0
    }

    fn statement(&mut self, id: u32) -> Option<&mut Vec<Column>> {
        let id = if id == u32::MAX { self.last } else { id };
        self.statements.iter_mut().find(|(known, _)| *known == id).map(|(_, columns)| columns)
    }

    fn is_packed(&self, frame: u64) -> bool {
        matches!(self.packing, Packing::Active(since) if frame > since)
    }
}

const CAP_DATABASE: u64 = 0x0008;
const CAP_PACKS: u64 = 0x0020;
const CAP_41: u64 = 0x0200;
const CAP_TLS: u64 = 0x0800;
const CAP_SECRET: u64 = 0x8000;
const EXT_PLUGIN: u64 = 0x0008;
const EXT_ATTRIBUTES: u64 = 0x0010;
const EXT_TRACKS: u64 = 0x0080;
const EXT_NO_EOF: u64 = 0x0100;
const EXT_PACKS_ZSTD: u64 = 0x0400;
const EXT_QUERY_ATTRIBUTES: u64 = 0x0800;

fn length(cx: &Context<'_>, talk: &Talk, _: usize, bytes: &[u8]) -> Length {
    let packed = matches!(&talk.own, Own::Mysql(session) if session.is_packed(cx.number));
    match bytes {
        [a, b, c, ..] => {
            Length::Whole(4 + u32::from_le_bytes([*a, *b, *c, 0]) as usize + if packed { 3 } else { 0 })
        }
        _ => Length::More,
    }
}

fn show(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk, _: usize) -> Read {
    let mut own = match std::mem::take(&mut talk.own) {
        Own::Mysql(session) => session,
        _ => Box::default(),
    };
    let result = packet(cx, c, talk, &mut own);
    talk.own = Own::Mysql(own);
    result
}

fn packet(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk, session: &mut Session) -> Read {
    if session.is_packed(cx.number) {
        little(cx, c, &PACKED_LENGTH, 3)?;
        c.u8(cx, &PACKED_NUMBER)?;
        little(cx, c, &UNPACKED_LENGTH, 3)?;
    }
    little(cx, c, &LENGTH, 3)?;
    let number = c.u8(cx, &NUMBER)?;
    let to_server = SPOKEN.ports.contains(&cx.dst_port);
    let next = session.next;
    match (to_server, next) {
        (false, Next::Undefined) if number == 0 => greeting(cx, c, session)?,
        (false, _) => answer::show(cx, c, session)?,
        (true, Next::Login) if number == 1 => {
            login(cx, c, talk, session)?;
            if session.agreed(CAP_PACKS) {
                session.packing = Packing::Agreed(cx.number);
            }
        }
        (true, Next::SwitchResponse) => text_z(cx, c, &SWITCH_ANSWER),
        (true, _) => request::show(cx, c, session)?,
    }
    c.all(cx, &PAYLOAD);
    Ok(())
}

/// What a server says of itself.
fn greeting(cx: &mut Context<'_>, c: &mut Cursor<'_>, session: &mut Session) -> Read {
    if c.peek()? == 0xFF {
        c.skip(1)?;
        return answer::error(cx, c);
    }
    session.next = Next::Login;
    let body = c.take_most(usize::MAX);
    cx.within(&GREETING, body, |cx| welcome(cx, &mut body.cursor(), session))
}

fn welcome(cx: &mut Context<'_>, c: &mut Cursor<'_>, session: &mut Session) -> Read {
    c.u8(cx, &PROTOCOL)?;
    let text = c.rest();
    words(cx, c, &VERSION)?;
    // MariaDB says that it is 5.5.5, and then who it really is.
    session.maria_server = text.bytes.starts_with(b"5.5.5-");
    let major = text.bytes.iter().take_while(|byte| byte.is_ascii_digit());
    session.major =
        major.fold(0u32, |number, byte| number.wrapping_mul(10).wrapping_add(u32::from(byte - b'0')));
    little(cx, c, &THREAD, 4)?;
    words(cx, c, &SALT)?;
    if c.is_done() {
        return Ok(());
    }
    session.server.0 = little_bits(cx, c, &CAPS_SERVER, 2, &CAPS)?;
    // Nobody but MariaDB lacks the first capability.
    session.maria_server |= session.server.0 & 1 == 0;
    if c.is_done() {
        return Ok(());
    }
    c.u8(cx, if session.maria_server { &MARIA_LANGUAGE } else { &LANGUAGE })?;
    little_bits(cx, c, &STATUS, 2, &STATS)?;
    session.server.1 = little_bits(cx, c, &EXT_SERVER, 2, &EXTS)?;
    c.u8(cx, &PLUGIN_LENGTH)?;
    if session.maria_server {
        c.bytes(cx, &UNUSED, 6)?;
        session.maria.0 = little_bits(cx, c, &MARIA_SERVER, 4, &MARIAS)?;
    } else {
        c.bytes(cx, &UNUSED, 10)?;
    }
    for def in [&SALT2, &PLUGIN] {
        if !c.is_done() {
            words(cx, c, def)?;
        }
    }
    Ok(())
}

fn login(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk, session: &mut Session) -> Read {
    if session.client.0 & CAP_TLS == 0 && session.client.0 != 0 {
        session.next = Next::Ok;
    }
    let body = c.take_most(usize::MAX);
    cx.within(&LOGIN, body, |cx| who(cx, &mut body.cursor(), talk, session))
}

/// Who logs in.
fn who(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk, session: &mut Session) -> Read {
    session.client.0 = little_bits(cx, c, &CAPS_CLIENT, 2, &CAPS)?;
    session.maria_client = session.client.0 & 1 == 0;
    if session.client.0 & CAP_TLS != 0 {
        talk.inner = App::Tls(Box::default());
    }
    if session.client.0 & CAP_41 != 0 {
        session.client.1 = little_bits(cx, c, &EXT_CLIENT, 2, &EXTS)?;
        little(cx, c, &MAX_PACKET, 4)?;
        c.u8(cx, if session.maria_server { &MARIA_CHARSET } else { &CHARSET })?;
        if session.maria_client {
            c.bytes(cx, &UNUSED, 19)?;
            session.maria.1 = little_bits(cx, c, &MARIA_CLIENT, 4, &MARIAS)?;
        } else {
            c.bytes(cx, &UNUSED, 23)?;
        }
    } else {
        little(cx, c, &MAX_PACKET, 3)?;
    }
    text_z(cx, c, &USER);
    if c.is_done() {
        return Ok(());
    }
    let secret = secret_length(c, session)?;
    if secret > 1 {
        c.bytes(cx, &PASSWORD, secret)?;
    } else {
        c.skip(secret)?;
    }
    if session.client.0 & CAP_DATABASE != 0 {
        text_z(cx, c, &SCHEMA);
    }
    if session.client.1 & EXT_PLUGIN != 0 {
        session.next = Next::SwitchRequest;
        text_z(cx, c, &CLIENT_PLUGIN);
    }
    if session.client.1 & EXT_ATTRIBUTES != 0 && !c.is_done() {
        session::attributes(cx, c)?;
    }
    if session.client.1 & EXT_PACKS_ZSTD != 0 {
        c.u8(cx, &ZSTD_LEVEL)?;
    }
    Ok(())
}

/// How long the password is: a length says so, or a zero ends it.
fn secret_length(c: &mut Cursor<'_>, session: &Session) -> Read<usize> {
    if session.client.0 & CAP_SECRET != 0 {
        let len = c.peek()?;
        c.skip(1)?;
        return Ok(usize::from(len));
    }
    Ok(length_z(c.rest().bytes))
}

/// How long words are that a zero or the packet ends; with the zero.
fn length_z(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == 0).map_or(bytes.len(), |end| end + 1)
}

/// Words, or bytes, that a zero or the packet ends.
fn text_z(cx: &mut Context<'_>, c: &mut Cursor<'_>, def: &'static FieldDef) {
    let whole = c.take_most(length_z(c.rest().bytes));
    if def.kind == crate::field::Kind::Text && whole.bytes.last() == Some(&0) {
        cx.add_slice(def, whole, 0, whole.len() - 1);
    } else {
        cx.add(def, whole, 0, whole.len(), 0);
    }
}

/// A number in one to nine bytes, after which its bytes are told: where they are and how many. `None`: a null.
fn lenenc(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read<Option<u64>> {
    let first = c.u8(cx, &session::PREFIX)?;
    let size = match first {
        251 => return Ok(None),
        252 => 2,
        253 => 3,
        254 => 8,
        _ => {
            c.pos -= 1;
            1
        }
    };
    little(cx, c, &session::LENGTH, size).map(Some)
}

/// The same with a name; nothing counts as 0.
fn counted(cx: &mut Context<'_>, c: &mut Cursor<'_>, def: &'static FieldDef) -> Read<u64> {
    let begins = c.pos;
    let number = lenenc(cx, c)?.unwrap_or(0);
    cx.add(def, c.data, begins, c.pos - begins, number);
    Ok(number)
}

/// A length and so many characters.
fn string(cx: &mut Context<'_>, c: &mut Cursor<'_>, def: &'static FieldDef) -> Read {
    match lenenc(cx, c)? {
        None => cx.conclude_words(def, b"NULL"),
        Some(len) => {
            let taken = c.take(usize::try_from(len).map_err(|_| Short)?)?;
            cx.add(def, taken, 0, taken.len(), 0);
        }
    }
    Ok(())
}
