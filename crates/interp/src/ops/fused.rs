//! Handlers for pairs of instructions that compilers emit together, and for
//! instructions whose operands make them cheaper. [`crate::predecode`] chooses them.

use rvrun_decoder::search;

handlers! {
    /// `rd = rs1`
    copy |slot, op, hart, context| {
        *x_mut!(hart, op.rd) = x!(hart, op.rs1);
    }
    /// `rd = rs1` without its upper half: `slli 32; srli 32`.
    zero_extend_word |slot, op, hart, context| {
        *x_mut!(hart, op.rd) = x!(hart, op.rs1) & 0xffff_ffff;
    }
    /// `rd` is the word in `rs1`, zero-extended and shifted left by less than 32: `slli 32; srli 32 - n`.
    zero_extend_shift |slot, op, hart, context| {
        *x_mut!(hart, op.rd) = (x!(hart, op.rs1) & 0xffff_ffff) << (op.imm & 31);
    }
    /// `rd` is the halfword in `rs1`, zero-extended: `slli 48; srli 48`.
    zero_extend_halfword |slot, op, hart, context| {
        *x_mut!(hart, op.rd) = x!(hart, op.rs1) & 0xffff;
    }
    /// `rd = (rs1 << imm) + rs2`: `slli; add`.
    shift_add |slot, op, hart, context| {
        *x_mut!(hart, op.rd) = (x!(hart, op.rs1) << (op.imm & 63)).wrapping_add(x!(hart, op.rs2));
    }
    /// `rd += imm` : most often a loop's step.
    increment |slot, op, hart, context| {
        let place = x_mut!(hart, op.rd);
        *place = place.wrapping_add_signed(op.imm.into());
    }
    /// `sext.w`
    sign_extend_word |slot, op, hart, context| {
        *x_mut!(hart, op.rd) = x!(hart, op.rs1) as i32 as u64;
    }
    /// `rd` becomes what the loop that begins here makes it with the number in `rs1`: [`search`].
    highest_byte |slot, op, hart, context| {
        let (shift, retired) = search::found(x!(hart, op.rs1));
        *x_mut!(hart, op.rd) = shift;
        hart.instret += retired;
    }
}
