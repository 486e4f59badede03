//! Trace and Verdict as text, JSON and pcapng.
