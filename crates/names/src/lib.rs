//! DNS as machines that take the time as an argument: zones, cache, iterative resolution.
