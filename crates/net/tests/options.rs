//! Options of TCP sockets and what connections tell about themselves, on each network by the same test.

mod support;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use support::{SERVER, SERVER_V6, with_two_hosts};
use thru_net::{ConnectOptions, Keepalive, Network, TcpInsight, TcpOption, TcpStream};
use thru_sim::link::Pipe;
use thru_stack::Medium;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const KEEPALIVE: Keepalive =
    Keepalive { idle: Duration::from_secs(30), interval: Duration::from_secs(5), probes: 4 };

/// Sets everything, reads it back, and carries data; the client's and the server's insight afterwards.
async fn exercise(client: Network, server: Network, listen: SocketAddr) -> [TcpInsight; 2] {
    let listener = server.listen_tcp(listen, 8).await.unwrap();
    listener.set_option(&TcpOption::Keepalive(Some(KEEPALIVE))).unwrap();
    assert_eq!(listener.options().unwrap().keepalive, Some(KEEPALIVE));
    let connecting = client.connect_tcp(listener.local_addr(), ConnectOptions::default());
    let (stream, accepted) = tokio::join!(connecting, listener.accept());
    let (stream, (mut accepted, _)) = (stream.unwrap(), accepted.unwrap());
    assert_eq!(accepted.options().unwrap().keepalive, Some(KEEPALIVE), "a listener hands it on");
    set_all(&stream);
    set_wrong(&stream);
    carry(stream, &mut accepted).await
}

fn set_all(stream: &TcpStream) {
    let options = [
        TcpOption::Nodelay(true),
        TcpOption::Cork(true),
        TcpOption::Cork(false),
        TcpOption::Keepalive(Some(KEEPALIVE)),
        TcpOption::QuickAck(false),
        TcpOption::QuickAck(true),
        TcpOption::MssLimit(1_000),
        TcpOption::TrafficClass(0xb8),
        TcpOption::Ttl(33),
        TcpOption::UserTimeout(Some(Duration::from_secs(7))),
        TcpOption::Linger(Some(Duration::from_secs(3))),
        TcpOption::NotSentLow(16_384),
        TcpOption::SendBuffer(100_000),
        TcpOption::ReceiveBuffer(100_000),
        TcpOption::Congestion("reno".to_owned()),
    ];
    for option in options {
        stream.set_option(&option).unwrap_or_else(|error| panic!("{option:?}: {error}"));
    }
    let now = stream.options().unwrap();
    assert!(now.nodelay && !now.cork, "{now:?}");
    assert_eq!((now.keepalive, now.traffic_class, now.ttl), (Some(KEEPALIVE), 0xb8, Some(33)));
    assert_eq!(now.user_timeout, Some(Duration::from_secs(7)));
    assert_eq!((now.linger, now.congestion.as_str()), (Some(Duration::from_secs(3)), "reno"));
    for option in [TcpOption::Keepalive(None), TcpOption::UserTimeout(None), TcpOption::Linger(None)] {
        stream.set_option(&option).unwrap();
    }
    let now = stream.options().unwrap();
    assert_eq!((now.keepalive, now.user_timeout, now.linger), (None, None, None));
}

fn set_wrong(stream: &TcpStream) {
    let before = stream.options().unwrap();
    let kind = |option: TcpOption| stream.set_option(&option).unwrap_err().kind();
    assert_eq!(kind(TcpOption::MssLimit(7)), ErrorKind::InvalidInput);
    assert_eq!(kind(TcpOption::Ttl(0)), ErrorKind::InvalidInput);
    assert_eq!(kind(TcpOption::Congestion("no such".to_owned())), ErrorKind::NotFound);
    assert_eq!(stream.options().unwrap(), before);
}

async fn carry(mut stream: TcpStream, accepted: &mut TcpStream) -> [TcpInsight; 2] {
    let (to_server, to_client) = (vec![7; 40_000], [9; 5_000]);
    let mut received = vec![0; to_server.len()];
    let (wrote, read) = tokio::join!(stream.write_all(&to_server), accepted.read_exact(&mut received));
    wrote.unwrap();
    read.unwrap();
    assert!(received == to_server);
    accepted.write_all(&to_client).await.unwrap();
    stream.read_exact(&mut received[..5_000]).await.unwrap();
    let (inspector, server) = (stream.inspector(), accepted.insight());
    drop(stream);
    // What is known outlives the stream.
    [inspector.insight(), server]
}

fn check_figures([client, server]: &[TcpInsight; 2]) {
    let (client, server) = (client.info.as_ref().unwrap(), server.info.as_ref().unwrap());
    assert_eq!((client.bytes_sent, client.bytes_received), (40_000, 5_000));
    assert_eq!((server.bytes_sent, server.bytes_received), (5_000, 40_000));
    assert!(client.rtt.is_some() && client.path_mtu > 0 && client.announced_mss > 0, "{client:?}");
    assert!(client.data_segments_sent > 0 && client.segments_delivered > 1, "{client:?}");
    assert_eq!((client.loss.reordering, client.bytes_retransmitted), (3, 0));
}

#[test]
fn in_the_lab() {
    let pipe = Pipe { delay: Duration::from_millis(10), ..Pipe::default() };
    for address in [SERVER.into(), SERVER_V6.into()] {
        let insights = with_two_hosts(
            1,
            Medium::Ethernet,
            pipe.clone(),
            Duration::from_secs(600),
            move |_, client, server| exercise(client, server, SocketAddr::new(address, 80)),
        );
        check_figures(&insights);
        let [client, _] = insights;
        // A kernel's connection that is there already keeps its segments.
        let info = client.info.as_ref().unwrap();
        assert!(info.mss <= 1_000 && info.data_segments_sent >= 40, "{info:?}");
        assert!(client.events.len() > 40, "what happened is told");
        let windows: Vec<u64> = client.history.iter().map(|sample| sample.congestion_window).collect();
        assert!(windows.len() > 5 && windows.iter().all(|window| *window >= 10_000), "{windows:?}");
    }
}

#[test]
fn on_the_host() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for address in [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), "[::1]:0".parse().unwrap()] {
        let insights = runtime.block_on(exercise(Network::host(), Network::host(), address));
        check_figures(&insights);
        assert!(insights[0].events.is_empty() && insights[0].history.is_empty());
    }
}
