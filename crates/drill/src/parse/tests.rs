use super::*;
use crate::script::{Body, Call, Expr, OptionSpec, Packet, Quoted, TcpSpec};
use crate::{Options, Verdict, run};
use proptest::prelude::*;

fn one(source: &str) -> Event {
    parse(source, &[]).unwrap_or_else(|error| panic!("{source}: {error}")).events.remove(0)
}

fn packet(source: &str) -> Packet {
    match one(source).action {
        Action::Packet(packet) => *packet,
        other => panic!("{source}: {other:?}"),
    }
}

fn tcp(source: &str) -> TcpSpec {
    match packet(source).body {
        Body::Tcp(tcp) => tcp,
        other => panic!("{source}: {other:?}"),
    }
}

fn call(source: &str) -> Call {
    match one(source).action {
        Action::Call(call) => *call,
        other => panic!("{source}: {other:?}"),
    }
}

fn check_error(source: &str, line: u32, what: &str) {
    assert_eq!(parse(source, &[]), Err(Error::new(line, what)), "{source}");
}

#[test]
fn times_of_every_form() {
    let ms = Duration::from_millis;
    let packet = "> . 1:1(0) ack 1";
    for (text, time) in [
        ("1", Time::At(ms(1_000))),
        ("0.5", Time::At(ms(500))),
        ("+.25", Time::After(ms(250))),
        ("+ 0.25", Time::After(ms(250))),
        ("*", Time::Any),
        ("1~2", Time::Between(ms(1_000), ms(2_000))),
        ("+.1~+.2", Time::AfterBetween(ms(100), ms(200))),
    ] {
        assert_eq!(one(&format!("{text} {packet}")).time, time, "{text}");
    }
    let blocking = call("0.1...0.3 read(3, ..., 10) = 10");
    assert_eq!(blocking.ends, Some(ms(300)));
}

#[test]
fn segments_of_every_form() {
    let syn = tcp("0 < S 0:0(0) win 32792 <mss 1460,nop,wscale 7,sackOK,TS val 5 ecr 0,FO 0a0B,eol>");
    assert_eq!((syn.flags, syn.seq, syn.len, syn.window), (2, 0, 0, Some(32_792)));
    let options = syn.options.expect("there are options");
    assert_eq!(options.len(), 7);
    assert_eq!(options[5], OptionSpec::FastOpen(vec![10, 11]));
    assert_eq!(tcp("0 > FPWEA. 1:11(10) ack 7 urg 3 <...>").options, None);
    assert_eq!(tcp("0 > P.5 1:11(10) ack 7").flags, 0x018 | 0x140);
    assert_eq!(tcp("0 > .5 1:11(10) ack 7").flags, 0x010 | 0x140);
    assert_eq!(tcp("0 < F  . 1:1(0) ack 7").flags, 0x011);
    assert_eq!(tcp("0 > - 1:1(0)").flags, 0);
    assert_eq!(tcp("0 > 8080 > 1001 S. ...(5) ack 1!").ports, Some((8_080, 1_001)));
    let sack = tcp("0 < . 1:1(0) ack 1 win 5 <sack 1:2 5:6,nop,nop>");
    assert_eq!(sack.options.expect("options")[0], OptionSpec::Sack(vec![(1, 2), (5, 6)]));
    let marked = packet("0 > (tos 0x28) . 1:1(0)");
    assert_eq!(marked.ip.tos, Some(0x28));
    assert_eq!(packet("0 < [ect0] . 1:1(0)").ip.ecn, Some(crate::script::Ecn::Ect0));
    let icmp = "icmp unreachable frag_needed mtu 1200";
    assert_eq!(packet(&format!("0 < [1:1461(1460)] {icmp}")), packet(&format!("0 < {icmp} [1:1461(1460)]")));
    assert!(packet("0 > udplite(1000, 0)").encapsulation.is_some());
    assert!(packet("0 < . 1:1(0) ack 1 win 5/udp(1 > 9811)").encapsulation.is_some());
    assert!(packet("0 < ipv4 1.1.1.1 > 2.2.2.2: . 1:1(0) ack 1").encapsulation.is_some());
}

#[test]
fn errors_and_datagrams() {
    let Body::Icmp(icmp) = packet("0 < icmp unreachable frag_needed mtu 1400 [1:1461(1460)]").body else {
        panic!("not ICMP")
    };
    assert_eq!((icmp.mtu, icmp.quoted), (Some(1_400), Quoted::Tcp { seq: 1, len: 1_460 }));
    assert_eq!(packet("0 < udp 5 > 6 (1000)").body, Body::Udp { ports: Some((5, 6)), len: 1_000 });
}

#[test]
fn calls_of_every_form() {
    let poll = call("0 poll([{fd=4, events=POLLIN|POLLOUT, revents=0}], 1, 0) = 1");
    let Expr::Array(items) = &poll.arguments[0] else { panic!("not an array") };
    assert_eq!(items[0].field("fd"), Some(&Expr::Int(4)));
    let error = call("0 read(3, ..., 10) = -1 EAGAIN (Try (once) again)");
    assert_eq!((error.result, error.errno.as_deref()), (Expr::Int(-1), Some("EAGAIN")));
    let message = call("0 sendmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 100}], msg_flags=0}, 0) = 100");
    assert!(message.arguments[1].field("msg_iov").is_some());
    let address = call(
        "0 bind(3, {sa_family = AF_INET, sin_port = htons(80), sin_addr = inet_addr(\"1.2.3.4\")}, ...) = 0",
    );
    assert!(matches!(address.arguments[1].field("sin_port"), Some(Expr::Apply(..))));
}

#[test]
fn definitions_conditions_and_comments() {
    let source = "--define=SIZE=100\n// one\n/* two\n lines */ 0 write(3, ..., SIZE) = SIZE // three\n";
    assert_eq!(call(source).arguments[2], Expr::Int(100));
    let chosen = "#ifdef A\n0 close(1) = 0\n#else\n0 close(2) = 0\n#endif\n";
    assert_eq!(parse(chosen, &["A"]).expect("fine").events[0].line, 2);
    assert_eq!(parse(chosen, &[]).expect("fine").events[0].line, 4);
    assert_eq!(parse("0 close(N) = 0", &["N=7"]).expect("fine").events.len(), 1);
}

#[test]
fn an_error_names_its_line_and_what_was_expected() {
    check_error("\n0 > S 0:0(0\n", 2, "expected `)`, found the end of the script");
    check_error("0 > S 0:5(0)", 1, "0:5 is 5 bytes, not 0");
    check_error("0 > Q 0:0(0)", 1, "expected TCP flags, found `Q`");
    check_error("0 > S 0:0(0) <mess 5>", 1, "`mess` is not a TCP option");
    check_error("0 > S 0:0(0) <mss 70000>", 1, "`70000` is out of range for an MSS");
    check_error("* read(3) = 0", 1, "only a packet that is expected may come at any time or in a range");
    check_error("0 < . 1:1(0) <...>\n", 1, "`<...>` can only be expected, not sent");
    check_error("1~0 > . 1:1(0)", 1, "the range of times runs backwards");
    check_error("0 `unended", 1, "` without its end");
    check_error("#endif", 1, "`#endif` without `#ifdef`");
    check_error("--define=A=A\n0 A() = 0", 2, "`A` is defined by itself");
}

/// Everything in one script, for sweeps.
const SAMPLE: &str = "--ip_version=ipv4\n--define=N=10\n`sysctl -q net.ipv4.tcp_ecn=0`\n\
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 bind(3, ..., ...) = 0\n+0 listen(3, 1) = 0\n\
    +0 < [ect0] SEW 0:0(0) win 32792 <mss 1000,sackOK,TS val 5 ecr 0,nop,wscale 7>\n\
    +0 > SE. 0:0(0) ack 1 <...>\n+.1 < . 1:1(0) ack 1 win 100 <nop,nop,TS val 6 ecr 0>\n\
    +0 accept(3, ..., ...) = 4\n+0...0.2 read(4, ..., N) = 10\n+.05 < P. 1:11(10) ack 1 win 100\n\
    * > . 1:1(0) ack 11 <...>\n+0 %{ assert tcpi_state == TCP_ESTABLISHED and (1 | 2) == 3 }%\n\
    +0 < icmp unreachable frag_needed mtu 1400 [1:1(0)]\n+.1~+.2 > F. 1:1(0) ack 11\n";

#[test]
fn no_truncation_panics() {
    for cut in 0..=SAMPLE.len() {
        let _ = parse(&SAMPLE[..cut], &[]);
        let outcome = run(&SAMPLE[..cut], &Options::default());
        assert!(outcome.verdict == Verdict::Pass || !outcome.reason.is_empty(), "cut at {cut}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = run(&text, &Options::default());
    }

    #[test]
    fn no_change_of_a_script_panics(at in 0..SAMPLE.len(), len in 0usize..12, with in "[ -~]{0,8}") {
        let end = (at + len).min(SAMPLE.len());
        let changed = format!("{}{with}{}", &SAMPLE[..at], &SAMPLE[end..]);
        let _ = run(&changed, &Options { verbose: true, ..Options::default() });
    }

    #[test]
    fn words_of_the_language_in_any_order_do_not_panic(
        words in proptest::collection::vec(proptest::sample::select(SAMPLE.split(' ').collect::<Vec<_>>()), 0..40)
    ) {
        let _ = run(&words.join(" "), &Options::default());
    }
}
