//! The operands that the digests are about, in the order of `generate.c`.

use rvrun_hart::float::{F16, F32, F64, Format};
use std::collections::HashMap;

/// Boundary operands by the letter of their section, and a random sequence.
pub struct Operands {
    lists: HashMap<char, Vec<u64>>,
    state: u64,
}

fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// What the sequence needs to know of a format.
#[derive(Clone, Copy)]
struct Shape {
    value: u64,
    sign: u64,
    exponent: u64,
    fraction: u64,
    fraction_bits: u32,
    bias: u64,
}

fn shape<F: Format>() -> Shape {
    Shape {
        value: !F::BOX,
        sign: F::SIGN,
        exponent: F::INFINITY,
        fraction: (1 << F::FRACTION) - 1,
        fraction_bits: F::FRACTION,
        bias: F::BIAS as u64,
    }
}

fn shape_of(kind: char) -> Shape {
    match kind {
        'h' => shape::<F16>(),
        's' => shape::<F32>(),
        _ => shape::<F64>(),
    }
}

impl Operands {
    pub fn new(text: &str) -> Self {
        let mut lists = HashMap::<char, Vec<u64>>::new();
        let mut section = ' ';
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let Some(name) = line.strip_prefix('[') {
                section = name.chars().next().unwrap();
            } else {
                let words =
                    line.split_whitespace().map(|word| u64::from_str_radix(word, 16).unwrap());
                lists.entry(section).or_default().extend(words);
            }
        }
        Self { lists, state: 0 }
    }

    /// Calls `run` for all operands of an instruction whose operands are of `kinds`.
    pub fn each(&mut self, kinds: &str, mut run: impl FnMut(u64, u64, u64)) {
        self.state = 1;
        let kind = kinds.chars().next().unwrap();
        if kinds == "h" {
            (0..=0xffff).for_each(|value| run(F16::boxed(value), 0, 0));
        }
        let list = self.lists[&kind].clone();
        let of = |position: usize| if kinds.len() > position { &list[..] } else { &[0][..] };
        for &a in of(0) {
            for &b in of(1) {
                of(2).iter().for_each(|&c| run(a, b, c));
            }
        }
        for i in 0..100_000 {
            let a = self.random(kind);
            let b = if kinds.len() > 1 { self.random(kind) } else { 0 };
            let c = match kinds.len() {
                3 if i % 2 == 1 => self.near_product(kind, a, b),
                3 => self.random(kind),
                _ => 0,
            };
            run(a, b, c);
        }
    }

    fn random(&mut self, kind: char) -> u64 {
        let (s, mut v) = (next(&mut self.state), next(&mut self.state));
        let n = s >> 8;
        if kind == 'x' {
            return match s & 3 {
                0 => v >> (n % 64),
                1 => (1u64 << (n % 64)).wrapping_add(v % 5).wrapping_sub(2),
                2 => v as i32 as u64,
                _ => v,
            };
        }
        let f = shape_of(kind);
        v &= f.value;
        let with_exponent = |exponent: u64| v & (f.sign | f.fraction) | exponent << f.fraction_bits;
        let value = match s & 7 {
            0 => {
                let list = &self.lists[&kind];
                return list[(n % list.len() as u64) as usize];
            }
            1 => with_exponent(f.bias - 8 + n % 16),
            2 => with_exponent(n % 4),
            3 => v & !(f.fraction >> (n % 8 + 1)),
            4 => v | f.fraction >> (n % 8 + 2),
            5 => with_exponent(f.bias + n % f.bias.min(66)),
            _ => v,
        };
        value | !f.value
    }

    /// An addend of a size at which it and the product matter to one another.
    fn near_product(&mut self, kind: char, a: u64, b: u64) -> u64 {
        let f = shape_of(kind);
        let (s, v) = (next(&mut self.state), next(&mut self.state) & f.value);
        let field = |value: u64| ((value & f.exponent) >> f.fraction_bits) as i64;
        let bits = i64::from(f.fraction_bits);
        let exponent = field(a) + field(b) - f.bias as i64 + (s % 9) as i64 - 4
            + (s >> 8 & 1) as i64 * bits
            - (s >> 9 & 1) as i64 * bits;
        let exponent = exponent.clamp(0, 2 * f.bias as i64) as u64;
        v & !f.exponent | exponent << f.fraction_bits | !f.value
    }
}
