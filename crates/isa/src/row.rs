//! The table's rows, made from [`for_each_instruction!`](crate::for_each_instruction).

use crate::extension::Extensions;
use crate::field::{self, Class, Field, Rule, Segment, Slot};

/// What an instruction does, as far as others than its handler must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Computes integer registers from integer registers.
    Alu,
    /// Conditional branch.
    Branch,
    /// Unconditional jump, direct or indirect.
    Jump,
    /// Reads memory.
    Load,
    /// Writes memory.
    Store,
    /// Atomic access to memory.
    Atomic,
    /// Reads or writes floating-point registers.
    Float,
    /// Accesses a CSR.
    Csr,
    /// Orders memory accesses or instruction fetches.
    Fence,
    /// Environment call, breakpoint, wait.
    System,
}

/// A row of the instruction table.
#[derive(Debug)]
pub struct Row {
    /// The row's opcode.
    pub opcode: Opcode,
    /// The mnemonic with `_` in place of `.`.
    pub name: &'static str,
    /// The extensions any of which provides the instruction.
    pub extensions: Extensions,
    /// What it does.
    pub kind: Kind,
    /// Operands in assembly order.
    pub fields: &'static [Field],
    /// The bits that are fixed.
    pub mask: u32,
    /// Their values.
    pub value: u32,
    /// Bytes: 2 or 4.
    pub len: u8,
    /// The opcode that engines execute in its place; its own if it is not a form of another.
    pub stands_for: Opcode,
    /// Whether the destination is an integer register.
    pub writes_integer: bool,
    /// Where the operands stand, for decoding.
    pub(crate) plan: Plan,
}

/// The fields of a row, arranged by slot so that decoding takes no detours.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Register-like operands: rd, rs1, rs2, rs3, rm.
    pub registers: [Register; 5],
    /// The immediate's segments, its sign bit and bias.
    pub imm: &'static [Segment],
    pub imm_sign: Option<u8>,
    pub imm_bias: i32,
    /// Whether some encodings of the operands are reserved.
    pub has_rules: bool,
}

/// An operand of up to five adjacent bits; with a mask of 0 the operand is `bias`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Register {
    pub shift: u8,
    pub mask: u8,
    pub bias: u8,
}

const fn writes_integer(fields: &[Field]) -> bool {
    let mut i = 0;
    while i < fields.len() {
        if matches!(fields[i].slot, Slot::Rd | Slot::RdRs1) && matches!(fields[i].class, Class::X) {
            return true;
        }
        i += 1;
    }
    false
}

impl Plan {
    const fn new(fields: &[Field]) -> Self {
        let absent = Register { shift: 0, mask: 0, bias: 0 };
        let mut plan = Plan {
            registers: [absent; 5],
            imm: &[],
            imm_sign: None,
            imm_bias: 0,
            has_rules: false,
        };
        let mut i = 0;
        while i < fields.len() {
            let field = &fields[i];
            plan.has_rules |= !matches!(field.rule, Rule::Any);
            match field.slot {
                Slot::Rd => plan.registers[0] = Register::new(field),
                Slot::Rs1 => plan.registers[1] = Register::new(field),
                Slot::Rs2 => plan.registers[2] = Register::new(field),
                Slot::Rs3 => plan.registers[3] = Register::new(field),
                Slot::Rm => plan.registers[4] = Register::new(field),
                Slot::RdRs1 => {
                    plan.registers[0] = Register::new(field);
                    plan.registers[1] = Register::new(field);
                }
                Slot::Imm => {
                    plan.imm = field.segments;
                    plan.imm_sign = field.sign;
                    plan.imm_bias = field.bias;
                }
            }
            i += 1;
        }
        plan
    }
}

impl Register {
    const fn new(field: &Field) -> Self {
        let bias = field.bias as u8;
        if field.segments.is_empty() {
            return Self { shift: 0, mask: 0, bias };
        }
        assert!(field.segments.len() == 1, "registers are encoded in adjacent bits");
        let segment = field.segments[0];
        assert!(segment.to == 0 && segment.width <= 5, "registers are encoded as they are");
        Self { shift: segment.from, mask: (1 << segment.width) - 1, bias }
    }

    pub(crate) fn value(self, word: u32) -> u8 {
        (word >> self.shift) as u8 & self.mask | self.bias
    }
}

/// Fixed bits, their values and the length in bytes of a pattern such as `"....... 0110111"`.
const fn pattern(text: &str) -> (u32, u32, u8) {
    let bytes = text.as_bytes();
    let (mut mask, mut value, mut bits) = (0u32, 0u32, 0u8);
    let mut i = 0;
    while i < bytes.len() {
        let fixed = match bytes[i] {
            b' ' => {
                i += 1;
                continue;
            }
            b'.' => 0,
            b'0' | b'1' => 1,
            _ => panic!("a pattern consists of 0, 1, . and spaces"),
        };
        mask = mask << 1 | fixed;
        value = value << 1 | (bytes[i] == b'1') as u32;
        bits += 1;
        i += 1;
    }
    assert!(bits == 16 || bits == 32, "a pattern has 16 or 32 bits");
    (mask, value, bits / 8)
}

macro_rules! define {
    (
        base { $($op:ident $name:ident $($ext:ident)|+ $kind:ident [$($field:ident)*] $pattern:literal;)* }
        alias { $($alias:ident $aname:ident $($aext:ident)|+ [$($afield:ident)*] $apattern:literal => $target:ident;)* }
    ) => {
        /// Names a row of the instruction table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum Opcode {
            $(#[doc = concat!("`", stringify!($name), "`")] $op,)*
            $(#[doc = concat!("`", stringify!($aname), "`, a form of [`Opcode::", stringify!($target), "`]")] $alias,)*
        }

        impl Opcode {
            /// How many opcodes engines execute: they come first.
            pub const BASE_COUNT: usize = [$(Opcode::$op),*].len();
        }

        /// All rows, in the order of [`Opcode`].
        pub static ROWS: [Row; ROW_COUNT] = ROW_TABLE;

        const ROW_COUNT: usize = Opcode::BASE_COUNT + [$(Opcode::$alias),*].len();

        pub(crate) const ROW_TABLE: [Row; ROW_COUNT] = [
            $({
                let (mask, value, len) = pattern($pattern);
                Row {
                    opcode: Opcode::$op,
                    name: stringify!($name),
                    extensions: Extensions::NONE$(.with(Extensions::$ext))+,
                    kind: Kind::$kind,
                    fields: &[$(field::$field),*],
                    mask, value, len,
                    stands_for: Opcode::$op,
                    writes_integer: writes_integer(&[$(field::$field),*]),
                    plan: Plan::new(&[$(field::$field),*]),
                }
            },)*
            $({
                let (mask, value, len) = pattern($apattern);
                Row {
                    opcode: Opcode::$alias,
                    name: stringify!($aname),
                    extensions: Extensions::NONE$(.with(Extensions::$aext))+,
                    kind: kind_of(Opcode::$target),
                    fields: &[$(field::$afield),*],
                    mask, value, len,
                    stands_for: Opcode::$target,
                    writes_integer: writes_integer(&[$(field::$afield),*]),
                    plan: Plan::new(&[$(field::$afield),*]),
                }
            },)*
        ];

        const fn kind_of(opcode: Opcode) -> Kind {
            const KINDS: [Kind; Opcode::BASE_COUNT] = [$(Kind::$kind),*];
            KINDS[opcode as usize]
        }
    };
}

crate::for_each_instruction!(define);

impl Opcode {
    /// The opcode's row.
    pub const fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// All opcodes, in the order of the table.
    pub fn all() -> impl Iterator<Item = Opcode> {
        ROWS.iter().map(|row| row.opcode)
    }
}
