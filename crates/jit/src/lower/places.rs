//! Guest addresses and slots in code, which are not the same in each process.
//!
//! Where code is to be kept for other processes, the guest's object that it is part of may be
//! somewhere else there, and slots certainly are. So these are symbols, by their distance from
//! the object's base, and the compiler leaves a [`Reloc`](crate::compile::Reloc) for each.

use super::Lowering;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{
    ExtFuncData, ExternalName, FuncRef, Function, GlobalValue, GlobalValueData, InstBuilder,
    UserExternalName, Value,
};

/// Objects below are where they are linked to be, in each process.
pub(crate) const MOVABLE: u64 = 1 << 32;

/// What a symbol stands for, as the namespace of its name: a guest address.
pub(crate) const ADDRESS: u32 = 0;
/// Or a slot, whose index is that in [`Lowered::leaves`](super::Lowered).
pub(crate) const SLOT: u32 = 1;

impl Lowering<'_> {
    /// The guest address `pc`, of this code or near it.
    ///
    /// Each is a symbol of its own: a common one would be kept in a register, or rather on the
    /// stack, from its first use to the last one.
    pub(super) fn address(&mut self, pc: u64) -> Value {
        let Some(base) = self.movable_base() else {
            return self.constant(pc);
        };
        let symbol = symbol(self.builder.func, ADDRESS, pc.wrapping_sub(base));
        self.builder.ins().symbol_value(I64, symbol)
    }

    fn movable_base(&self) -> Option<u64> {
        self.base.filter(|base| *base >= MOVABLE)
    }

    /// The address that a callee within the region returns to: always the same value, so that
    /// where nothing comes between, Cranelift sees that the comparison holds.
    pub(super) fn return_address(&mut self, pc: u64) -> Value {
        let Some(base) = self.movable_base() else {
            return self.constant(pc);
        };
        let function = &mut *self.builder.func;
        let make = || symbol(function, ADDRESS, pc.wrapping_sub(base));
        let symbol = *self.returns.entry(pc).or_insert_with(make);
        self.builder.ins().symbol_value(I64, symbol)
    }

    /// The slot of guest address `pc`, as a function.
    pub(super) fn slot(&mut self, pc: u64) -> FuncRef {
        if let Some(slot) = self.slots.get(&pc) {
            return *slot;
        }
        let index = self.leaves.len() as u32;
        self.leaves.push(pc.wrapping_sub(self.base.unwrap_or(0)));
        let function = &mut *self.builder.func;
        let name = function.declare_imported_user_function(UserExternalName::new(SLOT, index));
        let slot = function.import_function(ExtFuncData {
            name: ExternalName::user(name),
            signature: self.translation,
            colocated: true,
            patchable: false,
        });
        self.slots.insert(pc, slot);
        slot
    }
}

fn symbol(function: &mut Function, namespace: u32, distance: u64) -> GlobalValue {
    let name = function.declare_imported_user_function(UserExternalName::new(namespace, 0));
    function.create_global_value(GlobalValueData::Symbol {
        name: ExternalName::user(name),
        offset: (distance as i64).into(),
        colocated: false,
        tls: false,
    })
}
