//! The fault catalogue: ids and one-line meanings.
