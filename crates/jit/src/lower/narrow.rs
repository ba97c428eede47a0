//! Computation with words, the lower halves of registers.
//!
//! RV64 keeps words sign-extended in registers, which the host need not do: it computes with
//! 32 bits as well as with 64. So what can be computed from words is, and extended behind that:
//! an extension whose result nobody wants is not there any more. Of two extended words the order,
//! signed and unsigned, is that of the words, and each bit of what they become bit by bit is
//! that of the words'.

use super::Lowering;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{Inst, InstBuilder, Opcode, Value};

/// Bits of a word.
const WORD: i64 = 32;

impl Lowering<'_> {
    /// The low half.
    pub(super) fn low(&mut self, value: Value) -> Value {
        self.builder.ins().ireduce(I32, value)
    }

    /// Sign-extends a word.
    pub(super) fn sign_extend(&mut self, word: Value) -> Value {
        self.builder.ins().sextend(I64, word)
    }

    /// Zero-extends the low half.
    pub(super) fn zero_extend_low(&mut self, value: Value) -> Value {
        let low = self.low(value);
        self.builder.ins().uextend(I64, low)
    }

    fn definition(&self, value: Value) -> Option<(Inst, Opcode)> {
        let dfg = &self.builder.func.dfg;
        let inst = dfg.value_def(dfg.resolve_aliases(value)).inst()?;
        Some((inst, dfg.insts[inst].opcode()))
    }

    /// The word that `value` was computed as, if it is the sign extension of one.
    pub(super) fn extended(&self, value: Value) -> Option<Value> {
        let (inst, opcode) = self.definition(value)?;
        let dfg = &self.builder.func.dfg;
        let word = *dfg.inst_args(inst).first()?;
        (opcode == Opcode::Sextend && dfg.value_type(word) == I32).then_some(word)
    }

    /// The number that `value` is, if that is known.
    fn known(&self, value: Value) -> Option<i64> {
        let (inst, opcode) = self.definition(value)?;
        let data = &self.builder.func.dfg.insts[inst];
        let cranelift_codegen::ir::InstructionData::UnaryImm { imm, .. } = data else {
            return None;
        };
        (opcode == Opcode::Iconst).then_some(imm.bits())
    }

    /// Whether `value` is the sign extension of its low half, as far as its instruction says.
    fn is_word(&self, value: Value) -> bool {
        let extended = |(_, opcode)| match opcode {
            Opcode::Sload32 | Opcode::Sload16 | Opcode::Sload8 => true,
            Opcode::Uload16 | Opcode::Uload8 => true,
            Opcode::Iconst => {
                self.known(value).is_some_and(|known| known == i64::from(known as i32))
            }
            _ => false,
        };
        self.extended(value).is_some() || self.definition(value).is_some_and(extended)
    }

    /// Two values as words, if they are, and at least one was computed as one: else there is no
    /// extension to be spared.
    pub(super) fn words(&mut self, a: Value, b: Value) -> Option<(Value, Value)> {
        let computed = self.extended(a).is_some() || self.extended(b).is_some();
        (computed && self.is_word(a) && self.is_word(b)).then(|| (self.word_of(a), self.word_of(b)))
    }

    /// The low half of a value that is a word.
    fn word_of(&mut self, value: Value) -> Value {
        match (self.extended(value), self.known(value)) {
            (Some(word), _) => word,
            (None, Some(known)) => self.builder.ins().iconst(I32, i64::from(known as i32)),
            (None, None) => self.low(value),
        }
    }

    /// Compares two registers.
    pub(super) fn compare_integers(&mut self, condition: IntCC, a: Value, b: Value) -> Value {
        let (a, b) = self.words(a, b).unwrap_or((a, b));
        self.builder.ins().icmp(condition, a, b)
    }

    /// One register or another.
    pub(super) fn choose(&mut self, condition: Value, a: Value, b: Value) -> Value {
        match self.words(a, b) {
            Some((a, b)) => {
                let word = self.builder.ins().select(condition, a, b);
                self.sign_extend(word)
            }
            None => self.builder.ins().select(condition, a, b),
        }
    }

    /// `a` and a mask without a sign: the upper half of `a` does not matter.
    pub(super) fn mask(&mut self, a: Value, mask: i64) -> Value {
        let low = self.low(a);
        let masked = self.builder.ins().band_imm_u(low, mask);
        self.builder.ins().uextend(I64, masked)
    }

    /// `a >> distance`. Without Zba, a shift to the left and one back extend a word, which may be
    /// scaled by that as well.
    pub(super) fn shift_right(&mut self, a: Value, distance: i64, signed: bool) -> Value {
        let Some(word) = self.upper_half(a) else {
            return match signed {
                true => self.builder.ins().sshr_imm_u(a, distance),
                false => self.builder.ins().ushr_imm_u(a, distance),
            };
        };
        let more = (distance - WORD).max(0);
        let ins = self.builder.ins();
        let shifted = match (more, signed) {
            (0, _) => word,
            (_, true) => ins.sshr_imm_u(word, more),
            (_, false) => ins.ushr_imm_u(word, more),
        };
        let ins = self.builder.ins();
        let extended = if signed { ins.sextend(I64, shifted) } else { ins.uextend(I64, shifted) };
        match (WORD - distance).max(0) {
            0 => extended,
            less => self.builder.ins().ishl_imm_u(extended, less),
        }
    }

    /// The word that was shifted to the upper half of `value`, if that was done.
    fn upper_half(&mut self, value: Value) -> Option<Value> {
        let (inst, opcode) = self.definition(value)?;
        let &[from, by] = self.builder.func.dfg.inst_args(inst) else { return None };
        let shifts = opcode == Opcode::Ishl && self.known(by) == Some(WORD);
        shifts.then(|| self.low(from))
    }
}
