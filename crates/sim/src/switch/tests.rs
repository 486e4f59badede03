use super::*;

const BROADCAST: [u8; 6] = [0xff; 6];

fn mac(last: u8) -> [u8; 6] {
    [2, 0, 0, 0, 0, last]
}

fn frame(to: [u8; 6], from: [u8; 6], tag: Option<u16>) -> Bytes {
    let mut bytes = [to, from].concat();
    if let Some(tag) = tag {
        bytes.extend_from_slice(&[0x81, 0x00]);
        bytes.extend_from_slice(&tag.to_be_bytes());
    }
    bytes.extend_from_slice(b"\x08\x00payload");
    bytes.into()
}

fn at(seconds: u64) -> Instant {
    Instant::START + Duration::from_secs(seconds)
}

/// A switch whose port n is on link n.
fn switch(ports: u32) -> Switch {
    let mut switch = Switch::new();
    for link in 0..ports {
        switch.add_port(LinkId(link), Direction::AToB);
    }
    switch
}

/// Where a frame went, and as what.
fn sent(switch: &mut Switch, now: Instant, port: usize, frame: Bytes) -> Vec<(u32, Bytes)> {
    switch.forward(now, port, frame).into_iter().map(|(link, _, bytes)| (link.0, bytes)).collect()
}

fn ports(switch: &mut Switch, now: Instant, port: usize, frame: Bytes) -> Vec<u32> {
    sent(switch, now, port, frame).into_iter().map(|(link, _)| link).collect()
}

#[test]
fn learns_floods_and_forgets() {
    let mut switch = switch(4);
    assert_eq!(ports(&mut switch, at(0), 0, frame(mac(9), mac(1), None)), [1, 2, 3]);
    assert_eq!(ports(&mut switch, at(1), 2, frame(mac(1), mac(9), None)), [0]);
    assert_eq!(ports(&mut switch, at(2), 0, frame(mac(9), mac(1), None)), [2]);
    assert_eq!(ports(&mut switch, at(2), 0, frame(BROADCAST, mac(1), None)), [1, 2, 3]);
    // To somebody on the port it came from: nowhere.
    assert_eq!(ports(&mut switch, at(2), 2, frame(mac(9), mac(8), None)), []);
    // A host moved.
    ports(&mut switch, at(3), 3, frame(BROADCAST, mac(9), None));
    assert_eq!(ports(&mut switch, at(3), 0, frame(mac(9), mac(1), None)), [3]);
    assert_eq!(switch.port_of(at(302), 1, MacAddr(mac(9))), Some(3));
    assert_eq!(ports(&mut switch, at(303), 0, frame(mac(9), mac(1), None)), [1, 2, 3]);
}

#[test]
fn remembers_a_bounded_number_of_addresses() {
    let mut switch = switch(2);
    for number in 0..20_000_u32 {
        let [_, a, b, c] = number.to_be_bytes();
        ports(&mut switch, at(0), 0, frame(BROADCAST, [2, 0, 0, a, b, c], None));
    }
    assert_eq!(switch.heard.len(), MOST_ADDRESSES);
    // The old ones make room once they are too old.
    ports(&mut switch, at(1000), 1, frame(BROADCAST, [4, 0, 0, 0, 0, 1], None));
    assert_eq!(switch.heard.len(), 1);
    // Nobody is a group.
    ports(&mut switch, at(1000), 1, frame(BROADCAST, BROADCAST, None));
    assert_eq!(switch.heard.len(), 1);
}

#[test]
fn vlans_are_kept_apart_and_tagged_on_trunks() {
    let mut switch = switch(5);
    switch.set_port(0, PortMode::Access { vlan: 10 });
    switch.set_port(1, PortMode::Access { vlan: 10 });
    switch.set_port(2, PortMode::Access { vlan: 20 });
    switch.set_port(3, PortMode::Trunk { allowed: vec![10, 20], native: None });
    switch.set_port(4, PortMode::Trunk { allowed: vec![], native: Some(20) });
    let broadcast = |tag| frame(BROADCAST, mac(1), tag);
    let (plain, ten, twenty) = (broadcast(None), broadcast(Some(10)), broadcast(Some(20)));
    assert_eq!(
        sent(&mut switch, at(0), 0, plain.clone()),
        [(1, plain.clone()), (3, ten.clone()), (4, ten.clone())]
    );
    assert_eq!(sent(&mut switch, at(0), 2, plain.clone()), [(3, twenty.clone()), (4, plain.clone())]);
    assert_eq!(
        sent(&mut switch, at(0), 3, ten.clone()),
        [(0, plain.clone()), (1, plain.clone()), (4, ten.clone())]
    );
    // Untagged on a trunk without native VLAN, a VLAN that is not allowed, the wrong one on an access port.
    assert!(sent(&mut switch, at(0), 3, plain.clone()).is_empty());
    assert!(sent(&mut switch, at(0), 3, broadcast(Some(30))).is_empty());
    assert!(sent(&mut switch, at(0), 0, twenty.clone()).is_empty());
    // Untagged on the other trunk is VLAN 20.
    assert_eq!(sent(&mut switch, at(0), 4, plain.clone()), [(2, plain.clone()), (3, twenty)]);
    // A priority tag names no VLAN; the priority stays where there is a tag.
    let urgent = frame(BROADCAST, mac(1), Some(0xe000));
    let urgent_ten = frame(BROADCAST, mac(1), Some(0xe00a));
    assert_eq!(sent(&mut switch, at(0), 0, urgent), [(1, plain), (3, urgent_ten.clone()), (4, urgent_ten)]);
}

#[test]
fn an_address_is_learned_for_its_vlan_only() {
    let mut switch = switch(3);
    switch.set_port(0, PortMode::Trunk { allowed: vec![], native: None });
    switch.set_port(1, PortMode::Access { vlan: 10 });
    switch.set_port(2, PortMode::Access { vlan: 20 });
    ports(&mut switch, at(0), 1, frame(BROADCAST, mac(1), None));
    assert_eq!(switch.port_of(at(0), 10, MacAddr(mac(1))), Some(1));
    assert_eq!(switch.port_of(at(0), 20, MacAddr(mac(1))), None);
}

#[test]
fn what_is_meant_for_the_neighbour_stays_there() {
    let mut switch = switch(3);
    for last in [0x00, 0x0e, 0x0f] {
        assert!(ports(&mut switch, at(0), 0, frame([0x01, 0x80, 0xc2, 0, 0, last], mac(1), None)).is_empty());
    }
    assert_eq!(ports(&mut switch, at(0), 0, frame([0x01, 0x80, 0xc2, 0, 0, 0x10], mac(1), None)), [1, 2]);
}

#[test]
fn short_frames_do_no_harm() {
    let mut switch = switch(3);
    switch.set_port(1, PortMode::Trunk { allowed: vec![], native: Some(1) });
    let whole = frame(BROADCAST, mac(1), Some(1));
    for cut in 0..whole.len() {
        for port in 0..3 {
            ports(&mut switch, at(0), port, whole.slice(..cut));
        }
    }
}
