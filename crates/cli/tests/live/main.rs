//! Real programs talk to each other over a wire between two network namespaces, `thru capture` writes down what they
//! say, and our trees of it are compared with tshark's: for each protocol the share of packets whose layers agree, and in
//! which nothing at all differs. Less than 99.5 % of a protocol's packets fails, unless each difference has its reason in
//! `differences.txt`.
//!
//! A scene is a pair of programs or a few, and stands in the file of its subject. `THRU_LIVE=word` plays those scenes only
//! whose names contain the word, `THRU_LIVE_KEEP=1` leaves their folders (with the captures) in the temporary folder,
//! `THRU_BLESS=1` writes the columns of `docs/dissect.md`.

mod calls;
mod certificates;
mod databases;
mod files;
mod hosts;
mod judge;
mod links;
mod names;
mod place;
mod program;
mod relays;
mod routing;
mod scene;
mod sealed;
mod speech;
mod streams;
mod things;
mod web;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;

use thru_agree::page::{Kind, Page};
use thru_agree::{Classes, Lenient, Reasons, Report, pdml};

use judge::judge;
use place::{NotHere, Place};
use scene::Scene;

/// The scenes, those that wait longest first.
fn scenes() -> Vec<Scene> {
    [
        routing::scenes(),
        relays::scenes(),
        calls::scenes(),
        sealed::scenes(),
        names::scenes(),
        web::scenes(),
        things::scenes(),
        links::scenes(),
        databases::scenes(),
        hosts::scenes(),
        files::scenes(),
        streams::scenes(),
        speech::scenes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Of each protocol's packets so many agree, or the reasons for all that don't are known.
const SHARE: f64 = 99.5;

#[test]
fn programs_agree_with_tshark() {
    let test = "live: programs_agree_with_tshark";
    let Some(tshark) = thru_peers::peer(test, "tshark", "tshark") else { return };
    let Some(_) = thru_peers::peer(test, "ip", "iproute2") else { return };
    if !thru_peers::is_root() {
        return thru_peers::not_run(test, "servers and namespaces need root");
    }
    let only = std::env::var("THRU_LIVE").unwrap_or_default();
    let scenes: Vec<Scene> = scenes().into_iter().filter(|scene| scene.name.contains(&only)).collect();
    let work = Mutex::new(scenes.iter());
    let expected = Expected::read(&tshark);
    let (report, failures) = (Mutex::new(expected.report()), Mutex::new(Vec::new()));
    std::thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| {
                loop {
                    let Some(scene) = work.lock().expect("no thread panicked").next() else { return };
                    match catch_unwind(AssertUnwindSafe(|| play(scene, &tshark, &expected))) {
                        Ok(Ok(one)) => report.lock().expect("no thread panicked").add(one),
                        // What has no words was told already.
                        Ok(Err(NotHere(why))) if why.is_empty() => {}
                        Ok(Err(NotHere(why))) => thru_peers::not_run(&format!("live: {}", scene.name), &why),
                        Err(why) => {
                            let told = format!("{}: {}", scene.name, words_of(why.as_ref()));
                            failures.lock().expect("no thread panicked").push(told);
                        }
                    }
                }
            });
        }
    });
    let (report, failures) = (report.into_inner().expect("joined"), failures.into_inner().expect("joined"));
    println!("{}\n{}", report.table(), report.unexplained().join("\n"));
    let count = failures.len();
    assert!(failures.is_empty(), "{count} scenes broke down:\n{}", failures.join("\n\n"));
    let short: Vec<&str> = report
        .rows()
        .filter(|(_, row)| 100.0 * (row.packets - row.unexplained()) as f64 / (row.packets as f64) < SHARE)
        .map(|(name, _)| name)
        .collect();
    assert!(
        short.is_empty(),
        "less than {SHARE} % of the packets agree, without a reason, of {short:?}:\n{}",
        report.unexplained().join("\n")
    );
    if std::env::var_os("THRU_BLESS").is_some() && only.is_empty() {
        let mut page = Page::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/dissect.md"));
        page.set(Kind::Live, &report);
        page.write();
    }
}

/// What a panic said: programs that failed are in it, with all that they said.
fn words_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// What may differ.
struct Expected {
    known: Lenient,
    reasons: Reasons,
}

impl Expected {
    fn read(tshark: &Path) -> Expected {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        let classes = Classes::read(&tests.join("../../dissect/tests/agree/classes.txt"));
        let known = Lenient { classes, known: pdml::fields(tshark).into_keys().collect() };
        Expected { known, reasons: Reasons::read(&tests.join("live/differences.txt")) }
    }

    fn report(&self) -> Report<'_> {
        Report::lenient(&self.known).with(&self.reasons)
    }
}

fn play<'a>(scene: &Scene, tshark: &Path, expected: &'a Expected) -> Result<Report<'a>, NotHere> {
    for (program, package) in scene.needs {
        if thru_peers::peer(&format!("live: {}", scene.name), program, package).is_none() {
            return Ok(expected.report());
        }
    }
    let place = Place::new(scene.name);
    let capture = judge::capture(&place, scene.name);
    (scene.play)(&place)?;
    let file = capture.end(&place);
    place.stop();
    Ok(judge(scene, &place, &file, tshark, expected.report()))
}
