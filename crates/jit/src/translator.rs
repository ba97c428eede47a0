//! A hart's way to translations: asks for them and runs them.

use crate::compile::Job;
use crate::core::{Changes, Core, Member, OUTSIDE, Watch};
use crate::helper;
use crate::jump_cache::JumpCache;
use crate::kept::Keeper;
use crate::known::Profile;
use crate::lower::{Mode, Origin};
use crate::state::{Leave, State};
use crate::stats::Stats;
use rvrun_decoder::region::Limits;
use rvrun_hart::{Hart, Passage};
use rvrun_host::code::{Return, enter};
use rvrun_host::lock::Mutex;
use rvrun_host::process;
use rvrun_isa::Extensions;
use rvrun_memory::access::Refused;
use rvrun_memory::{AccessKind, AddressSpace, Fault};
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard};

/// How to translate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Compile while the guest waits, rather than on a thread beside it.
    pub synchronous: bool,
    /// Compile only what is likely to be worth it, and in so much of the time only.
    pub sparing: bool,
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
            sparing: false,
            code_bytes: 64 << 20,
            limits: Limits::default(),
            mode: Mode::default(),
            stack_bytes: 4 << 20,
        }
    }
}

/// What a translation was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Where it is entered.
    pub entry: u64,
    /// The guest code.
    pub code: Vec<Range<u64>>,
    /// Where the blocks begin that were worth translating.
    pub blocks: Vec<u64>,
    /// Registers that it divides by, and what they held.
    pub divisors: Vec<(u8, u64)>,
}

/// Why [`Translator::run`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The code at the hart's pc is not translated.
    Cold,
    /// An environment call; the hart's pc is behind it.
    Syscall,
    /// The instruction at the hart's pc has to be interpreted.
    Interpret,
    /// Attention is wanted, or the state's deadline has come.
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

/// The host's stack below this distance from its end is for the VM's own functions.
const STACK_RESERVE: usize = 256 << 10;

/// Bytes of it that translations may always take: more than is between
/// [`begin`](Translator::begin) and the first of them.
const LEAST_STACK: usize = 4 << 10;

/// The translations of a program, from which each hart gets a [`Translator`].
pub struct Translations {
    core: Mutex<Core>,
    space: Arc<AddressSpace>,
    /// How many translations were dropped.
    removals: Arc<AtomicU64>,
    /// [`Core::change_count`].
    changes: AtomicU64,
    /// The code that returns the state's target to the dispatcher.
    stub: usize,
    stack_bytes: usize,
    helpers: Box<[usize]>,
}

impl Translations {
    /// None yet, of a program in `space` on harts with these extensions; those that `keeper`
    /// has are taken in when the program gets to them.
    ///
    /// # Errors
    /// The host's, when it has no memory for code.
    pub fn new(
        space: Arc<AddressSpace>,
        extensions: Extensions,
        options: Options,
        keeper: Option<Arc<dyn Keeper>>,
    ) -> io::Result<Arc<Self>> {
        let core = Core::new(space.clone(), extensions, options, keeper)?;
        Ok(Arc::new(Self {
            removals: core.store.removal_counter(),
            stub: core.store.stub(),
            stack_bytes: options.stack_bytes,
            core: Mutex::new(core),
            space,
            changes: AtomicU64::new(0),
            helpers: helper::table(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock()
    }

    /// Does something to the translations.
    fn with<T>(&self, act: impl FnOnce(&mut Core) -> T) -> T {
        let mut core = self.lock();
        let result = act(&mut core);
        self.changes.store(core.change_count(), Ordering::Release);
        result
    }

    /// A translator for one more hart. To be called on the thread that will run it.
    pub fn translator(self: &Arc<Self>) -> Translator {
        Translator {
            jump_cache: JumpCache::new(),
            member: self.lock().join(),
            translations: self.clone(),
            jump_cache_changes: 0,
            removals: 0,
            epoch: self.space.code_epoch(),
            changes: 0,
            stack_bottom: process::stack_bottom().unwrap_or(0),
            left_to: None,
            passed: None,
            stats: Stats::default(),
        }
    }

    /// Tells `watch` of each translation from now on.
    pub fn watch(&self, watch: Watch) {
        self.lock().watch = Some(watch);
    }

    /// Takes in what has been compiled.
    pub fn collect(&self) {
        self.with(Core::collect);
    }

    /// Waits for what is being compiled, and takes it in.
    pub fn finish(&self) {
        self.with(Core::finish);
    }

    /// What was done for all harts so far; what each has done is [`Translator::own_stats`].
    pub fn stats(&self) -> Stats {
        self.lock().stats.clone()
    }

    /// In the child of a fork whose one hart has no translator yet, if they are
    /// [whole](Self::is_whole).
    pub fn forked(&self) {
        self.lock().forked(None);
    }

    /// Ends the thread that compiles. One is started when something is to be compiled again.
    pub fn rest(&self) {
        let worker = self.lock().dismiss();
        if let Some(worker) = worker {
            worker.end();
        }
    }

    /// Whether all of it is as it should be in the child of a fork: no thread that the
    /// child has not got was about to change something.
    pub fn is_whole(&self) -> bool {
        self.core.try_lock().is_some()
    }
}

/// See the module's documentation.
pub struct Translator {
    translations: Arc<Translations>,
    member: Arc<Member>,
    jump_cache: JumpCache,
    /// How many entries had come or gone when it was last brought up to date with that.
    jump_cache_changes: u64,
    /// How many translations had been dropped when the jump cache was last up to date.
    removals: u64,
    /// The epoch of the code that it has followed.
    epoch: u64,
    /// How many of the entries that came or went [`changes`](Self::changes) has given.
    changes: u64,
    stack_bottom: usize,
    /// Where translated code was last left to that is not translated.
    left_to: Option<u64>,
    /// Why a [passage](Self::passage) did not lead back.
    passed: Option<Outcome>,
    stats: Stats,
}

impl Drop for Translator {
    fn drop(&mut self) {
        self.translations.lock().leave(&self.member);
    }
}

impl Translator {
    /// A translator for the only hart of a program in `space`, with these extensions.
    ///
    /// # Errors
    /// The host's, when it has no memory for code.
    pub fn new(
        space: Arc<AddressSpace>,
        extensions: Extensions,
        options: Options,
    ) -> io::Result<Self> {
        Ok(Translations::new(space, extensions, options, None)?.translator())
    }

    /// Does something to the translations.
    fn with<T>(&mut self, act: impl FnOnce(&mut Core) -> T) -> T {
        self.translations.with(act)
    }

    /// What was done so far, by this hart and for all of them.
    pub fn stats(&self) -> Stats {
        let mut stats = self.translations.stats();
        stats += self.stats.clone();
        stats
    }

    /// What this hart has done so far.
    pub fn own_stats(&self) -> &Stats {
        &self.stats
    }

    /// Whether there is a translation that is entered at `pc`.
    pub fn is_translated(&mut self, pc: u64) -> bool {
        self.code_at(pc).is_some()
    }

    /// The entries of all translations.
    pub fn entries(&self) -> Vec<u64> {
        self.translations.lock().store.entries()
    }

    /// What each of the translations was made from.
    pub fn sources(&self) -> Vec<Source> {
        let core = self.translations.lock();
        let source = |entry: u64| {
            let made = core.store.translation(entry)?;
            let (code, blocks) = (made.guest.clone(), made.blocks.clone());
            Some(Source { entry, code, blocks, divisors: made.divisors.clone() })
        };
        core.store.entries().into_iter().filter_map(source).collect()
    }

    /// What translations do beside what they must.
    pub fn mode(&self) -> Mode {
        self.translations.lock().options.mode
    }

    /// The region at `pc` as it would be compiled; none if it has nothing to compile.
    pub fn job(&mut self, pc: u64, profile: &dyn Profile) -> Option<Job> {
        self.with(|core| core.job(pc, profile))
    }

    /// Where translated code was last left to that is not translated.
    pub fn left_to(&self) -> Option<u64> {
        self.left_to
    }

    /// Asks for a translation that is entered at `pc`; or, where jumps go to `pc`
    /// of which it did not know, for a new one of the region that makes them.
    pub fn request(&mut self, pc: u64, profile: &dyn Profile) {
        let is_left_to = self.left_to == Some(pc);
        self.with(|core| core.request(pc, profile, is_left_to));
    }

    /// Takes in what has been compiled.
    pub fn collect(&mut self) {
        self.with(Core::collect);
    }

    /// Entries that came or went since the last call; none if there were none.
    #[inline]
    pub fn changes(&mut self) -> Option<Changes> {
        if self.translations.changes.load(Ordering::Acquire) == self.changes {
            return None;
        }
        Some(self.translations.lock().catch_up(&mut self.changes))
    }

    /// Drops translations of code that the guest has unmapped, mapped over, made
    /// not executable, or said to have changed.
    pub fn follow_code_changes(&mut self) {
        let epoch = self.translations.space.code_epoch();
        if epoch != self.epoch {
            self.epoch = epoch;
            self.with(Core::follow_code_changes);
        }
    }

    /// After a fence.i: drops translations of code that has changed.
    pub fn revalidate(&mut self) {
        self.with(Core::revalidate);
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.with(Core::clear);
    }

    /// Drops the translation that is entered at `pc`.
    pub fn evict(&mut self, pc: u64) {
        self.with(|core| core.evict(pc));
    }

    /// Translates in another mode from now on; what there is goes.
    pub fn set_mode(&mut self, mode: Mode) {
        self.with(|core| core.set_mode(mode));
    }

    /// In the child of a fork, if the translations are [whole](Translations::is_whole).
    pub fn forked(&mut self) {
        let member = self.member.clone();
        self.with(|core| core.forked(Some(&member)));
    }

    /// The translation entered at `pc`, if there is one.
    ///
    /// That there is none is remembered, too: as a translation that returns at once.
    #[inline]
    fn code_at(&mut self, pc: u64) -> Option<usize> {
        let stub = self.translations.stub;
        let known = self.jump_cache.get(pc).filter(|code| *code != stub || self.is_current());
        let code = known.unwrap_or_else(|| self.look_up(pc));
        (code != stub).then_some(code)
    }

    /// Whether no translation came or went since the jump cache was last brought up to date with
    /// that.
    fn is_current(&self) -> bool {
        self.translations.changes.load(Ordering::Acquire) == self.jump_cache_changes
    }

    #[inline(never)]
    fn look_up(&mut self, pc: u64) -> usize {
        let mut core = self.translations.lock();
        let code = core.fetch(pc).then(|| core.store.address(pc)).flatten();
        self.translations.changes.store(core.change_count(), Ordering::Release);
        let changes = core.catch_up(&mut self.jump_cache_changes);
        drop(core);
        self.forget(changes);
        let code = code.unwrap_or(self.translations.stub);
        self.jump_cache.put(pc, code);
        code
    }

    /// Has the jump cache forget the entries that came or went.
    fn forget(&mut self, changes: Changes) {
        match changes {
            Changes::Some(changes) => {
                changes.iter().for_each(|(entry, _)| self.jump_cache.forget(*entry));
            }
            Changes::All(_) => self.jump_cache.clear(),
        }
    }

    /// Shows translated code the jump cache.
    fn show_jump_cache(&self, state: &mut State) {
        state.jump_cache = self.jump_cache.start();
        state.jump_cache_mask = self.jump_cache.mask();
    }

    /// Says that this hart may execute from now on what is not dropped yet.
    fn go_inside(&mut self) {
        let mut removals = self.translations.removals.load(Ordering::SeqCst);
        loop {
            self.member.inside.store(removals, Ordering::SeqCst);
            let now = self.translations.removals.load(Ordering::SeqCst);
            if now == removals {
                break;
            }
            removals = now;
        }
        if removals != self.removals {
            self.removals = removals;
            let changes = self.translations.lock().catch_up(&mut self.jump_cache_changes);
            self.forget(changes);
        }
    }

    /// Runs translations on `state` from the hart's pc on until the program gets to
    /// where there are none, or something else has to happen.
    ///
    /// The host's floating-point control register must be the guest's
    /// (`rvrun_hart::float::host::enter`), in a rounding mode that the host has.
    pub fn run(&mut self, state: &mut State) -> Outcome {
        self.begin(state);
        let outcome = self.run_inside(state);
        self.end();
        outcome
    }

    /// Has `act` execute the program by another engine, with a way into translations for where
    /// there are some; then [`passed`](Self::passed) says what `act` has to see to. To be called
    /// as [`run`](Self::run) is.
    pub fn passage<T>(&mut self, state: &mut State, act: impl FnOnce(&mut Passage) -> T) -> T {
        self.begin(state);
        let (engine, hart) = ((&raw mut *self).cast(), (&raw mut *state).cast());
        // SAFETY: a state begins with its hart; this translator and it are borrowed for as long
        // as `act` has the passage.
        let result = act(&mut unsafe { Passage::new(pass, engine, hart) });
        self.end();
        result
    }

    /// Why a passage did not lead back to the other engine.
    pub fn passed(&mut self) -> Option<Outcome> {
        self.passed.take()
    }

    /// Translations may be executed on `state` from now on.
    fn begin(&mut self, state: &mut State) {
        state.helpers = self.translations.helpers.as_ptr();
        state.find = find as *const () as usize;
        state.find_jump = find_jump as *const () as usize;
        let here = (&raw const state) as usize;
        let bottom = (self.stack_bottom + STACK_RESERVE) as u64;
        let limit = bottom.max(here.saturating_sub(self.translations.stack_bytes) as u64);
        // A translation that was just entered has to get on.
        state.stack_limit = limit.min(here.saturating_sub(LEAST_STACK) as u64);
        self.member.attention.get_or_init(|| state.attention().clone());
        self.go_inside();
    }

    /// No translation is executed from now on.
    fn end(&self) {
        self.member.inside.store(OUTSIDE, Ordering::Release);
    }

    fn run_inside(&mut self, state: &mut State) -> Outcome {
        loop {
            let late = state.hart.instret >= state.deadline;
            if late || state.attention().load(Ordering::Relaxed) != 0 {
                self.stats.attention += 1;
                return Outcome::Attention;
            }
            let pc = state.hart.pc;
            let Some(code) = self.code_at(pc) else {
                self.stats.cold += 1;
                self.left_to = Some(pc);
                return Outcome::Cold;
            };
            self.stats.entries += 1;
            self.show_jump_cache(state);
            let this: *mut Self = self;
            state.translator = this.cast();
            let context: *mut State = state;
            // SAFETY: the store gives code that was compiled from a lowered region, which
            // works on a state; both it and the functions that it calls work on this one,
            // and on this translator, only through these pointers.
            match unsafe { enter(context.cast(), code) } {
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
        let Some((origin, precise)) = self.translations.lock().store.origin(ip) else {
            unreachable!("code in the arena has an origin")
        };
        let Origin { access_pc, is_load, run_pc, .. } = origin;
        if precise {
            state.hart.pc = run_pc;
            return Outcome::Replay { until: access_pc };
        }
        state.hart.pc = access_pc;
        let kind = if is_load { AccessKind::Load } else { AccessKind::Store };
        // The host gives the address, unless no address has these bits.
        Outcome::Fault(Refused.fault(u64::MAX, kind))
    }
}

/// A way into translations: see [`Enter`](rvrun_hart::Enter).
unsafe extern "sysv64" fn pass(engine: *mut (), hart: *mut Hart) -> u64 {
    // SAFETY: `Translator::passage` gives away a translator and a state, which begins with its
    // hart, and uses neither meanwhile.
    let (translator, state) =
        unsafe { (&mut *engine.cast::<Translator>(), &mut *hart.cast::<State>()) };
    match translator.run_inside(state) {
        Outcome::Cold => state.hart.pc,
        outcome => {
            translator.passed = Some(outcome);
            1
        }
    }
}

/// For translated code: the translation for guest address `pc`, or code that returns the state's
/// target, which that is.
unsafe extern "C" fn find(state: *mut State, pc: u64) -> usize {
    // SAFETY: called by translated code that `Translator::run` has entered with this
    // state, which nobody else uses meanwhile.
    let state = unsafe { &mut *state };
    // SAFETY: the state's translator does nothing else meanwhile.
    let translator = unsafe { &mut *state.translator.cast::<Translator>() };
    translator.stats.jump_misses += 1;
    let code = translator.code_at(pc);
    translator.show_jump_cache(state);
    code.unwrap_or(translator.translations.stub)
}

/// As [`find`], for a jump that is neither a call nor a return.
unsafe extern "C" fn find_jump(state: *mut State, pc: u64) -> usize {
    // SAFETY: as in `find`.
    let translator = unsafe { &mut *(*state).translator.cast::<Translator>() };
    translator.translations.lock().note_jump(pc);
    // SAFETY: by this function's own contract.
    unsafe { find(state, pc) }
}
