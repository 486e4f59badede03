//! Pages with objects.

use super::page::{PARALLEL, PageLoad, Way, load};
use super::*;
use crate::testing::in_lab_over;
use thru_sim::link::{Chance, Loss, Pipe};

async fn load_page(place: &Place, remote: std::net::SocketAddr, way: Way) -> Result<PageLoad, Failure> {
    let visitor = place.visitor();
    load(&visitor.recorder, None, &visitor.tls, remote, &url("/page30"), way, &visitor.limits).await
}

async fn thirty_objects_over_every_way(place: Place) {
    let server = place.serve(vec![place.shop()]).await;
    for way in Way::ALL {
        let page = load_page(&place, server.secure(), way).await.unwrap();
        assert_eq!(page.loads.len(), 31, "{way}");
        assert_eq!(page.failed(), 0, "{way}: {:?}", page.loads);
        let objects = &page.loads[1..];
        for (index, object) in objects.iter().enumerate() {
            assert_eq!(object.path, format!("/object/{index}"));
            assert_eq!((object.status, object.bytes), (Some(200), pages::OBJECT_BYTES));
            assert!(object.start >= page.first_byte && object.end <= page.end);
        }
        let connections = if way == Way::Http1 { PARALLEL } else { 1 };
        assert_eq!(page.connections, connections, "{way}");
        assert!(page.bytes() > 600_000);
    }
}

#[test]
fn thirty_objects_over_every_way_on_the_host() {
    on_host(thirty_objects_over_every_way);
}

#[test]
fn thirty_objects_over_every_way_in_a_lab() {
    in_lab(thirty_objects_over_every_way);
}

#[test]
fn handshakes_take_the_round_trips_they_should() {
    in_lab(async |place| {
        let server = place.serve(vec![place.shop()]).await;
        // Whoever talks first also has to find the other's hardware address.
        load_page(&place, server.secure(), Way::Http1).await.unwrap();
        for (way, handshake, first_byte) in
            [(Way::Http1, 2, 3), (Way::Http2, 2, 3), (Way::Http3, 1, 2), (Way::Http3Early, 0, 1)]
        {
            let page = load_page(&place, server.secure(), way).await.unwrap();
            assert_eq!(page.handshake_round_trips(), handshake, "{way}: {page:?}");
            assert_eq!(page.first_byte_round_trips(), first_byte, "{way}: {page:?}");
        }
    });
}

#[test]
fn a_failing_object_is_told_and_the_page_goes_on() {
    on_host(async |place| {
        let server = place.serve(vec![place.shop()]).await;
        let visitor = place.visitor();
        let base = url("/");
        let page = Answer {
            span: thru_trace::SpanId(0),
            version: "HTTP/2",
            status: 200,
            headers: HeaderMap::new(),
            body: Bytes::from_static(
                b"<img src=\"/object/1\"><img src=\"https://elsewhere.lab/x\"><img src=\"nope\"><img src=\"/open",
            ),
            bytes: 0,
            times: Times {
                start: Instant::START,
                sent: Instant::START,
                first_byte: Instant::START,
                end: Instant::START,
            },
        };
        let sources: Vec<String> =
            page::sources(&page, &base).iter().map(|url| url.path().to_owned()).collect();
        assert_eq!(sources, ["/object/1", "/nope"]);
        let limits = visitor.limits;
        let failed = load(
            &visitor.recorder,
            None,
            &visitor.tls,
            server.secure(),
            &url("/status/500"),
            Way::Http2,
            &limits,
        )
        .await
        .unwrap();
        assert_eq!((failed.loads.len(), failed.failed()), (1, 1));
    });
}

#[test]
fn no_server_is_a_failure_of_the_connection() {
    on_host(async |place| {
        let listener = place.server.listen_tcp((place.address, 0).into(), 1).await.unwrap();
        let closed = listener.local_addr();
        drop(listener);
        let failure = load_page(&place, closed, Way::Http1).await.unwrap_err();
        assert_eq!(failure.code, "tcp.refused");
        let failure = load_page(&place, closed, Way::Http3).await.unwrap_err();
        assert_eq!(failure.code, "quic.refused", "{failure}");
    });
}

/// Whatever a line of that quality does, a page arrives whole.
#[test]
fn pages_arrive_whole_over_a_bad_line() {
    for seed in 1..=10 {
        for way in Way::ALL {
            let pipe = Pipe {
                delay: Duration::from_millis(15),
                loss: Loss::Random(Chance(50_000_000)),
                duplicate: Chance(10_000_000),
                reorder: Chance(10_000_000),
                reorder_by: Duration::from_millis(2),
                ..Pipe::default()
            };
            let page = in_lab_over(pipe, seed, move |_, place| async move {
                let server = place.serve(vec![place.shop()]).await;
                load_page(&place, server.secure(), way).await
            });
            let page = page.unwrap_or_else(|failure| panic!("{way}, seed {seed}: {failure}"));
            assert_eq!(page.failed(), 0, "{way}, seed {seed}");
            assert_eq!(page.loads.len(), 31, "{way}, seed {seed}");
            assert!(
                page.loads[1..].iter().all(|load| load.bytes == pages::OBJECT_BYTES),
                "{way}, seed {seed}"
            );
        }
    }
}
