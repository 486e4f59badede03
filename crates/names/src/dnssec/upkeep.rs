//! Upkeep of trust anchors (RFC 5011).

/// The state of anchors that are kept up.
#[derive(Clone, Debug, Default)]
pub struct Upkeep {}
