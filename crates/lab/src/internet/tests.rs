use super::*;
use thru_net::lab;

/// Runs `main` on the scenario's internet.
fn on<F, Fut, R>(scenario: Scenario, main: F) -> R
where
    F: FnOnce(Internet) -> Fut + Send + 'static,
    Fut: Future<Output = R> + 'static,
    R: Send + 'static,
{
    lab::run(scenario.options(scenario.seed), move |lab| async move {
        let internet = scenario.start(&lab).await.expect("the scenario starts");
        main(internet).await
    })
    .expect("the lab comes to its end")
}

#[test]
fn the_internet_carries_a_ping() {
    let mut scenario = Scenario::builtin("internet").unwrap();
    scenario.services.clear();
    let rtt = on(scenario, |internet| async move {
        let shop = internet.scenario().node("web-shop").unwrap();
        let mut rtts = Vec::new();
        for v6 in [false, true] {
            let target = internet.scenario().address(shop, v6).unwrap();
            let recorder = thru_probe::Recorder::new(internet.client());
            let result = thru_probe::ping::ping(&recorder, None, target, "idle", Default::default(), |_| {})
                .await
                .unwrap();
            assert_eq!(result.received(), 4, "{target}");
            rtts.extend(result.rtts());
        }
        rtts
    });
    assert!(rtt.iter().all(|rtt| (25..45).contains(&rtt.as_millis())), "{rtt:?}");
}

#[test]
fn names_are_asked_from_the_root_down_by_the_resolver() {
    let (answers, steps) = on(Scenario::builtin("internet").unwrap(), |internet| async move {
        let recorder = thru_probe::Recorder::new(internet.client());
        let options = thru_probe::resolve::ResolveOptions::default();
        let found = thru_probe::resolve::resolve(&recorder, None, "www.shop.lab", &options).await.unwrap();
        let steps: Vec<IpAddr> = internet
            .resolutions()
            .iter()
            .flat_map(|answer| &answer.steps)
            .map(|step| step.server.ip())
            .collect();
        (found.addresses, steps)
    });
    let addresses: Vec<String> = answers.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["2001:db8:b:1::10", "203.0.113.10"]);
    let scenario = Scenario::builtin("internet").unwrap();
    for server in ["ns-root", "ns-lab", "ns-hosting"] {
        let node = scenario.node(server).unwrap();
        let own = [false, true].map(|v6| scenario.address(node, v6).unwrap());
        assert!(steps.iter().any(|step| own.contains(step)), "{server} was asked: {steps:?}");
    }
}
