//! Two BIRDs: BGP with attributes of many kinds, for IPv4 and IPv6; OSPF 2 and 3; routes withdrawn, sessions closed.

use crate::place::{Host, NotHere, Place, command, words};
use crate::program::{Program, Ready};
use crate::scene::Scene;

pub(crate) fn scenes() -> Vec<Scene> {
    let needs = &[("bird", "bird2"), ("birdc", "bird2")];
    vec![Scene::new("bird", needs, play).by(&["bird"])]
}

/// A router: `{own}` and `{other}` are the last octets of the addresses.
const ROUTER: &str = "log stderr all;
router id 192.0.2.{own};
protocol device { scan time 1; }
protocol static s4 {
  ipv4;
  route 203.0.113.{own}/32 blackhole { bgp_community.add((64500, 1)); bgp_community.add((65535, 65281)); bgp_med = 50; };
  route 198.51.100.{own}/32 blackhole { bgp_large_community.add((64500, 1, 2)); bgp_ext_community.add((rt, 64500, 3)); };
}
protocol static s6 { ipv6; route 2001:db8:7:{own}::/64 blackhole { bgp_large_community.add((4200000000, 7, 9)); }; }
protocol bgp one {
  debug { states, routes }; connect delay time 1; hold time 9; graceful restart on;
  local 192.0.2.{own} as 6450{own}; neighbor 192.0.2.{other} as 6450{other};
  ipv4 { import all; next hop self; add paths on; export filter { bgp_path.prepend(4200000000 + {own}); accept; }; };
  ipv6 { import all; next hop self; export all; extended next hop on; };
}
protocol ospf v2 o4 {
  debug { states, routes };
  ipv4 { export where source = RTS_STATIC; };
  area 0 {
    interface \"eth0\" { hello 1; dead count 3; type broadcast; authentication cryptographic; password \"words\"; };
    stubnet 10.{own}.0.0/16 { cost 7; };
  };
}
protocol ospf v3 o6 {
  debug { states, routes };
  ipv6 { export where source = RTS_STATIC; };
  area 0 { interface \"eth0\" { hello 1; dead count 3; }; };
}
";

fn bird(place: &Place, host: &Host, name: &str, own: &str, other: &str) -> Program {
    let text = ROUTER.replace("{own}", own).replace("{other}", other);
    let config = place.file(&format!("{name}.conf"), text);
    let mut bird = command("bird", ["-d", "-c"]);
    bird.arg(config).args(["-s", &control(place, name), "-P", &place.path(&format!("{name}.pid"))]);
    host.start(&mut bird, Ready::Says("Started"))
}

fn control(place: &Place, name: &str) -> String {
    place.path(&format!("{name}.ctl"))
}

fn play(place: &Place) -> Result<(), NotHere> {
    let mut near = bird(place, &place.near, "near", "1", "2");
    let mut far = bird(place, &place.far, "far", "2", "1");
    let tell = |line: &str| {
        let mut birdc = command("birdc", ["-s", &control(place, "far")]);
        place.far.runs(birdc.args(words(line)));
    };
    // They find each other in the order of their timers: OSPF waits for an election.
    near.wait_for("one.ipv4 > added [best] 203.0.113.2/32");
    near.wait_for("o4.ipv4 > added");
    far.wait_for("o4.ipv4 > added");
    tell("disable s4");
    // Which of its routes is the best then depends on whether OSPF has told it, too.
    near.wait_for("one.ipv4 > removed");
    tell("enable s4");
    near.wait_for("one.ipv4 > added");
    tell("reload in one");
    tell("disable o4");
    tell("disable one \"back in an hour\"");
    near.wait_for("Administrative shutdown");
    Ok(())
}
