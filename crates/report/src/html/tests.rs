use super::{Page, packets, plots, render};
use crate::fixture;
use thru_diagnose::diagnose;

#[test]
fn the_page_holds_every_part_and_asks_nobody() {
    let trace = fixture::healthy();
    let page = render(&trace, &diagnose(&trace));
    for id in ["verdict", "layers", "evidence", "time", "packets", "certificates", "names", "checks"] {
        assert!(page.contains(&format!("id=\"{id}\"")), "{id} is missing");
    }
    for outside in ["http://", "src=", "@import", "url(", "<script", "<link"] {
        assert!(!page.contains(outside), "{outside} would load something");
    }
    assert!(page.contains("https://www.shop.lab/") && page.contains("seed 7"));
    assert!(!page.contains("CLIENT_TRAFFIC_SECRET"), "secrets stay out of reports");
    assert_eq!(page, render(&trace, &diagnose(&trace)), "the same trace gives the same page");
}

#[test]
fn what_was_lost_is_drawn_as_lost() {
    let trace = fixture::healthy();
    let page = render(&trace, &diagnose(&trace));
    let lost = page.split("id=\"f6\"").nth(1).expect("frame 6 is drawn").split("</g>").next().unwrap();
    assert!(lost.contains("class=\"lost\"") && lost.contains("random loss"), "{lost}");
    let passed = page.split("id=\"f1\"").nth(1).unwrap().split("</g>").next().unwrap();
    assert!(!passed.contains("class=\"lost\""));
}

#[test]
fn links_to_frames_lead_somewhere() {
    let trace = fixture::healthy();
    let page = render(&trace, &diagnose(&trace));
    for link in page.split("href=\"#").skip(1) {
        let target = link.split('"').next().unwrap();
        assert!(page.contains(&format!("id=\"{target}\"")), "#{target} leads nowhere");
    }
}

#[test]
fn words_from_the_network_stay_words() {
    let mut trace = fixture::healthy();
    trace.target = "https://x/<script>alert(1)</script>".into();
    trace.network = "\"><img onerror=x>".into();
    for span in &mut trace.spans {
        span.label.push_str("<b>\u{1b}[2J");
        span.values.insert("dns.said".into(), "<i>said</i>".into());
    }
    trace.names.push((fixture::SERVER.into(), "</svg><b>".into()));
    let page = render(&trace, &diagnose(&trace));
    for bad in ["<script>", "<b>", "<i>", "<img", "\u{1b}"] {
        assert!(!page.contains(bad), "{bad:?} came through");
    }
}

#[test]
fn an_empty_trace_is_a_page_too() {
    let trace = thru_trace::Trace::default();
    let page = render(&trace, &diagnose(&trace));
    assert!(page.ends_with("</html>\n") && !page.contains("NaN"));
}

#[test]
fn frames_of_which_only_the_headers_were_kept_show_no_trouble_that_is_none() {
    let mut trace = fixture::healthy();
    trace.packets.truncate(5);
    for packet in &mut trace.packets {
        // Ethernet, IPv4 and TCP: the payload is gone.
        packet.bytes = packet.bytes.slice(..54);
    }
    let page = render(&trace, &diagnose(&trace));
    assert!(page.contains("id=\"f5\"") && !page.contains("class=\"note\""), "a cut frame is no lost one");
}

#[test]
fn what_is_drawn_of_a_foreign_capture_is_what_was_on_the_wire() {
    let mut trace = fixture::healthy();
    let render_it = |trace: &thru_trace::Trace| render(trace, &diagnose(trace));
    assert!(render_it(&trace).contains("6 packets captured"));
    // Headers alone, and not of every packet: the numbers are those of the file.
    for (packet, number) in trace.packets.iter_mut().zip([3, 5, 9, 300, 301, 674]) {
        packet.bytes.truncate(54);
        packet.number = number;
    }
    let sizes: Vec<usize> = packets::read(&trace).0.iter().map(|one| one.size).collect();
    assert_eq!(sizes, [54, 54, 54, 59, 54, 58]);
    let page = render_it(&trace);
    assert!(page.contains("6 packets of the capture kept") && !page.contains("packets captured"));
    assert!(page.contains("those packets were kept that tell most"));
}

#[test]
fn datagrams_are_summed_up_only_if_all_of_them_are_there() {
    let datagram = |number: u64| packets::Seen {
        number,
        at: number * 1_000_000,
        from: None,
        to: None,
        outbound: number.is_multiple_of(2),
        protocol: "quic",
        info: String::new(),
        trouble: Vec::new(),
        dropped: None,
        size: 1_200,
        tcp: None,
        udp: Some((40_000, 443)),
    };
    let seen: Vec<packets::Seen> = (1..=20).map(datagram).collect();
    for (partial, drawn) in [(false, true), (true, false)] {
        let mut page = Page::default();
        plots::draw(&mut page, &seen, &Default::default(), partial);
        assert_eq!(page.body().contains("Bytes carried"), drawn);
    }
}
