//! Zones that `thru serve dns` keeps signed: over the end of their signatures, rolls to other keys, restarts and changes
//! of their files. BIND copies every version as a secondary, and ldns-verify-zone checks each at the date it is for. The
//! dates are put forward; nobody waits.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use thru_peers::peer;

use crate::house::{Folder, Server, expect, head, inside, run, thru};
use crate::secondary::{PRIMARY, SECONDARY, Secondary};

const DAY: u64 = 86_400;

/// The primary, its date and what it was told to do.
struct Scene {
    folder: Folder,
    control: String,
    secondary: Secondary,
    /// How far the date was put forward.
    ahead: u64,
}

impl Scene {
    /// Gives an order and waits until the secondary has what comes of it; what the zone's keys are then.
    fn order(&mut self, words: &[&str]) -> Value {
        let all = [&["dns"], words, &["--control", &self.control]].concat();
        let said = thru(&all);
        let value: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{words:?}: {said}"));
        let zone = value.get("rolled.test.").unwrap_or(&value).clone();
        self.secondary.has(zone["serial"].as_u64().unwrap_or_else(|| panic!("{words:?}: {said}")));
        zone
    }

    fn wait(&mut self, days: u64) -> Value {
        self.ahead += days * DAY;
        self.order(&["wait", &format!("{days}d")])
    }

    /// The secondary's copy is right at this date for who trusts one of these DS records, and for each of them.
    fn verify(&self, when: &str, keys: &Value) {
        let copy =
            run("dig", &[&format!("@{SECONDARY}"), "rolled.test", "AXFR", "+noall", "+answer", "+onesoa"]);
        let file = self.folder.write("copied", &copy);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a date").as_secs() + self.ahead;
        let date = run("date", &["-u", "-d", &format!("@{now}"), "+%Y%m%d%H%M%S"]);
        for ds in keys["ds"].as_array().expect("DS records") {
            let anchor = self
                .folder
                .write("anchor", &format!("rolled.test. 3600 IN DS {}\n", ds.as_str().expect("text")));
            let said = run("ldns-verify-zone", &["-t", date.trim(), "-k", &anchor, &file]);
            assert!(said.contains("Zone is verified and complete"), "{when}, {keys}: {said}\n{copy}");
        }
    }
}

/// The DS records that the zone asks for.
fn ds(keys: &Value) -> BTreeSet<String> {
    keys["ds"]
        .as_array()
        .expect("DS records")
        .iter()
        .map(|ds| ds.as_str().expect("text").to_owned())
        .collect()
}

#[test]
fn a_zone_stays_valid_over_years_rolls_restarts_and_edits() {
    let needed = [("named", "bind9"), ("ldns-verify-zone", "ldnsutils"), ("dig", "bind9-dnsutils")];
    let test = "zones kept signed, copied by BIND and checked by ldns";
    if !needed.iter().all(|(program, package)| peer(test, program, package).is_some())
        || !inside("rolling::a_zone_stays_valid_over_years_rolls_restarts_and_edits")
    {
        return;
    }
    let folder = Folder::new("rolling");
    let records = "www.rolled.test. 300 IN A 192.0.2.80\n*.wild.rolled.test. 300 IN TXT any\n";
    let file = folder.write("zone", &(head("rolled.test.", PRIMARY) + records));
    let (keys, control) = (folder.path("keys"), folder.path("orders"));
    let words = [
        "--listen",
        PRIMARY,
        "--zone",
        &file,
        "--sign",
        "--keys",
        &keys,
        "--rehearse",
        "--nsec3-salt",
        "ab12",
        "--transfer",
        "127.0.0.0/8",
        "--notify",
        SECONDARY,
    ];
    let server = Server::start(&folder, "orders", &words);
    let first_ds = server.told.clone();
    let secondary = Secondary::start(&folder, "rolled.test");
    let mut scene = Scene { folder, control, secondary, ahead: 0 };

    // Signatures hold for two weeks. Each step finds the zone signed anew.
    let begun = scene.order(&["keys"]);
    assert!(ds(&begun).iter().all(|ds| first_ds.contains(ds)), "{begun}: {first_ds}");
    scene.verify("at first", &begun);
    let mut last = begun.clone();
    for days in [11, 20, 365] {
        let now = scene.wait(days);
        assert!(now["serial"].as_u64() > last["serial"].as_u64(), "{now}");
        scene.verify("later", &now);
        last = now;
    }

    // Another key of the same kind: both are there until the parent has changed.
    let rolling = scene.order(&["roll", "rolled.test", "entry-point"]);
    assert_eq!((ds(&rolling), &rolling["roll"]["stage"]), (ds(&begun), &Value::from("spreading")));
    scene.verify("while the new key spreads", &rolling);
    let asking = scene.wait(1);
    assert_eq!(asking["roll"]["stage"], "awaiting-parent");
    assert!(ds(&asking).is_disjoint(&ds(&begun)), "CDS asks for the new one: {asking}");
    scene.verify("before the parent has changed", &begun);
    scene.verify("after the parent has changed", &asking);
    // However long that takes.
    let asking = scene.wait(30);
    scene.verify("a month later", &begun);
    let said = thru(&["dns", "parent", "rolled.test", "--control", &scene.control]);
    expect("the parent has it", &said, &["parent-spreading"]);
    let rolled = scene.wait(2);
    assert!(
        rolled.get("roll").is_none() && rolled["keys"].as_array().is_some_and(|keys| keys.len() == 1),
        "{rolled}"
    );
    assert_eq!(ds(&rolled), ds(&asking));
    scene.verify("after the roll", &rolled);

    // Another algorithm: at no time a key without its signatures.
    let rolling = scene.order(&["roll", "rolled.test", "algorithm", "p256"]);
    assert_eq!(rolling["roll"]["stage"], "presigned");
    scene.verify("signatures before keys", &rolled);
    let asking = scene.wait(2);
    assert_eq!(asking["roll"]["stage"], "awaiting-parent");
    scene.verify("with the old DS", &rolled);
    scene.verify("with the new DS", &asking);
    thru(&["dns", "parent", "rolled.test", "--control", &scene.control]);
    let done = scene.wait(3);
    assert!(done.get("roll").is_none() && ds(&done).iter().all(|ds| ds.contains(" 13 2 ")), "{done}");
    scene.verify("after the roll of the algorithm", &done);

    // A roll is under way when the server ends; it goes on where it was, at the true date again.
    let rolling = scene.order(&["roll", "rolled.test", "entry-point", "p256"]);
    server.end();
    let server = Server::start(&scene.folder, "orders", &words);
    scene.ahead = 0;
    let restarted = scene.order(&["keys"]);
    assert_eq!((ds(&restarted), &restarted["roll"]), (ds(&rolling), &rolling["roll"]));
    scene.verify("after a restart", &restarted);

    // The file changes; its own serial does not have to.
    scene
        .folder
        .write("zone", &(head("rolled.test.", PRIMARY) + records + "new.rolled.test. 300 IN A 192.0.2.81\n"));
    let id = server.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &id]).status().is_ok_and(|status| status.success()));
    scene.secondary.has(restarted["serial"].as_u64().expect("a serial") + 1);
    let said = run("dig", &[&format!("@{SECONDARY}"), "new.rolled.test", "+short"]);
    assert_eq!(said.trim(), "192.0.2.81");
    scene.verify("after the change", &restarted);
    let unchanged = thru(&["dns", "reload", "--control", &scene.control]);
    expect("nothing new", &unchanged, &["\"changed\": []"]);

    // What is wrong with a file is said, and the zone stays.
    scene.folder.write("zone", "www.rolled.test. 300 IN A 192.0.2.80\n");
    expect("a bad file", &thru(&["dns", "reload", "--control", &scene.control]), &["there is no SOA"]);
    expect(
        "a roll",
        &thru(&["dns", "roll", "rolled.test", "entry-point", "--control", &scene.control]),
        &["a roll is under way already"],
    );
    let files = fs::read_dir(scene.folder.0.join("keys")).expect("the keys").count();
    assert_eq!(files, 4 * 2 + 1, "each key has two files, and the zone has one of its own");
}
