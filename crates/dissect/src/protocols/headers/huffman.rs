//! The Huffman code of HPACK and QPACK (RFC 7541 appendix B). It is canonical: the lengths tell all.

/// How many bits each byte takes, and the end of a string at last.
#[rustfmt::skip]
const LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

const SYMBOLS: usize = 257;
const END: u16 = 256;
const LONGEST: usize = 30;

/// The code by length: its first word, how many words it has, where their symbols begin in the order.
struct Code {
    first: [u32; LONGEST + 1],
    count: [u32; LONGEST + 1],
    begins: [u32; LONGEST + 1],
    order: [u16; SYMBOLS],
}

static CODE: Code = code();

const fn code() -> Code {
    let mut code = Code {
        first: [0; LONGEST + 1],
        count: [0; LONGEST + 1],
        begins: [0; LONGEST + 1],
        order: [0; SYMBOLS],
    };
    let (mut word, mut placed, mut length) = (0u32, 0usize, 1usize);
    while length <= LONGEST {
        word <<= 1;
        code.first[length] = word;
        code.begins[length] = placed as u32;
        let mut symbol = 0;
        while symbol < SYMBOLS {
            if LENGTHS[symbol] as usize == length {
                code.order[placed] = symbol as u16;
                placed += 1;
                word += 1;
            }
            symbol += 1;
        }
        code.count[length] = placed as u32 - code.begins[length];
        length += 1;
    }
    code
}

/// Decodes a string. `None`: it holds the end symbol, or its padding is not the end symbol's beginning.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut words = Vec::with_capacity(bytes.len() * 8 / 5);
    let (mut word, mut length, mut ones) = (0u32, 0usize, true);
    for byte in bytes {
        for place in (0..8).rev() {
            let bit = u32::from(byte >> place & 1);
            (word, length, ones) = (word << 1 | bit, length + 1, ones && bit == 1);
            let above = word.wrapping_sub(CODE.first[length]);
            if above < CODE.count[length] {
                let symbol = CODE.order[(CODE.begins[length] + above) as usize];
                if symbol == END {
                    return None;
                }
                words.push(symbol as u8);
                (word, length, ones) = (0, 0, true);
            } else if length == LONGEST {
                return None;
            }
        }
    }
    (length < 8 && ones).then_some(words)
}
