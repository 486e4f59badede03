//! Modular arithmetic on public numbers: what verifying old RSA and DSA signatures takes.
//!
//! Nothing here is secret, so nothing needs constant time. Numbers are little-endian limbs of 32 bits.

use std::cmp::Ordering;

/// A natural number without leading zero limbs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Natural(Vec<u32>);

impl Natural {
    pub(super) fn from_bytes(bytes: &[u8]) -> Natural {
        let limbs =
            bytes.rchunks(4).map(|chunk| chunk.iter().fold(0, |limb, byte| limb << 8 | u32::from(*byte)));
        Natural(limbs.collect()).trimmed()
    }

    /// Big-endian octets, at least `length` of them.
    pub(super) fn to_bytes(&self, length: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.0.iter().flat_map(|limb| limb.to_le_bytes()).collect();
        while bytes.len() > length && bytes.last() == Some(&0) {
            bytes.pop();
        }
        bytes.resize(bytes.len().max(length), 0);
        bytes.reverse();
        bytes
    }

    pub(super) fn one() -> Natural {
        Natural(vec![1])
    }

    pub(super) fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn bits(&self) -> usize {
        self.0.last().map_or(0, |last| self.0.len() * 32 - last.leading_zeros() as usize)
    }

    fn bit(&self, at: usize) -> bool {
        self.0.get(at / 32).is_some_and(|limb| limb >> (at % 32) & 1 == 1)
    }

    fn trimmed(mut self) -> Natural {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        self
    }

    pub(super) fn less_than(&self, other: &Natural) -> bool {
        self.compare(other) == Ordering::Less
    }

    fn compare(&self, other: &Natural) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    fn multiply(&self, other: &Natural) -> Natural {
        let mut product = vec![0_u32; self.0.len() + other.0.len()];
        for (i, a) in self.0.iter().enumerate() {
            let mut carry = 0_u64;
            for (j, b) in other.0.iter().enumerate() {
                let sum = u64::from(*a) * u64::from(*b) + u64::from(product[i + j]) + carry;
                product[i + j] = sum as u32;
                carry = sum >> 32;
            }
            product[i + other.0.len()] = carry as u32;
        }
        Natural(product).trimmed()
    }

    /// The rest of a division (Knuth's algorithm D). `modulus` is not zero.
    pub(super) fn rest(&self, modulus: &Natural) -> Natural {
        if self.less_than(modulus) {
            return self.clone();
        }
        let n = modulus.0.len();
        if n == 1 {
            let divisor = u64::from(modulus.0[0]);
            let rest =
                self.0.iter().rev().fold(0_u64, |rest, limb| (rest << 32 | u64::from(*limb)) % divisor);
            return Natural(vec![rest as u32]).trimmed();
        }
        let shift = modulus.0[n - 1].leading_zeros();
        let divisor = shifted(&modulus.0, shift);
        let mut value = shifted(&self.0, shift);
        value.push(0);
        let top = u64::from(divisor[n - 1]);
        for j in (0..value.len() - n).rev() {
            let head = u64::from(value[j + n]) << 32 | u64::from(value[j + n - 1]);
            let (mut quotient, mut rest) = (head / top, head % top);
            while quotient >> 32 != 0
                || quotient * u64::from(divisor[n - 2]) > (rest << 32 | u64::from(value[j + n - 2]))
            {
                quotient -= 1;
                rest += top;
                if rest >> 32 != 0 {
                    break;
                }
            }
            let (mut borrow, mut carry) = (0_i64, 0_u64);
            for i in 0..n {
                let product = quotient * u64::from(divisor[i]) + carry;
                carry = product >> 32;
                let difference = i64::from(value[i + j]) - borrow - i64::from(product as u32);
                value[i + j] = difference as u32;
                borrow = i64::from(difference < 0);
            }
            let difference = i64::from(value[j + n]) - borrow - carry as i64;
            value[j + n] = difference as u32;
            if difference < 0 {
                let mut carry = 0_u64;
                for i in 0..n {
                    let sum = u64::from(value[i + j]) + u64::from(divisor[i]) + carry;
                    value[i + j] = sum as u32;
                    carry = sum >> 32;
                }
                value[j + n] = value[j + n].wrapping_add(carry as u32);
            }
        }
        value.truncate(n);
        if shift > 0 {
            for i in 0..n {
                let high = value.get(i + 1).copied().unwrap_or(0);
                value[i] = value[i] >> shift | (u64::from(high) << (32 - shift)) as u32;
            }
        }
        Natural(value).trimmed()
    }

    pub(super) fn times(&self, other: &Natural, modulus: &Natural) -> Natural {
        self.multiply(other).rest(modulus)
    }

    /// `self` to the power of `exponent`.
    pub(super) fn power(&self, exponent: &Natural, modulus: &Natural) -> Natural {
        let mut result = Natural::one().rest(modulus);
        let base = self.rest(modulus);
        for at in (0..exponent.bits()).rev() {
            result = result.times(&result, modulus);
            if exponent.bit(at) {
                result = result.times(&base, modulus);
            }
        }
        result
    }

    /// `self - other`, which is not larger.
    pub(super) fn minus(&self, other: &Natural) -> Natural {
        let mut limbs = self.0.clone();
        let mut borrow = 0_i64;
        for (at, limb) in limbs.iter_mut().enumerate() {
            let difference = i64::from(*limb) - i64::from(other.0.get(at).copied().unwrap_or(0)) - borrow;
            *limb = difference as u32;
            borrow = i64::from(difference < 0);
        }
        Natural(limbs).trimmed()
    }
}

fn shifted(limbs: &[u32], shift: u32) -> Vec<u32> {
    let mut out = Vec::with_capacity(limbs.len() + 1);
    let mut carry = 0;
    for limb in limbs {
        let wide = u64::from(*limb) << shift | carry;
        out.push(wide as u32);
        carry = wide >> 32;
    }
    if carry > 0 {
        out.push(carry as u32);
    }
    out
}
