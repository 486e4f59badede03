//! A folder that a test works in.

use std::fs;
use std::path::PathBuf;

/// The path of a folder of a test's own among the temporary files; it vanishes when dropped.
#[derive(Debug)]
pub struct Folder(pub PathBuf);

impl Folder {
    /// A new one, named after the test and this process. Panics where none can be made: no test goes on without.
    pub fn new(test: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("thru-{test}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a temporary folder");
        Folder(folder)
    }

    /// The path of a file in it, which need not be there yet, as words of a command line have it.
    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a plain path").to_owned()
    }

    /// Writes a file; gives its path.
    pub fn write(&self, name: &str, content: &(impl AsRef<[u8]> + ?Sized)) -> String {
        let path = self.path(name);
        fs::write(&path, content).expect("a file in a folder of our own");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
