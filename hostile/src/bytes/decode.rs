//! Words, lines of assembly and blocks of code. The first byte says which.

use rvrun_decoder::region::{Code, Edge, End, Limits, region};
use rvrun_decoder::{Block, MAX_BLOCK_BYTES, lift};
use rvrun_isa::{Extensions, Instruction, assemble, decode, encode, length};
use std::ops::Range;

/// Decodes, encodes, prints and assembles, or lifts.
pub(super) fn examine(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    match kind % 3 {
        0 => rest.chunks_exact(4).for_each(|word| {
            examine_word(u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
        }),
        1 => String::from_utf8_lossy(rest).lines().for_each(examine_line),
        _ => examine_code(rest),
    }
}

fn examine_word(word: u32) {
    let word = if length(word as u16) == 2 { word & 0xffff } else { word };
    let Some(instruction) = decode(word, Extensions::ALL) else { return };
    assert_eq!(encode(&instruction), Some(word), "{instruction} ({word:#010x})");
    assert_eq!(instruction.len, length(word as u16), "{instruction} ({word:#010x})");
    examine_text(&instruction);
    assert_eq!(instruction.expanded().len, instruction.len);
}

fn examine_line(line: &str) {
    if let Ok(instruction) = assemble(line) {
        examine_text(&instruction);
        let word = encode(&instruction).expect("what can be assembled has an encoding");
        // Nested rows take what others leave.
        let decoded = decode(word, Extensions::ALL).expect("what can be encoded can be decoded");
        assert_eq!(encode(&decoded), Some(word), "{line:?}: {instruction}, {decoded}");
    }
}

fn examine_text(instruction: &Instruction) {
    let text = instruction.to_string();
    assert_eq!(assemble(&text), Ok(*instruction), "{text:?}");
}

/// Code at an address, and what a walk through it is to be told.
struct Place<'a> {
    base: u64,
    bytes: &'a [u8],
    /// A bit for whether code is an entry, has been reached, is a fragment.
    hints: &'a [u8],
}

impl Place<'_> {
    fn fetch(&self, pc: u64) -> Option<u32> {
        let at = usize::try_from(pc.wrapping_sub(self.base)).ok()?;
        match *self.bytes.get(at..)? {
            [a, b, c, d, ..] => Some(u32::from_le_bytes([a, b, c, d])),
            [a, b, ..] if length(u16::from_le_bytes([a, b])) == 2 => {
                Some(u16::from_le_bytes([a, b]).into())
            }
            _ => None,
        }
    }

    fn hint(&self, pc: u64, bit: u8) -> bool {
        let at = pc.wrapping_sub(self.base) / 2 % self.hints.len().max(1) as u64;
        self.hints.get(at as usize).is_some_and(|hints| hints >> bit & 1 != 0)
    }
}

impl Code for Place<'_> {
    fn block(&self, pc: u64) -> Block {
        lift(pc, Extensions::ALL, Vec::new(), |pc| self.fetch(pc))
    }

    fn reached(&self, pc: u64) -> bool {
        !self.hint(pc, 0)
    }

    fn is_entry(&self, pc: u64) -> bool {
        self.hint(pc, 1)
    }

    fn is_fragment(&self, pc: u64) -> bool {
        self.hint(pc, 2)
    }

    fn jump_targets(&self, range: Range<u64>) -> Vec<u64> {
        let end = self.base + self.bytes.len() as u64;
        let start = range.start.max(self.base) & !1;
        (start..range.end.min(end)).step_by(2).filter(|pc| self.hint(*pc, 3)).collect()
    }
}

/// Lifts code and finds the region at its beginning. Before the code there are: where it
/// is in the lower half of the addresses (6 bytes), limits (4 bytes), and 4 bytes of hints.
fn examine_code(bytes: &[u8]) {
    let Some((&[a, b, c, d, e, f, most, inlined, depth, entry, ref hints @ ..], code)) =
        bytes.split_first_chunk::<14>()
    else {
        return;
    };
    let base = u64::from_le_bytes([a, b, c, d, e, f, 0, 0]) & 0x7fff_ffff_f000;
    let place = Place { base, bytes: &code[..code.len().min(2048)], hints };
    let entry = base + 2 * u64::from(entry);
    examine_block(&place.block(entry));
    let limits = Limits {
        instructions: 1 + usize::from(most) * 4,
        straight: 1 + usize::from(inlined),
        whole_loop: 2 * usize::from(inlined),
        inlined: inlined.into(),
        inlined_once: usize::from(depth / 8),
        depth: u32::from(depth) % 8,
    };
    examine_region(entry, limits, &place);
}

fn examine_block(block: &Block) {
    let bytes: u64 = block.body.iter().map(|instruction| u64::from(instruction.len)).sum();
    assert_eq!(block.terminator_pc, block.pc + bytes, "{block:?}");
    assert!((0..=4).contains(&(block.end - block.terminator_pc)), "{block:?}");
    assert!(block.end - block.pc <= MAX_BLOCK_BYTES, "{block:?}");
}

fn examine_region(entry: u64, limits: Limits, place: &Place<'_>) {
    let region = region(entry, limits, place);
    assert_eq!(region.nodes.first().map(|node| node.pc), Some(entry), "the entry comes first");
    let counted: usize = region.nodes.iter().map(|node| node.count as usize).sum();
    assert_eq!(counted, region.instructions, "instructions are counted");
    for node in &region.nodes {
        let inside = node.end.nodes().iter().all(|id| (*id as usize) < region.nodes.len());
        assert!(inside, "{:?} leads to no node", node.end);
        if let End::Goto(Edge::Node(next)) = node.end {
            let next = &region.nodes[next as usize];
            assert!(next.pc.is_multiple_of(2), "a node at {:#x}", next.pc);
        }
    }
    let ordered = region.code.windows(2).all(|pair| pair[0].end < pair[1].start);
    assert!(ordered, "{:x?} are not in order", region.code);
    for node in &region.nodes {
        let covered = region.code.iter().any(|range| range.contains(&node.pc));
        assert!(covered || node.count == 0, "{:#x} is not in {:x?}", node.pc, region.code);
    }
}
