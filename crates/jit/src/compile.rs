//! Regions to host code, by Cranelift.

use crate::lower::{self, Lowered, Mode, Origin};
use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::FunctionBuilderContext;
use rustc_hash::FxHashMap;
use rvrun_decoder::region::Region;

/// A region to be compiled, with all that it takes.
pub struct Job {
    /// The region.
    pub region: Region,
    /// Slots of the addresses that it is left to.
    pub slots: FxHashMap<u64, u32>,
    /// How.
    pub mode: Mode,
    /// A hash of the guest code that it was made from.
    pub hash: u64,
}

/// Host code and where it came from. The code can be anywhere in memory.
pub struct Code {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// For each run of instructions the offset behind it and its origin, in ascending order.
    pub origins: Vec<(u32, Origin)>,
}

/// Why a region was not compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(pub String);

/// Compiles one region after another.
pub struct Compiler {
    isa: OwnedTargetIsa,
    context: Context,
    builder: FunctionBuilderContext,
}

impl Compiler {
    /// A compiler for this host.
    ///
    /// # Errors
    /// When Cranelift does not know the host.
    pub fn new() -> Result<Self, Failure> {
        let mut flags = settings::builder();
        let wanted = [
            ("opt_level", "speed"),
            ("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }),
            // Tail calls want it.
            ("preserve_frame_pointers", "true"),
            ("is_pic", "true"),
            ("unwind_info", "false"),
            ("enable_probestack", "false"),
        ];
        for (name, value) in wanted {
            flags.set(name, value).map_err(|error| Failure(error.to_string()))?;
        }
        let host = cranelift_native::builder().map_err(|error| Failure(error.into()))?;
        let flags = settings::Flags::new(flags);
        let isa = host.finish(flags).map_err(|error| Failure(error.to_string()))?;
        Ok(Self { isa, context: Context::new(), builder: FunctionBuilderContext::new() })
    }

    /// Compiles a region.
    ///
    /// # Errors
    /// When Cranelift refuses it, or the code would need to know where it is.
    pub fn compile(&mut self, job: &Job) -> Result<Code, Failure> {
        self.compile_with(job, false)
    }

    fn compile_with(&mut self, job: &Job, disassemble: bool) -> Result<Code, Failure> {
        let target = self.isa.frontend_config();
        let lowered = lower::lower(&job.region, &job.slots, job.mode, target, &mut self.builder);
        self.generate(lowered, disassemble)
    }

    fn generate(&mut self, lowered: Lowered, disassemble: bool) -> Result<Code, Failure> {
        let Lowered { function, origins } = lowered;
        self.context.clear();
        self.context.set_disasm(disassemble);
        self.context.func = function;
        let compiled = self
            .context
            .compile(&*self.isa, &mut ControlPlane::default())
            .map_err(|error| Failure(format!("{:?}", error.inner)))?;
        if !compiled.buffer.relocs().is_empty() {
            return Err(Failure("the code has relocations".into()));
        }
        let origins = compiled
            .buffer
            .get_srclocs_sorted()
            .iter()
            .filter_map(|range| Some((range.end, *origins.get(range.loc.bits() as usize)?)))
            .collect();
        Ok(Code { bytes: compiled.code_buffer().to_vec(), origins })
    }

    /// The region in CLIF, before any optimisation.
    pub fn clif(&mut self, job: &Job) -> String {
        let target = self.isa.frontend_config();
        let lowered = lower::lower(&job.region, &job.slots, job.mode, target, &mut self.builder);
        lowered.function.display().to_string()
    }

    /// The region in host assembly.
    ///
    /// # Errors
    /// As [`compile`](Self::compile).
    pub fn assembly(&mut self, job: &Job) -> Result<String, Failure> {
        self.compile_with(job, true)?;
        let compiled = self.context.compiled_code();
        Ok(compiled.and_then(|code| code.vcode.clone()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cranelift_codegen::cursor::{Cursor, FuncCursor};
    use cranelift_codegen::ir::{
        AbiParam, ExtFuncData, ExternalName, Function, InstBuilder, Signature, UserExternalName,
        types::I64,
    };

    /// A function that returns the address of another one.
    fn address_of_a_function() -> Function {
        let mut function = Function::new();
        let convention = function.signature.call_conv;
        let signature = function.import_signature(Signature::new(convention));
        let name = function.declare_imported_user_function(UserExternalName::new(0, 0));
        let name = ExternalName::user(name);
        let callee =
            function.import_function(ExtFuncData { name, signature, colocated: false, patchable: false });
        function.signature.returns.push(AbiParam::new(I64));
        let block = function.dfg.make_block();
        let mut cursor = FuncCursor::new(&mut function);
        cursor.insert_block(block);
        let address = cursor.ins().func_addr(I64, callee);
        cursor.ins().return_(&[address]);
        function
    }

    #[test]
    fn code_that_depends_on_where_it_is_is_refused() {
        let lowered = Lowered { function: address_of_a_function(), origins: Vec::new() };
        let result = Compiler::new().unwrap().generate(lowered, false);
        assert_eq!(result.err(), Some(Failure("the code has relocations".into())));
    }
}
