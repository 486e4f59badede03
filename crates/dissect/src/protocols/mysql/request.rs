//! Commands, and the replication that some of them begin.

use super::value;
use super::*;
use crate::field::Names;
use crate::table::{Step::*, walk};

static COMMAND_NAMES: Names = &[
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

protocol! { COMMANDS "mysql" "MySQL" "MySQL Protocol";
    REQUEST: none "mysql.request" "Request Command";
    COMMAND: u8 "mysql.command" "Command", names(COMMAND_NAMES);
    QUERY: text "mysql.query" "Statement";
    STATEMENT: u32 "mysql.stmt_id" "Statement ID";
    QUERY_ATTRS: none "mysql.query_attrs" "Query Attributes";
    QUERY_ATTRS_COUNT: u8 "mysql.query_attrs_count" "Count";
    QUERY_ATTRS_TYPES: bool "mysql.query_attrs_send_types_to_server" "Send types to server";
    QUERY_ATTR_TYPE: u16 "mysql.query_attr_name_type" "Attribute Name Type";
    QUERY_ATTR_NAME: text "mysql.query_attr_name" "Attribute Name";
    QUERY_ATTR_VALUE: text "mysql.query_attr_value" "Attribute Value";
    TABLE_NAME: text "mysql.table_name" "Table Name";
    REFRESH: u8 "mysql.refresh" "Refresh Option", hex;
    REFRESH_GRANTS: bool "mysql.rfsh.grants" "reload permissions", mask(0x01);
    REFRESH_LOG: bool "mysql.rfsh.log" "flush logfiles", mask(0x02);
    REFRESH_TABLES: bool "mysql.rfsh.tables" "flush tables", mask(0x04);
    REFRESH_HOSTS: bool "mysql.rfsh.hosts" "flush hosts", mask(0x08);
    REFRESH_STATUS: bool "mysql.rfsh.status" "reset statistics", mask(0x10);
    REFRESH_THREADS: bool "mysql.rfsh.threads" "empty thread cache", mask(0x20);
    REFRESH_SLAVE: bool "mysql.rfsh.slave" "flush slave status", mask(0x40);
    REFRESH_MASTER: bool "mysql.rfsh.master" "flush master status", mask(0x80);
    SHUTDOWN: u8 "mysql.shutdown" "Shutdown Level";
    OPTION: u16 "mysql.option" "Option";
    PARAMETER_NUMBER: u16 "mysql.param" "Parameter";
    PARAMETERS: u16 "mysql.num_params" "Number of parameter";
    ROWS: u32 "mysql.num_rows" "Rows to fetch";
    EXEC_FLAGS: u8 "mysql.exec_flags" "Flags";
    EXEC_ITERATIONS: u32 "mysql.exec_iter" "Iterations (unused)";
    EXEC_BOUND: u8 "mysql.new_parameter_bound_flag" "New parameter bound flag";
    BULK_FLAGS: u16 "mariadb.bulk.flags" "MariaDB Bulk Capabilities", hex;
    BULK_AUTO_ID: bool "mariadb.bulk.flag.autoid" "Return Generated Autoincrement IDs", mask(0x40);
    BULK_SEND_TYPES: bool "mariadb.bulk.flag.sendtypes" "Send Parameter Types", mask(0x80);
    BULK_TYPES: none "mariadb.bulk.paramtypesg" "Bulk Parameter Types";
    BULK_INDICATOR: u8 "mariadb.bulk.indicators" "Indicator";
    BULK_ROW: u32 "mariadb.bulk.row_nr" "Row nr";
    BINLOG_POSITION: u32 "mysql.binlog.position" "Binlog Position";
    BINLOG_FLAGS: u16 "mysql.binlog.flags" "Binlog Flags", hex;
    BINLOG_SERVER: u32 "mysql.binlog.server_id" "Binlog server id";
    BINLOG_FILE: text "mysql.binlog.file_name" "Binlog file name";
    SLAVE_HOST_LENGTH: u8 "mysql.binlog.slave_hostname_length" "Slave hostname length";
    SLAVE_HOST: text "mysql.binlog.slave_hostname" "Slave hostname";
    SLAVE_USER_LENGTH: u8 "mysql.binlog.slave_user_length" "Slave user length";
    SLAVE_USER: text "mysql.binlog.slave_user" "Slave user";
    SLAVE_PASSWORD_LENGTH: u8 "mysql.binlog.slave_password_length" "Slave password length";
    SLAVE_PASSWORD: text "mysql.binlog.slave_password" "Slave password";
    SLAVE_PORT: u16 "mysql.binlog.slave_mysql_port" "Slave MySQL port";
    SLAVE_RANK: u32 "mysql.binlog.replication_rank" "Replication rank";
    MASTER: u32 "mysql.binlog.master_id" "Master id";
    EVENT_TIME: absolute "mysql.binlog.event_header.timestamp" "Timestamp";
    EVENT_TYPE: u8 "mysql.binlog.event_header.event_type" "Binlog Event Type";
    EVENT_SERVER: u32 "mysql.binlog.event_header.server_id" "Server ID";
    EVENT_SIZE: u32 "mysql.binlog.event_header.event_size" "Event Size";
    EVENT_POSITION: u32 "mysql.binlog.event_header.log_position" "Binlog Position";
    EVENT_FLAGS: u16 "mysql.binlog.event_header.flags" "Binlog Event Flags", hex;
    EVENT_CHECKSUM: u32 "mysql.binlog.event_checksum" "Checksum", hex;
}

static REFRESHES: [&FieldDef; 8] = [
    &REFRESH_GRANTS,
    &REFRESH_LOG,
    &REFRESH_TABLES,
    &REFRESH_HOSTS,
    &REFRESH_STATUS,
    &REFRESH_THREADS,
    &REFRESH_SLAVE,
    &REFRESH_MASTER,
];

pub(super) fn show(cx: &mut Context<'_>, c: &mut Cursor<'_>, session: &mut Session) -> Read {
    let body = c.rest();
    let mut inner = body.cursor();
    let result = cx.within(&REQUEST, body, |cx| command(cx, &mut inner, session));
    c.pos += inner.pos;
    result
}

fn command(cx: &mut Context<'_>, c: &mut Cursor<'_>, session: &mut Session) -> Read {
    let command = c.u8(cx, &COMMAND)?;
    session.is_binary = matches!(command, 23 | 28);
    // While a statement is prepared, others may be sent already.
    let piped = session.next == Next::Prepare;
    let mut next = match command {
        1 => return Ok(()),
        3 | 10 | 28 => Next::Tabular,
        4 => Next::ShownFields,
        9 => Next::Message,
        18 | 30 => Next::Binlog,
        21 | 25 => Next::Request,
        22 => Next::Prepare,
        23 => {
            if piped {
                Next::Prepare
            } else {
                Next::Tabular
            }
        }
        24 | 250 => {
            if piped {
                Next::Prepare
            } else {
                Next::Request
            }
        }
        2 | 5..=8 | 12 | 13 | 14 | 17 | 26 | 27 => Next::Ok,
        _ => Next::Undefined,
    };
    match command {
        2 | 5 | 6 => text_z(cx, c, &SCHEMA),
        3 => {
            if session.server.1 & session.client.1 & EXT_QUERY_ATTRIBUTES != 0 {
                query_attributes(cx, c)?;
            }
            text_z(cx, c, &QUERY);
        }
        4 => text_z(cx, c, &TABLE_NAME),
        7 => drop(c.bits(cx, &REFRESH, 1, &REFRESHES)?),
        8 => drop(c.u8(cx, &SHUTDOWN)?),
        12 => drop(little(cx, c, &THREAD, 4)?),
        17 => {
            session.next = next;
            change_user(cx, c, session)?;
            next = session.next;
        }
        18 | 30 => {
            walk(cx, c, &[Le(&BINLOG_POSITION), Is(&BINLOG_FLAGS), Le(&BINLOG_SERVER)])?;
            c.all(cx, &BINLOG_FILE);
        }
        21 => register(cx, c)?,
        22 => text_z(cx, c, &QUERY),
        23 => execute(cx, c, session)?,
        24 => long_data(cx, c, session)?,
        25 | 26 => drop(little(cx, c, &STATEMENT, 4)?),
        27 => drop(little(cx, c, &OPTION, 2)?),
        28 => walk(cx, c, &[Le(&STATEMENT), Le(&ROWS)])?,
        250 => bulk(cx, c, session)?,
        9 | 10 | 13 | 14 => {}
        _ => {
            let rest = c.take_most(usize::MAX);
            cx.add(&PAYLOAD, rest, 0, rest.len(), 0);
        }
    }
    session.next = next;
    Ok(())
}

fn query_attributes(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let rest = c.rest();
    cx.within(&QUERY_ATTRS, rest, |cx| {
        let count = usize::from(c.u8(cx, &QUERY_ATTRS_COUNT)?);
        c.skip(1)?;
        if count == 0 {
            return Ok(());
        }
        c.bytes(cx, &UNUSED, count.div_ceil(8))?;
        c.u8(cx, &QUERY_ATTRS_TYPES)?;
        for _ in 0..count {
            c.u16(cx, &QUERY_ATTR_TYPE)?;
            string(cx, c, &QUERY_ATTR_NAME)?;
        }
        (0..count).try_for_each(|_| string(cx, c, &QUERY_ATTR_VALUE))
    })
}

fn change_user(cx: &mut Context<'_>, c: &mut Cursor<'_>, session: &mut Session) -> Read {
    words(cx, c, &USER)?;
    let secret = secret_length(c, session)?;
    c.bytes(cx, &PASSWORD, secret)?;
    text_z(cx, c, &SCHEMA);
    if !c.is_done() {
        c.u8(cx, if session.maria_server { &MARIA_CHARSET } else { &CHARSET })?;
        c.skip(1)?;
    }
    if session.client.1 & EXT_PLUGIN != 0 {
        session.next = Next::SwitchRequest;
        text_z(cx, c, &CLIENT_PLUGIN);
    }
    if session.client.1 & EXT_ATTRIBUTES != 0 { session::attributes(cx, c) } else { Ok(()) }
}

fn register(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    walk(
        cx,
        c,
        &[
            Le(&BINLOG_SERVER),
            Counted(&SLAVE_HOST_LENGTH, &SLAVE_HOST),
            Counted(&SLAVE_USER_LENGTH, &SLAVE_USER),
            Counted(&SLAVE_PASSWORD_LENGTH, &SLAVE_PASSWORD),
            Le(&SLAVE_PORT),
            Le(&SLAVE_RANK),
            Le(&MASTER),
        ],
    )
}

/// The parameter is sent by itself: its value does not follow when the statement is executed.
const STREAMED: u16 = 1;

fn long_data(cx: &mut Context<'_>, c: &mut Cursor<'_>, session: &mut Session) -> Read {
    let id = little(cx, c, &STATEMENT, 4)? as u32;
    let parameter = little(cx, c, &PARAMETER_NUMBER, 2)? as usize;
    if let Some((_, flags)) = session.statement(id).and_then(|columns| columns.get_mut(parameter)) {
        *flags |= STREAMED;
    }
    c.all(cx, &PAYLOAD);
    Ok(())
}

fn execute(cx: &mut Context<'_>, c: &mut Cursor<'_>, session: &mut Session) -> Read {
    let id = little(cx, c, &STATEMENT, 4)? as u32;
    walk(cx, c, &[Is(&EXEC_FLAGS), Le(&EXEC_ITERATIONS)])?;
    let Some(parameters) = session.statement(id) else {
        c.all(cx, &PAYLOAD);
        return Ok(());
    };
    if parameters.is_empty() {
        return Ok(());
    }
    c.skip(parameters.len().div_ceil(8))?;
    if c.u8(cx, &EXEC_BOUND)? != 1 {
        return Ok(());
    }
    let types = c.take(parameters.len() * 2)?;
    let mut types = types.cursor();
    for (_, flags) in parameters.iter() {
        let whole = types.rest().first(2);
        let found = cx.within(&value::PARAMETER, whole, |cx| {
            let kind = types.u8(cx, &FIELD_TYPE)?;
            let unsigned = types.u8(cx, &value::UNSIGNED)? & 0x80 != 0;
            if flags & STREAMED != 0 { Ok(true) } else { value::show(cx, c, kind, unsigned) }
        })?;
        if !found {
            break;
        }
    }
    Ok(())
}

/// MariaDB's way to execute a statement many times.
fn bulk(cx: &mut Context<'_>, c: &mut Cursor<'_>, session: &mut Session) -> Read {
    let id = little(cx, c, &STATEMENT, 4)? as u32;
    let Some(parameters) = session.statement(id) else { return Ok(()) };
    let flags = little_bits(cx, c, &BULK_FLAGS, 2, &[&BULK_AUTO_ID, &BULK_SEND_TYPES])?;
    if parameters.is_empty() {
        return Ok(());
    }
    if flags & 0x80 != 0 {
        let rest = c.rest();
        cx.within(&BULK_TYPES, rest, |cx| {
            for parameter in parameters.iter_mut() {
                let kind = c.u8(cx, &FIELD_TYPE)?;
                *parameter = (kind, u16::from(c.u8(cx, &value::UNSIGNED)?));
            }
            Ok(())
        })?;
    }
    let mut row = 1;
    while !c.is_done() {
        cx.conclude(&BULK_ROW, row);
        row += 1;
        cx.depth += 1;
        for (kind, _) in parameters.iter() {
            if c.u8(cx, &BULK_INDICATOR)? == 0 {
                value::show(cx, c, *kind, false)?;
            }
        }
        cx.depth -= 1;
    }
    Ok(())
}

/// An event of the binary log.
pub(super) fn event(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let bytes = c.rest().bytes.first_chunk().ok_or(Short)?;
    let seconds = u64::from(u32::from_le_bytes(*bytes));
    cx.add(&EVENT_TIME, c.data, c.pos, 4, seconds * 1_000_000_000);
    c.skip(4)?;
    walk(
        cx,
        c,
        &[Is(&EVENT_TYPE), Le(&EVENT_SERVER), Le(&EVENT_SIZE), Le(&EVENT_POSITION), Le(&EVENT_FLAGS)],
    )?;
    c.skip(c.left().checked_sub(4).ok_or(Short)?)?;
    little(cx, c, &EVENT_CHECKSUM, 4).map(drop)
}
