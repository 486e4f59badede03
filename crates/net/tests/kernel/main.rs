//! Our stack against the Linux kernel, over devices in network namespaces that each test makes for itself.
//!
//! - `place`: a namespace whose kernel is the peer of a host of ours.
//! - `transfer`: bulk both ways, for every congestion control of ours; the kernel at both ends as the control.
//! - `matrix`: every device, family and role.
//! - `auto`: addresses from dnsmasq and radvd.
//! - `http`: curl and nginx. `program`: such programs in a place.
//! - `loops`: one loop for every device, simulated links among them; arrival times.
//! - `lossy`: the same through a link of ours that loses packets.
//! - `guest`: the same against another kernel, one that runs as a user's program.

mod auto;
mod guest;
mod http;
mod loops;
mod lossy;
mod matrix;
mod place;
mod program;
mod transfer;
