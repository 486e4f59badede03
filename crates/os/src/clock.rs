//! The real clocks. Everything above takes the time as an argument.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use thru_wire::Instant;

/// Time since this process first asked: monotonic, in nanoseconds.
pub fn now() -> Instant {
    Instant::from_nanos(u64::try_from(origin().elapsed().as_nanos()).unwrap_or(u64::MAX))
}

/// The standard library's instant at which [`now`] was zero: for libraries that want one.
pub fn origin() -> std::time::Instant {
    static ORIGIN: OnceLock<std::time::Instant> = OnceLock::new();
    *ORIGIN.get_or_init(std::time::Instant::now)
}

/// Time since the Unix epoch by the system's clock; zero if it is set before 1970.
pub fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
