//! The protocols, a file each or a file for each family, and the tables that say which follows which.
//!
//! A small protocol is a [`protocol!`](crate::field::protocol) declaration and a function that walks a cursor; see
//! `ntp` for one that is easy to copy. [`ALL`] lists them, `ports` decides who gets which port.

pub(crate) mod arp;
pub(crate) mod bgp;
pub(crate) mod classicstun;
pub(crate) mod data;
pub(crate) mod dhcp;
pub(crate) mod dhcpv6;
pub(crate) mod dns;
pub(crate) mod dtls;
pub(crate) mod ethernet;
pub(crate) mod expert;
pub(crate) mod frame;
pub(crate) mod ftp;
pub(crate) mod grpc;
pub(crate) mod gtp;
pub(crate) mod headers;
pub(crate) mod http;
pub(crate) mod http2;
pub(crate) mod http3;
pub(crate) mod icmp;
pub(crate) mod icmpv6;
pub(crate) mod igmp;
pub(crate) mod imf;
pub(crate) mod ip;
pub(crate) mod ipv6;
pub(crate) mod json;
pub(crate) mod ldap;
pub(crate) mod link;
pub(crate) mod lldp;
pub(crate) mod media;
pub(crate) mod mpls;
pub(crate) mod mqtt;
pub(crate) mod mysql;
pub(crate) mod names;
pub(crate) mod nbss;
pub(crate) mod netflow;
pub(crate) mod ntp;
pub(crate) mod ospf;
pub(crate) mod overheard;
pub(crate) mod packed;
pub(crate) mod pgsql;
pub(crate) mod ports;
pub(crate) mod ppp;
pub(crate) mod pppoe;
pub(crate) mod quic;
pub(crate) mod resp;
pub(crate) mod rtp;
pub(crate) mod sctp;
pub(crate) mod sdp;
pub(crate) mod sip;
pub(crate) mod smtp;
pub(crate) mod snmp;
pub(crate) mod socks;
pub(crate) mod spoken;
pub(crate) mod ssh;
pub(crate) mod stp;
pub(crate) mod stun;
pub(crate) mod syslog;
pub(crate) mod tags;
pub(crate) mod tcp;
pub(crate) mod tls;
#[cfg(test)]
pub(crate) mod trial;
pub(crate) mod tunnel;
pub(crate) mod udp;
pub(crate) mod websocket;
pub(crate) mod wireguard;

use crate::field::{FieldDef, Protocol};
use std::collections::HashMap;
use std::sync::LazyLock;

/// Every protocol there is.
pub(crate) static ALL: &[&Protocol] = &[
    &frame::FRAME,
    &ethernet::ETH,
    &tags::VLAN,
    &tags::PROVIDER,
    &tags::GROUP,
    &ethernet::LLC,
    &stp::STP,
    &link::NULL,
    &link::SLL,
    &link::RAW,
    &arp::ARP,
    &ip::IP,
    &ipv6::IPV6,
    &ipv6::HOPOPTS,
    &ipv6::DSTOPTS,
    &ipv6::ROUTING,
    &ipv6::FRAGHDR,
    &icmp::ICMP,
    &icmpv6::ICMPV6,
    &igmp::IGMP,
    &udp::UDP,
    &tcp::TCP,
    &dns::DNS,
    &dns::RDATA,
    &dns::KEYS,
    &dns::MDNS,
    &dns::LLMNR,
    &dhcp::DHCP,
    &ntp::NTP,
    &tls::TLS,
    &tls::TLS_HANDSHAKE,
    &tls::OLD,
    &tls::exchange::TLS_EXCHANGE,
    &tls::TLS_EXTENSIONS,
    &tls::TRANSPORT,
    &tls::PKCS1,
    &tls::X509AF,
    &tls::X509CE,
    &tls::X509SAT,
    &http::HTTP,
    &http::SSDP,
    &http2::HTTP2,
    &http2::HEADERS,
    &http3::HTTP3,
    &quic::QUIC,
    &quic::FRAMES,
    &mpls::MPLS,
    &pppoe::PPPOE,
    &pppoe::DISCOVERY,
    &ppp::PPP,
    &tunnel::GRE,
    &tunnel::VXLAN,
    &tunnel::GENEVE,
    &gtp::GTP,
    &gtp::GTPV2,
    &gtp::PRIME,
    &tunnel::ESP,
    &tunnel::AH,
    &sctp::SCTP,
    &bgp::BGP,
    &bgp::ATTRIBUTES,
    &bgp::COMMUNITIES,
    &bgp::FLOWSPEC,
    &ftp::FTP,
    &ftp::FTP_DATA,
    &imf::IMF,
    &media::LINES,
    &json::JSON,
    &media::XML,
    &media::FORM,
    &media::MULTIPART,
    &media::MEDIA,
    &media::PNG,
    &media::GIF,
    &media::JPEG,
    &mqtt::MQTT,
    &mysql::MYSQL,
    &mysql::SESSION,
    &mysql::COMMANDS,
    &mysql::VALUES,
    &ldap::LDAP,
    &ldap::CLDAP,
    &nbss::NBSS,
    &pgsql::PGSQL,
    &resp::RESP,
    &sip::SIP,
    &sip::HEADERS,
    &sdp::SDP,
    &smtp::SMTP,
    &socks::SOCKS,
    &ssh::SSH,
    &stun::STUN,
    &classicstun::CLASSIC,
    &wireguard::WG,
    &dhcpv6::DHCPV6,
    &dtls::DTLS,
    &dtls::HELLO,
    &tls::exchange::DTLS_EXCHANGE,
    &grpc::GRPC,
    &grpc::PROTOBUF,
    &lldp::LLDP,
    &netflow::CFLOW,
    &netflow::ELEMENTS,
    &ospf::OSPF,
    &ospf::LSA,
    &ospf::OPAQUE,
    &rtp::RTP,
    &rtp::RTPEVENT,
    &rtp::RTCP,
    &snmp::SNMP,
    &syslog::SYSLOG,
    &websocket::WEBSOCKET,
    &data::DATA,
    &expert::MALFORMED,
    &expert::SHORT,
];

/// Names that stand for other fields, or for several: `ip.addr` is `ip.src` and `ip.dst`. An option of TCP is there if
/// what it says is.
pub(crate) static ALIASES: &[(&str, &[&FieldDef])] = &[
    ("eth.addr", &[&ethernet::DST, &ethernet::SRC]),
    ("ip.addr", &[&ip::SRC, &ip::DST]),
    ("ip.host", &[&ip::SRC, &ip::DST]),
    ("ip.src_host", &[&ip::SRC]),
    ("ip.dst_host", &[&ip::DST]),
    ("ipv6.addr", &[&ipv6::SRC, &ipv6::DST]),
    ("ipv6.host", &[&ipv6::SRC, &ipv6::DST]),
    ("ipv6.src_host", &[&ipv6::SRC]),
    ("ipv6.dst_host", &[&ipv6::DST]),
    ("sctp.port", &[&sctp::SRC_PORT, &sctp::DST_PORT]),
    ("tcp.port", &[&tcp::SRC_PORT, &tcp::DST_PORT]),
    ("tcp.options.mss", &[&tcp::MSS]),
    ("tcp.options.wscale", &[&tcp::WSCALE]),
    ("tcp.options.timestamp", &[&tcp::TSVAL]),
    ("tcp.options.sack", &[&tcp::SACK_LE]),
    ("udp.port", &[&udp::SRC_PORT, &udp::DST_PORT]),
];

/// The fields that a name stands for: one, several for an alias such as `ip.addr`, none if there is no such name. A
/// protocol's name stands for its layer.
pub fn fields_named(name: &str) -> Vec<&'static FieldDef> {
    if let Some((_, fields)) = ALIASES.iter().find(|(alias, _)| *alias == name) {
        return fields.to_vec();
    }
    BY_NAME.get(name).cloned().unwrap_or_default()
}

/// All layers, then all fields, by their names.
static BY_NAME: LazyLock<HashMap<&str, Vec<&FieldDef>>> = LazyLock::new(|| {
    let layers = ALL.iter().map(|protocol| &protocol.layer);
    let fields = ALL.iter().flat_map(|protocol| protocol.fields).copied();
    let mut by_name: HashMap<&str, Vec<&FieldDef>> = HashMap::new();
    for def in layers.chain(fields) {
        by_name.entry(def.name).or_default().push(def);
    }
    by_name
});

/// The name of a field that a wrong one was probably meant to be.
pub(crate) fn nearest_field(wrong: &str) -> Option<&'static str> {
    let fields = ALL.iter().flat_map(|protocol| protocol.fields.iter().copied().chain([&protocol.layer]));
    let near = fields.map(|field| (distance(wrong, field.name), field.name)).min()?;
    (near.0 <= 1 + wrong.len() / 6).then_some(near.1)
}

/// How many letters have to be changed, added or left out.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let change = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Every protocol.
pub fn protocols() -> &'static [&'static Protocol] {
    ALL
}

/// Whether a field tells much about a packet in one line. It is asked for most fields of each packet.
pub(crate) fn tells(def: &'static FieldDef) -> bool {
    static SLOTS: std::sync::LazyLock<Vec<usize>> = std::sync::LazyLock::new(|| {
        let mut slots = vec![0; TELLING_SLOTS];
        for def in TELLING.iter().flat_map(|name| fields_named(name)) {
            let mut at = slot(def);
            while slots[at] != 0 {
                at = (at + 1) % TELLING_SLOTS;
            }
            slots[at] = std::ptr::from_ref(def).addr();
        }
        slots
    });
    let (mut at, wanted) = (slot(def), std::ptr::from_ref(def).addr());
    while SLOTS[at] != 0 {
        if SLOTS[at] == wanted {
            return true;
        }
        at = (at + 1) % TELLING_SLOTS;
    }
    false
}

/// Where the search for a field begins.
fn slot(def: &'static FieldDef) -> usize {
    std::ptr::from_ref(def).addr() / size_of::<FieldDef>() % TELLING_SLOTS
}

/// A few times as many as fields tell much.
const TELLING_SLOTS: usize = 512;

/// Fields that tell most about a packet in one line, in the order of the packet.
static TELLING: &[&str] = &[
    "dhcp.option.dhcp",
    "dns.a",
    "dns.aaaa",
    "dns.cname",
    "dns.flags.opcode",
    "dns.flags.rcode",
    "dns.qry.name",
    "dns.qry.type",
    "http.host",
    "http2.headers.authority",
    "http2.headers.method",
    "http2.headers.path",
    "http2.headers.status",
    "http2.type",
    "http3.frame_type",
    "http3.headers.authority",
    "http3.headers.method",
    "http3.headers.path",
    "http3.headers.status",
    "http.request.method",
    "http.request.uri",
    "http.response.code",
    "http.response.phrase",
    "igmp.maddr",
    "igmp.type",
    "ntp.flags.mode",
    "quic.long.packet_type",
    "quic.long.packet_type_v2",
    "sctp.chunk_type",
    "stp.type",
    "tls.alert_message.desc",
    "tls.handshake.extensions_server_name",
    "tls.handshake.type",
    "tls.record.content_type",
    "tls.record.opaque_type",
    "vxlan.vni",
];
