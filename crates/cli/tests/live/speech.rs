//! SIPp on both sides: calls, with the media that they agree on.

use crate::place::{NotHere, Place, command, words};
use crate::program::Ready;
use crate::scene::Scene;

pub(crate) fn scenes() -> Vec<Scene> {
    vec![Scene::new("sip", &[("sipp", "sip-tester")], play)]
}

fn play(place: &Place) -> Result<(), NotHere> {
    let answer = |line: &str, port: u16| {
        let line = format!("{line} -i 192.0.2.2 -p {port} -nostdin -bg_off");
        let mut sipp = command("sipp", words(&line.replace(" -bg_off", "")));
        sipp.current_dir(&place.folder).env("TERM", "dumb");
        sipp
    };
    place.serve(&mut answer("-sn uas -rtp_echo", 5060), Ready::Udp(5060));
    place.serve(&mut answer("-sn uas -t t1", 5061), Ready::Tcp(5061));
    for line in [
        "-sn uac -m 2 -d 100 -t u1 192.0.2.2:5060",
        "-sn uac -m 2 -d 100 -t t1 192.0.2.2:5061",
        "-sn regexp -m 1 192.0.2.2:5060",
    ] {
        let line = format!("{line} -i 192.0.2.1 -nostdin -timeout 15 -timeout_error");
        let mut sipp = command("sipp", words(&line));
        place.near.tries(sipp.current_dir(&place.folder).env("TERM", "dumb"));
    }
    // A call with a real voice in it: SIPp plays the packets of a capture that comes with it.
    if std::path::Path::new("/usr/share/sip-tester/pcap/g711a.pcap").exists() {
        let mut sipp = command(
            "sipp",
            words("-sn uac_pcap -m 1 -d 200 192.0.2.2:5060 -i 192.0.2.1 -nostdin -timeout 15"),
        );
        place.near.tries(sipp.current_dir("/usr/share/sip-tester").env("TERM", "dumb"));
    }
    Ok(())
}
