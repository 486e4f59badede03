//! coturn and its own client: STUN, TURN with permissions and channels, over UDP and TCP.

use crate::place::{NotHere, Place, command, words};
use crate::program::Ready;
use crate::scene::Scene;

pub(crate) fn scenes() -> Vec<Scene> {
    let needs =
        &[("turnserver", "coturn"), ("turnutils_uclient", "coturn"), ("turnutils_stunclient", "coturn")];
    let needs: &'static [(&str, &str)] = needs;
    vec![
        Scene::new("turn", needs, play).by(&["turnutils_uclie"]),
        Scene::new("turn-tcp", needs, over_tcp).by(&["turnutils_uclie"]),
    ]
}

fn coturn(place: &Place) {
    let line = format!(
        "-n -v --log-file=stdout --no-cli --no-tls --no-dtls --listening-ip=192.0.2.2 --relay-ip=192.0.2.2 --lt-cred-mech \
         --user=somebody:words --realm=example.test --min-port=50000 --max-port=50100 --allow-loopback-peers \
         --allowed-peer-ip=192.0.2.2 --userdb={} --pidfile={} --relay-threads=1",
        place.path("users.db"),
        place.path("turn.pid")
    );
    place.serve(&mut command("turnserver", words(&line)), Ready::Udp(3478));
    place.serve(&mut command("turnutils_peer", words("-L 192.0.2.2")), Ready::Udp(3480));
}

/// Runs clients side by side: each takes its time between its messages.
fn clients(place: &Place, options: &[&str]) {
    let start = |options: &&str| {
        let line = format!("{options} -u somebody -n 3 -m 1 -l 120 -e 192.0.2.2 -X 192.0.2.2");
        place.near.start(&mut command("turnutils_uclient", words(&line)), Ready::Now)
    };
    let running: Vec<_> = options.iter().map(start).collect();
    for client in running {
        client.end();
    }
}

fn play(place: &Place) -> Result<(), NotHere> {
    coturn(place);
    place.near.tries(&mut command("turnutils_stunclient", ["192.0.2.2"]));
    place.near.tries(&mut command("turnutils_natdiscovery", words("-m -f 192.0.2.2")));
    // With channels; with Send indications; with a fingerprint in everything; with a wrong word.
    clients(place, &["-w words", "-w words -s", "-w words -g -D", "-w wrong"]);
    Ok(())
}

fn over_tcp(place: &Place) -> Result<(), NotHere> {
    coturn(place);
    clients(place, &["-w words -t", "-w words -t -s"]);
    Ok(())
}
