//! Against real counterparts.
