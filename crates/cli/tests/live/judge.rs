//! The capture of a scene, and what tshark says of it beside what we say.

use std::fs;
use std::path::{Path, PathBuf};

use thru_agree::{Report, pdml};
use thru_dissect::{Dissector, Options};

use crate::place::{Place, command};
use crate::program::{Program, Ready};
use crate::scene::Scene;

/// `thru capture` at the near end.
pub(crate) struct Capturing {
    program: Program,
    file: PathBuf,
}

/// Starts to listen.
pub(crate) fn capture(place: &Place, name: &str) -> Capturing {
    let file = place.folder.join(format!("{name}.raw.pcapng"));
    let path = file.to_str().expect("a plain path");
    let mut listen = command(env!("CARGO_BIN_EXE_thru"), ["capture", "-i", "eth0", "-P", "-w", path]);
    let program = place.near.start(&mut listen, Ready::Says("listening on"));
    Capturing { program, file }
}

impl Capturing {
    /// Ends it: the capture, which has the secrets of TLS within if there are any.
    pub(crate) fn end(self, place: &Place) -> PathBuf {
        let (is_well, said) = self.program.interrupt();
        assert!(is_well && said.contains("0 packets dropped by kernel"), "{said}");
        let keys = place.keys();
        if fs::metadata(&keys).is_ok_and(|file| file.len() > 0) {
            let whole = self.file.with_extension("").with_extension("pcapng");
            let mut unite = command(env!("CARGO_BIN_EXE_thru"), ["read"]);
            unite.arg(&self.file).arg("--keylog").arg(&keys).arg("-w").arg(&whole);
            place.near.runs(&mut unite);
            return whole;
        }
        self.file
    }
}

/// Compares what both of us make of a capture.
pub(crate) fn judge<'a>(
    scene: &Scene,
    place: &Place,
    file: &Path,
    tshark: &Path,
    mut report: Report<'a>,
) -> Report<'a> {
    let mut told: Vec<String> = scene.told.iter().map(|word| (*word).to_owned()).collect();
    for word in &mut told {
        *word = word.replace("FOLDER", &place.folder.display().to_string());
    }
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    let theirs = pdml::read(tshark, file, &told).expect("tshark reads it");
    assert!(!theirs.is_empty(), "nothing was captured");
    let comments =
        theirs.iter().flat_map(|packet| &packet.fields).filter(|(name, _)| name == "frame.comment");
    let comments: Vec<&str> = comments.map(|(_, value)| value.as_str()).collect();
    for process in scene.processes {
        let is_told = comments.iter().any(|comment| comment.starts_with(&format!("{process}/")));
        assert!(is_told, "no packet is ascribed to {process}, only to {comments:?}");
    }
    let named = file.with_file_name(format!("{}.pcapng", scene.name));
    if named != file {
        fs::copy(file, &named).expect("copied");
    }
    let mut dissector = Dissector::new(Options::default());
    if !scene.schema.is_empty() {
        dissector.schema(scene.schema).expect("a schema");
    }
    report.compare_by(&mut dissector, &named, &theirs);
    report
}
