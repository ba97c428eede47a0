//! Running vectors under QEMU.

use super::harness::{self, CODE_MAX, DUMP_BYTES, Dump, LAYOUT};
use anyhow::{Context, Result, bail, ensure};
use rvrun_isa::{Kind, Opcode};
use rvrun_isa_tests::{AccessCause, AccessKind, State, Symbol, Trap, Vector};
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, id};

const SIGILL: u32 = 4;
const SIGTRAP: u32 = 5;
const SIGBUS: u32 = 7;
const SIGSEGV: u32 = 11;

/// All extensions, but atomic accesses must be aligned (rvrun has no Zama16b).
const CPU: &str = "max,zama16b=off";

/// QEMU, and a directory for what goes in and comes out.
pub struct Oracle {
    qemu: PathBuf,
    scratch: PathBuf,
}

impl Oracle {
    /// Checks that QEMU is there and new enough.
    pub fn new(qemu: &Path) -> Result<Self> {
        const HELP: &str = "install QEMU's user-mode emulators, version 10 or later (package \
                            qemu-user; for Debian 12 it is in the backports), or say where \
                            qemu-riscv64 is: --qemu PATH";
        let output = Command::new(qemu).arg("--version").output();
        let output = output.with_context(|| format!("cannot run {}: {HELP}", qemu.display()))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = text.split_whitespace().skip_while(|word| *word != "version").nth(1);
        let major = version.and_then(|v| v.split('.').next()?.parse::<u32>().ok()).unwrap_or(0);
        ensure!(major >= 10, "{} is too old: {HELP}", version.unwrap_or("this version"));
        let scratch = std::env::temp_dir().join(format!("rvrun-vectors-{}", id()));
        fs::create_dir_all(&scratch)?;
        Ok(Self { qemu: qemu.into(), scratch })
    }

    /// Executes the vectors; returns the state after each.
    pub fn run(&self, vectors: &[&Vector]) -> Result<Vec<State>> {
        let file = |name: &str| self.scratch.join(name);
        let program = file("harness");
        fs::write(&program, harness::executable()?)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        let mut records = Vec::new();
        for vector in vectors {
            let code = vector.bytes();
            ensure!(code.len() <= CODE_MAX, "{vector}: more than {CODE_MAX} bytes of code");
            records.extend(harness::record(&code, &vector.before(LAYOUT)));
        }
        fs::write(file("records"), records)?;
        let status = Command::new(&self.qemu)
            .args(["-cpu", CPU])
            .arg(&program)
            .stdin(File::open(file("records"))?)
            .stdout(File::create(file("dumps"))?)
            .status()?;
        let dumps = fs::read(file("dumps"))?;
        let done = dumps.len() / DUMP_BYTES;
        if !status.success() || done != vectors.len() {
            let last = vectors.get(done).map(ToString::to_string).unwrap_or_default();
            bail!("QEMU ended with {status} after {done} vectors, at: {last}");
        }
        vectors
            .iter()
            .zip(dumps.chunks_exact(DUMP_BYTES))
            .map(|(vector, dump)| state(vector, harness::parse_dump(dump)))
            .collect()
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // Whatever is left in the temporary directory does no harm.
        let _ = fs::remove_dir_all(&self.scratch);
    }
}

/// The state that a dump shows, with the exception that its signal stands for.
fn state(vector: &Vector, dump: Dump) -> Result<State> {
    let mut state = dump.state;
    let offset = state.pc.wrapping_sub(LAYOUT.address(Symbol::Code));
    let own = offset < vector.bytes().len() as u64;
    let access = |cause| {
        let kind =
            if dump.addr == state.pc { AccessKind::Fetch } else { access_kind(vector, offset) };
        Some(Trap::Access { kind, cause, addr: dump.addr })
    };
    state.trap = match (dump.signal, dump.code) {
        (SIGTRAP, _) => own.then_some(Trap::Breakpoint),
        (SIGILL, _) => Some(Trap::Illegal),
        // QEMU reserves the guest's addresses, so its signals can take unmapped for protected.
        (SIGSEGV, _) if LAYOUT.is_mapped(dump.addr) => access(AccessCause::Protected),
        (SIGSEGV, _) => access(AccessCause::Unmapped),
        (SIGBUS, _) => access(AccessCause::Misaligned),
        (signal, code) => bail!("{vector}: unexpected signal {signal}, code {code}"),
    };
    Ok(state)
}

/// What the instruction at an offset of the code does with memory: the manual's, since signals do not tell.
fn access_kind(vector: &Vector, offset: u64) -> AccessKind {
    let mut at = 0;
    let code = vector.code.iter().find(|code| {
        at += u64::from(code.len);
        offset < at
    });
    match code.and_then(|c| c.opcode).map(Opcode::row) {
        Some(row) if row.kind == Kind::Load => AccessKind::Load,
        Some(row) if matches!(row.opcode, Opcode::LrW | Opcode::LrD) => AccessKind::Load,
        _ => AccessKind::Store,
    }
}
