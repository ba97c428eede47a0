//! Host code for floating point, on the host's unit.
//!
//! MXCSR is the guest's, as it is for handlers. What needs more than the host's
//! instruction is left to the handler, which then computes once more and raises the same
//! flags: results that are NaNs, unordered operands, words that are not boxed.

use super::emit::{Emitter, FFLAGS, Flag, Label, asm, f};
use super::templates::{Arithmetic, Comparison, Float, Sign, Whole, Width};
use super::{FFLAGS_OF, MXCSR};
use crate::ops::float::third_source;
use crate::slot::Op;
use dynasmrt::{DynasmApi, dynasm};

/// The upper half of a boxed word (F, "NaN Boxing of Narrower Values").
const BOX: i32 = -1;
/// No vector registers that guest registers may have.
const NONE: [u8; 3] = [0; 3];
/// The rounding mode field of rounding towards zero.
const TOWARDS_ZERO: i32 = 1;
/// The host's numbers of the modes that it has, by the guest's (Intel's manual, "Rounding Control
/// (RC) Field").
const ROUND_CONTROL: [u8; 4] = [0, 3, 1, 2];

/// Whether the op may raise exceptions where it is not left to its handler.
fn raises(float: Float) -> bool {
    use Float::*;
    match float {
        LoadWord | LoadDouble | StoreWord | StoreDouble => false,
        ToInteger | FromInteger | WordToInteger | WordFromInteger => false,
        // Unordered operands are the handler's.
        Compare(..) | Extreme { .. } | Sign(..) | ReadFlags | WriteFlags => false,
        Arithmetic(..) | Root(_) | Fused { .. } | Resize { .. } => true,
        From(..) | FromExact(..) | Round(..) | To(..) => true,
    }
}

impl Emitter {
    pub fn float(&mut self, op: Op, float: Float) {
        if raises(float) {
            self.accrued = None;
        }
        match float {
            Float::LoadWord | Float::LoadDouble => self.load_float(op, float == Float::LoadWord),
            Float::StoreWord | Float::StoreDouble => {
                self.store_float(op, float == Float::StoreWord);
            }
            Float::ToInteger => {
                let held = self.floats.held(op.rs1, Width::Double);
                let d = self.define(op.rd);
                match held {
                    Some(a) => asm!(self; movq Rq(d), Rx(a)),
                    None => asm!(self; mov Rq(d), [rsi + f(op.rs1)]),
                }
            }
            Float::FromInteger => {
                let a = self.read(op.rs1);
                let d = self.floats.take(NONE);
                asm!(self; mov [rsi + f(op.rd)], Rq(a); movq Rx(d), Rq(a));
                self.floats.hold(d, op.rd, Width::Double);
            }
            Float::Arithmetic(what, width) => self.arithmetic(op, what, width),
            Float::Root(width) => {
                self.flush();
                let a = self.operand(op.rs1, width, NONE);
                let d = self.floats.take([a, 0, 0]);
                match width {
                    Width::Single => asm!(self; movaps Rx(d), Rx(a); sqrtss Rx(d), Rx(d)),
                    Width::Double => asm!(self; movaps Rx(d), Rx(a); sqrtsd Rx(d), Rx(d)),
                }
                self.set(op.rd, width, d);
            }
            Float::Fused { product, addend, width } => self.fused(op, product, addend, width),
            Float::Compare(what, width) => self.compare(op, what, width),
            Float::Sign(sign, width) if op.rs1 == op.rs2 => self.sign_of_itself(op, sign, width),
            Float::Sign(sign, width) => self.sign(op, sign, width),
            Float::Resize { to } => {
                self.flush();
                let from = if to == Width::Single { Width::Double } else { Width::Single };
                let a = self.operand(op.rs1, from, NONE);
                let d = self.floats.take([a, 0, 0]);
                asm!(self; xorps Rx(d), Rx(d));
                match to {
                    Width::Single => asm!(self; cvtsd2ss Rx(d), Rx(a)),
                    Width::Double => asm!(self; cvtss2sd Rx(d), Rx(a)),
                }
                self.set(op.rd, to, d);
            }
            Float::WordToInteger => {
                let held = self.floats.held(op.rs1, Width::Single);
                let d = self.define(op.rd);
                match held {
                    Some(a) => asm!(self; movd eax, Rx(a); movsxd Rq(d), eax),
                    None => asm!(self; movsxd Rq(d), DWORD [rsi + f(op.rs1)]),
                }
            }
            Float::WordFromInteger => {
                let a = self.read(op.rs1);
                let d = self.floats.take(NONE);
                asm!(self; movd Rx(d), Rd(a));
                self.put(op.rd, Width::Single, d);
            }
            Float::Extreme { greater, width } => self.extreme(op, greater, width),
            Float::From(whole, width) => {
                let a = self.read(op.rs1);
                if whole == Whole::UnsignedLong {
                    self.flush();
                    let slow = self.slow();
                    asm!(self; test Rq(a), Rq(a));
                    self.jump_if(Flag::Less, slow);
                }
                self.convert_from(op.rd, whole, width, a);
            }
            Float::FromExact(whole, width) => self.exactly(op, whole, width),
            Float::To(whole, width) => self.convert(op, whole, width),
            Float::Round(whole, width) => {
                self.flush();
                let slow = self.slow();
                let a = self.operand(op.rs1, width, NONE);
                match (whole.is_long(), width) {
                    (true, Width::Double) => asm!(self; cvtsd2si rax, Rx(a)),
                    (false, Width::Double) => asm!(self; cvtsd2si eax, Rx(a)),
                    (true, Width::Single) => asm!(self; cvtss2si rax, Rx(a)),
                    (false, Width::Single) => asm!(self; cvtss2si eax, Rx(a)),
                }
                self.put_converted(op, whole, slow);
            }
            Float::ReadFlags => {
                self.all_flags();
                let d = self.define(op.rd);
                asm!(self; mov Rd(d), eax);
                self.accrued = Some(op.rd);
            }
            Float::WriteFlags if self.accrued == Some(op.rs1) => {}
            Float::WriteFlags => {
                let a = self.read(op.rs1);
                self.flush();
                let slow = self.slow();
                self.all_flags();
                asm!(self; xor eax, Rd(a); test al, BYTE 0x1f);
                self.jump_if(Flag::NotEqual, slow);
            }
        }
    }

    /// Loads the exceptions that have been raised into `eax`.
    fn all_flags(&mut self) {
        asm!(self
            ; stmxcsr [rdx + MXCSR]
            ; mov eax, [rdx + MXCSR]
            ; and eax, BYTE 0x3f
            ; movzx eax, BYTE [rdx + rax + FFLAGS_OF]
            ; or al, [rsi + FFLAGS]
        );
    }

    fn load_float(&mut self, op: Op, word: bool) {
        let a = self.read(op.rs1);
        self.flush();
        let d = self.floats.take(NONE);
        self.access();
        if word {
            asm!(self; movss Rx(d), [Rq(a) + op.imm]);
            self.put(op.rd, Width::Single, d);
        } else {
            asm!(self; movsd Rx(d), [Rq(a) + op.imm]);
            self.put(op.rd, Width::Double, d);
        }
    }

    fn store_float(&mut self, op: Op, word: bool) {
        let a = self.read(op.rs1);
        self.flush();
        let whole = self.floats.held(op.rs2, Width::Double);
        match (word, whole.or_else(|| self.floats.held(op.rs2, Width::Single))) {
            (true, Some(b)) => {
                self.access();
                asm!(self; movss [Rq(a) + op.imm], Rx(b));
            }
            (true, None) => {
                asm!(self; mov eax, [rsi + f(op.rs2)]);
                self.access();
                asm!(self; mov [Rq(a) + op.imm], eax);
            }
            (false, Some(b)) if whole.is_some() => {
                self.access();
                asm!(self; movsd [Rq(a) + op.imm], Rx(b));
            }
            (false, _) => {
                asm!(self; mov rax, [rsi + f(op.rs2)]);
                self.access();
                asm!(self; mov [Rq(a) + op.imm], rax);
            }
        }
    }

    /// A vector register with a guest register; those that are used stay as they are. Leaves the
    /// op to its handler if it is one of words and this one is not boxed.
    fn operand(&mut self, guest: u8, width: Width, used: [u8; 3]) -> u8 {
        if let Some(vector) = self.floats.held(guest, width) {
            return vector;
        }
        let vector = self.floats.take(used);
        self.fetch(vector, guest, width);
        vector
    }

    /// Loads a register from memory.
    fn fetch(&mut self, vector: u8, guest: u8, width: Width) {
        match width {
            Width::Single => {
                let slow = self.slow();
                asm!(self; cmp DWORD [rsi + f(guest) + 4], BYTE -1);
                self.jump_if(Flag::NotEqual, slow);
                asm!(self; movss Rx(vector), [rsi + f(guest)]);
            }
            Width::Double => asm!(self; movsd Rx(vector), [rsi + f(guest)]),
        }
        self.floats.hold(vector, guest, width);
    }

    /// Makes the word in `eax` the value of a register.
    fn set_word(&mut self, rd: u8) {
        asm!(self; mov [rsi + f(rd)], eax; mov DWORD [rsi + f(rd) + 4], BOX);
        let d = self.floats.take(NONE);
        asm!(self; movd Rx(d), eax);
        self.floats.hold(d, rd, Width::Single);
    }

    /// Makes the doubleword in `rax` the value of a register.
    fn set_doubleword(&mut self, rd: u8) {
        asm!(self; mov [rsi + f(rd)], rax);
        let d = self.floats.take(NONE);
        asm!(self; movq Rx(d), rax);
        self.floats.hold(d, rd, Width::Double);
    }

    /// Makes what a vector register has the value of a register, unless it is a NaN.
    fn set(&mut self, rd: u8, width: Width, d: u8) {
        let slow = self.slow();
        match width {
            Width::Single => asm!(self; ucomiss Rx(d), Rx(d)),
            Width::Double => asm!(self; ucomisd Rx(d), Rx(d)),
        }
        self.jump_if(Flag::Parity, slow);
        self.put(rd, width, d);
    }

    /// Makes what a vector register has the value of a register.
    fn put(&mut self, rd: u8, width: Width, d: u8) {
        match width {
            Width::Single => {
                asm!(self; movss [rsi + f(rd)], Rx(d); mov DWORD [rsi + f(rd) + 4], BOX);
            }
            Width::Double => asm!(self; movsd [rsi + f(rd)], Rx(d)),
        }
        self.floats.hold(d, rd, width);
    }

    fn arithmetic(&mut self, op: Op, what: Arithmetic, width: Width) {
        use Arithmetic::*;
        use Width::*;
        self.flush();
        let a = self.operand(op.rs1, width, NONE);
        let b = self.operand(op.rs2, width, [a, 0, 0]);
        let d = self.floats.take([a, b, 0]);
        asm!(self; movaps Rx(d), Rx(a));
        match (what, width) {
            (Add, Single) => asm!(self; addss Rx(d), Rx(b)),
            (Add, Double) => asm!(self; addsd Rx(d), Rx(b)),
            (Subtract, Single) => asm!(self; subss Rx(d), Rx(b)),
            (Subtract, Double) => asm!(self; subsd Rx(d), Rx(b)),
            (Multiply, Single) => asm!(self; mulss Rx(d), Rx(b)),
            (Multiply, Double) => asm!(self; mulsd Rx(d), Rx(b)),
            (Divide, Single) => asm!(self; divss Rx(d), Rx(b)),
            (Divide, Double) => asm!(self; divsd Rx(d), Rx(b)),
        }
        self.set(op.rd, width, d);
    }

    fn fused(&mut self, op: Op, product: bool, addend: bool, width: Width) {
        use Width::*;
        self.flush();
        let a = self.operand(op.rs1, width, NONE);
        let b = self.operand(op.rs2, width, [a, 0, 0]);
        let c = self.operand(third_source(op.imm), width, [a, b, 0]);
        let d = self.floats.take([a, b, c]);
        asm!(self; movaps Rx(d), Rx(a));
        match (product, addend, width) {
            (false, false, Single) => asm!(self; vfmadd213ss Rx(d), Rx(b), Rx(c)),
            (false, false, Double) => asm!(self; vfmadd213sd Rx(d), Rx(b), Rx(c)),
            (false, true, Single) => asm!(self; vfmsub213ss Rx(d), Rx(b), Rx(c)),
            (false, true, Double) => asm!(self; vfmsub213sd Rx(d), Rx(b), Rx(c)),
            (true, false, Single) => asm!(self; vfnmadd213ss Rx(d), Rx(b), Rx(c)),
            (true, false, Double) => asm!(self; vfnmadd213sd Rx(d), Rx(b), Rx(c)),
            (true, true, Single) => asm!(self; vfnmsub213ss Rx(d), Rx(b), Rx(c)),
            (true, true, Double) => asm!(self; vfnmsub213sd Rx(d), Rx(b), Rx(c)),
        }
        self.set(op.rd, width, d);
    }

    fn compare(&mut self, op: Op, what: Comparison, width: Width) {
        use Comparison::*;
        use Width::*;
        self.flush();
        let a = self.operand(op.rs1, width, NONE);
        let b = self.operand(op.rs2, width, [a, 0, 0]);
        // "Above" is what an unordered pair is not.
        let (a, b) = if what == Equal { (a, b) } else { (b, a) };
        let slow = self.slow();
        // Only equality is quiet (F, "Single-Precision Floating-Point Compare Instructions").
        match (what, width) {
            (Equal, Single) => asm!(self; ucomiss Rx(a), Rx(b)),
            (Equal, Double) => asm!(self; ucomisd Rx(a), Rx(b)),
            (_, Single) => asm!(self; comiss Rx(a), Rx(b)),
            (_, Double) => asm!(self; comisd Rx(a), Rx(b)),
        }
        self.jump_if(Flag::Parity, slow);
        match what {
            Equal => asm!(self; sete al),
            Less => asm!(self; seta al),
            LessEqual => asm!(self; setae al),
        }
        let d = self.define(op.rd);
        asm!(self; movzx Rd(d), al);
    }

    /// A move, the other sign, or none.
    fn sign_of_itself(&mut self, op: Op, sign: Sign, width: Width) {
        self.flush();
        let a = self.operand(op.rs1, width, NONE);
        match (sign, width) {
            (Sign::Copied, _) => {
                let d = self.floats.take([a, 0, 0]);
                asm!(self; movaps Rx(d), Rx(a));
                self.put(op.rd, width, d);
            }
            (_, Width::Single) => {
                asm!(self; movd eax, Rx(a));
                match sign {
                    Sign::Negated => asm!(self; btc eax, BYTE 31),
                    _ => asm!(self; btr eax, BYTE 31),
                }
                self.set_word(op.rd);
            }
            (_, Width::Double) => {
                asm!(self; movq rax, Rx(a));
                match sign {
                    Sign::Negated => asm!(self; btc rax, BYTE 63),
                    _ => asm!(self; btr rax, BYTE 63),
                }
                self.set_doubleword(op.rd);
            }
        }
    }

    fn sign(&mut self, op: Op, sign: Sign, width: Width) {
        self.flush();
        self.take_rcx();
        if width == Width::Single {
            self.operand(op.rs1, width, NONE);
            self.operand(op.rs2, width, NONE);
        }
        asm!(self; mov rax, [rsi + f(op.rs1)]; mov rcx, [rsi + f(op.rs2)]);
        if width == Width::Single {
            asm!(self; shl rax, 32; shl rcx, 32);
        }
        if sign == Sign::Negated {
            asm!(self; not rcx);
        }
        asm!(self; shr rcx, 63; shl rcx, 63);
        if sign != Sign::Multiplied {
            asm!(self; shl rax, 1; shr rax, 1);
        }
        asm!(self; xor rax, rcx);
        match width {
            Width::Single => {
                asm!(self; shr rax, 32);
                self.set_word(op.rd);
            }
            Width::Double => self.set_doubleword(op.rd),
        }
    }

    /// The lesser or the greater of two numbers. Of two that are equal the host gives the second one,
    /// and one may be -0: their signs together tell.
    fn extreme(&mut self, op: Op, greater: bool, width: Width) {
        self.flush();
        let a = self.operand(op.rs1, width, NONE);
        let b = self.operand(op.rs2, width, [a, 0, 0]);
        let slow = self.slow();
        match width {
            Width::Single => asm!(self; ucomiss Rx(a), Rx(b)),
            Width::Double => asm!(self; ucomisd Rx(a), Rx(b)),
        }
        self.jump_if(Flag::Parity, slow);
        let d = self.floats.take([a, b, 0]);
        asm!(self; movaps Rx(d), Rx(a); movaps xmm0, Rx(b));
        match (greater, width) {
            (false, Width::Single) => asm!(self; minss Rx(d), Rx(b); minss xmm0, Rx(a)),
            (false, Width::Double) => asm!(self; minsd Rx(d), Rx(b); minsd xmm0, Rx(a)),
            (true, Width::Single) => asm!(self; maxss Rx(d), Rx(b); maxss xmm0, Rx(a)),
            (true, Width::Double) => asm!(self; maxsd Rx(d), Rx(b); maxsd xmm0, Rx(a)),
        }
        if greater {
            asm!(self; andps Rx(d), xmm0);
        } else {
            asm!(self; orps Rx(d), xmm0);
        }
        self.put(op.rd, width, d);
    }

    /// Converts what the host register `a` has, which is below 2^63 if it has no sign.
    fn convert_from(&mut self, rd: u8, whole: Whole, width: Width, a: u8) {
        let d = self.floats.take(NONE);
        asm!(self; xorps Rx(d), Rx(d));
        match (whole, width) {
            (Whole::Word, Width::Single) => asm!(self; cvtsi2ss Rx(d), Rd(a)),
            (Whole::Word, Width::Double) => asm!(self; cvtsi2sd Rx(d), Rd(a)),
            (Whole::UnsignedWord, Width::Single) => {
                asm!(self; mov eax, Rd(a); cvtsi2ss Rx(d), rax);
            }
            (Whole::UnsignedWord, Width::Double) => {
                asm!(self; mov eax, Rd(a); cvtsi2sd Rx(d), rax);
            }
            (_, Width::Single) => asm!(self; cvtsi2ss Rx(d), Rq(a)),
            (_, Width::Double) => asm!(self; cvtsi2sd Rx(d), Rq(a)),
        }
        self.put(rd, width, d);
    }

    /// Converts what every mode converts to the same number.
    fn exactly(&mut self, op: Op, whole: Whole, width: Width) {
        let digits = match width {
            Width::Single => f32::MANTISSA_DIGITS,
            Width::Double => f64::MANTISSA_DIGITS,
        };
        self.take_rcx();
        let a = self.read(op.rs1);
        self.flush();
        let slow = self.slow();
        match whole {
            Whole::Word => asm!(self; movsxd rax, Rd(a)),
            Whole::UnsignedWord => asm!(self; mov eax, Rd(a)),
            Whole::Long | Whole::UnsignedLong => asm!(self; mov rax, Rq(a)),
        }
        asm!(self; mov rcx, QWORD 1 << digits);
        if whole.is_signed() {
            asm!(self; add rax, rcx; shl rcx, 1);
        }
        asm!(self; cmp rax, rcx);
        self.jump_if(Flag::Above, slow);
        self.convert_from(op.rd, whole, width, a);
    }

    /// Leaves the op to its handler unless what the vector register has is below 2 to the
    /// `power`, and not negative if it `has_sign` otherwise.
    fn is_within(&mut self, a: u8, width: Width, power: u32, has_sign: bool, slow: Label) {
        let limit = 2f64.powi(power as i32);
        match width {
            Width::Single => {
                asm!(self; movd eax, Rx(a));
                if has_sign {
                    asm!(self; btr eax, BYTE 31);
                }
                asm!(self; cmp eax, DWORD (limit as f32).to_bits() as i32);
            }
            Width::Double => {
                self.take_rcx();
                asm!(self; movq rax, Rx(a));
                if has_sign {
                    asm!(self; btr rax, BYTE 63);
                }
                asm!(self; mov rcx, QWORD limit.to_bits() as i64; cmp rax, rcx);
            }
        }
        self.jump_if(Flag::NotBelow, slow);
    }

    /// Converts a number in the mode of the immediate. Where that is not to truncate what has a sign,
    /// what is near the limits is left to the handler: to make it integral may be inexact, and then
    /// invalid to convert that, and the host has no numbers without a sign.
    fn convert(&mut self, op: Op, whole: Whole, width: Width) {
        self.flush();
        let slow = self.slow();
        let mode = (op.imm & 7) as i8;
        let truncates = i32::from(mode) == TOWARDS_ZERO;
        let mut a = self.operand(op.rs1, width, NONE);
        if !(truncates && whole.is_signed()) {
            let bits = if whole.is_long() { 64 } else { 32 };
            let power = match (whole.is_signed(), truncates) {
                (true, _) => bits - 2,
                // What is converted has a sign for the host: 64 bits are enough for words.
                (false, true) => bits.min(63),
                (false, false) => bits - 1,
            };
            self.is_within(a, width, power, whole.is_signed(), slow);
        }
        if !truncates {
            let integral = self.floats.take([a, 0, 0]);
            match (ROUND_CONTROL[mode as usize & 3], width) {
                (0, Width::Single) => asm!(self; roundss Rx(integral), Rx(a), BYTE 0),
                (0, Width::Double) => asm!(self; roundsd Rx(integral), Rx(a), BYTE 0),
                (1, Width::Single) => asm!(self; roundss Rx(integral), Rx(a), BYTE 1),
                (1, Width::Double) => asm!(self; roundsd Rx(integral), Rx(a), BYTE 1),
                (_, Width::Single) => asm!(self; roundss Rx(integral), Rx(a), BYTE 2),
                (_, Width::Double) => asm!(self; roundsd Rx(integral), Rx(a), BYTE 2),
            }
            a = integral;
        }
        match (whole, width) {
            (Whole::Word, Width::Single) => asm!(self; cvttss2si eax, Rx(a)),
            (Whole::Word, Width::Double) => asm!(self; cvttsd2si eax, Rx(a)),
            (_, Width::Single) => asm!(self; cvttss2si rax, Rx(a)),
            (_, Width::Double) => asm!(self; cvttsd2si rax, Rx(a)),
        }
        if whole.is_signed() {
            self.put_converted(op, whole, slow);
        } else {
            self.put_whole(op.rd, whole);
        }
    }

    /// Makes what was converted to `rax` the value of a register, unless it did not fit: it became the
    /// least number then, from which 1 cannot be taken.
    fn put_converted(&mut self, op: Op, whole: Whole, slow: Label) {
        if whole.is_long() {
            asm!(self; cmp rax, BYTE 1);
        } else {
            asm!(self; cmp eax, BYTE 1);
        }
        self.jump_if(Flag::Overflow, slow);
        self.put_whole(op.rd, whole);
    }

    fn put_whole(&mut self, rd: u8, whole: Whole) {
        let d = self.define(rd);
        if whole.is_long() {
            asm!(self; mov Rq(d), rax);
        } else {
            asm!(self; movsxd Rq(d), eax);
        }
    }
}
