//! The walk over a packet's tree: the messages above TCP and UDP.

use thru_dissect::{Field, Value};

use super::Transport;
use super::message::{Dns, Handshake, Http2, Message, Quic};
use super::records::ends_early;
use super::walk::Walk;

/// The extension `status_request` (RFC 6066 8).
const STATUS_REQUEST: u64 = 5;
/// The type of a message of its own, in which that comes up to TLS 1.2.
const CERTIFICATE_STATUS: u8 = 22;
/// Longer answers about a revocation are not read.
const STAPLE_MAX: usize = 16_384;
/// So many bytes of a body show how it is packed.
const SAMPLE_MAX: usize = 256;
/// The source of a body that was unpacked.
const UNPACKED: &str = "Uncompressed entity body";

impl Walk<'_, '_> {
    pub(super) fn dns(&mut self, name: &str, field: &Field) {
        if name == "dns.id" {
            let id = self.number(field) as u16;
            let over_udp = matches!(self.glance.transport, Transport::Udp(_));
            let ends_early = over_udp && ends_early(self.message.1);
            return self.push(Message::Dns(Dns { id, ends_early, ..Dns::default() }));
        }
        let (number, address) = (self.number(field), self.address(field));
        let words = match name {
            "dns.qry.name" | "dns.resp.name" | "dns.cname" => self.words(field).to_ascii_lowercase(),
            "dns.opt.ext_error.extra_text" => self.words(field),
            _ => String::new(),
        };
        let Some(Message::Dns(dns)) = self.glance.messages.last_mut() else { return };
        match name {
            "dns.flags.response" => dns.response = number != 0,
            "dns.flags.rcode" => dns.rcode = number as u16,
            "dns.flags.truncated" => dns.truncated = number != 0,
            "dns.flags.recdesired" => dns.recursion = number != 0,
            "dns.flags.checkdisable" => dns.unchecked = number != 0,
            "dns.count.answers" => dns.answers = number as u16,
            "dns.qry.name" if dns.name.is_empty() => dns.name = words,
            "dns.qry.type" if dns.kind == 0 => dns.kind = number as u16,
            "dns.resp.name" => dns.owner = words,
            "dns.a" | "dns.aaaa" => {
                // Glue for name servers is no answer to the question.
                let asked = dns.owner == dns.name || dns.aliases.iter().any(|(_, to)| *to == dns.owner);
                if asked && dns.addresses.len() < 64 {
                    dns.addresses.extend(address);
                }
            }
            "dns.cname" if dns.aliases.len() < 64 => dns.aliases.push((dns.owner.clone(), words)),
            "dns.opt.ext_error.info_code" if dns.extended.len() < 16 => dns.extended.push(number as u16),
            "dns.opt.ext_error.extra_text" if dns.extended_says.len() < 16 => dns.extended_says.push(words),
            "dns.soa.mname" => dns.has_soa = true,
            "dns.rr.udp_payload_size" => dns.edns = true,
            _ => {}
        }
    }

    pub(super) fn tls(&mut self, name: &str, field: &Field) {
        let number = self.number(field);
        if field.source > 0 && matches!(name, "tls.handshake" | "tls.alert_message") {
            self.told_sources |= 1u128.checked_shl(u32::from(field.source)).unwrap_or(0);
        }
        match name {
            "tls.record.content_type" if field.is_generated() => {
                if let Some(Message::Record { inner, .. }) = self.glance.messages.last_mut() {
                    *inner = Some(number as u8);
                }
                return;
            }
            "tls.record.content_type" | "tls.record.opaque_type" => {
                return self.push(Message::Record { kind: number as u8, len: 0, inner: None });
            }
            "tls.record.length" => {
                if let Some(Message::Record { len, .. }) = self.glance.messages.last_mut() {
                    *len = number as u16;
                }
                return;
            }
            "tls.handshake" => {
                self.message = (field.start, self.tree.bytes(field));
                return;
            }
            "tls.handshake.type" => {
                let kind = number as u8;
                let body = self.message.1.get(4..).unwrap_or_default();
                let staple = staple(body).filter(|_| kind == CERTIFICATE_STATUS);
                return self.push(Message::Handshake(Handshake { kind, staple, ..Handshake::default() }));
            }
            "tls.alert_message.level" => return self.push(Message::Alert(0)),
            "tls.alert_message.desc" => {
                if let Some(Message::Alert(desc)) = self.glance.messages.last_mut() {
                    *desc = number as u8;
                }
                return;
            }
            _ => {}
        }
        let words = match name {
            "tls.handshake.extensions_server_name" | "tls.handshake.extensions_alpn_str" => self.words(field),
            _ => String::new(),
        };
        let der = if name == "tls.handshake.certificate" { self.tree.bytes(field) } else { &[] };
        // What an extension holds follows its length.
        let (start, whole) = self.message;
        let held =
            field.start.checked_sub(start).and_then(|at| whole.get(at as usize + 2..)).unwrap_or_default();
        let Some(Message::Handshake(message)) = self.glance.messages.last_mut() else { return };
        match name {
            "tls.handshake.version" => message.version = number as u16,
            "tls.handshake.extensions.supported_version" => message.versions.push(number as u16),
            "tls.handshake.ciphersuite" if message.kind == 2 => message.suite = Some(number as u16),
            "tls.handshake.extensions_server_name" => message.server_name = Some(words.to_ascii_lowercase()),
            "tls.handshake.extensions_alpn_str" => message.alpn.push(words),
            "tls.handshake.extension.type" => {
                message.extension = number;
                message.status |= number == STATUS_REQUEST;
            }
            // Each certificate may have its own; the first is the server's (RFC 8446 4.4.2.1).
            "tls.handshake.extension.len"
                if (message.kind, message.extension) == (11, STATUS_REQUEST)
                    && message.certificates.len() == 1 =>
            {
                message.staple = held.get(..number as usize).and_then(staple);
            }
            "tls.handshake.certificate" if message.certificates.len() < 16 => {
                message.certificates.push(der.to_vec());
            }
            _ => {}
        }
    }

    pub(super) fn dhcp(&mut self, name: &str, field: &Field) {
        let number = self.number(field);
        match name {
            "dhcp.id" => self.push(Message::Dhcp { kind: 0, id: number as u32, client: None }),
            "dhcp.hw.mac_addr" => {
                if let (Some(Message::Dhcp { client, .. }), Value::Ether(mac)) =
                    (self.glance.messages.last_mut(), self.tree.value(field))
                {
                    client.get_or_insert(mac);
                }
            }
            "dhcp.option.dhcp" => {
                if let Some(Message::Dhcp { kind, .. }) = self.glance.messages.last_mut() {
                    *kind = number as u8;
                }
            }
            _ => {}
        }
    }

    pub(super) fn quic(&mut self, name: &str, field: &Field) {
        let number = self.number(field);
        if name == "quic.header_form" {
            return self.push(Message::Quic(Quic::default()));
        }
        let last = self.glance.messages.iter_mut().rev().find_map(|message| match message {
            Message::Quic(quic) => Some(quic),
            _ => None,
        });
        let Some(quic) = last else { return };
        match name {
            "quic.version" => quic.version = number as u32,
            "quic.long.packet_type" => quic.long = Some(number as u8),
            // Version 2 counts the types from another start (RFC 9369 3.2).
            "quic.long.packet_type_v2" => quic.long = Some((number as u8 + 3) % 4),
            "quic.cc.error_code" | "quic.cc.error_code.app" => quic.closes = Some(number),
            "quic.cc.error_code.tls_alert" => quic.alert = Some(number as u8),
            "quic.supported_version" => quic.versions_offered = true,
            // A request that is given up: streams of other kinds carry none (RFC 9000 2.1).
            "quic.rsts.stream_id" if number.is_multiple_of(4) => {
                self.push(Message::Http2(Http2 { is_3: true, resets: true, ..Http2::default() }));
            }
            "quic.rsts.application_error_code" => {
                if let Some(Message::Http2(http3)) = self.glance.messages.last_mut()
                    && http3.resets
                {
                    http3.error = Some(number);
                }
            }
            _ => {}
        }
    }

    pub(super) fn http2(&mut self, name: &str, field: &Field) {
        let number = self.number(field);
        let is_3 = name.starts_with("http3.");
        let Some((_, rest)) = name.split_once('.') else { return };
        if rest == if is_3 { "frame_type" } else { "length" } {
            let len = if is_3 { 0 } else { number };
            return self.push(Message::Http2(Http2 { is_3, len, ..Http2::default() }));
        }
        let words = if rest.starts_with("header") { self.words(field) } else { String::new() };
        // What was unpacked already tells nothing of how it was packed.
        let source = usize::from(field.source).checked_sub(1).and_then(|at| self.tree.sources().get(at));
        let unpacked = source.is_some_and(|source| source.name == UNPACKED);
        let sample = if rest.starts_with("data") && !unpacked { self.tree.bytes(field) } else { &[] };
        let sample = sample[..sample.len().min(SAMPLE_MAX)].to_vec();
        let last = self.glance.messages.iter_mut().rev().find_map(|message| match message {
            Message::Http2(http2) => Some(http2),
            _ => None,
        });
        let Some(message) = last else { return };
        match rest {
            "streamid" => message.stream = number,
            "flags.end_stream" => message.ends = number != 0,
            // At a stream's end its body is shown once more, as a whole: what each frame brings is what counts.
            "type" if number == 0 => message.data = message.len,
            "data.data" | "data" => {
                message.data += if is_3 { u64::from(field.len) } else { 0 };
                if message.sample.is_empty() {
                    message.sample = sample;
                }
            }
            "rst_stream.error" => (message.resets, message.error) = (true, Some(number)),
            "goaway.last_stream_id" => message.goes_away = Some((0, number)),
            "goaway.error" => {
                let last = message.goes_away.map_or(0, |(_, last)| last);
                message.goes_away = Some((number, last));
            }
            "headers.status" => {
                message.status = if number > 0 { Some(number as u16) } else { words.parse().ok() };
            }
            "headers.method" => message.method = Some(words),
            "headers.authority" => message.authority = Some(words),
            "headers.path" => message.path = Some(words),
            "header.name" | "headers.header.name" if message.headers.len() < 100 => {
                message.headers.push((words.to_ascii_lowercase(), String::new()));
            }
            "header.value" | "headers.header.value" => {
                if let Some((_, value)) = message.headers.last_mut() {
                    *value = words;
                }
            }
            _ => {}
        }
    }
}

/// The answer of an OCSP responder within a certificate's status (RFC 6066 8): a type, and a length of three octets.
fn staple(status: &[u8]) -> Option<Vec<u8>> {
    let (&[1, a, b, c], rest) = status.split_first_chunk()? else { return None };
    let len = u32::from_be_bytes([0, a, b, c]) as usize;
    rest.get(..len).filter(|answer| answer.len() <= STAPLE_MAX).map(<[u8]>::to_vec)
}
