//! [`Instruction`] to bits.

use crate::Instruction;

/// The bits of `instruction`, in the low half if it is compressed.
///
/// Returns `None` if an operand does not fit its field. Operands that the
/// opcode's row does not list are ignored.
pub fn encode(instruction: &Instruction) -> Option<u32> {
    let row = instruction.row();
    row.fields
        .iter()
        .try_fold(row.value, |word, field| Some(word | field.bits(field.get(instruction)?)?))
}
