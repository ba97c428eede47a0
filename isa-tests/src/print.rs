//! Vectors to lines, and states to what a line expects.

use crate::parse::{FLAG_NAMES, WIDTHS};
use crate::value::float_text;
use crate::vector::{After, ExpectedTrap};
use crate::{
    AccessCause, AccessKind, Assignment, Layout, Place, State, Symbol, Trap, Value, Vector,
};
use rvrun_isa::{F_NAMES, Kind, Opcode, ROUNDING_NAMES, X_NAMES};
use std::fmt::{self, Write};

impl fmt::Display for Vector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.left_side())?;
        match &self.after {
            Some(after) => write!(f, " => {after}"),
            None => Ok(()),
        }
    }
}

impl Vector {
    /// The line without what it expects.
    pub fn left_side(&self) -> String {
        let mut text = String::from(if self.by_manual { "! " } else { "" });
        for (i, code) in self.code.iter().enumerate() {
            text += if i == 0 { "" } else { "; " };
            text += &code.text;
        }
        text += " |";
        write_list(&mut text, &self.before);
        text
    }

    /// Expects what an engine has done: the inverse of [`Vector::expected`]. Places that were `*` stay so.
    pub fn expect(&mut self, layout: Layout, got: &State) {
        let old = self.after.take().unwrap_or_default();
        let arbitrary: Vec<_> = old.changes.into_iter().filter(|c| c.value.is_none()).collect();
        let before = self.before(layout);
        let mut changes = arbitrary.clone();
        let mut change = |place, bits| {
            if !arbitrary.iter().any(|a| a.place == place) {
                changes.push(Assignment { place, value: Some(self.symbolic(layout, bits)) });
            }
        };
        for n in (0..32).filter(|&n| before.x[n] != got.x[n]) {
            change(Place::X(n as u8), got.x[n]);
        }
        for n in (0..32).filter(|&n| before.f[n] != got.f[n]) {
            change(Place::F(n as u8), got.f[n]);
        }
        if before.frm != got.frm {
            change(Place::Frm, got.frm.into());
        }
        if before.fflags != got.fflags {
            change(Place::Fflags, got.fflags.into());
        }
        for (place, bits) in self.memory_changes(layout, &before, got) {
            change(place, bits);
        }
        if got.pc != self.usual_pc(layout, got.trap.is_some()) {
            change(Place::Pc, got.pc);
        }
        let trap = got.trap.map(|trap| match trap {
            Trap::Access { kind, cause, addr } => {
                ExpectedTrap::Access(kind, cause, self.symbolic(layout, addr))
            }
            plain => ExpectedTrap::Plain(plain),
        });
        self.after = Some(After { changes, trap });
    }

    /// Relative to a symbol if it is near one; to `code` from afar if the code computes addresses from its own.
    fn symbolic(&self, layout: Layout, bits: u64) -> Value {
        let from = |symbol| bits.wrapping_sub(layout.address(symbol)) as i64;
        let reach = |symbol| if symbol == Symbol::Code { self.code_reach() } else { 2048 };
        if (-4096..=4096).contains(&(bits as i64)) {
            return Value::from(bits);
        }
        [Symbol::Data, Symbol::Hole, Symbol::Rom, Symbol::Code]
            .into_iter()
            .find(|&symbol| (-reach(symbol)..=reach(symbol)).contains(&from(symbol)))
            .map_or(Value::from(bits), |symbol| Value::at(symbol, from(symbol)))
    }

    /// How far from the code an address can be that is computed from the code's.
    fn code_reach(&self) -> i64 {
        let opcodes = self.code.iter().filter_map(|c| c.opcode);
        opcodes
            .map(|opcode| match (opcode, opcode.row().kind) {
                (Opcode::Auipc, _) => 1 << 31,
                (_, Kind::Jump | Kind::Branch) => 1 << 21,
                _ => 4096,
            })
            .max()
            .unwrap_or(4096)
    }

    /// What has changed in the data page: in the pieces that the line itself names, then in the largest ones.
    fn memory_changes(&self, layout: Layout, before: &State, got: &State) -> Vec<(Place, u64)> {
        let mut changes = Vec::new();
        let mut seen = before.data.clone();
        let mut piece = |place, offset: usize, width: usize, seen: &mut Vec<u8>| {
            let mut bytes = [0; 8];
            bytes[..width].copy_from_slice(&got.data[offset..offset + width]);
            seen[offset..offset + width].copy_from_slice(&bytes[..width]);
            changes.push((place, u64::from_le_bytes(bytes)));
        };
        for assignment in &self.before {
            let Place::Memory(width, addr) = assignment.place else { continue };
            let offset = layout.data_offset(addr.resolve(layout), width.into());
            let Some(offset) = offset else { continue };
            let width = usize::from(width);
            if got.data[offset..offset + width] != seen[offset..offset + width] {
                piece(assignment.place, offset, width, &mut seen);
            }
        }
        while let Some(offset) = (0..seen.len()).find(|&i| seen[i] != got.data[i]) {
            let run = (offset..seen.len()).take_while(|&i| seen[i] != got.data[i]).count();
            let width = [8, 4, 2, 1].into_iter().find(|&w| w <= run).unwrap_or(1);
            let addr = Value::at(Symbol::Data, offset as i64);
            piece(Place::Memory(width as u8, addr), offset, width, &mut seen);
        }
        changes
    }
}

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        if !self.changes.is_empty() || self.trap.is_none() {
            write_list(&mut text, &self.changes);
        }
        if let Some(trap) = self.trap {
            write!(text, " trap={trap}")?;
        }
        f.write_str(text.trim_start())
    }
}

impl fmt::Display for ExpectedTrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(Trap::Illegal) => f.write_str("illegal"),
            Self::Plain(Trap::Breakpoint) => f.write_str("breakpoint"),
            Self::Plain(Trap::Ecall) => f.write_str("ecall"),
            Self::Plain(Trap::Access { kind, cause, addr }) => {
                Self::Access(*kind, *cause, (*addr).into()).fmt(f)
            }
            Self::Access(kind, cause, addr) => {
                let kind = AccessKind::NAMES.iter().find(|n| n.0 == *kind).map_or("", |n| n.1);
                let cause = AccessCause::NAMES.iter().find(|n| n.0 == *cause).map_or("", |n| n.1);
                write!(f, "{kind}-{cause}@{addr}")
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::X(n) => f.write_str(X_NAMES[usize::from(*n)]),
            Self::F(n) => f.write_str(F_NAMES[usize::from(*n)]),
            Self::Frm => f.write_str("frm"),
            Self::Fflags => f.write_str("fflags"),
            Self::Pc => f.write_str("pc"),
            Self::Memory(width, addr) => {
                let letter = WIDTHS.iter().find(|w| w.1 == *width).map_or('?', |w| w.0);
                write!(f, "{letter}[{addr}]")
            }
        }
    }
}

impl fmt::Display for Assignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=", self.place)?;
        let Some(value) = self.value else { return f.write_str("*") };
        match self.place {
            Place::F(_) if value.symbol.is_none() => f.write_str(&float_text(value.offset)),
            Place::Frm => match ROUNDING_NAMES[..5].get(value.offset as usize) {
                Some(name) => f.write_str(name),
                None => write!(f, "{value}"),
            },
            Place::Fflags if value.offset != 0 => {
                let set = (0..5).rev().filter(|bit| value.offset >> bit & 1 != 0);
                let names: Vec<_> = set.map(|bit| FLAG_NAMES[bit]).collect();
                f.write_str(&names.join("+"))
            }
            _ => write!(f, "{value}"),
        }
    }
}

fn write_list(text: &mut String, list: &[Assignment]) {
    if list.is_empty() {
        text.push_str(" -");
    }
    for assignment in list {
        text.push_str(&format!(" {assignment}"));
    }
}
