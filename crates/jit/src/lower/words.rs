//! Words that are read in pieces: see [`crate::words`].

use super::Lowering;
use crate::words::{Slice, Store, Word, Words};
use cranelift_codegen::ir::types::{I16, I32, I64};
use cranelift_codegen::ir::{InstBuilder, SourceLoc, Value};
use rvrun_isa::Instruction;

impl Lowering<'_> {
    /// Does what the instruction at `index` of `body`, which is at `pc`, has to do with words;
    /// says whether it has. `read` are the words that were read, each as
    /// [`read_word`](Self::read_word) gives it.
    pub(super) fn part(
        &mut self,
        words: &Words,
        read: &mut [Option<Value>],
        body: &[Instruction],
        index: usize,
        pc: u64,
    ) -> bool {
        let rest = &body[index..];
        if let Some(slice) = words.slice(index) {
            let word = &words.words[slice.word];
            let read = *read[slice.word].get_or_insert_with(|| self.read_word(word, rest, pc));
            let value = self.slice(word, read, slice);
            self.set_x(rest[0].rd, value);
            return true;
        }
        if let Some(Store::First { what, at, last }) = words.store(index) {
            let read = read[what.word].expect("what is stored was read");
            let value = self.slice(&words.words[what.word], read, what);
            self.faults_until(&rest[..last - index], pc);
            self.store_bytes(rest[0].rs1, at, what.bytes, value);
        }
        words.store(index).is_some()
    }

    /// Reads a word whose first piece is read by the first instruction of `rest`, at `pc`; gives
    /// its bytes, zero-extended.
    fn read_word(&mut self, word: &Word, rest: &[Instruction], pc: u64) -> Value {
        let to_last = word.loads[word.loads.len() - 1] - word.loads[0];
        self.faults_until(&rest[..to_last], pc);
        self.builder.ins().sequence_point();
        let flags = self.guest_flags();
        let base = self.x(word.base);
        let ins = self.builder.ins();
        if !word.reversed {
            return match word.bytes {
                2 => ins.uload16(I64, flags, base, word.at),
                4 => ins.uload32(flags, base, word.at),
                _ => ins.load(I64, flags, base, word.at),
            };
        }
        let ty = match word.bytes {
            2 => I16,
            4 => I32,
            _ => I64,
        };
        let bytes = ins.load(ty, flags, base, word.at);
        let value = self.builder.ins().bswap(bytes);
        if ty == I64 { value } else { self.builder.ins().uextend(I64, value) }
    }

    /// Says that what comes now does the access of the instruction at `pc`, which is the first of
    /// `before`, and of all others up to the one behind those.
    fn faults_until(&mut self, before: &[Instruction], pc: u64) {
        if self.mode.precise {
            // The interpreter finds out which of them it is that faults.
            let distance: u64 = before.iter().map(|i| u64::from(i.len)).sum();
            self.origin.access_pc = pc.wrapping_add(distance);
            self.builder.set_srcloc(SourceLoc::new(self.origins.len() as u32));
            self.origins.push(self.origin);
        }
    }

    /// Stores the lowest 2, 4 or 8 bytes of `value`.
    fn store_bytes(&mut self, base: u8, at: i32, bytes: u8, value: Value) {
        self.order_store();
        let flags = self.guest_flags();
        let base = self.x(base);
        let ins = self.builder.ins();
        match bytes {
            2 => ins.istore16(flags, value, base, at),
            4 => ins.istore32(flags, value, base, at),
            _ => ins.store(flags, value, base, at),
        };
    }

    /// Some bytes of a word that was read.
    fn slice(&mut self, word: &Word, read: Value, slice: Slice) -> Value {
        let bits = |bytes: u8| 8 * i64::from(bytes);
        let Slice { from, bytes, to, signed, .. } = slice;
        let mut value = read;
        if signed {
            value = self.builder.ins().ishl_imm_u(value, 64 - bits(from + bytes));
            value = self.builder.ins().sshr_imm_u(value, 64 - bits(bytes));
        } else {
            if from > 0 {
                value = self.builder.ins().ushr_imm_u(value, bits(from));
            }
            if from + bytes < word.bytes && to + bytes < 8 {
                let mask = u64::MAX >> (64 - bits(bytes));
                value = self.builder.ins().band_imm_u(value, mask as i64);
            }
        }
        if to > 0 { self.builder.ins().ishl_imm_u(value, bits(to)) } else { value }
    }
}
