//! From a Trace to a Verdict: which layer is at fault, and what proves it.
