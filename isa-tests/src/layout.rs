//! Where the memory of a vector is.

/// Names of addresses in vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symbol {
    /// The first instruction.
    Code,
    /// A page that can be read and written.
    Data,
    /// A page that can only be read.
    Rom,
    /// A page that is not mapped, behind the data page.
    Hole,
}

impl Symbol {
    /// All symbols with their names.
    pub const NAMES: [(Symbol, &'static str); 4] = [
        (Symbol::Code, "code"),
        (Symbol::Data, "data"),
        (Symbol::Rom, "rom"),
        (Symbol::Hole, "hole"),
    ];
}

/// The memory of a vector, at a base address of the engine's choice.
///
/// Whatever of the megabyte to both sides is not one of the three mappings must
/// not be mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// A multiple of the page size.
    pub base: u64,
}

impl Layout {
    /// Bytes in a page.
    pub const PAGE: u64 = 4096;
    /// Bytes of mapped code, half of it in front of the vector's.
    pub const CODE_BYTES: u64 = 2 * Self::PAGE;
    /// What fills the code area around the vector's code: `c.ebreak`. Wherever the
    /// vector's code goes, it stops there.
    pub const LANDING: u16 = 0x9002;
    /// What fills the data page and the read-only page.
    pub const FILL: u8 = 0xa5;

    /// Start of the readable, writable and executable code area.
    pub const fn code_area(self) -> u64 {
        self.base + Self::PAGE
    }

    /// The address that a symbol names.
    pub const fn address(self, symbol: Symbol) -> u64 {
        self.base
            + Self::PAGE
                * match symbol {
                    Symbol::Code => 2,
                    Symbol::Rom => 4,
                    Symbol::Data => 6,
                    Symbol::Hole => 7,
                }
    }

    /// Whether an address is in one of the mappings.
    pub const fn is_mapped(self, addr: u64) -> bool {
        let page = addr.wrapping_sub(self.base) / Self::PAGE;
        matches!(page, 1 | 2 | 4 | 6)
    }

    /// The offset in the data page of `len` bytes at `addr`, if they are in it.
    pub fn data_offset(self, addr: u64, len: u64) -> Option<usize> {
        let offset = addr.wrapping_sub(self.address(Symbol::Data));
        (offset <= Self::PAGE - len).then_some(offset as usize)
    }
}
