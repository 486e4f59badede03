//! Ed448 signatures verified (RFC 8032 section 5.2, RFC 8080).
//!
//! Keys and signatures are public, so nothing here takes constant time. Numbers modulo the field's prime
//! 2^448 - 2^224 - 1 are eight limbs of 56 bits.

use std::sync::LazyLock;

use super::keccak::shake256;

/// Octets of a key and of each half of a signature.
pub(super) const LENGTH: usize = 57;
const MASK: u64 = (1 << 56) - 1;

#[derive(Clone, Copy, Debug)]
struct Element([u64; 8]);

/// The prime's limbs.
const PRIME: [u64; 8] = [MASK, MASK, MASK, MASK, MASK - 1, MASK, MASK, MASK];
const ZERO: Element = Element([0; 8]);
const ONE: Element = Element([1, 0, 0, 0, 0, 0, 0, 0]);
/// The curve's d is -39081.
const MINUS_D: Element = Element([39_081, 0, 0, 0, 0, 0, 0, 0]);

impl Element {
    /// Little-endian octets; `None` when they are not below the prime.
    fn from_bytes(bytes: &[u8; 56]) -> Option<Element> {
        let limb = |at: usize| {
            bytes[7 * at..7 * at + 7].iter().rev().fold(0, |limb, byte| limb << 8 | u64::from(*byte))
        };
        let element = Element(std::array::from_fn(limb));
        let below = element.0.iter().rev().lt(PRIME.iter().rev());
        below.then_some(element)
    }

    /// Brings limbs that have grown back below 2^56, but for a little.
    fn carried(mut limbs: [u128; 8]) -> Element {
        for _ in 0..3 {
            let mut carry = 0;
            for limb in &mut limbs {
                *limb += carry;
                carry = *limb >> 56;
                *limb &= u128::from(MASK);
            }
            // 2^448 is 2^224 + 1.
            limbs[0] += carry;
            limbs[4] += carry;
        }
        Element(limbs.map(|limb| limb as u64))
    }

    fn add(self, other: Element) -> Element {
        Element::carried(std::array::from_fn(|at| u128::from(self.0[at]) + u128::from(other.0[at])))
    }

    fn sub(self, other: Element) -> Element {
        // Four times the prime keeps every limb from going below zero.
        Element::carried(std::array::from_fn(|at| {
            u128::from(self.0[at]) + 4 * u128::from(PRIME[at]) - u128::from(other.0[at])
        }))
    }

    fn mul(self, other: Element) -> Element {
        let mut wide = [0_u128; 15];
        for (i, a) in self.0.iter().enumerate() {
            for (j, b) in other.0.iter().enumerate() {
                wide[i + j] += u128::from(*a) * u128::from(*b);
            }
        }
        for at in (8..15).rev() {
            wide[at - 8] += wide[at];
            wide[at - 4] += wide[at];
        }
        Element::carried(std::array::from_fn(|at| wide[at]))
    }

    fn square(self) -> Element {
        self.mul(self)
    }

    fn squares(self, times: u32) -> Element {
        (0..times).fold(self, |element, _| element.square())
    }

    /// To the power 2^446 - 2^222 - 1, which is (p - 3) / 4.
    fn root_power(self) -> Element {
        // 2^n - 1 for n = 222 and 223, by doubling the run of ones.
        let mut ones = self;
        let mut count = 1;
        for bit in [1, 0, 1, 1, 1, 1, 0] {
            ones = ones.squares(count).mul(ones);
            count *= 2;
            if bit == 1 {
                ones = ones.square().mul(self);
                count += 1;
            }
        }
        debug_assert_eq!(count, 222, "the run is as long as it has to be");
        // 2^446 - 2^222 - 1 = (2^223 - 1) * 2^223 + (2^222 - 1): 223 ones, a zero, 222 ones.
        ones.square().mul(self).squares(223).mul(ones)
    }

    /// The one form below the prime.
    fn canonical(self) -> [u64; 8] {
        let mut limbs = Element::carried(self.0.map(u128::from)).0;
        while !limbs.iter().rev().lt(PRIME.iter().rev()) {
            let mut borrow = 0_i128;
            for (limb, prime) in limbs.iter_mut().zip(PRIME) {
                let difference = i128::from(*limb) - i128::from(prime) + borrow;
                borrow = difference >> 56;
                *limb = (difference & i128::from(MASK)) as u64;
            }
        }
        limbs
    }

    fn equals(self, other: Element) -> bool {
        self.canonical() == other.canonical()
    }
}

/// A point in projective coordinates (RFC 8032 section 5.2.4).
#[derive(Clone, Copy, Debug)]
struct Point {
    x: Element,
    y: Element,
    z: Element,
}

const IDENTITY: Point = Point { x: ZERO, y: ONE, z: ONE };

/// The base point (RFC 8032 section 5.2, table 2).
const BASE: Point = Point {
    x: Element([
        0x0026_a82b_c70c_c05e,
        0x0080_e18b_0093_8e26,
        0x00f7_2ab6_6511_433b,
        0x00a3_d3a4_6412_ae1a,
        0x000f_1767_ea6d_e324,
        0x0036_da9e_1465_7047,
        0x00ed_221d_15a6_22bf,
        0x004f_1970_c66b_ed0d,
    ]),
    y: Element([
        0x0008_795b_f230_fa14,
        0x0013_2c4e_d7c8_ad98,
        0x001c_e67c_39c4_fdbd,
        0x0005_a0c2_d73a_d3ff,
        0x00a3_9840_8778_9c1e,
        0x00c7_624b_ea73_736c,
        0x0024_8876_2037_56c9,
        0x0069_3f46_716e_b6bc,
    ]),
    z: ONE,
};

impl Point {
    /// RFC 8032 section 5.2.3; `None` when no point has this form.
    fn from_bytes(bytes: &[u8; LENGTH]) -> Option<Point> {
        let sign = bytes[56] >> 7 == 1;
        if bytes[56] & 0x7f != 0 {
            return None;
        }
        let y = Element::from_bytes(bytes[..56].try_into().expect("56 octets"))?;
        let square = y.square();
        let u = square.sub(ONE);
        // d y^2 - 1.
        let v = ZERO.sub(MINUS_D.mul(square)).sub(ONE);
        let u3v = u.square().mul(u).mul(v);
        let x = u3v.mul(u3v.mul(u.square()).mul(v.square()).root_power());
        if !v.mul(x.square()).equals(u) {
            return None;
        }
        let canonical = x.canonical();
        if sign && canonical == [0; 8] {
            return None;
        }
        let x = if (canonical[0] & 1 == 1) == sign { x } else { ZERO.sub(x) };
        Some(Point { x, y, z: ONE })
    }

    fn add(self, other: Point) -> Point {
        let a = self.z.mul(other.z);
        let b = a.square();
        let c = self.x.mul(other.x);
        let d = self.y.mul(other.y);
        let minus_e = MINUS_D.mul(c).mul(d);
        let (f, g) = (b.add(minus_e), b.sub(minus_e));
        let h = self.x.add(self.y).mul(other.x.add(other.y));
        Point { x: a.mul(f).mul(h.sub(c).sub(d)), y: a.mul(g).mul(d.sub(c)), z: f.mul(g) }
    }

    fn double(self) -> Point {
        let b = self.x.add(self.y).square();
        let c = self.x.square();
        let d = self.y.square();
        let e = c.add(d);
        let h = self.z.square();
        let j = e.sub(h).sub(h);
        Point { x: b.sub(e).mul(j), y: e.mul(c.sub(d)), z: e.mul(j) }
    }

    /// This point as often as a little-endian number says.
    fn times(self, number: &[u8]) -> Point {
        let mut sum = IDENTITY;
        for byte in number.iter().rev() {
            for bit in (0..8).rev() {
                sum = sum.double();
                if byte >> bit & 1 == 1 {
                    sum = sum.add(self);
                }
            }
        }
        sum
    }

    fn equals(self, other: Point) -> bool {
        self.x.mul(other.z).equals(other.x.mul(self.z)) && self.y.mul(other.z).equals(other.y.mul(self.z))
    }
}

/// The order of the base point, little-endian.
static ORDER: LazyLock<[u8; LENGTH]> = LazyLock::new(|| {
    let mut order = [0xff; LENGTH];
    order[55..].copy_from_slice(&[0x3f, 0]);
    order[..28].copy_from_slice(&[
        0xf3, 0x44, 0x58, 0xab, 0x92, 0xc2, 0x78, 0x23, 0x55, 0x8f, 0xc5, 0x8d, 0x72, 0xc2, 0x6c, 0x21, 0x90,
        0x36, 0xd6, 0xae, 0x49, 0xdb, 0x4e, 0xc4, 0xe9, 0x23, 0xca, 0x7c,
    ]);
    order
});

/// Whether `signature` over `message` is by this key (RFC 8032 section 5.2.7, with the cofactor).
pub(super) fn verify(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let (Ok(key), Some((r, s))) = (<&[u8; LENGTH]>::try_from(key), signature.split_at_checked(LENGTH)) else {
        return false;
    };
    let (Ok(r), Ok(s)) = (<&[u8; LENGTH]>::try_from(r), <&[u8; LENGTH]>::try_from(s)) else { return false };
    if !s.iter().rev().lt(ORDER.iter().rev()) {
        return false;
    }
    let (Some(a), Some(point)) = (Point::from_bytes(key), Point::from_bytes(r)) else { return false };
    let hash: [u8; 114] = shake256(&[b"SigEd448\0\0", r, key, message]);
    // The cofactor of 4 makes up for the hash not being reduced by the order.
    let right = point.add(a.times(&hash));
    BASE.times(s).double().double().equals(right.double().double())
}

#[cfg(test)]
mod tests;
