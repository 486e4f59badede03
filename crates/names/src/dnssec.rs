//! DNSSEC: signatures, keys, denials of existence, trust anchors (RFC 4033 to 4035, 5155, 5011, 6840, 9276).
//!
//! Everything here is a function of octets and a time; the walk from a trust anchor down to an answer is in
//! [`crate::resolver`].
//!
//! - [`algorithm`]: which algorithms and digests we know, and what they verify.
//! - [`records`]: DNSKEY, DS, RRSIG, NSEC and NSEC3 data taken apart.
//! - [`verify`]: whether a set's signature holds, in bounded work.
//! - [`keys`]: from a DS set to the keys of a zone.
//! - [`nsec`], [`nsec3`]: what a denial proves.
//! - [`signing`]: keys that sign, and whole zones signed.
//! - [`upkeep`]: trust anchors that follow their zone's keys.
//! - [`chain`]: the chain of trust of one answer, link by link, as it is shown.
//! - [`anchors`]: trust anchors, and names that are not to be checked.

pub mod algorithm;
pub mod anchors;
pub mod chain;
mod dsa;
mod ed448;
mod keccak;
pub mod keys;
mod modular;
pub mod nsec;
pub mod nsec3;
pub mod records;
mod rsa;
pub mod signing;
pub mod upkeep;
pub mod verify;

/// Extended error codes (RFC 8914 section 4, and the registry) that validation gives.
pub mod ede {
    /// DNSKEY algorithm not supported.
    pub const UNSUPPORTED_ALGORITHM: u16 = 1;
    /// DS digest type not supported.
    pub const UNSUPPORTED_DIGEST: u16 = 2;
    /// A chain that can be neither followed nor proven absent.
    pub const INDETERMINATE: u16 = 5;
    /// Bogus for a reason that has no code of its own.
    pub const BOGUS: u16 = 6;
    /// Every signature has expired.
    pub const EXPIRED: u16 = 7;
    /// Every signature lies in the future.
    pub const NOT_YET_VALID: u16 = 8;
    /// No DNSKEY matches the DS.
    pub const DNSKEY_MISSING: u16 = 9;
    /// No RRSIG where one must be.
    pub const RRSIGS_MISSING: u16 = 10;
    /// No key with the zone key flag.
    pub const NO_ZONE_KEY: u16 = 11;
    /// A denial of existence is missing or proves something else.
    pub const NSEC_MISSING: u16 = 12;
    /// Who has to be asked cannot be, or has nothing to say.
    pub const NETWORK_ERROR: u16 = 23;
    /// A signature that ends before it begins.
    pub const EXPIRED_BEFORE_VALID: u16 = 25;
    /// NSEC3 iterations beyond what we do.
    pub const NSEC3_ITERATIONS: u16 = 27;
    /// An answer made out of verified denials that were known (RFC 8198).
    pub const SYNTHESIZED: u16 = 29;
}

#[cfg(test)]
mod tests;
