//! Labs made up by chance: a way of random length between a user and a site, with everything that a request needs placed
//! somewhere along it, and one fault or none. Nothing in them is like the labs in files but the words of the language:
//! names, addresses, distances, places and strengths are drawn from the seed. `lab:random-SEED` names one.

use std::fmt::Write as _;

use crate::Scenario;

/// The lab that this seed makes.
pub fn scenario(seed: u64) -> Scenario {
    let text = text(seed);
    Scenario::parse(&text, &format!("lab:random-{seed}"))
        .unwrap_or_else(|error| panic!("random lab {seed} is none: {error}\n{text}"))
}

/// Its file.
pub fn text(seed: u64) -> String {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x7468_7275);
    let way = Way::new(&mut dice);
    let fault = dice.pick(FAULTS);
    let injected = (fault.inject)(&mut dice, &way);
    way.text(seed, fault, &injected)
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// `from..=to`.
    fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from + 1)
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.next().is_multiple_of(times)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[(self.next() % from.len() as u64) as usize]
    }
}

/// Who stands where.
struct Way {
    /// Routers between the user's network and the site's.
    routers: usize,
    /// The user's gateway translates addresses.
    nat: bool,
    /// The user's machine hangs on a switch with another one.
    lan: bool,
    /// Which router the name servers, the resolver, the other site and the open resolver hang on.
    places: [usize; 4],
    links: Vec<String>,
    host: String,
    /// The site has IPv4 addresses only.
    only_v4: bool,
    size: u64,
}

impl Way {
    fn new(dice: &mut Dice) -> Way {
        let routers = dice.between(1, 6) as usize;
        let places = [0; 4].map(|_| dice.between(0, routers as u64 - 1) as usize);
        let word =
            dice.pick(&["mill", "harbour", "orchard", "museum", "bakery", "forge", "garden", "archive"]);
        let top = dice.pick(&["www", "app", "shop", "portal", "files"]);
        let mut way = Way {
            routers,
            nat: dice.one_in(2),
            lan: dice.one_in(2),
            places,
            links: Vec::new(),
            host: format!("{top}.{word}{}.lab", dice.between(1, 999)),
            only_v4: dice.one_in(3),
            size: dice.pick(&[2_000, 40_000, 200_000]),
        };
        way.links = way.make_links(dice);
        way
    }

    fn make_links(&self, dice: &mut Dice) -> Vec<String> {
        let line = |dice: &mut Dice, ends: String, most: u64| {
            let (delay, rate) = (dice.between(100, most * 1_000), dice.between(20, 400));
            let jitter = if dice.one_in(4) { format!(", jitter={}us", delay / 8) } else { String::new() };
            format!("{ends} {{ delay={delay}us, rate={rate}Mbit{jitter} }}")
        };
        let mut links = Vec::new();
        if self.lan {
            links.push(line(dice, "pc -- lan".into(), 1));
            links.push("neighbour -- lan".to_string());
            links.push("gw -- lan".to_string());
        } else {
            links.push(line(dice, "pc -- gw".into(), 3));
        }
        links.push(line(dice, "gw -- r0".into(), 12));
        for router in 1..self.routers {
            links.push(line(dice, format!("r{} -- r{router}", router - 1), 25));
        }
        links.push(line(dice, format!("r{} -- edge", self.routers - 1), 8));
        links.push("site -- edge".to_string());
        for (name, place) in ["names", "res", "other", "open"].iter().zip(self.places) {
            links.push(line(dice, format!("{name} -- r{place}"), 6));
        }
        links
    }

    /// A router of the way, by name.
    fn router(&self, dice: &mut Dice) -> String {
        format!("r{}", dice.between(0, self.routers as u64 - 1))
    }

    /// A link between the user's gateway and the site's router that the site's packets pass.
    fn link(&self, dice: &mut Dice) -> String {
        match dice.between(0, self.routers as u64) {
            0 => "gw--r0".to_string(),
            place if place as usize == self.routers => format!("r{}--edge", self.routers - 1),
            place => format!("r{}--r{place}", place - 1),
        }
    }

    fn text(&self, seed: u64, fault: Kind, injected: &Injected) -> String {
        let mut nodes = vec![
            "pc",
            if self.nat { "gw:nat" } else { "gw:router" },
            "edge:router",
            "site",
            "names",
            "res",
            "other",
            "open",
        ];
        if self.lan {
            nodes.extend(["lan:switch", "neighbour"]);
        }
        let routers = (0..self.routers).map(|router| format!("r{router}:router"));
        let nodes: Vec<String> = nodes.into_iter().map(String::from).chain(routers).collect();
        let quoted =
            |words: &[String]| words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
        let mut out = String::new();
        let path = injected.path.clone().unwrap_or_else(|| format!("/bytes/{}", self.size));
        let url = format!("https://{}{path}", self.host);
        let _ = writeln!(out, "name = \"random-{seed}\"\nabout = \"made up by chance: {}\"", fault.about);
        let _ = writeln!(out, "date = \"2026-05-04T08:00:00Z\"\nclient = \"pc\"\ntarget = \"{url}\"");
        let _ = writeln!(out, "control = \"https://www.elsewhere.lab/\"\nother_resolvers = [\"open\"]");
        let _ = writeln!(out, "nodes = [{}]\nlinks = [{}]", quoted(&nodes), quoted(&self.links));
        let _ = writeln!(out, "set = [{}]", quoted(&injected.set));
        let _ = writeln!(out, "[node.pc]\nresolvers = [\"res\"]");
        if self.nat {
            let _ = writeln!(out, "[node.gw]\noutside = \"gw--r0\"");
        }
        out.push_str(&injected.nodes);
        let aaaa = if self.only_v4 || injected.known_as.is_some() {
            String::new()
        } else {
            format!("{}. AAAA {{site}}\n", self.host)
        };
        let _ = writeln!(
            out,
            "[service.names]\nkind = \"dns\"\non = \"names\"\n{}zone = \"\"\"\n$ORIGIN .\n$TTL 60\n@ SOA ns.lab. admin.lab. 1 3600 600 86400 60\n@ NS ns.lab.\nns.lab. A {{names}}\n{}. A {{site}}\n{aaaa}www.elsewhere.lab. A {{other}}\nwww.elsewhere.lab. AAAA {{other}}\n\"\"\"",
            injected.names,
            injected.known_as.as_ref().unwrap_or(&self.host),
        );
        for (resolver, extra) in [("res", injected.resolver.as_str()), ("open", "")] {
            let _ = writeln!(
                out,
                "[service.{resolver}]\nkind = \"resolver\"\non = \"{resolver}\"\nroots = [\"names\"]\n{extra}"
            );
        }
        let _ = writeln!(
            out,
            "[service.site]\nkind = \"web\"\non = \"site\"\nnames = [\"{}\"]\n{}",
            self.host, injected.site
        );
        let _ =
            writeln!(out, "[service.other]\nkind = \"web\"\non = \"other\"\nnames = [\"www.elsewhere.lab\"]");
        let causes: Vec<String> = fault.causes.iter().map(ToString::to_string).collect();
        let _ = writeln!(out, "[[check]]\nurl = \"{url}\"\ncauses = [{}]", quoted(&causes));
        out
    }
}

/// What a fault adds to the file.
#[derive(Default)]
struct Injected {
    /// Tables of nodes.
    nodes: String,
    /// Settings of links.
    set: Vec<String>,
    /// Settings of the site, of the name server and of the user's resolver.
    site: String,
    names: String,
    resolver: String,
    /// The name under which the site is known instead.
    known_as: Option<String>,
    path: Option<String>,
}

/// A fault, its truth, and how it is made.
#[derive(Clone, Copy)]
struct Kind {
    about: &'static str,
    causes: &'static [&'static str],
    inject: fn(&mut Dice, &Way) -> Injected,
}

fn site(line: impl Into<String>) -> Injected {
    Injected { site: line.into(), ..Injected::default() }
}

fn node(name: &str, line: &str) -> Injected {
    Injected { nodes: format!("[node.{name}]\n{line}\n"), ..Injected::default() }
}

fn rules(rule: &str) -> String {
    format!("rules = [\"{rule}\"]")
}

/// Every kind of fault that can be placed anywhere.
const FAULTS: &[Kind] = &[
    Kind { about: "nothing is wrong", causes: &[], inject: |_, _| Injected::default() },
    Kind {
        about: "nothing is wrong, and routers are silent",
        causes: &[],
        inject: |dice, way| node(&way.router(dice), "icmp_errors = false\nanswers_ping = false"),
    },
    Kind {
        about: "nothing is wrong, and the site answers no pings",
        causes: &[],
        inject: |_, _| node("site", "answers_ping = false"),
    },
    Kind { about: "the program fails", causes: &["H105"], inject: |_, _| site("status = 500") },
    Kind { about: "the front server has no answer", causes: &["H102"], inject: |_, _| site("status = 502") },
    Kind { about: "maintenance", causes: &["H103"], inject: |_, _| site("status = 503") },
    Kind { about: "no such page", causes: &["H101"], inject: |_, _| site("status = 404") },
    Kind {
        about: "the certificate has run out",
        causes: &["TLS07"],
        inject: |dice, _| {
            site(format!(
                "certificate = {{ not_before = \"2026-01-01\", not_after = \"2026-04-{:02}\" }}",
                dice.between(1, 30)
            ))
        },
    },
    Kind {
        about: "the certificate is for another name",
        causes: &["TLS09"],
        inject: |_, _| site("certificate = { names = [\"somebody.else.lab\"] }"),
    },
    Kind {
        about: "the certificate is signed by itself",
        causes: &["TLS10"],
        inject: |_, _| site("certificate = { issuer = \"self\" }"),
    },
    Kind { about: "the port is closed", causes: &["TCP01"], inject: |_, _| site("up = false") },
    Kind {
        about: "a router drops the port",
        causes: &["FW01", "TCP03"],
        inject: |dice, way| node(&way.router(dice), &rules("drop tcp 443 to site")),
    },
    Kind {
        about: "a router forbids the port",
        causes: &["FW03"],
        inject: |dice, way| node(&way.router(dice), &rules("reject tcp 443 to site")),
    },
    Kind {
        about: "packets are lost",
        causes: &["IP19"],
        inject: |dice, way| Injected {
            set: vec![format!("{}.loss={}%", way.link(dice), dice.between(4, 8))],
            ..Injected::default()
        },
    },
    Kind {
        about: "packets arrive twice",
        causes: &["IP22"],
        inject: |dice, way| Injected {
            set: vec![format!("{}.duplicate={}%", way.link(dice), dice.between(8, 15))],
            path: Some("/bytes/300000".into()),
            ..Injected::default()
        },
    },
    Kind {
        about: "large packets vanish",
        causes: &["IP09"],
        inject: |dice, way| Injected {
            set: vec![format!("{}.mtu_silent={}", way.link(dice), dice.between(1_300, 1_420))],
            path: Some("/bytes/100000".into()),
            ..Injected::default()
        },
    },
    Kind {
        about: "the program thinks long",
        causes: &["APP01"],
        inject: |dice, _| site(format!("think = \"{}ms\"", dice.between(1_500, 6_000))),
    },
    Kind { about: "the program hangs", causes: &["APP05"], inject: |_, _| site("silent = true") },
    Kind {
        about: "the encryption begins late",
        causes: &["TLS34"],
        inject: |dice, _| site(format!("hello = \"{}ms\"", dice.between(2_000, 5_000))),
    },
    Kind {
        about: "the answer is cut short",
        causes: &["H110"],
        inject: |_, _| Injected {
            path: Some("/bytes/100000".into()),
            ..site("close_after = \"20kB\"\nhttp = \"1.1\"\nalt_svc = false")
        },
    },
    Kind {
        about: "no answer but the end",
        causes: &["H112"],
        inject: |_, _| site("answer = \"close\"\nhttp = \"1.1\"\nalt_svc = false"),
    },
    Kind {
        about: "nobody knows the name",
        causes: &["DNS05"],
        inject: |_, _| Injected { known_as: Some("gone.lab".into()), ..Injected::default() },
    },
    Kind {
        about: "the resolver is silent",
        causes: &["DNS02"],
        inject: |_, _| Injected { resolver: "behaviour = \"silent\"".into(), ..Injected::default() },
    },
    Kind {
        about: "the resolver refuses",
        causes: &["DNS07"],
        inject: |_, _| Injected { resolver: "behaviour = \"refused\"".into(), ..Injected::default() },
    },
    Kind {
        about: "the site's machine is off",
        causes: &["IP05", "TCP06", "FW01", "IP07", "TCP03"],
        inject: |_, _| Injected { set: vec!["site--edge.loss=100%".into()], ..Injected::default() },
    },
    Kind {
        about: "one of several machines fails",
        causes: &["APP12"],
        inject: |dice, _| {
            site(format!("status = {}\nshare = \"1/{}\"", dice.pick(&[500, 502]), dice.between(2, 3)))
        },
    },
    Kind {
        about: "the greeting is an alert",
        causes: &["TLS06"],
        inject: |_, _| site("alert = \"unrecognized_name\""),
    },
    Kind { about: "old versions only", causes: &["TLS03"], inject: |_, _| site("tls = \"old\"") },
    Kind { about: "closes at once", causes: &["TLS24"], inject: |_, _| site("door = \"close-after-hello\"") },
    Kind {
        about: "never answers the hello",
        causes: &["TLS23"],
        inject: |_, _| site("door = \"silent-after-hello\""),
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::request;
    use std::time::Duration;
    use url::Url;

    #[test]
    fn every_seed_makes_a_lab_that_runs() {
        for seed in 0..300 {
            let lab = scenario(seed);
            assert_eq!(lab.name, format!("random-{seed}"));
        }
        for seed in [3, 4, 5] {
            let lab = scenario(seed);
            let url = Url::parse(lab.target.as_deref().unwrap()).unwrap();
            let report = request(lab, seed, url, Duration::ZERO, |_| {}).unwrap();
            assert!(!report.trace.spans.is_empty(), "{seed}");
        }
    }
}
