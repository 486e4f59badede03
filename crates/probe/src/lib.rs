//! What asks: resolve, route, connect, secure, request; each writes into the Trace.
