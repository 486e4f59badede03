//! What answers: name servers and web servers over any network.
