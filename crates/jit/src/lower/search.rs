//! Loops that look for a byte: see [`rvrun_decoder::search`].

use super::Lowering;
use cranelift_codegen::ir::InstBuilder;
use rvrun_decoder::region::{Edge, End, Node, Region};
use rvrun_decoder::search::{BITS, FIRST_SHIFT, ROUND, Search, is_first_shift};

/// The search that the instruction of `node` with that index, at `pc`, begins, if all of its loop
/// is in the region.
pub fn begins(region: &Region, node: &Node, index: usize, pc: u64) -> Option<Search> {
    let nodes = &region.nodes;
    let (first, rest) = node.body.get(index..)?.split_first()?;
    if !is_first_shift(first) {
        return None;
    }
    let again = pc.wrapping_add(first.len.into());
    // The loop begins a node of its own, if it is known to be one.
    let (round, end) = match node.end {
        End::Goto(Edge::Node(head)) if rest.is_empty() && nodes[head as usize].pc == again => {
            let head = &nodes[head as usize];
            (&head.body[..], &head.end)
        }
        _ => (rest, &node.end),
    };
    let [shifts, byte] = round else { return None };
    let search = Search::begin(first.rd, shifts, again)?.with_byte(byte)?;
    let End::Branch { instruction, fall: Edge::Node(fall), .. } = end else { return None };
    let next = &nodes[*fall as usize];
    let ([step], End::Branch { instruction: branch, taken, .. }) = (&next.body[..], &next.end)
    else {
        return None;
    };
    let target = match taken {
        Edge::Node(taken) => nodes[*taken as usize].pc,
        Edge::Leave(target) => *target,
    };
    let is_search = search.ends_with(instruction)
        && search.steps_with(step)
        && search.repeats_with(branch, target);
    is_search.then_some(search)
}

impl Lowering<'_> {
    /// Gives the shift what it has when the search ends, and counts what is left out.
    pub(super) fn skip_rounds(&mut self, search: &Search) {
        let value = self.x(search.value);
        // The lowest byte is not looked at.
        let some = self.builder.ins().bor_imm_u(value, 1 << BITS);
        let zeros = self.builder.ins().clz(some);
        let skipped = self.builder.ins().band_imm_u(zeros, i64::from(FIRST_SHIFT));
        let shift = self.builder.ins().bxor_imm_u(skipped, i64::from(FIRST_SHIFT));
        self.set_x(search.shift, shift);
        if self.mode.counting {
            let rounds = self.builder.ins().ushr_imm_u(skipped, i64::from(BITS.ilog2()));
            let instructions = self.builder.ins().imul_imm_u(rounds, ROUND as i64);
            self.count_value(instructions);
        }
    }
}
