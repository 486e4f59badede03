use super::*;

const CLIENT: MacAddr = MacAddr([2, 0, 0, 0, 0, 7]);

fn server(manner: Manner) -> DhcpServer {
    let address = |last| Ipv4Addr::new(192, 168, 1, last);
    let given = Given {
        server: address(1),
        prefix_len: 24,
        range: (address(100), address(101)),
        router: Some(address(1)),
        resolvers: vec![address(53)],
        lease: Duration::from_secs(3_600),
    };
    DhcpServer::new(given, manner)
}

fn request(wanted: Ipv4Addr, named: Option<Ipv4Addr>, client: MacAddr) -> Dhcp {
    let mut request = Dhcp::new(DhcpKind::Request, 9, client);
    request.options.requested = Some(wanted);
    request.options.server = named;
    request
}

#[test]
fn what_is_offered_is_given_to_who_takes_it() {
    let mut server = server(Manner::Normal);
    let offer = server.answer(&Dhcp::new(DhcpKind::Discover, 9, CLIENT)).expect("an offer");
    assert_eq!((offer.kind, offer.xid, offer.chaddr), (DhcpKind::Offer, 9, CLIENT));
    assert_eq!(offer.options.routers, [Ipv4Addr::new(192, 168, 1, 1)]);
    let ack = server.answer(&request(offer.yiaddr, offer.options.server, CLIENT)).expect("a confirmation");
    assert_eq!((ack.kind, ack.yiaddr), (DhcpKind::Ack, offer.yiaddr));
    assert_eq!(ack.options.lease, Some(3_600));
}

#[test]
fn who_chose_another_server_is_left_alone() {
    let mut server = server(Manner::Normal);
    let offer = server.answer(&Dhcp::new(DhcpKind::Discover, 9, CLIENT)).expect("an offer");
    let other = Some(Ipv4Addr::new(192, 168, 1, 9));
    assert_eq!(server.answer(&request(offer.yiaddr, other, CLIENT)), None);
}

#[test]
fn who_is_unknown_and_names_no_server_may_be_anothers_client() {
    let mut server = server(Manner::Normal);
    let wanted = Ipv4Addr::new(192, 168, 1, 100);
    assert_eq!(server.answer(&request(wanted, None, CLIENT)), None, "another server may know it");
    let offer = server.answer(&Dhcp::new(DhcpKind::Discover, 9, CLIENT)).expect("an offer");
    assert_eq!(server.answer(&request(offer.yiaddr, None, CLIENT)).expect("known").kind, DhcpKind::Ack);
    let other = Ipv4Addr::new(10, 0, 0, 7);
    assert_eq!(server.answer(&request(other, None, CLIENT)).expect("known").kind, DhcpKind::Nak);
}

#[test]
fn only_ones_own_address_can_be_declined() {
    let mut server = server(Manner::Normal);
    let given = server.answer(&Dhcp::new(DhcpKind::Discover, 9, CLIENT)).expect("an offer").yiaddr;
    let mut decline = Dhcp::new(DhcpKind::Decline, 9, CLIENT);
    decline.options.requested = Some(Ipv4Addr::new(192, 168, 1, 101));
    server.answer(&decline);
    let again = server.answer(&Dhcp::new(DhcpKind::Discover, 9, CLIENT)).expect("an offer");
    assert_eq!(again.yiaddr, given);
    decline.options.requested = Some(given);
    server.answer(&decline);
    let again = server.answer(&Dhcp::new(DhcpKind::Discover, 9, CLIENT)).expect("an offer");
    assert_ne!(again.yiaddr, given);
}

#[test]
fn a_range_ends_and_what_was_declined_is_not_offered_again() {
    let mut server = server(Manner::Normal);
    let mut offered = Vec::new();
    for last in 0..4 {
        let client = MacAddr([2, 0, 0, 0, 1, last]);
        offered.extend(
            server.answer(&Dhcp::new(DhcpKind::Discover, 9, client)).map(|offer| offer.yiaddr.octets()[3]),
        );
        if last == 0 {
            server.answer(&Dhcp::new(DhcpKind::Decline, 9, client));
        }
    }
    assert_eq!(offered, [100, 101]);
}

#[test]
fn each_way_of_giving_nothing() {
    let discover = Dhcp::new(DhcpKind::Discover, 9, CLIENT);
    let wanted = Ipv4Addr::new(192, 168, 1, 100);
    for (manner, offers, answer) in [
        (Manner::Silent, false, None),
        (Manner::Refuses, true, Some(DhcpKind::Nak)),
        (Manner::OffersOnly, true, None),
        (Manner::Full, false, Some(DhcpKind::Nak)),
    ] {
        let mut server = server(manner);
        assert_eq!(server.answer(&discover).is_some(), offers, "{manner:?}");
        let answered = server.answer(&request(wanted, None, CLIENT));
        assert_eq!(answered.map(|answer| answer.kind), answer, "{manner:?}");
    }
}

#[test]
fn a_frame_carries_the_message_to_everybody() {
    let mut server = server(Manner::Normal);
    let offer = server.answer(&Dhcp::new(DhcpKind::Discover, 9, CLIENT)).expect("an offer");
    let bytes = frame(MacAddr([2, 0, 0, 0, 0, 1]), Ipv4Addr::new(192, 168, 1, 1), &offer);
    assert_eq!(&bytes[..6], [0xff; 6]);
    assert_eq!(in_frame(&bytes), Some(offer));
    for cut in 0..bytes.len() {
        let _ = in_frame(&bytes[..cut]);
    }
}
