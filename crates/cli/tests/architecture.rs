//! ARCHITECTURE.md's absences, checked against the sources and the manifests.

use std::fs;
use std::path::{Path, PathBuf};

const PURE: [&str; 11] =
    ["wire", "stack", "sim", "craft", "names", "drill", "trace", "dissect", "diagnose", "passive", "browse"];

/// Crates in the order of the map: each may use only those before it.
const ORDER: [&str; 18] = [
    "wire", "stack", "sim", "craft", "names", "drill", "trace", "dissect", "diagnose", "passive", "browse",
    "os", "net", "probe", "serve", "lab", "report", "cli",
];

const FORBIDDEN: [(&str, &str); 7] = [
    ("Instant::now", "a real clock"),
    ("SystemTime", "a real clock"),
    ("std::thread", "a thread"),
    ("std::fs", "a file"),
    ("TcpStream::connect", "a socket"),
    ("std::net::Tcp", "a socket"),
    ("std::net::Udp", "a socket"),
];

#[test]
fn pure_crates_hold_no_clock_socket_thread_or_file() {
    let mut found = Vec::new();
    for name in PURE {
        for file in sources(&root().join("crates").join(name).join("src")) {
            for (number, line) in code_lines(&file) {
                for (pattern, what) in FORBIDDEN {
                    if line.contains(pattern) {
                        found.push(format!("{}:{number}: {what}: {}", file.display(), line.trim()));
                    }
                }
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn unsafe_code_lives_in_os_only() {
    let mut found = Vec::new();
    for name in ORDER.iter().filter(|name| **name != "os") {
        for file in sources(&root().join("crates").join(name)) {
            for (number, line) in code_lines(&file) {
                if line.contains("unsafe {") || line.contains("unsafe fn") || line.contains("unsafe impl") {
                    found.push(format!("{}:{number}: {}", file.display(), line.trim()));
                }
            }
        }
    }
    // What counts allocations must stand in for the allocator; nothing of it is in the product.
    let counts = ["architecture.rs", "/benches/", "/tests/allocations.rs", "/tests/memory.rs"];
    let exempt = |line: &String| counts.iter().any(|place| line.contains(place));
    found.retain(|line| !exempt(line));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn arrows_only_run_down_the_map() {
    for (index, name) in ORDER.iter().enumerate() {
        let manifest = root().join("crates").join(name).join("Cargo.toml");
        let text = fs::read_to_string(&manifest).expect("every crate has a manifest");
        let dependencies = text.split("[dev-dependencies]").next().unwrap_or_default();
        for line in dependencies.lines().filter(|line| line.starts_with("thru-")) {
            let used = line.trim_start_matches("thru-").split(['.', ' ', '=']).next().unwrap_or_default();
            let position = ORDER.iter().position(|other| *other == used);
            assert!(
                position.is_some_and(|position| position < index),
                "{name} uses {used}, which is not above it"
            );
        }
    }
}

#[test]
fn the_map_names_every_crate() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the page is there");
    for folder in fs::read_dir(root().join("crates")).expect("there are crates").flatten() {
        let name = folder.file_name().into_string().expect("a plain name");
        assert!(page.contains(&format!("| `{name}` |")), "ARCHITECTURE.md does not name `{name}`");
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Lines that are not comments, with their numbers.
fn code_lines(file: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(file).expect("a source file is text");
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    lines.map(|(index, line)| (index + 1, line.to_owned())).collect()
}
