//! Syslog (RFC 3164, 5424).

use crate::context::Context;
use crate::cursor::{Cursor, Data, Read};
use crate::field::{Names, protocol};
use crate::table::{digits, split};

static LEVELS: Names = &[
    (0, "EMERG - system is unusable"),
    (1, "ALERT - action must be taken immediately"),
    (2, "CRIT - critical conditions"),
    (3, "ERR - error conditions"),
    (4, "WARNING - warning conditions"),
    (5, "NOTICE - normal but significant condition"),
    (6, "INFO - informational"),
    (7, "DEBUG - debug-level messages"),
];
static FACILITIES: Names = &[
    (0, "KERN - kernel messages"),
    (1, "USER - random user-level messages"),
    (2, "MAIL - mail system"),
    (3, "DAEMON - system daemons"),
    (4, "AUTH - security/authorization messages"),
    (5, "SYSLOG - messages generated internally by syslogd"),
    (6, "LPR - line printer subsystem"),
    (7, "NEWS - network news subsystem"),
    (8, "UUCP - UUCP subsystem"),
    (9, "CRON - clock daemon (BSD, Linux)"),
    (10, "AUTHPRIV - security/authorization messages (private)"),
    (11, "FTP - ftp daemon"),
    (16, "LOCAL0 - reserved for local use"),
    (17, "LOCAL1 - reserved for local use"),
    (18, "LOCAL2 - reserved for local use"),
    (19, "LOCAL3 - reserved for local use"),
    (20, "LOCAL4 - reserved for local use"),
    (21, "LOCAL5 - reserved for local use"),
    (22, "LOCAL6 - reserved for local use"),
    (23, "LOCAL7 - reserved for local use"),
];

protocol! { SYSLOG "syslog" "Syslog" "Syslog Message";
    FACILITY: u8 "syslog.facility" "Facility", mask(0x3F8), names(FACILITIES);
    LEVEL: u8 "syslog.level" "Level", mask(0x07), names(LEVELS);
    MESSAGE: text "syslog.msg" "Message";
    VERSION: text "syslog.version" "Syslog version";
    TIME: absolute "syslog.timestamp" "Syslog timestamp";
    TIME_OLD: text "syslog.timestamp_rfc3164" "Syslog timestamp (RFC3164)";
    HOST: text "syslog.hostname" "Syslog hostname";
    APP: text "syslog.appname" "Syslog app name";
    PROCESS: text "syslog.procid" "Syslog process id";
    ID: text "syslog.msgid" "Syslog message id";
}

pub(crate) fn dissect(cx: &mut Context<'_>, message: Data<'_>) {
    cx.layer(&SYSLOG, message, body);
}

fn body(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let whole = c.take_most(usize::MAX);
    let mut text = whole;
    if whole.bytes.first() == Some(&b'<') {
        // Wireshark takes no digits for 0, and asks for no end.
        let count = whole.bytes[1..].iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
        let len = 1 + count + usize::from(whole.bytes.get(1 + count) == Some(&b'>'));
        let value = digits(whole.from(1).first(count).bytes);
        cx.add(&FACILITY, whole, 0, len, value >> 3);
        cx.add(&LEVEL, whole, 0, len, value & 7);
        text = whole.from(len);
    }
    cx.add(&MESSAGE, text, 0, text.len(), 0);
    cx.depth += 1;
    if text.bytes.starts_with(b"1 ") {
        modern(cx, text);
    } else {
        old(cx, text);
    }
    cx.depth -= 1;
    Ok(())
}

/// RFC 5424: words between spaces.
fn modern(cx: &mut Context<'_>, text: Data<'_>) {
    let (version, rest) = split(text, b' ');
    cx.add(&VERSION, version, 0, version.len(), 0);
    let (stamp, mut rest) = split(rest, b' ');
    if let Some(nanos) = moment(stamp.bytes) {
        cx.add(&TIME, stamp, 0, stamp.len(), nanos as u64);
    }
    for def in [&HOST, &APP, &PROCESS] {
        let (word, after) = split(rest, b' ');
        cx.add(def, word, 0, word.len(), 0);
        rest = after;
    }
    cx.add(&ID, rest, 0, rest.len(), 0);
}

/// `2026-11-21T10:11:17.043419+00:00` in nanoseconds since 1970.
fn moment(text: &[u8]) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to).map(|part| digits(part) as i64);
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let seconds = number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
    let mut rest = text.get(19..)?;
    let mut nanos = 0;
    if rest.first() == Some(&b'.') {
        let len = rest[1..].iter().take_while(|byte| byte.is_ascii_digit()).count().min(9);
        nanos = digits(&rest[1..1 + len]) as i64 * 10i64.pow(9 - len as u32);
        rest = &rest[1 + len..];
    }
    let offset = match rest {
        [sign @ (b'+' | b'-'), zone @ ..] if zone.len() >= 5 => {
            let minutes = digits(&zone[..2]) as i64 * 60 + digits(&zone[3..5]) as i64;
            if *sign == b'+' { minutes * 60 } else { -minutes * 60 }
        }
        _ => 0,
    };
    // Days since 1970 by the Gregorian calendar; years begin in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = year.div_euclid(400);
    let in_era = year.rem_euclid(400);
    let days =
        era * 146_097 + in_era * 365 + in_era / 4 - in_era / 100 + (153 * month + 2) / 5 + day - 1 - 719_468;
    (days * 86_400 + seconds - offset).checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// RFC 3164: `Nov 21 10:11:17 host process: words`.
fn old(cx: &mut Context<'_>, text: Data<'_>) {
    let stamp = text.first(15);
    let is_stamp = stamp.len() == 15
        && stamp.bytes[3] == b' '
        && stamp.bytes[6] == b' '
        && stamp.bytes[9] == b':'
        && stamp.bytes[12] == b':';
    if !is_stamp || text.bytes.get(15) != Some(&b' ') {
        return;
    }
    cx.add(&TIME_OLD, stamp, 0, 15, 0);
    let (host, rest) = split(text.from(16), b' ');
    cx.add(&HOST, host, 0, host.len(), 0);
    let name =
        rest.bytes.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(byte)).count();
    let process = rest.first(name);
    cx.add(&PROCESS, process, 0, process.len(), 0);
    let message = rest.from(name);
    cx.add(&ID, message, 0, message.len(), 0);
}
