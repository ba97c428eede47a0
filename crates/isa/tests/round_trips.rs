//! Encoding, decoding and assembly text are inverses of one another.

use rvrun_isa::{AssembleError, Extensions, Instruction, ROWS, assemble, decode, encode, length};

/// A small generator with a fixed seed (Marsaglia's xorshift64), so that failures repeat.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn check_round_trips(word: u32, instruction: Instruction) {
    assert_eq!(encode(&instruction), Some(word), "encode of {instruction} ({word:#010x})");
    let text = instruction.to_string();
    assert_eq!(assemble(&text), Ok(instruction), "assemble of {text:?} ({word:#010x})");
}

#[test]
fn every_row_round_trips_with_random_operands() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for row in &ROWS {
        let mut seen = 0;
        for _ in 0..2000 {
            let bits = random.next() as u32 & !row.mask | row.value;
            let word = if row.len == 2 { bits & 0xffff } else { bits };
            // A nested row may claim the word, or an operand may be reserved.
            let Some(instruction) = decode(word, Extensions::ALL) else { continue };
            seen += u32::from(instruction.opcode == row.opcode);
            check_round_trips(word, instruction);
        }
        assert!(seen > 0, "no word decodes to {}", row.name);
    }
}

#[test]
fn all_compressed_words_round_trip() {
    let mut legal = 0;
    for word in (0..=u16::MAX).filter(|w| length(*w) == 2) {
        if let Some(instruction) = decode(word.into(), Extensions::ALL) {
            legal += 1;
            assert_eq!(instruction.len, 2);
            check_round_trips(word.into(), instruction);
            assert_eq!(instruction.expanded().len, 2);
        }
    }
    assert!(legal > 40_000, "only {legal} compressed words are legal");
}

#[test]
fn random_words_round_trip() {
    let mut random = Random(42);
    let mut legal = 0;
    for _ in 0..2_000_000 {
        let word = random.next() as u32 | 3;
        if let Some(instruction) = decode(word, Extensions::ALL) {
            legal += 1;
            check_round_trips(word, instruction);
        }
    }
    assert!(legal > 100_000, "only {legal} words were legal");
}

#[test]
fn a_number_has_one_sign() {
    assert!(assemble("addi a0, a0, -0x10").is_ok());
    for number in ["-0x-8000000000000000", "0x-1", "0x+1", "--1", "++1"] {
        let line = format!("addi a0, a0, {number}");
        assert_eq!(assemble(&line), Err(AssembleError::BadOperand), "{line}");
    }
}

#[test]
fn mnemonics_follow_from_opcodes() {
    for row in &ROWS {
        let camel: String = row
            .name
            .split('_')
            .map(|part| {
                let (head, tail) = part.split_at(1);
                head.to_uppercase() + tail
            })
            .collect();
        assert_eq!(camel, format!("{:?}", row.opcode));
    }
}

#[test]
fn forms_expand_to_instructions_that_engines_execute() {
    for row in &ROWS {
        assert!((row.stands_for as usize) < rvrun_isa::Opcode::BASE_COUNT, "{}", row.name);
    }
}
