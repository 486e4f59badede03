//! Our own scripts, in folders named by the RFC whose words they check. Each passes, or is named in
//! `expected-failures.txt` with a reason: a list that may only get shorter.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use thru_drill::{Options, Verdict, run};

#[test]
fn scripts_hold_but_for_those_named() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let listed = fs::read_to_string(root.join("expected-failures.txt")).expect("the list is there");
    let expected: BTreeSet<String> = listed
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| line.split_whitespace().next().unwrap_or_default().to_owned())
        .collect();
    let scripts = scripts(&root);
    assert!(scripts.len() >= 200, "only {} scripts", scripts.len());
    let mut wrong = Vec::new();
    let mut met = BTreeSet::new();
    for path in scripts {
        let name = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().into_owned();
        let source = fs::read_to_string(&path).expect("a script is text");
        let outcome = run(&source, &Options::default());
        let passed = outcome.verdict == Verdict::Pass;
        if expected.contains(&name) {
            met.insert(name.clone());
        }
        if passed == expected.contains(&name) {
            let word = outcome.verdict.word();
            wrong.push(format!("{name}:{}: {word}: {}", outcome.line, outcome.reason));
        }
    }
    wrong.extend(expected.difference(&met).map(|name| format!("{name}: is not there")));
    assert!(wrong.is_empty(), "not as expected:\n{}", wrong.join("\n"));
}

#[test]
fn a_script_gives_the_same_twice() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let options = Options { verbose: true, ..Options::default() };
    for path in scripts(&root).iter().step_by(10) {
        let source = fs::read_to_string(path).expect("a script is text");
        assert_eq!(run(&source, &options), run(&source, &options), "{}", path.display());
    }
}

#[test]
fn every_script_says_which_words_it_checks() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for path in scripts(&root) {
        let source = fs::read_to_string(&path).expect("a script is text");
        assert!(source.starts_with("// "), "{} begins with no comment", path.display());
        let folder =
            path.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
        assert!(folder.starts_with("rfc"), "{folder} is not named by an RFC");
    }
}

fn scripts(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(scripts(&path));
        } else if path.extension().is_some_and(|extension| extension == "pkt") {
            found.push(path);
        }
    }
    found.sort();
    found
}
