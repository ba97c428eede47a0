//! Translations of a program: found, compiled, kept up to date, and run.

use crate::compile::{self, Compiler, Failure, Job};
use crate::helper;
use crate::lower::{Mode, Origin};
use crate::state::{Leave, State};
use crate::stats::Stats;
use crate::store::{Made, Store};
use crate::worker::{Done, Worker};
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use rvrun_decoder::region::{Code, Edge, End, Limits, Node, Region, near, region};
use rvrun_decoder::{Block, lift};
use rvrun_hart::float;
use rvrun_host::code::{Return, enter};
use rvrun_host::process;
use rvrun_isa::{Extensions, length};
use rvrun_memory::access::{self, Refused};
use rvrun_memory::{AccessKind, AddressSpace, Fault};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::hash::Hasher;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// How to translate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Compile while the guest waits, rather than on a thread beside it.
    pub synchronous: bool,
    /// Bytes of memory for code.
    pub code_bytes: usize,
    /// Bounds of a region.
    pub limits: Limits,
    /// What translations do beside what they must.
    pub mode: Mode,
    /// Bytes of the host's stack that translations may take.
    pub stack_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            synchronous: false,
            code_bytes: 64 << 20,
            limits: Limits::default(),
            mode: Mode::default(),
            stack_bytes: 4 << 20,
        }
    }
}

/// What the one who asks for a translation knows of the program.
pub trait Profile {
    /// Whether the code at `pc` is worth translating: whether it has run.
    fn reached(&self, pc: u64) -> bool;
    /// Addresses in `range` where jumps through a register have gone to, in ascending order.
    fn jump_targets(&self, range: Range<u64>) -> Vec<u64>;
}

/// The profile of a program of which everything is worth translating.
#[derive(Clone, Copy, Debug)]
pub struct All;

impl Profile for All {
    fn reached(&self, _pc: u64) -> bool {
        true
    }

    fn jump_targets(&self, _range: Range<u64>) -> Vec<u64> {
        Vec::new()
    }
}

/// Is told of each translation that is ready to run, and where its code is.
pub type Watch = Box<dyn FnMut(&Job, &compile::Code, usize)>;

/// Why [`Translator::run`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The code at the hart's pc is not translated.
    Cold,
    /// An environment call; the hart's pc is behind it.
    Syscall,
    /// The instruction at the hart's pc has to be interpreted.
    Interpret,
    /// Attention is wanted.
    Attention,
    /// The state's [`Step`](crate::Step) wanted to leave.
    Stepped,
    /// A memory access faulted.
    ///
    /// The hart's pc is the instruction's, its other registers may be older.
    Fault(Fault),
    /// A memory access faulted, and translations are precise: everything is as it
    /// was before the instruction at the hart's pc, from where the interpreter gets
    /// to the access at `until` by loads and computation.
    Replay {
        /// The instruction that faulted.
        until: u64,
    },
}

/// A region is compiled when it has been asked for once more than it has this many
/// instructions: compiling an instruction takes some 15 µs, and executing it in host
/// code spares some 1 ns.
const INSTRUCTIONS_PER_REQUEST: usize = 64;

/// Targets of jumps that are remembered.
const MAX_JUMPS: usize = 1 << 16;

/// The host's stack below this distance from its end is for the VM's own functions.
const STACK_RESERVE: usize = 256 << 10;

/// See the module's documentation.
pub struct Translator {
    space: Arc<AddressSpace>,
    extensions: Extensions,
    options: Options,
    store: Store,
    worker: Option<Worker>,
    compiler: Option<Compiler>,
    /// Entries that the worker has.
    pending: FxHashSet<u64>,
    /// How often everything was dropped.
    generation: u64,
    /// How often what is large has still to be asked for.
    waiting: FxHashMap<u64, u32>,
    /// Entries that are not worth another try.
    refused: FxHashSet<u64>,
    helpers: Box<[usize]>,
    stack_bottom: usize,
    epoch: u64,
    /// Entries of translations that had to make room.
    gone: Vec<u64>,
    /// Targets that jumps through registers in translated code had and that were
    /// not known when it was translated.
    jumps: BTreeSet<u64>,
    stats: Stats,
    watch: Option<Watch>,
}

impl Translator {
    /// A translator for a program in `space` on a hart with these extensions.
    ///
    /// # Errors
    /// The host's, when it has no memory for code.
    pub fn new(
        space: Arc<AddressSpace>,
        extensions: Extensions,
        options: Options,
    ) -> io::Result<Self> {
        let epoch = space.code_epoch();
        Ok(Self {
            space,
            extensions,
            options,
            store: Store::new(options.code_bytes)?,
            worker: None,
            compiler: None,
            pending: FxHashSet::default(),
            generation: 0,
            waiting: FxHashMap::default(),
            refused: FxHashSet::default(),
            helpers: helper::table(),
            stack_bottom: process::stack_bottom().unwrap_or(0),
            epoch,
            gone: Vec::new(),
            jumps: BTreeSet::new(),
            stats: Stats::default(),
            watch: None,
        })
    }

    /// Tells `watch` of each translation from now on.
    pub fn watch(&mut self, watch: Watch) {
        self.watch = Some(watch);
    }

    /// What was done so far.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Whether there is a translation that is entered at `pc`.
    pub fn is_translated(&self, pc: u64) -> bool {
        self.store.contains(pc)
    }

    /// The entries of all translations.
    pub fn entries(&self) -> Vec<u64> {
        self.store.entries()
    }

    /// Whether a translation that is entered at `pc` would be new.
    pub fn wants(&self, pc: u64) -> bool {
        !self.store.contains(pc) && !self.pending.contains(&pc) && !self.refused.contains(&pc)
    }

    /// The region at `pc` as it would be compiled; none if it has nothing to compile.
    pub fn job(&mut self, pc: u64, profile: &dyn Profile) -> Option<Job> {
        let start = Instant::now();
        let code = Known {
            space: &self.space,
            extensions: self.extensions,
            profile,
            store: &self.store,
            entry: pc,
            jumps: &self.jumps,
            mapping: RefCell::new(0..0),
        };
        let region = region(pc, self.options.limits, &code);
        let mut slots = FxHashMap::default();
        let entry = region.nodes.first()?;
        let nothing = entry.body.is_empty() && matches!(entry.end, End::Interpret);
        for target in leaves(&region) {
            let Some(slot) = self.store.slot(target) else {
                // All that there are: begin anew.
                let gone = self.clear();
                self.gone.extend(gone);
                return None;
            };
            slots.insert(target, slot);
        }
        self.stats.find_time += start.elapsed();
        let hash = content_hash(&self.space, &region.code);
        (!nothing).then_some(Job {
            region,
            slots,
            mode: self.options.mode,
            hash,
            generation: self.generation,
        })
    }

    /// Asks for a translation that is entered at `pc`; or, where jumps go to `pc`
    /// of which it did not know, for a new one of the region that makes them.
    pub fn request(&mut self, pc: u64, profile: &dyn Profile) {
        if !self.wants(pc) {
            return;
        }
        match self.jumper(pc, profile) {
            Some(entry) if !self.pending.contains(&entry) => self.translate(entry, profile),
            Some(_) => {}
            None => self.translate(pc, profile),
        }
    }

    /// The translation that should have `pc` as target of a jump, if it is worth
    /// to make it anew.
    fn jumper(&self, pc: u64, profile: &dyn Profile) -> Option<u64> {
        if !self.jumps.contains(&pc) {
            return None;
        }
        let (entry, known) = self.store.jumper(pc)?;
        let mut now = profile.jump_targets(near(pc));
        now.extend(self.jumps.range(near(pc)));
        now.sort_unstable();
        now.dedup();
        let region = self.store.translation(entry)?;
        let room = region.instructions < self.options.limits.instructions / 2;
        (room && now.len() > known + known / 2).then_some(entry)
    }

    fn translate(&mut self, pc: u64, profile: &dyn Profile) {
        if let Some(wait) = self.waiting.get_mut(&pc) {
            *wait -= 1;
            if *wait > 0 {
                return;
            }
        }
        let generation = self.generation;
        let Some(job) = self.job(pc, profile) else {
            if generation == self.generation {
                self.refused.insert(pc);
            }
            return;
        };
        // What takes long to compile has to be asked for more often.
        let wait = (job.region.instructions / INSTRUCTIONS_PER_REQUEST) as u32;
        if self.waiting.remove(&pc).is_none() && wait > 0 && !self.options.synchronous {
            self.waiting.insert(pc, wait);
            return;
        }
        self.stats.requested += 1;
        self.pending.insert(pc);
        let job = Box::new(job);
        if self.options.synchronous {
            self.compile_now(job);
            return;
        }
        let Some(worker) = self.worker() else {
            self.compile_now(job);
            return;
        };
        if worker.give(job).is_err() {
            self.pending.remove(&pc);
        }
    }

    /// The worker, started if there is none yet. None if the host has no more threads.
    fn worker(&mut self) -> Option<&mut Worker> {
        if self.worker.is_none() {
            self.worker = Worker::new(Compiler::new().ok()?).ok();
        }
        self.worker.as_mut()
    }

    fn compile_now(&mut self, job: Box<Job>) {
        let start = Instant::now();
        let compiler = match self.compiler.take() {
            Some(compiler) => Ok(compiler),
            None => Compiler::new(),
        };
        let result = compiler.and_then(|mut compiler| {
            // The compiler computes with floating-point numbers, too.
            let result = float::host::aside(|| compiler.compile(&job));
            self.compiler = Some(compiler);
            result
        });
        let done = Done { job, result, time: start.elapsed() };
        self.install(&done);
    }

    /// Takes in what the worker has done. Gives the entries that are translated now.
    /// No translation may be running.
    pub fn collect(&mut self) -> Vec<u64> {
        let mut entries = Vec::new();
        while let Some(done) = self.worker.as_mut().and_then(Worker::take) {
            if self.install(&done) {
                entries.push(done.job.region.entry);
            }
            if let Some(worker) = &mut self.worker {
                worker.give_back(done.result);
            }
        }
        entries
    }

    /// Whether the worker has something to do, or has done something.
    pub fn is_busy(&self) -> bool {
        self.worker.as_ref().is_some_and(Worker::is_busy)
    }

    fn install(&mut self, done: &Done) -> bool {
        let start = Instant::now();
        let region = &done.job.region;
        // A region that was given to the worker before everything was dropped has
        // slots that are no longer its own.
        let current = done.job.generation == self.generation;
        self.pending.remove(&region.entry);
        self.stats.compile_time += done.time;
        let code = match &done.result {
            Ok(code) if current => code,
            Ok(_) => {
                self.stats.outdated += 1;
                return false;
            }
            Err(Failure(_)) => {
                self.stats.refused += 1;
                self.refused.insert(region.entry);
                return false;
            }
        };
        let hash = done.job.hash;
        if content_hash(&self.space, &region.code) != hash {
            self.stats.outdated += 1;
            return false;
        }
        let jumps = jump_sites(region);
        let translation =
            Made { guest: region.code.clone(), hash, jumps, instructions: region.instructions };
        match self.store.insert(region.entry, code, translation) {
            Some(gone) => {
                self.stats.evicted += gone.len() as u64;
                self.gone.extend(gone);
            }
            None => {
                self.refused.insert(region.entry);
                return false;
            }
        }
        self.stats.translated += 1;
        self.stats.instructions += region.instructions as u64;
        self.stats.code_bytes += code.bytes.len() as u64;
        let time = start.elapsed();
        self.stats.install_time += time;
        self.stats.longest_install = self.stats.longest_install.max(time);
        if let Some(watch) = &mut self.watch
            && let Some(address) = self.store.address(region.entry)
        {
            float::host::aside(|| watch(&done.job, code, address));
        }
        true
    }

    /// Drops translations of code that the guest has unmapped, mapped over, made
    /// not executable, or said to have changed. Gives their entries.
    /// No translation may be running.
    pub fn follow_code_changes(&mut self) -> Vec<u64> {
        let epoch = self.space.code_epoch();
        if epoch == self.epoch {
            return Vec::new();
        }
        let changes = self.space.code_changes_since(self.epoch);
        self.epoch = epoch;
        self.refused.clear();
        let candidates = match changes {
            None => self.store.entries(),
            Some(ranges) => ranges.iter().flat_map(|range| self.store.made_from(range)).collect(),
        };
        self.drop_changed(candidates)
    }

    /// After a fence.i: drops translations of code that has changed. Gives their
    /// entries. No translation may be running.
    pub fn revalidate(&mut self) -> Vec<u64> {
        self.refused.clear();
        self.drop_changed(self.store.entries())
    }

    fn drop_changed(&mut self, candidates: Vec<u64>) -> Vec<u64> {
        let mut dropped = Vec::new();
        for entry in candidates {
            let Some(translation) = self.store.translation(entry) else { continue };
            if content_hash(&self.space, &translation.guest) != translation.hash {
                self.store.remove(entry);
                dropped.push(entry);
            }
        }
        self.stats.invalidated += dropped.len() as u64;
        dropped
    }

    /// The entries of translations that had to make room since the last call.
    pub fn take_gone(&mut self) -> Vec<u64> {
        let mut gone = std::mem::take(&mut self.gone);
        gone.retain(|entry| !self.store.contains(*entry));
        gone
    }

    /// Drops everything. Gives the entries. No translation may be running.
    pub fn clear(&mut self) -> Vec<u64> {
        self.generation += 1;
        self.pending.clear();
        self.refused.clear();
        self.store.clear()
    }

    /// Drops the translation that is entered at `pc`.
    pub fn evict(&mut self, pc: u64) {
        self.stats.evicted += u64::from(self.store.remove(pc));
    }

    /// Translates in another mode from now on; what there is goes. Gives the entries.
    /// No translation may be running.
    pub fn set_mode(&mut self, mode: Mode) -> Vec<u64> {
        if mode == self.options.mode {
            return Vec::new();
        }
        self.options.mode = mode;
        self.clear()
    }

    /// In the child of a fork: the worker is not there any more.
    pub fn forked(&mut self) {
        // What it had locked stays locked.
        std::mem::forget(self.worker.take());
        self.pending.clear();
    }

    /// Runs translations on `state` from the hart's pc on until the program gets to
    /// where there are none, or something else has to happen.
    ///
    /// The host's floating-point control register must be the guest's
    /// (`rvrun_hart::float::host::enter`), in a rounding mode that the host has.
    pub fn run(&mut self, state: &mut State) -> Outcome {
        state.slots = self.store.slots();
        state.jump_cache = self.store.jump_cache();
        state.helpers = self.helpers.as_ptr();
        state.find = find as *const () as usize;
        state.find_jump = find_jump as *const () as usize;
        let here = (&raw const state) as usize;
        let bottom = (self.stack_bottom + STACK_RESERVE) as u64;
        state.stack_limit = bottom.max(here.saturating_sub(self.options.stack_bytes) as u64);
        loop {
            if state.attention().load(Ordering::Relaxed) != 0 {
                self.stats.attention += 1;
                return Outcome::Attention;
            }
            let pc = state.hart.pc;
            let Some(code) = self.store.code_at(pc) else {
                self.stats.cold += 1;
                return Outcome::Cold;
            };
            self.stats.entries += 1;
            let this: *mut Self = self;
            state.translator = this.cast();
            let context: *mut State = state;
            // SAFETY: the store gives code that was compiled from a lowered region, which
            // takes a state and a guest address; both it and the functions that it calls
            // work on this state, and on this translator, only through these pointers.
            match unsafe { enter(context.cast(), pc, code) } {
                Return::Value(next) if next & 1 == 0 => state.hart.pc = next,
                Return::Value(_) => return self.left(state),
                Return::Fault(ip) => return self.faulted(state, ip),
            }
        }
    }

    fn left(&mut self, state: &State) -> Outcome {
        if state.leave == Leave::Syscall as u32 {
            self.stats.syscalls += 1;
            Outcome::Syscall
        } else if state.leave == Leave::Interpret as u32 {
            self.stats.interpreted += 1;
            Outcome::Interpret
        } else {
            Outcome::Stepped
        }
    }

    fn faulted(&mut self, state: &mut State, ip: usize) -> Outcome {
        self.stats.faults += 1;
        let Some(origin) = self.store.origin(ip) else {
            unreachable!("code in the arena has an origin")
        };
        let Origin { access_pc, is_load, run_pc, .. } = origin;
        if self.options.mode.precise {
            state.hart.pc = run_pc;
            return Outcome::Replay { until: access_pc };
        }
        state.hart.pc = access_pc;
        let kind = if is_load { AccessKind::Load } else { AccessKind::Store };
        // The host gives the address, unless no address has these bits.
        Outcome::Fault(Refused.fault(u64::MAX, kind))
    }
}

/// For translated code: the translation for guest address `pc`, or code that returns `pc`.
unsafe extern "C" fn find(state: *mut State, pc: u64) -> usize {
    // SAFETY: called by translated code that `Translator::run` has entered with this
    // state, and whose translator does nothing else meanwhile.
    let translator = unsafe { &mut *(*state).translator.cast::<Translator>() };
    translator.stats.jump_misses += 1;
    translator.store.code_at(pc).unwrap_or_else(|| translator.store.stub())
}

/// As [`find`], for a jump that is neither a call nor a return.
unsafe extern "C" fn find_jump(state: *mut State, pc: u64) -> usize {
    // SAFETY: as in `find`.
    let translator = unsafe { &mut *(*state).translator.cast::<Translator>() };
    if translator.jumps.len() < MAX_JUMPS {
        translator.jumps.insert(pc);
    }
    // SAFETY: by this function's own contract.
    unsafe { find(state, pc) }
}

/// The jumps through registers that a region makes, and how many targets each knows.
fn jump_sites(region: &Region) -> Vec<(u64, usize)> {
    let site = |node: &Node| match &node.end {
        End::Jump { link: None, targets, others, .. } => {
            Some((node.end_pc, targets.len() + others))
        }
        _ => None,
    };
    region.nodes.iter().filter_map(site).collect()
}

/// The addresses to which a region is left, as far as they are known.
pub fn leaves(region: &Region) -> Vec<u64> {
    let mut leaves = Vec::new();
    let mut add = |edge: &Edge| {
        if let Edge::Leave(pc) = *edge {
            leaves.push(pc);
        }
    };
    for node in &region.nodes {
        match &node.end {
            End::Goto(edge) | End::Inline { target: edge, .. } | End::Skip { to: edge, .. } => {
                add(edge)
            }
            End::InlineReturn { back, .. } | End::CallIndirect { back, .. } => add(back),
            End::Branch { taken, fall, .. } => {
                add(taken);
                add(fall);
            }
            End::Call { target, back, .. } => {
                add(back);
                add(&Edge::Leave(*target));
            }
            End::Return { .. } | End::Jump { .. } | End::Syscall(_) | End::Interpret => {}
        }
    }
    leaves
}

/// A hash of the code in these ranges as it is now.
fn content_hash(space: &AddressSpace, code: &[Range<u64>]) -> u64 {
    let mut hasher = FxHasher::default();
    let mut buffer = Vec::new();
    for part in code {
        buffer.resize((part.end - part.start) as usize, 0);
        let mut from = 0;
        while let Ok(n @ 1..) = space.fetch(part.start + from as u64, &mut buffer[from..]) {
            from += n;
            if from == buffer.len() {
                break;
            }
        }
        hasher.write(&buffer[..from]);
        hasher.write_usize(from);
    }
    hasher.finish()
}

/// The program as the walk for a region sees it.
struct Known<'a> {
    space: &'a AddressSpace,
    extensions: Extensions,
    profile: &'a dyn Profile,
    store: &'a Store,
    /// Where the region is to begin.
    entry: u64,
    /// Targets of jumps that translated code has made.
    jumps: &'a BTreeSet<u64>,
    /// The executable mapping that was last read from.
    mapping: RefCell<Range<u64>>,
}

impl Known<'_> {
    /// The instruction at `pc`, if it can be fetched as a whole.
    fn bits(&self, pc: u64) -> Option<u32> {
        let mut mapping = self.mapping.borrow_mut();
        if !mapping.contains(&pc) {
            *mapping = self.space.code_region(pc)?.range;
        }
        let mut bits = 0;
        if mapping.end - pc >= 4 && access::load_u32(pc, &mut bits).is_ok() {
            return Some(bits as u32);
        }
        let mut bytes = [0; 4];
        let n = self.space.fetch(pc, &mut bytes).unwrap_or(0);
        let bits = u32::from_le_bytes(bytes);
        (n >= 2 && n >= usize::from(length(bits as u16))).then_some(bits)
    }
}

impl Code for Known<'_> {
    fn block(&self, pc: u64) -> Block {
        lift(pc, self.extensions, Vec::new(), |at| self.bits(at))
    }

    fn reached(&self, pc: u64) -> bool {
        self.profile.reached(pc) || self.jumps.contains(&pc)
    }

    fn is_entry(&self, pc: u64) -> bool {
        // What a jump through a register goes to belongs to whoever jumps.
        pc != self.entry && self.store.contains(pc) && !self.jumps.contains(&pc)
    }

    fn is_fragment(&self, pc: u64) -> bool {
        self.jumps.contains(&pc) && self.store.jumper(pc).is_some_and(|(entry, _)| entry != pc)
    }

    fn jump_targets(&self, range: Range<u64>) -> Vec<u64> {
        let mut targets = self.profile.jump_targets(range.clone());
        targets.extend(self.jumps.range(range));
        targets.sort_unstable();
        targets.dedup();
        targets
    }
}
