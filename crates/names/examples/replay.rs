//! Runs replay scripts given by name, one line each.
fn main() {
    for file in std::env::args().skip(1) {
        let text = std::fs::read(&file)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default();
        println!("{} {:?}", file.rsplit('/').next().unwrap_or(""), thru_names::replay::run(&text));
    }
}
