//! Browsers look for authorities neither in a file of the system's nor where an environment variable points: Chromium
//! has a list of its own, and adds what an administrator's policy says. The command gets such a policy.

use std::path::Path;
use std::{fs, io};

use thru_os::namespace;

use crate::output;

/// Where Chromium and Chrome look for policies, below folders that exist where they are installed.
const PLACES: [&str; 2] = ["/etc/chromium", "/etc/opt/chrome"];

/// Makes the browsers of this mount namespace trust the authorities of a PEM file. Browsers need not be there; if it
/// fails they warn of the lab's certificates, and everything else works.
pub(super) fn trust(pem: &str) {
    for place in PLACES.map(Path::new).into_iter().filter(|place| place.is_dir()) {
        if let Err(error) = set_policy(place, pem) {
            output::say(&format!("warning: browsers will not trust the lab: {}: {error}\n", place.display()));
        }
    }
}

/// In a copy of the browser's folder that covers it.
fn set_policy(place: &Path, pem: &str) -> io::Result<()> {
    let mut files = Vec::new();
    keep(place, place, &mut files)?;
    namespace::cover(place)?;
    for (name, text) in files {
        let file = place.join(name);
        fs::create_dir_all(file.parent().unwrap_or(place))?;
        fs::write(file, text)?;
    }
    let policies = place.join("policies/managed");
    fs::create_dir_all(&policies)?;
    fs::write(policies.join("thru-lab.json"), policy(pem))
}

/// Reads the files of a folder, with their names as seen from `root`.
fn keep(root: &Path, folder: &Path, files: &mut Vec<(std::path::PathBuf, Vec<u8>)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            keep(root, &path, files)?;
        } else if let (Ok(name), Ok(text)) = (path.strip_prefix(root), fs::read(&path)) {
            files.push((name.to_owned(), text));
        }
    }
    Ok(())
}

/// Certificates to trust, as Chromium's policies want them: the base64 of each, and nothing else. A browser in the lab
/// asks nobody outside.
fn policy(pem: &str) -> String {
    let mut certificates = Vec::new();
    for line in pem.lines() {
        if line.starts_with("-----BEGIN") {
            certificates.push(String::new());
        } else if let (false, Some(certificate)) = (line.starts_with("-----"), certificates.last_mut()) {
            certificate.push_str(line.trim());
        }
    }
    serde_json::json!({
        "CACertificates": certificates,
        "DnsOverHttpsMode": "off",
        "ComponentUpdatesEnabled": false,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_lists_each_certificate_in_one_line() {
        let pem = "-----BEGIN CERTIFICATE-----\nAAAA\nBBBB\n-----END CERTIFICATE-----\n";
        let policy: serde_json::Value = serde_json::from_str(&policy(&pem.repeat(2))).expect("JSON");
        assert_eq!(policy["CACertificates"], serde_json::json!(["AAAABBBB", "AAAABBBB"]));
    }
}
