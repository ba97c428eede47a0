//! Which ops host code can be made for, found by their handlers.
//!
//! An op is its handler and its numbers, so the handler says what the op does,
//! fusion included. An op whose handler is not here keeps it.

use crate::ops::{alu, atomic, control, csr, float, fused, load_store};
use crate::slot::{Handler, Slot};
use rustc_hash::FxHashMap;
use rvrun_isa::Opcode;
use std::sync::LazyLock;

/// `rd = f(rs1, rs2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    Add,
    Sub,
    And,
    Or,
    Xor,
    Mul,
    Addw,
    Subw,
    Mulw,
    Sll,
    Srl,
    Sra,
    Sllw,
    Srlw,
    Sraw,
    Slt,
    Sltu,
    Mulh,
    Mulhsu,
    Mulhu,
    Divu,
    Remu,
    Div,
    Rem,
    Divuw,
    Remuw,
    Divw,
    Remw,
    AddUw,
    Sh1add,
    Sh2add,
    Sh3add,
    Sh1addUw,
    Sh2addUw,
    Sh3addUw,
    Andn,
    Orn,
    Xnor,
    Min,
    Minu,
    Max,
    Maxu,
    Rol,
    Ror,
    Rolw,
    Rorw,
    Bset,
    Bclr,
    Binv,
    Bext,
    CzeroEqz,
    CzeroNez,
    Packw,
    /// `(rs1 << imm) + rs2`.
    ShiftAdd,
}

impl Binary {
    /// Whether it is a division, some of which are left to the handler.
    pub fn divides(self) -> bool {
        use Binary::*;
        matches!(self, Div | Divu | Rem | Remu | Divw | Divuw | Remw | Remuw)
    }
}

/// `rd = f(rs1, immediate)`, or of `rs1` alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    Addi,
    Addiw,
    Andi,
    Ori,
    Xori,
    Slli,
    Srli,
    Srai,
    Slliw,
    Srliw,
    Sraiw,
    Slti,
    Sltiu,
    Rori,
    Roriw,
    SlliUw,
    Bseti,
    Bclri,
    Binvi,
    Bexti,
    Copy,
    ZeroExtendWord,
    ZeroExtendHalfword,
    ZeroExtendShift,
    SignExtendWord,
    SignExtendHalfword,
    SignExtendByte,
    Rev8,
    OrcB,
    Clz,
    Clzw,
    Ctz,
    Ctzw,
    Cpop,
    Cpopw,
}

/// What a load does with what it has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    Byte,
    Half,
    Word,
    Double,
    UnsignedByte,
    UnsignedHalf,
    UnsignedWord,
}

/// How much a store writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    Byte,
    Half,
    Word,
    Double,
}

/// What is done with memory as a whole: `rd` becomes what was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Atomic {
    LoadReserved,
    /// `rd` says whether it failed.
    StoreConditional,
    Swap,
    Add,
    And,
    Or,
    Xor,
    Min,
    Max,
    Minu,
    Maxu,
    /// From `rd`.
    CompareAndSwap,
}

/// Operations with floating-point registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Float {
    LoadWord,
    LoadDouble,
    StoreWord,
    StoreDouble,
    /// Bits to an integer register.
    ToInteger,
    /// Bits from an integer register.
    FromInteger,
    /// The same of words.
    WordToInteger,
    WordFromInteger,
    /// `rd = rs1 op rs2`.
    Arithmetic(Arithmetic, Width),
    /// The square root of `rs1`.
    Root(Width),
    /// `rs1 * rs2 + rs3`, with what is negated.
    Fused {
        product: bool,
        addend: bool,
        width: Width,
    },
    /// To an integer register.
    Compare(Comparison, Width),
    /// `rs1` with a sign from `rs2`.
    Sign(Sign, Width),
    /// To the other width.
    Resize {
        to: Width,
    },
    /// The lesser or the greater of `rs1` and `rs2`.
    Extreme {
        greater: bool,
        width: Width,
    },
    /// From an integer, in the dynamic mode.
    From(Whole, Width),
    /// The same in a mode of the instruction's own.
    FromExact(Whole, Width),
    /// To an integer, in the dynamic mode.
    Round(Whole, Width),
    /// The same in a mode of the instruction's own.
    To(Whole, Width),
    /// `rd` becomes the exceptions that have been raised.
    ReadFlags,
    /// They become what `rs1` says.
    WriteFlags,
}

/// The width of a floating-point value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    Single,
    Double,
}

/// What an integer register has to be converted, or gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    Word,
    UnsignedWord,
    Long,
    UnsignedLong,
}

impl Whole {
    /// Whether it has all 64 bits.
    pub fn is_long(self) -> bool {
        matches!(self, Self::Long | Self::UnsignedLong)
    }

    pub fn is_signed(self) -> bool {
        matches!(self, Self::Word | Self::Long)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    Less,
    LessEqual,
}

/// Which sign `fsgnj` and its relatives give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    Copied,
    Negated,
    Multiplied,
}

/// When a branch is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    Equal,
    NotEqual,
    Less,
    NotLess,
    Below,
    NotBelow,
}

impl Condition {
    /// Holds where this one does not.
    pub fn opposite(self) -> Self {
        match self {
            Self::Equal => Self::NotEqual,
            Self::NotEqual => Self::Equal,
            Self::Less => Self::NotLess,
            Self::NotLess => Self::Less,
            Self::Below => Self::NotBelow,
            Self::NotBelow => Self::Below,
        }
    }
}

/// How a block ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Data: the link.
    Jump { event: bool },
    /// Data: the links taken and not taken. Behind each link is the way along it.
    Branch { condition: Condition, event: bool },
    /// `jal`. Data: the return address, the link, and another one to that address.
    Call,
    /// An indirect jump. Data: the offset, what follows if it sets a register to it, and a link to
    /// there if it is a call.
    Indirect { sets: Sets },
    /// An indirect jump that returns. Data: the offset.
    Return,
    /// What stops the interpreter: only its handler does.
    Stop,
}

impl End {
    /// The places behind the op of its links.
    pub fn links(self) -> &'static [usize] {
        match self {
            Self::Jump { .. } => &[1],
            Self::Branch { .. } => &[1, 3],
            Self::Call => &[2, 4],
            Self::Indirect { sets: Sets::Call } => &[3],
            Self::Indirect { .. } | Self::Return | Self::Stop => &[],
        }
    }

    /// The places behind the op of the guest's addresses that are not links', if they are there.
    pub fn addresses(self) -> &'static [usize] {
        match self {
            Self::Call | Self::Stop => &[1],
            Self::Indirect { sets: Sets::Call | Sets::Register } => &[2],
            Self::Jump { .. } | Self::Branch { .. } | Self::Return => &[],
            Self::Indirect { sets: Sets::Nothing } => &[],
        }
    }

    /// The place of the link that host code follows by its last instruction; `data` are the slots
    /// behind the op.
    pub fn last_way(self, data: &[Slot]) -> Option<usize> {
        // SAFETY: a branch has two links.
        let taken =
            |n: usize| data.get(n - 1).is_some_and(|slot| !unsafe { slot.link.next.is_null() });
        match self {
            // What counts as an event is followed by counting it.
            Self::Branch { event: true, .. } => Some(1),
            Self::Branch { event: false, .. } if taken(1) && !taken(3) => Some(1),
            _ => self.links().last().copied(),
        }
    }
}

/// What an indirect jump does beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sets {
    Nothing,
    /// Sets a register to what follows.
    Register,
    /// The same, and wants to be returned to there.
    Call,
}

/// What an op does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Template {
    Binary(Binary),
    Unary(Unary),
    /// `rd` becomes the immediate.
    Constant,
    /// `rd` becomes the value in the slot behind.
    Address,
    Load(Load),
    Store(Store),
    Float(Float),
    /// Of a doubleword if true, else of a word.
    Atomic(Atomic, bool),
    /// Of the sets in the immediate.
    Fence,
    /// [`fused::highest_byte`].
    HighestByte,
    End(End),
}

impl Template {
    /// Slots of a body's op.
    pub fn slots(self) -> usize {
        if self == Self::Address { 2 } else { 1 }
    }
}

/// The template of ops with this handler, if there is one.
pub fn template(handler: Handler) -> Option<Template> {
    TEMPLATES.get(&(handler as usize)).copied()
}

static TEMPLATES: LazyLock<FxHashMap<usize, Template>> = LazyLock::new(|| {
    let float = rounding().into_iter().flat_map(|(opcode, float, modes)| {
        modes.iter().filter_map(move |mode| {
            let handler = float::on_host(opcode, *mode == Mode::Fixed)?;
            Some((handler as usize, Template::Float(float)))
        })
    });
    let available = |(_, template): &(usize, Template)| available(*template);
    plain().into_iter().chain(float).filter(available).collect()
});

/// In which modes an instruction is meant: each has a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Dynamic,
    /// The instruction's own.
    Fixed,
}

/// The templates of instructions that round, which have several handlers.
fn rounding() -> Vec<(Opcode, Float, &'static [Mode])> {
    use Opcode::*;
    use Whole::*;
    use Width::*;
    const DYNAMIC: &[Mode] = &[Mode::Dynamic];
    const FIXED: &[Mode] = &[Mode::Fixed];
    const ANY: &[Mode] = &[Mode::Dynamic, Mode::Fixed];
    let fused = |product, addend, width| Float::Fused { product, addend, width };
    let plain = [
        (FaddS, Float::Arithmetic(Arithmetic::Add, Single)),
        (FsubS, Float::Arithmetic(Arithmetic::Subtract, Single)),
        (FmulS, Float::Arithmetic(Arithmetic::Multiply, Single)),
        (FdivS, Float::Arithmetic(Arithmetic::Divide, Single)),
        (FsqrtS, Float::Root(Single)),
        (FaddD, Float::Arithmetic(Arithmetic::Add, Double)),
        (FsubD, Float::Arithmetic(Arithmetic::Subtract, Double)),
        (FmulD, Float::Arithmetic(Arithmetic::Multiply, Double)),
        (FdivD, Float::Arithmetic(Arithmetic::Divide, Double)),
        (FsqrtD, Float::Root(Double)),
        (FmaddS, fused(false, false, Single)),
        (FmsubS, fused(false, true, Single)),
        (FnmsubS, fused(true, false, Single)),
        (FnmaddS, fused(true, true, Single)),
        (FmaddD, fused(false, false, Double)),
        (FmsubD, fused(false, true, Double)),
        (FnmsubD, fused(true, false, Double)),
        (FnmaddD, fused(true, true, Double)),
        (FcvtSD, Float::Resize { to: Single }),
    ];
    // Whatever the mode: none of these rounds.
    let exact = [
        (FcvtDS, Float::Resize { to: Double }),
        (FcvtDW, Float::From(Word, Double)),
        (FcvtDWu, Float::From(UnsignedWord, Double)),
    ];
    let from = [
        (FcvtDL, Long, Double),
        (FcvtDLu, UnsignedLong, Double),
        (FcvtSW, Word, Single),
        (FcvtSWu, UnsignedWord, Single),
        (FcvtSL, Long, Single),
        (FcvtSLu, UnsignedLong, Single),
    ];
    let to = [
        (FcvtWD, Word, Double),
        (FcvtLD, Long, Double),
        (FcvtWS, Word, Single),
        (FcvtLS, Long, Single),
        (FcvtWuD, UnsignedWord, Double),
        (FcvtLuD, UnsignedLong, Double),
        (FcvtWuS, UnsignedWord, Single),
        (FcvtLuS, UnsignedLong, Single),
    ];
    let plain = plain.map(|(opcode, float)| (opcode, float, DYNAMIC)).into_iter();
    let exact = exact.map(|(opcode, float)| (opcode, float, ANY));
    let from = from.into_iter().flat_map(|(opcode, whole, width)| {
        [
            (opcode, Float::From(whole, width), DYNAMIC),
            (opcode, Float::FromExact(whole, width), FIXED),
        ]
    });
    let rounded = to.into_iter().filter(|(_, whole, _)| whole.is_signed());
    let rounded =
        rounded.map(|(opcode, whole, width)| (opcode, Float::Round(whole, width), DYNAMIC));
    let to = to.map(|(opcode, whole, width)| (opcode, Float::To(whole, width), FIXED));
    plain.chain(exact).chain(from).chain(rounded).chain(to).collect()
}

/// Whether the host has what the template's code needs.
fn available(template: Template) -> bool {
    use Binary::*;
    use Unary::*;
    let [bmi2, fma, bmi1, sse4_1, lzcnt, popcnt] = available_features();
    let needed = match template {
        Template::Binary(Sll | Srl | Sra | Sllw | Srlw | Sraw) => bmi2,
        Template::Float(Float::Fused { .. }) => fma,
        Template::Binary(Andn) | Template::Unary(Ctz | Ctzw) => bmi1,
        Template::Unary(Clz | Clzw) | Template::HighestByte => lzcnt,
        Template::Unary(Cpop | Cpopw) => popcnt,
        Template::Float(Float::To(..)) => sse4_1,
        _ => 1,
    };
    needed != 0
}

/// Which of the features the host has that some templates need: 1 for each of them.
fn available_features() -> [u8; 6] {
    [
        std::arch::is_x86_feature_detected!("bmi2").into(),
        std::arch::is_x86_feature_detected!("fma").into(),
        std::arch::is_x86_feature_detected!("bmi1").into(),
        std::arch::is_x86_feature_detected!("sse4.1").into(),
        std::arch::is_x86_feature_detected!("lzcnt").into(),
        std::arch::is_x86_feature_detected!("popcnt").into(),
    ]
}

macro_rules! plain {
    ($($kind:ident $module:ident { $($name:ident $what:expr;)* })*) => {
        /// The templates of handlers that have a name.
        fn plain() -> Vec<(usize, Template)> {
            vec![$($(
                ($module::$name as Handler as usize, plain!(@ $kind $what)),
            )*)*]
        }
    };
    (@ Template $what:expr) => { $what };
    (@ AtomicWord $what:expr) => { Template::Atomic($what, false) };
    (@ AtomicDoubleword $what:expr) => { Template::Atomic($what, true) };
    (@ $kind:ident $what:expr) => { Template::$kind($what) };
}

use Condition::*;
plain! {
    Binary alu {
        add Binary::Add; sub Binary::Sub; and Binary::And; or Binary::Or; xor Binary::Xor;
        mul Binary::Mul; addw Binary::Addw; subw Binary::Subw; mulw Binary::Mulw;
        sll Binary::Sll; srl Binary::Srl; sra Binary::Sra;
        sllw Binary::Sllw; srlw Binary::Srlw; sraw Binary::Sraw;
        slt Binary::Slt; sltu Binary::Sltu; mulh Binary::Mulh; mulhsu Binary::Mulhsu; mulhu Binary::Mulhu;
        divu Binary::Divu; remu Binary::Remu; div Binary::Div; rem Binary::Rem;
        divuw Binary::Divuw; remuw Binary::Remuw; divw Binary::Divw; remw Binary::Remw;
        add_uw Binary::AddUw; sh1add Binary::Sh1add; sh2add Binary::Sh2add; sh3add Binary::Sh3add;
        sh1add_uw Binary::Sh1addUw; sh2add_uw Binary::Sh2addUw; sh3add_uw Binary::Sh3addUw;
        andn Binary::Andn; orn Binary::Orn; xnor Binary::Xnor;
        min Binary::Min; minu Binary::Minu; max Binary::Max; maxu Binary::Maxu;
        rol Binary::Rol; ror Binary::Ror; rolw Binary::Rolw; rorw Binary::Rorw;
        bset Binary::Bset; bclr Binary::Bclr; binv Binary::Binv; bext Binary::Bext;
        czero_eqz Binary::CzeroEqz; czero_nez Binary::CzeroNez; packw Binary::Packw;
    }
    Binary fused { shift_add Binary::ShiftAdd; }
    Unary alu {
        addi Unary::Addi; addiw Unary::Addiw; andi Unary::Andi; ori Unary::Ori; xori Unary::Xori;
        slli Unary::Slli; srli Unary::Srli; srai Unary::Srai;
        slliw Unary::Slliw; srliw Unary::Srliw; sraiw Unary::Sraiw;
        slti Unary::Slti; sltiu Unary::Sltiu; rori Unary::Rori; slli_uw Unary::SlliUw;
        bseti Unary::Bseti; bclri Unary::Bclri; binvi Unary::Binvi; bexti Unary::Bexti;
        sext_b Unary::SignExtendByte; sext_h Unary::SignExtendHalfword; rev8 Unary::Rev8;
        roriw Unary::Roriw; orc_b Unary::OrcB; clz Unary::Clz; clzw Unary::Clzw;
        ctz Unary::Ctz; ctzw Unary::Ctzw; cpop Unary::Cpop; cpopw Unary::Cpopw;
    }
    Unary fused {
        copy Unary::Copy; increment Unary::Addi; sign_extend_word Unary::SignExtendWord;
        zero_extend_word Unary::ZeroExtendWord; zero_extend_halfword Unary::ZeroExtendHalfword;
        zero_extend_shift Unary::ZeroExtendShift;
    }
    Template atomic { fence Template::Fence; }
    AtomicWord atomic {
        lr_w Atomic::LoadReserved; sc_w Atomic::StoreConditional; amocas_w Atomic::CompareAndSwap;
        amoswap_w Atomic::Swap; amoadd_w Atomic::Add; amoand_w Atomic::And; amoor_w Atomic::Or;
        amoxor_w Atomic::Xor; amomin_w Atomic::Min; amomax_w Atomic::Max; amominu_w Atomic::Minu;
        amomaxu_w Atomic::Maxu;
    }
    AtomicDoubleword atomic {
        lr_d Atomic::LoadReserved; sc_d Atomic::StoreConditional; amocas_d Atomic::CompareAndSwap;
        amoswap_d Atomic::Swap; amoadd_d Atomic::Add; amoand_d Atomic::And; amoor_d Atomic::Or;
        amoxor_d Atomic::Xor; amomin_d Atomic::Min; amomax_d Atomic::Max; amominu_d Atomic::Minu;
        amomaxu_d Atomic::Maxu;
    }
    Template alu { lui Template::Constant; auipc Template::Address; }
    Template fused { highest_byte Template::HighestByte; }
    Load load_store {
        lb Load::Byte; lh Load::Half; lw Load::Word; ld Load::Double;
        lbu Load::UnsignedByte; lhu Load::UnsignedHalf; lwu Load::UnsignedWord;
    }
    Store load_store { sb Store::Byte; sh Store::Half; sw Store::Word; sd Store::Double; }
    Float load_store {
        flw Float::LoadWord; fld Float::LoadDouble; fsw Float::StoreWord; fsd Float::StoreDouble;
    }
    Float float {
        fmv_x_d Float::ToInteger; fmv_d_x Float::FromInteger;
        fmv_x_w Float::WordToInteger; fmv_w_x Float::WordFromInteger;
        fmin_s Float::Extreme { greater: false, width: Width::Single };
        fmax_s Float::Extreme { greater: true, width: Width::Single };
        fmin_d Float::Extreme { greater: false, width: Width::Double };
        fmax_d Float::Extreme { greater: true, width: Width::Double };
        feq_s Float::Compare(Comparison::Equal, Width::Single);
        flt_s Float::Compare(Comparison::Less, Width::Single);
        fle_s Float::Compare(Comparison::LessEqual, Width::Single);
        feq_d Float::Compare(Comparison::Equal, Width::Double);
        flt_d Float::Compare(Comparison::Less, Width::Double);
        fle_d Float::Compare(Comparison::LessEqual, Width::Double);
        fsgnj_s Float::Sign(Sign::Copied, Width::Single);
        fsgnjn_s Float::Sign(Sign::Negated, Width::Single);
        fsgnjx_s Float::Sign(Sign::Multiplied, Width::Single);
        fsgnj_d Float::Sign(Sign::Copied, Width::Double);
        fsgnjn_d Float::Sign(Sign::Negated, Width::Double);
        fsgnjx_d Float::Sign(Sign::Multiplied, Width::Double);
    }
    Float csr { read_flags Float::ReadFlags; write_flags Float::WriteFlags; }
    End control {
        jump End::Jump { event: false }; jump_backward End::Jump { event: true };
        beq End::Branch { condition: Equal, event: false };
        bne End::Branch { condition: NotEqual, event: false };
        blt End::Branch { condition: Less, event: false };
        bge End::Branch { condition: NotLess, event: false };
        bltu End::Branch { condition: Below, event: false };
        bgeu End::Branch { condition: NotBelow, event: false };
        beqz End::Branch { condition: Equal, event: false };
        bnez End::Branch { condition: NotEqual, event: false };
        beq_backward End::Branch { condition: Equal, event: true };
        bne_backward End::Branch { condition: NotEqual, event: true };
        blt_backward End::Branch { condition: Less, event: true };
        bge_backward End::Branch { condition: NotLess, event: true };
        bltu_backward End::Branch { condition: Below, event: true };
        bgeu_backward End::Branch { condition: NotBelow, event: true };
        beqz_backward End::Branch { condition: Equal, event: true };
        bnez_backward End::Branch { condition: NotEqual, event: true };
        jal End::Call; jalr End::Indirect { sets: Sets::Call };
        linking_jump End::Indirect { sets: Sets::Register };
        indirect_jump End::Indirect { sets: Sets::Nothing }; return_jump End::Return;
        ecall End::Stop; fence_i End::Stop; ebreak End::Stop; illegal End::Stop;
        fetch_fault End::Stop;
    }
}
