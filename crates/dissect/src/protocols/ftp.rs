//! FTP (RFC 959, 2428): commands and responses; and the connections that carry files, which they announce.

use super::ports::App;
use super::spoken::{Length, Own, Spoken, Talk};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read};
use crate::field::protocol;
use crate::streams::table::End;
use crate::table::{digits, line_or_rest, split};
use std::net::{IpAddr, Ipv4Addr};

protocol! { FTP "ftp" "FTP" "File Transfer Protocol (FTP)";
    REQUEST: bool "ftp.request" "Request";
    RESPONSE: bool "ftp.response" "Response";
    COMMAND: text "ftp.request.command" "Request command";
    ARGUMENT: text "ftp.request.arg" "Request arg";
    CODE: u32 "ftp.response.code" "Response code";
    RESPONSE_ARGUMENT: text "ftp.response.arg" "Response arg";
    PASSIVE_IP: ipv4 "ftp.passive.ip" "Passive IP address";
    PASSIVE_PORT: u16 "ftp.passive.port" "Passive port";
    ACTIVE_IP: ipv4 "ftp.active.cip" "Active IP address";
    ACTIVE_PORT: u16 "ftp.active.port" "Active port";
    EPSV_IP: ipv4 "ftp.epsv.ip" "Extended passive IPv4 address";
    EPSV_IPV6: ipv6 "ftp.epsv.ipv6" "Extended passive IPv6 address";
    EPSV_PORT: u16 "ftp.epsv.port" "Extended passive port";
    EPRT_FAMILY: u8 "ftp.eprt.af" "Extended active address family";
    EPRT_IP: ipv4 "ftp.eprt.ip" "Extended active IP address";
    EPRT_PORT: u16 "ftp.eprt.port" "Extended active port";
}
protocol! { FTP_DATA "ftp-data" "FTP-DATA" "FTP Data";
    SETUP_FRAME: frame "ftp-data.setup-frame" "Setup frame";
    SETUP_METHOD: text "ftp-data.setup-method" "Setup method";
    FILE_COMMAND: text "ftp-data.command" "Command";
    FILE_COMMAND_FRAME: frame "ftp-data.command-frame" "Command frame";
}

/// A connection that was announced for a file.
#[derive(Clone, Debug)]
pub(crate) struct Announced {
    /// The port it comes from, if that is known.
    pub(crate) from: Option<u16>,
    frame: u64,
    method: &'static str,
    /// The first command after that, and its frame.
    command: Option<(Box<[u8]>, u64)>,
}

/// Of a longer command the beginning is remembered.
const COMMAND_MAX: usize = 300;

pub(crate) static SPOKEN: Spoken =
    Spoken { protocol: &FTP, ports: &[21], eager: false, begins: None, length, show };

/// The lines of a segment are shown together; Wireshark does not wait for the end of one.
fn length(_: &Context<'_>, _: &Talk, _: usize, bytes: &[u8]) -> Length {
    Length::Whole(bytes.len())
}

fn show(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk, _: usize) -> Read {
    let whole = c.take_most(usize::MAX);
    let is_request = SPOKEN.ports.contains(&cx.dst_port);
    cx.hide(&REQUEST, whole, 0, 0, u64::from(is_request));
    cx.hide(&RESPONSE, whole, 0, 0, u64::from(!is_request));
    // As in Wireshark, further lines of a segment are read by people only.
    let (text, _) = line_or_rest(&whole);
    let announced = if is_request { request(cx, text) } else { response(cx, text) };
    match announced.or_else(|| announced_later(cx, whole, is_request)) {
        Some(end) => talk.own = Own::Ftp(end),
        None if is_request => belongs(cx, talk, text),
        None => {}
    }
    // The server agrees to TLS (RFC 4217).
    if !is_request && whole.bytes.starts_with(b"234") {
        talk.inner = App::Tls(Box::default());
    }
    Ok(())
}

/// A command that may be what an announced connection is for.
fn belongs(cx: &mut Context<'_>, talk: &Talk, text: Data<'_>) {
    let Own::Ftp(end) = &talk.own else { return };
    let number = cx.number;
    if let Some(file) = cx.state.announced.get_mut(end) {
        file.command.get_or_insert_with(|| (text.first(COMMAND_MAX).bytes.into(), number));
    }
}

/// What the further lines announce counts, too, without being shown.
fn announced_later(cx: &mut Context<'_>, whole: Data<'_>, is_request: bool) -> Option<End> {
    let mut announced = None;
    let (fields, text) = (cx.arena.fields.len(), cx.arena.text.len());
    let mut rest = whole;
    let mut first = true;
    while !rest.is_empty() {
        let (line, used) = line_or_rest(&rest);
        rest = rest.from(used);
        if std::mem::take(&mut first) {
            continue;
        }
        announced = match (is_request, line.bytes.get(..4)) {
            (true, Some(b"PORT" | b"EPRT")) => request(cx, line),
            (false, Some(b"227 " | b"229 ")) => response(cx, line),
            _ => None,
        }
        .or(announced);
    }
    cx.arena.fields.truncate(fields);
    cx.arena.text.truncate(text);
    announced
}

/// Shows a command. Gives the connection that it announces.
fn request(cx: &mut Context<'_>, text: Data<'_>) -> Option<End> {
    let (command, argument) = split(text, b' ');
    if !command.is_empty() {
        cx.add(&COMMAND, command, 0, command.len(), 0);
    }
    if !argument.is_empty() {
        cx.add(&ARGUMENT, argument, 0, argument.len(), 0);
    }
    if command.bytes == b"PORT" {
        if let Some((ip, port)) = six_numbers(argument.bytes) {
            cx.add(&ACTIVE_IP, argument, 0, argument.len(), u64::from(ip));
            cx.add(&ACTIVE_PORT, argument, 0, argument.len(), u64::from(port));
            return Some(announce(cx, IpAddr::V4(Ipv4Addr::from_bits(ip)), port, Some(ACTIVE_FROM), "PORT"));
        }
    } else if command.bytes == b"EPRT" {
        let parts: Vec<&[u8]> = argument.bytes.split(|byte| *byte == b'|').collect();
        if let [_, family, address, port, ..] = parts[..] {
            let address = std::str::from_utf8(address).ok().and_then(|text| text.parse::<IpAddr>().ok());
            let port = digits(port);
            cx.add(&EPRT_FAMILY, argument, 0, argument.len(), digits(family));
            if let Some(IpAddr::V4(ip)) = address {
                cx.add(&EPRT_IP, argument, 0, argument.len(), u64::from(ip.to_bits()));
            }
            cx.add(&EPRT_PORT, argument, 0, argument.len(), port);
            // Wireshark 4.0 does not expect the connection that is announced so over IPv6.
            if let Some(address @ IpAddr::V4(_)) = address {
                return Some(announce(cx, address, port as u16, None, "EPRT"));
            }
        }
    }
    None
}

/// The same for a response.
fn response(cx: &mut Context<'_>, text: Data<'_>) -> Option<End> {
    let code = text.first(3);
    let has_code = code.len() == 3 && code.bytes.iter().all(u8::is_ascii_digit);
    if !has_code {
        cx.add(&RESPONSE_ARGUMENT, text, 0, text.len(), 0);
        return None;
    }
    let number = digits(code.bytes);
    cx.add(&CODE, code, 0, 3, number);
    let argument = text.from(4);
    if !argument.is_empty() {
        cx.add(&RESPONSE_ARGUMENT, argument, 0, argument.len(), 0);
    }
    match number {
        227 => passive(cx, argument),
        229 => extended_passive(cx, argument),
        _ => None,
    }
}

fn passive(cx: &mut Context<'_>, text: Data<'_>) -> Option<End> {
    let at = text.bytes.iter().position(u8::is_ascii_digit)?;
    let numbers = text.from(at);
    let len = numbers.bytes.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b',').count();
    let (ip, port) = six_numbers(&numbers.bytes[..len])?;
    cx.add(&PASSIVE_IP, numbers, 0, len, u64::from(ip));
    cx.add(&PASSIVE_PORT, numbers, 0, len, u64::from(port));
    Some(announce(cx, IpAddr::V4(Ipv4Addr::from_bits(ip)), port, None, "PASV"))
}

fn extended_passive(cx: &mut Context<'_>, text: Data<'_>) -> Option<End> {
    let at = text.bytes.windows(3).position(|bars| bars == b"|||")?;
    let number = text.from(at + 3);
    let len = number.bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let server = cx.src;
    match server {
        IpAddr::V4(ip) => cx.conclude(&EPSV_IP, u64::from(ip.to_bits())),
        IpAddr::V6(ip) => cx.conclude_words(&EPSV_IPV6, &ip.octets()),
    }
    let port = digits(number.bytes) as u16;
    cx.add(&EPSV_PORT, number, 0, len, u64::from(port));
    Some(announce(cx, server, port, None, "EPASV"))
}

/// `127,0,0,1,200,13`.
fn six_numbers(text: &[u8]) -> Option<(u32, u16)> {
    let mut numbers = [0u8; 6];
    let mut parts = text.split(|byte| *byte == b',');
    for number in &mut numbers {
        *number = u8::try_from(digits(parts.next()?)).ok()?;
    }
    let [a, b, c, d, high, low] = numbers;
    Some((u32::from_be_bytes([a, b, c, d]), u16::from_be_bytes([high, low])))
}

/// Where a server that connects to its client does it from (RFC 959 3.2).
const ACTIVE_FROM: u16 = 20;

/// Remembers where a file will be sent to, and from which port if that is known.
fn announce(
    cx: &mut Context<'_>,
    address: IpAddr,
    port: u16,
    from: Option<u16>,
    method: &'static str,
) -> End {
    let file = Announced { from, frame: cx.number, method, command: None };
    cx.state.announced.insert((address, port), file);
    (address, port)
}

/// So many bytes of a file tell whether it is text.
const LOOKED_AT: usize = 20;

/// What a file's connection carries.
pub(crate) fn transfer(cx: &mut Context<'_>, bytes: Data<'_>) {
    let ends = ((cx.src, cx.src_port), (cx.dst, cx.dst_port));
    let announced = &mut cx.state.announced;
    let end = if announced.get_mut(&ends.0).is_some() { ends.0 } else { ends.1 };
    let file = announced.get_mut(&end).cloned();
    // As in Wireshark: where nobody announced it, the connection's first segment did.
    let first = cx.state.tcp.flow(ends.0, ends.1).first_frame;
    cx.layer(&FTP_DATA, bytes, |cx, c| {
        cx.conclude(&SETUP_FRAME, file.as_ref().map_or(first, |file| file.frame));
        if let Some(file) = file {
            cx.conclude_words(&SETUP_METHOD, file.method.as_bytes());
            if let Some((command, frame)) = file.command {
                cx.conclude_words(&FILE_COMMAND, &command);
                cx.conclude(&FILE_COMMAND_FRAME, frame);
            }
        }
        c.skip(c.left())
    });
    // As in Wireshark: the first bytes tell whether it is text.
    let is_text = |byte: &u8| matches!(byte, b' '..=b'~' | b'\r' | b'\n');
    if bytes.bytes.iter().take(LOOKED_AT).all(is_text) {
        super::media::lines(cx, bytes);
    }
}

#[cfg(test)]
mod tests;
