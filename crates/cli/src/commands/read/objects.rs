//! The bodies of HTTP's answers as files.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use flate2::read::{MultiGzDecoder, ZlibDecoder};
use thru_dissect::Tree;
use thru_dissect::file::Zstd;
use thru_dissect::summary::objects::{Object, Objects, Part};

use crate::failure::Failure;
use crate::output;

/// Writes them as they come: none has to fit into memory.
pub(super) struct Export {
    folder: PathBuf,
    objects: Objects,
    /// Those that are not whole, by their numbers.
    open: BTreeMap<u64, Partial>,
    /// Of those, the ones whose files are open, the oldest first.
    files: VecDeque<u64>,
    whole: u64,
    /// Those whose end will not come.
    lost: u64,
    /// Those of which nothing was kept: the capture lacks a part.
    torn: u64,
}

/// An object that is not whole.
struct Partial {
    /// Not open: its turn was over, and more of it is written behind what is there.
    file: Option<File>,
    size: u64,
}

/// So many files may be open at once; the oldest is closed for another.
const FILES_MAX: usize = 256;
/// What unpacks to more stays packed.
const PLAIN_MAX: u64 = 1 << 30;
/// A file's name is not longer.
const NAME_MAX: usize = 80;

impl Export {
    pub(super) fn new(folder: &Path) -> Result<Export, Failure> {
        fs::create_dir_all(folder).map_err(|error| cannot(folder, &error))?;
        Ok(Export {
            folder: folder.to_owned(),
            objects: Objects::default(),
            open: BTreeMap::new(),
            files: VecDeque::new(),
            whole: 0,
            lost: 0,
            torn: 0,
        })
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
                let (file, size) = self.file(number)?;
                file.write_all(bytes)?;
                *size += bytes.len() as u64;
            }
            Part::Lost(number) if self.close(number).is_some() => self.lost += 1,
            Part::Lost(_) => self.torn += 1,
            Part::End(number, object) => {
                let Some(Partial { size, .. }) = self.close(number) else { return Ok(()) };
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

    /// The file of an object that is not whole, and how long it is.
    fn file(&mut self, number: u64) -> io::Result<(&mut File, &mut u64)> {
        let path = self.partial(number);
        let is_new = !self.open.contains_key(&number);
        let partial = self.open.entry(number).or_insert(Partial { file: None, size: 0 });
        if partial.file.is_none() {
            partial.file = Some(match is_new {
                true => File::create(path)?,
                false => File::options().append(true).open(path)?,
            });
            self.files.push_back(number);
            if self.files.len() > FILES_MAX
                && let Some(oldest) = self.files.pop_front().and_then(|oldest| self.open.get_mut(&oldest))
            {
                oldest.file = None;
            }
        }
        let partial = self.open.get_mut(&number).expect("it is there");
        Ok((partial.file.as_mut().expect("it is open"), &mut partial.size))
    }

    /// Closes an object's file, if there is one.
    fn close(&mut self, number: u64) -> Option<Partial> {
        self.files.retain(|open| *open != number);
        self.open.remove(&number)
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
            "zstd" => Some(Box::new(Zstd::new(packed()?))),
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
        let Export { folder, open, whole, lost, torn, .. } = self;
        let parts = match open.len() as u64 + lost {
            0 => String::new(),
            1 => ", 1 is incomplete (.part)".to_owned(),
            count => format!(", {count} are incomplete (.part)"),
        };
        let gaps = match torn {
            0 => String::new(),
            1 => ", 1 was lost in a gap of the capture".to_owned(),
            count => format!(", {count} were lost in gaps of the capture"),
        };
        output::say(&format!(
            "{} written to {}{parts}{gaps}\n",
            output::counted(whole, "object"),
            folder.display()
        ));
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
    use super::*;

    #[test]
    fn more_objects_than_files_may_be_open_are_all_written() {
        let folder = std::env::temp_dir().join(format!("thru-objects-{}", std::process::id()));
        let mut export = Export::new(&folder).expect("a folder");
        let count = FILES_MAX as u64 + 50;
        for part in ["one ", "two"] {
            for number in 0..count {
                export.part(Part::Bytes(number, part.as_bytes())).expect("written");
                assert!(export.files.len() <= FILES_MAX);
            }
        }
        for number in 0..count {
            let object = Object { path: "/a".into(), ..Object::default() };
            let part = if number == 7 { Part::Lost(number) } else { Part::End(number, object) };
            export.part(part).expect("written");
        }
        assert_eq!((export.whole, export.lost, export.open.len()), (count - 1, 1, 0));
        for number in 0..count {
            let name = if number == 7 { "0007.part".to_owned() } else { format!("{number:04}-a") };
            assert_eq!(fs::read(folder.join(&name)).expect(&name), b"one two");
        }
        fs::remove_dir_all(folder).expect("ours");
    }

    #[test]
    fn a_name_from_the_network_leads_nowhere() {
        assert_eq!(name(7, "/a/b.txt?x=/../y"), "0007-b.txt");
        assert_eq!(name(7, "/../../etc/passwd"), "0007-passwd");
        assert_eq!(name(7, "/.."), "0007-");
        assert_eq!(name(7, "/"), "0007-index");
        assert_eq!(name(7, "/\u{1b}[2J"), "0007-__2J");
    }
}
