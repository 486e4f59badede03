//! Not protocols: what is wrong with a packet as a whole.

use crate::field::protocol;

protocol! { MALFORMED "_ws.malformed" "Malformed" "Malformed Packet"; }
protocol! { SHORT "_ws.short" "Short" "Packet size limited during capture"; }
