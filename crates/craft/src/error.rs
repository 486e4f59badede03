//! What is wrong with an expression, and where.

use core::fmt;

/// An expression that makes no packet. Its text completes "the expression makes no packet: ...".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CraftError {
    /// The first character that is meant, from 0.
    pub column: usize,
    /// How many characters are meant; at least 1.
    pub length: usize,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: String,
}

impl CraftError {
    pub(crate) fn new(column: usize, length: usize, message: impl Into<String>) -> CraftError {
        CraftError { column, length: length.max(1), message: message.into(), hint: String::new() }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> CraftError {
        CraftError { hint: hint.into(), ..self }
    }
}

impl fmt::Display for CraftError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CraftError {}
