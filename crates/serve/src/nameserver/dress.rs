//! EDNS options that belong to the transport: how long a connection may idle, and padding.

use thru_names::wire::Packet;

use super::Transport;
use super::streams::IDLE;

/// How long an idle connection lives (RFC 7828).
const KEEPALIVE: u16 = 11;
/// Padding (RFC 7830).
const PADDING: u16 = 12;
/// Replies are padded to a multiple of this many octets (RFC 8467 section 4.1).
const BLOCK: usize = 468;

/// The reply with the options that the query's sender wants and the transport allows.
pub(super) fn dressed(query: &[u8], reply: Vec<u8>, transport: Transport) -> Vec<u8> {
    let Ok(asked) = Packet::read(query) else { return reply };
    // RFC 9250 section 5.5.2 forbids it over QUIC, and HTTP has its own ways.
    let wants = |code| asked.opt.as_ref().is_some_and(|opt| opt.option(code).is_some());
    let keepalive = matches!(transport, Transport::Tcp | Transport::Tls) && wants(KEEPALIVE);
    let padding = transport.is_encrypted() && wants(PADDING);
    if !keepalive && !padding {
        return reply;
    }
    let Ok(mut packet) = Packet::read(&reply) else { return reply };
    let Some(opt) = &mut packet.opt else { return reply };
    if keepalive {
        let tenths = (IDLE.as_millis() / 100) as u16;
        opt.options.push((KEEPALIVE, tenths.to_be_bytes().to_vec()));
    }
    if padding {
        opt.options.push((PADDING, Vec::new()));
        let Some(bare) = packet.write(usize::from(u16::MAX)) else { return reply };
        let missing = bare.len().next_multiple_of(BLOCK) - bare.len();
        if let Some((_, pad)) = packet.opt.as_mut().and_then(|opt| opt.options.last_mut()) {
            pad.resize(missing, 0);
        }
    }
    packet.write(usize::from(u16::MAX)).unwrap_or(reply)
}

#[cfg(test)]
mod tests {
    use hickory_proto::rr::RecordType;
    use thru_names::text::parse_name;
    use thru_names::wire::{Header, Opt, Question};

    use super::*;

    fn message(options: &[u16], response: bool) -> Vec<u8> {
        let options = options.iter().map(|code| (*code, Vec::new())).collect();
        let packet = Packet {
            header: Header { response, ..Header::default() },
            questions: vec![Question::new(parse_name("www.example.").expect("a name"), RecordType::A)],
            opt: Some(Opt { payload: 1232, options, ..Opt::default() }),
            ..Packet::default()
        };
        packet.write(512).expect("it fits")
    }

    #[test]
    fn each_transport_gets_what_it_may_have() {
        let wants = message(&[KEEPALIVE, PADDING], false);
        for (transport, keepalive, padding) in [
            (Transport::Udp, false, false),
            (Transport::Tcp, true, false),
            (Transport::Tls, true, true),
            (Transport::Https, false, true),
            (Transport::Quic, false, true),
        ] {
            let reply = dressed(&wants, message(&[], true), transport);
            let opt = Packet::read(&reply).expect("a message").opt.expect("EDNS");
            assert_eq!(opt.option(KEEPALIVE).is_some(), keepalive, "{transport}");
            assert_eq!(opt.option(PADDING).is_some(), padding, "{transport}");
            assert_eq!(reply.len().is_multiple_of(BLOCK), padding, "{transport}: {} octets", reply.len());
        }
        let asked_nothing = message(&[], false);
        assert_eq!(dressed(&asked_nothing, message(&[], true), Transport::Tls), message(&[], true));
    }
}
