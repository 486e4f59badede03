//! The labs inside the binary.

/// Name and text of every built-in lab: first the internet, then the same internet with one thing broken.
pub const LABS: &[(&str, &str)] = &[("internet", include_str!("../labs/internet.toml"))];

/// The lab of that name, with its full name.
pub fn find(name: &str) -> Option<(&'static str, &'static str)> {
    LABS.iter().find(|(known, _)| *known == name).copied()
}

/// All names, in the order of `thru lab list`.
pub fn names() -> impl Iterator<Item = &'static str> + Clone {
    LABS.iter().map(|(name, _)| *name)
}
