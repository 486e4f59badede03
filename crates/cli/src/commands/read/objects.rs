//! The bodies of HTTP's answers as files.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use flate2::read::{MultiGzDecoder, ZlibDecoder};
use thru_dissect::Tree;
use thru_dissect::summary::objects::{Object, Objects, Part};

use crate::failure::Failure;
use crate::output;

/// Writes them as they come: none has to fit into memory.
pub(super) struct Export {
    folder: PathBuf,
    objects: Objects,
    /// Those that are not whole, by their numbers.
    open: BTreeMap<u64, (File, u64)>,
    whole: u64,
}

/// So many may be open at once; what is more is left out.
const OPEN_MAX: usize = 256;
/// What unpacks to more stays packed.
const PLAIN_MAX: u64 = 1 << 30;
/// A file's name is not longer.
const NAME_MAX: usize = 80;

impl Export {
    pub(super) fn new(folder: &Path) -> Result<Export, Failure> {
        fs::create_dir_all(folder).map_err(|error| cannot(folder, &error))?;
        Ok(Export { folder: folder.to_owned(), objects: Objects::default(), open: BTreeMap::new(), whole: 0 })
    }

    pub(super) fn take(&mut self, tree: Tree<'_>) -> Result<(), Failure> {
        let mut parts = Vec::new();
        self.objects.take(tree, &mut |part| parts.push(part));
        for part in parts {
            self.part(part).map_err(|error| cannot(&self.folder, &error))?;
        }
        Ok(())
    }

    fn part(&mut self, part: Part<'_>) -> io::Result<()> {
        match part {
            Part::Bytes(number, bytes) => {
                if !self.open.contains_key(&number) {
                    if self.open.len() >= OPEN_MAX {
                        return Ok(());
                    }
                    self.open.insert(number, (File::create(self.partial(number))?, 0));
                }
                if let Some((file, size)) = self.open.get_mut(&number) {
                    file.write_all(bytes)?;
                    *size += bytes.len() as u64;
                }
            }
            Part::End(number, object) => {
                let Some((_, size)) = self.open.remove(&number) else { return Ok(()) };
                let name = name(number, &object.path);
                let Object { host, path, kind, coding, status, frame } = object;
                let (name, size) = self.unpacked(number, name, &coding, size)?;
                self.whole += 1;
                let line = format!("{name}\t{status}\t{kind}\t{size}\tpacket {frame}\t{host}{path}");
                let line: String =
                    line.chars().map(|c| if c.is_control() && c != '\t' { '.' } else { c }).collect();
                output::print(&format!("{line}\n"));
            }
        }
        Ok(())
    }

    /// Gives an object its name, without the coding it was sent in where that is known; otherwise the coding becomes
    /// the end of its name.
    fn unpacked(&self, number: u64, name: String, coding: &str, size: u64) -> io::Result<(String, u64)> {
        let partial = self.partial(number);
        let coding = coding.trim().to_ascii_lowercase();
        let packed = || io::Result::Ok(BufReader::new(File::open(&partial)?));
        let plain: Option<Box<dyn Read>> = match coding.as_str() {
            "gzip" | "x-gzip" => Some(Box::new(MultiGzDecoder::new(packed()?))),
            "deflate" => Some(Box::new(ZlibDecoder::new(packed()?))),
            "zstd" => match ruzstd::decoding::StreamingDecoder::new(packed()?) {
                Ok(decoder) => Some(Box::new(decoder)),
                Err(_) => None,
            },
            _ => None,
        };
        if let Some(plain) = plain {
            let place = self.folder.join(&name);
            let copied = io::copy(&mut plain.take(PLAIN_MAX + 1), &mut File::create(&place)?);
            if let Some(size) = copied.ok().filter(|size| *size <= PLAIN_MAX) {
                fs::remove_file(&partial)?;
                return Ok((name, size));
            }
            fs::remove_file(&place)?;
        }
        let ending: String = coding.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
        let is_plain = ending.is_empty() || ending == "identity";
        let name = if is_plain { name } else { format!("{name}.{ending}") };
        fs::rename(&partial, self.folder.join(&name))?;
        Ok((name, size))
    }

    fn partial(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:04}.part"))
    }

    /// Says what was written. Objects that did not end stay as they are, with a name that says so.
    pub(super) fn finish(self) {
        let Export { folder, open, whole, .. } = self;
        let parts =
            if open.is_empty() { String::new() } else { format!(", {} are incomplete (.part)", open.len()) };
        output::say(&format!("{whole} objects written to {}{parts}\n", folder.display()));
    }
}

/// A file name from a path: nothing in it leads elsewhere.
fn name(number: u64, path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let last = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or("index");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let plain: String = last.chars().map(|c| if is_plain(c) { c } else { '_' }).take(NAME_MAX).collect();
    format!("{number:04}-{}", plain.trim_start_matches('.'))
}

fn cannot(folder: &Path, error: &io::Error) -> Failure {
    Failure::undecided(format!("cannot write to `{}`: {error}", folder.display()), "")
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn a_name_from_the_network_leads_nowhere() {
        assert_eq!(name(7, "/a/b.txt?x=/../y"), "0007-b.txt");
        assert_eq!(name(7, "/../../etc/passwd"), "0007-passwd");
        assert_eq!(name(7, "/.."), "0007-");
        assert_eq!(name(7, "/"), "0007-index");
        assert_eq!(name(7, "/\u{1b}[2J"), "0007-__2J");
    }
}
