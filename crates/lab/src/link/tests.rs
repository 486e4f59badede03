use super::*;
use thru_sim::queue::QueueConfig;

fn spec(options: &str) -> Result<LinkSpec, String> {
    let mut spec = LinkSpec::default();
    spec.apply(&Text::new(options, None)).map_err(|error| error.to_string())?;
    Ok(spec)
}

#[test]
fn down_stands_before_up() {
    let spec = spec("rate=100Mbit/20Mbit, delay=5ms, loss_up=1%").unwrap();
    assert_eq!((spec.down.rate, spec.up.rate), (Some(100_000_000), Some(20_000_000)));
    assert_eq!((spec.down.delay, spec.up.delay), (Duration::from_millis(5), Duration::from_millis(5)));
    assert_eq!((&spec.down.loss, &spec.up.loss), (&Loss::None, &Loss::Random(Chance(10_000_000))));
    let config = spec.config();
    assert_eq!(config.a_to_b.rate, Some(20_000_000), "left to right is up");
}

#[test]
fn a_queue_can_be_limited_by_time() {
    let spec = spec("rate=8Mbit/800bit, queue=droptail(100ms)").unwrap();
    let config = spec.config();
    assert_eq!(config.b_to_a.queue, QueueConfig::DropTail { limit: 100_000 });
    assert_eq!(config.a_to_b.queue, QueueConfig::DropTail { limit: 15_140 }, "ten frames at least");
}

#[test]
fn what_is_shown_reads_back() {
    for text in [
        "",
        "rate=20Mbit/s",
        "rate=20Mbit/5Mbit, queue=fq_codel(1MB, flows=16, quantum=300B, target=3ms, interval=50ms, ecn=off)/codel, delay=10ms, jitter=1ms",
        "loss=ge(1%, 20%, 90%, 0.1%), duplicate=0.5%, corrupt=0.01%, reorder=2%, reorder_by=3ms, mtu=1400, mtu_silent_down=1300",
        "loss=every(7)/pattern(00101), rate=1Gbit, burst=10kB, queue=red(min=10kB, max=50kB, probability=5%, ecn=on)",
        "rate=1Mbit, queue=pie(200kB, target=20ms)/drophead(50ms)",
    ] {
        let once = spec(text).unwrap();
        let again = spec(&once.show()).unwrap();
        assert_eq!(once.show(), again.show());
        assert_eq!(once.config(), again.config(), "{text} -> {}", once.show());
    }
}

#[test]
fn every_profile_is_legal() {
    for (name, text) in PROFILES {
        assert!(spec(text).is_ok(), "{name}: {:?}", spec(text));
        assert!(LinkSpec::profile(name).is_some());
    }
}

#[test]
fn refusals_name_the_slip() {
    let refused = |text: &str| spec(text).unwrap_err();
    assert_eq!(refused("dely=10ms"), "unknown link setting `dely`\nhint: did you mean `delay`?");
    assert_eq!(refused("delay_u=10ms"), "unknown link setting `delay_u`\nhint: did you mean `delay_up`?");
    assert_eq!(
        refused("delay=10"),
        "`10` has no unit\nhint: write a number with a unit: ns, us, ms, s, min, h or d, as in `10ms`"
    );
    assert_eq!(refused("queue=fq_coddle"), "unknown queue `fq_coddle`\nhint: did you mean `fq_codel`?");
    assert_eq!(
        refused("queue=codel(traget=5ms)"),
        "unknown setting `traget` of queue `codel`\nhint: did you mean `target`?"
    );
    assert_eq!(refused("delay"), "`delay` has no value\nhint: write `key=value`, as in `delay=10ms`");
    assert_eq!(
        refused("delay=1ms/2ms/3ms"),
        "`1ms/2ms/3ms` has more than two directions\nhint: write one value for both, or `down/up`"
    );
    assert_eq!(
        refused("loss_up=1%/2%"),
        "`loss_up` takes one value\nhint: for both directions write `loss=DOWN/UP`"
    );
    assert_eq!(
        refused("mtu=9"),
        "`9` is not an MTU\nhint: write the largest IP packet in bytes, 576 to 65535, as in `mtu=1400`"
    );
}
