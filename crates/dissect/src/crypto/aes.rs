//! AES (FIPS 197), for the modes that ring does not have: CBC and CCM.
//!
//! It looks tables up, so its time depends on what it reads. Here it only opens what a key log opens: there is nobody
//! from whom the key had to be hidden.

/// The S-box, by powers of the generator 3 and their inverses.
const S: [u8; 256] = {
    let mut table = [0; 256];
    let (mut power, mut inverse) = (1u8, 1u8);
    loop {
        power = power ^ doubled(power);
        // Divided by 3.
        inverse ^= inverse << 1;
        inverse ^= inverse << 2;
        inverse ^= inverse << 4;
        if inverse & 0x80 != 0 {
            inverse ^= 0x09;
        }
        let turned =
            inverse.rotate_left(1) ^ inverse.rotate_left(2) ^ inverse.rotate_left(3) ^ inverse.rotate_left(4);
        table[power as usize] = inverse ^ turned ^ 0x63;
        if power == 1 {
            break;
        }
    }
    table[0] = 0x63;
    table
};

/// The S-box's inverse.
const S_BACK: [u8; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        table[S[at] as usize] = at as u8;
        at += 1;
    }
    table
};

/// SubBytes and MixColumns of a byte of the first row; the others' are turned.
static MIX: [u32; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let s = S[at];
        table[at] = u32::from_be_bytes([doubled(s), s, s, doubled(s) ^ s]);
        at += 1;
    }
    table
};

/// The same backwards.
static MIX_BACK: [u32; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let s = S_BACK[at];
        let (two, four, eight) = (doubled(s), doubled(doubled(s)), doubled(doubled(doubled(s))));
        table[at] = u32::from_be_bytes([eight ^ four ^ two, eight ^ s, eight ^ four ^ s, eight ^ two ^ s]);
        at += 1;
    }
    table
};

/// Times x in the field of 256 elements.
const fn doubled(byte: u8) -> u8 {
    byte << 1 ^ if byte & 0x80 != 0 { 0x1B } else { 0 }
}

/// A block: four columns, their first row in the highest byte.
type Block = [u32; 4];

/// A key, in both directions.
#[derive(Clone)]
pub(crate) struct Aes {
    /// The keys of the rounds, and those of the equivalent inverse cipher (FIPS 197 5.3.5).
    forth: [Block; 15],
    back: [Block; 15],
    rounds: usize,
}

impl Aes {
    /// `None`: a key is 16 or 32 bytes long.
    pub(crate) fn new(key: &[u8]) -> Option<Aes> {
        let words = match key.len() {
            16 => 4,
            32 => 8,
            _ => return None,
        };
        let rounds = words + 6;
        let mut schedule = [0u32; 60];
        for (word, bytes) in schedule.iter_mut().zip(key.as_chunks::<4>().0) {
            *word = u32::from_be_bytes(*bytes);
        }
        let substituted = |word: u32| u32::from_be_bytes(word.to_be_bytes().map(|byte| S[usize::from(byte)]));
        let mut constant = 1u8;
        for at in words..4 * (rounds + 1) {
            let before = schedule[at - 1];
            let mixed = match at % words {
                0 => {
                    let mixed = substituted(before.rotate_left(8)) ^ u32::from(constant) << 24;
                    constant = doubled(constant);
                    mixed
                }
                4 if words > 6 => substituted(before),
                _ => before,
            };
            schedule[at] = schedule[at - words] ^ mixed;
        }
        let mut forth = [[0; 4]; 15];
        forth.as_flattened_mut().copy_from_slice(&schedule);
        let mut back = [[0; 4]; 15];
        for round in 0..=rounds {
            let unmixed = |word: u32| {
                let bytes = word.to_be_bytes().map(|byte| MIX_BACK[usize::from(S[usize::from(byte)])]);
                bytes[0] ^ bytes[1].rotate_right(8) ^ bytes[2].rotate_right(16) ^ bytes[3].rotate_right(24)
            };
            let key = forth[rounds - round];
            back[round] = if round == 0 || round == rounds { key } else { key.map(unmixed) };
        }
        Some(Aes { forth, back, rounds })
    }

    pub(crate) fn seal(&self, block: [u8; 16]) -> [u8; 16] {
        self.rounds(&self.forth, &MIX, &S, [0, 1, 2, 3], block)
    }

    pub(crate) fn open(&self, block: [u8; 16]) -> [u8; 16] {
        self.rounds(&self.back, &MIX_BACK, &S_BACK, [0, 3, 2, 1], block)
    }

    /// All rounds. ShiftRows takes the bytes of a column from columns `shift` further on.
    #[inline(always)]
    fn rounds(
        &self,
        keys: &[Block; 15],
        mix: &[u32; 256],
        last: &[u8; 256],
        shift: [usize; 4],
        block: [u8; 16],
    ) -> [u8; 16] {
        let mut state = keys[0];
        for (word, bytes) in state.iter_mut().zip(block.as_chunks::<4>().0) {
            *word ^= u32::from_be_bytes(*bytes);
        }
        let byte = |state: &Block, column: usize, row: usize| {
            usize::from(state[(column + shift[row]) & 3].to_be_bytes()[row])
        };
        for key in &keys[1..self.rounds] {
            let before = state;
            for (column, word) in state.iter_mut().enumerate() {
                *word = key[column]
                    ^ mix[byte(&before, column, 0)]
                    ^ mix[byte(&before, column, 1)].rotate_right(8)
                    ^ mix[byte(&before, column, 2)].rotate_right(16)
                    ^ mix[byte(&before, column, 3)].rotate_right(24);
            }
        }
        let mut out = [0; 16];
        for (column, bytes) in out.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            let word = [0, 1, 2, 3].map(|row| last[byte(&state, column, row)]);
            *bytes = (u32::from_be_bytes(word) ^ keys[self.rounds][column]).to_be_bytes();
        }
        out
    }

    /// Cipher block chaining (NIST SP 800-38A 6.2): opens whole blocks.
    pub(crate) fn open_chained(&self, iv: [u8; 16], sealed: &[[u8; 16]]) -> Vec<u8> {
        let mut plain = Vec::with_capacity(16 * sealed.len());
        let mut before = iv;
        for block in sealed {
            let opened = u128::from_ne_bytes(self.open(*block)) ^ u128::from_ne_bytes(before);
            plain.extend_from_slice(&opened.to_ne_bytes());
            before = *block;
        }
        plain
    }

    /// Counter with CBC-MAC (RFC 3610), nonces of twelve bytes: opens what is sealed with a tag of `tag` bytes behind
    /// it. `None`: the tag is another.
    pub(crate) fn open_counted(
        &self,
        nonce: [u8; 12],
        aad: &[u8],
        sealed: &[u8],
        tag: usize,
    ) -> Option<Vec<u8>> {
        let (body, given) = sealed.split_at_checked(sealed.len().checked_sub(tag)?)?;
        let block = |flags: u8, number: usize| {
            let mut block = [0; 16];
            block[0] = flags;
            block[1..13].copy_from_slice(&nonce);
            block[13..].copy_from_slice(&(number as u32).to_be_bytes()[1..]);
            block
        };
        let stream = |number: usize| self.seal(block(2, number));
        let mut plain = body.to_vec();
        for (at, piece) in plain.chunks_mut(16).enumerate() {
            piece.iter_mut().zip(stream(at + 1)).for_each(|(byte, key)| *byte ^= key);
        }
        let mut sum = self.seal(block(0x40 | ((tag as u8 - 2) / 2) << 3 | 2, plain.len()));
        let mut add = |bytes: &mut dyn Iterator<Item = u8>| {
            for (at, byte) in bytes.enumerate() {
                if at > 0 && at.is_multiple_of(16) {
                    sum = self.seal(sum);
                }
                sum[at % 16] ^= byte;
            }
            sum = self.seal(sum);
        };
        // What is authenticated only is shorter than 0xFF00 bytes: a record's header.
        add(&mut (aad.len() as u16).to_be_bytes().into_iter().chain(aad.iter().copied()));
        if !plain.is_empty() {
            add(&mut plain.iter().copied());
        }
        let own = sum.iter().zip(stream(0)).map(|(byte, key)| byte ^ key);
        own.take(tag).eq(given.iter().copied()).then_some(plain)
    }
}
