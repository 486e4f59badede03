//! resolv.conf: which resolvers this machine is told to use.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// The resolvers of `/etc/resolv.conf`; empty if there is none to be read.
pub fn nameservers() -> Vec<SocketAddr> {
    std::fs::read_to_string("/etc/resolv.conf").map(|text| parse(&text)).unwrap_or_default()
}

/// The `nameserver` lines of a resolv.conf, port 53. Lines that make no sense are passed over, as the C library does.
pub fn parse(text: &str) -> Vec<SocketAddr> {
    text.lines().filter_map(nameserver).collect()
}

fn nameserver(line: &str) -> Option<SocketAddr> {
    let mut words = line.split_whitespace();
    if words.next()? != "nameserver" {
        return None;
    }
    let address = words.next()?;
    match address.split_once('%') {
        None => Some(SocketAddr::new(address.parse::<IpAddr>().ok()?, 53)),
        // A link-local resolver names its interface, by number or by name.
        Some((address, zone)) => {
            let scope = zone.parse().ok().or_else(|| interface_index(zone))?;
            Some(SocketAddrV6::new(address.parse::<Ipv6Addr>().ok()?, 53, 0, scope).into())
        }
    }
}

fn interface_index(name: &str) -> Option<u32> {
    let path = format!("/sys/class/net/{}/ifindex", name.replace(['/', '.'], ""));
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Lines of a hosts file: names and their addresses, in order.
pub fn parse_hosts(text: &str) -> Vec<(String, IpAddr)> {
    let mut entries = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let Some(address) = words.next().and_then(|word| word.parse().ok()) else { continue };
        entries.extend(words.map(|name| (name.to_ascii_lowercase(), address)));
    }
    entries
}

/// The entries of `/etc/hosts`; empty if there is none to be read.
pub fn hosts() -> Vec<(String, IpAddr)> {
    std::fs::read_to_string("/etc/hosts").map(|text| parse_hosts(&text)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nameserver_lines_become_addresses_and_the_rest_is_passed_over() {
        let text = "# a comment\nsearch lab\nnameserver 192.0.2.53\nnameserver ::1\nnameserver fe80::1%3\n\
                    nameserver nonsense\nnameserver\noptions edns0\n";
        let servers: Vec<String> = parse(text).iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["192.0.2.53:53", "[::1]:53", "[fe80::1%3]:53"]);
    }

    #[test]
    fn a_hosts_line_may_hold_several_names_and_a_comment() {
        let entries = parse_hosts("127.0.0.1 localhost Me # home\n# nothing\n::1 localhost\nbad line\n");
        let shown: Vec<String> = entries.iter().map(|(name, address)| format!("{name}={address}")).collect();
        assert_eq!(shown, ["localhost=127.0.0.1", "me=127.0.0.1", "localhost=::1"]);
    }
}
