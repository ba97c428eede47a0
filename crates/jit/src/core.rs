//! What is translated and what is about to be: shared by the harts of a program.
//!
//! A hart that is inside of translated code may execute what was dropped since it
//! entered. So each has a [`Member`] that says when that was, and what it may still need
//! is kept until it has left: memory of code ([`Store`]), and the numbers of slots.

use crate::compile::{self, Compiler, Failure, Job};
use crate::kept::{self, Keeper, Variant};
use crate::known::{Known, Profile, content_hash, divisors, jump_sites};
use crate::lower::Mode;
use crate::stats::Stats;
use crate::store::{Host, Inserted, Made, Origins, Relocs, Store};
use crate::translator::Options;
use crate::worker::{Done, Worker};
use rustc_hash::{FxHashMap, FxHashSet};
use rvrun_decoder::region::{End, Region, near, region};
use rvrun_hart::float;
use rvrun_host::time::process_time;
use rvrun_isa::Extensions;
use rvrun_memory::{AddressSpace, CodeObject};
use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Is told of each translation that is ready to run, and where its code is.
pub type Watch = Box<dyn FnMut(&Job, &compile::Code, usize) + Send>;

/// A region is compiled when it has been asked for once more than it has this many
/// instructions: what takes longer to compile has to be worth it.
const INSTRUCTIONS_PER_REQUEST: usize = 64;

/// What compiling may take: so long, whatever the program does, and such a part of the time that
/// the process has run. What is hot in a program that does a little of everything would take
/// longer to compile than it is executed.
const FREE_TIME: Duration = Duration::from_millis(25);
const PART: u32 = 16;

/// The same where an earlier run has found the code hot, so that the next ones will have use for
/// the translation. The time that the process has run includes that of compiling: what the program
/// itself takes becomes half as much again.
const PART_FOR_OTHERS: u32 = 3;

/// How long compiling an instruction takes, about.
const TIME_PER_INSTRUCTION: Duration = Duration::from_micros(15);

/// Bytes of kept translations for which there is room at first, as far as it is touched: few are
/// larger.
const MUCH_READ: usize = 256 << 10;

/// How often what was hot, and is asked for at each look at it, has to be asked for once more if
/// there is no time for it.
const UNAFFORDABLE: u32 = 64;

fn time_to_compile(job: &Job) -> Duration {
    TIME_PER_INSTRUCTION * job.region.instructions as u32
}

/// Targets of jumps that are remembered.
const MAX_JUMPS: usize = 1 << 16;

/// Entries that came and went of which is remembered in which order.
const MAX_CHANGES: usize = 1 << 12;

/// A hart as the others see it.
#[derive(Default)]
pub(crate) struct Member {
    /// How many translations had been dropped when it entered translated code;
    /// [`OUTSIDE`] if it is not there.
    pub inside: AtomicU64,
    /// What makes it leave.
    pub attention: OnceLock<Arc<AtomicU32>>,
}

/// See [`Member::inside`].
pub(crate) const OUTSIDE: u64 = u64::MAX;

/// Entries that came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changes {
    /// In this order: the entry, and whether there is a translation now.
    Some(Vec<(u64, bool)>),
    /// Too many to tell: these are all that there are.
    All(Vec<u64>),
}

/// Which code without a loop is worth translating.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Straight {
    /// None.
    None,
    /// What translations lead to, if it leads to others in turn.
    Link,
    /// Any, since later runs will have it, too, or it is translated anew.
    Any,
}

/// See the module's documentation.
pub(crate) struct Core {
    space: Arc<AddressSpace>,
    extensions: Extensions,
    pub options: Options,
    keeper: Option<Arc<dyn Keeper>>,
    /// Entries that are kept, but of other code than what is there.
    unfit: FxHashSet<u64>,
    /// The last one that was taken in, for the next one to take the room of.
    read: Vec<u8>,
    pub store: Store,
    worker: Option<Worker>,
    compiler: Option<Compiler>,
    /// Entries that the worker has.
    pending: FxHashSet<u64>,
    /// How often everything was dropped.
    generation: u64,
    /// How often what is large has still to be asked for.
    waiting: FxHashMap<u64, u32>,
    /// Entries of code without a loop: see [`Straight`].
    straight: FxHashSet<u64>,
    /// How long all that was asked for takes to compile, about.
    asked: Duration,
    /// The same of what is not compiled yet.
    awaited: Duration,
    /// How long it took to compile the rest of it.
    compiled: Duration,
    /// Entries that are not worth another try.
    refused: FxHashSet<u64>,
    epoch: u64,
    /// The last entries that came or went, and how many there have been before.
    changes: VecDeque<(u64, bool)>,
    forgotten: u64,
    /// Targets that jumps through registers in translated code had and that were
    /// not known when it was translated.
    jumps: BTreeSet<u64>,
    pub stats: Stats,
    pub watch: Option<Watch>,
    members: Vec<Arc<Member>>,
}

impl Core {
    /// Nothing, for a program in `space` on harts with these extensions.
    ///
    /// # Errors
    /// The host's, when it has no memory for code.
    pub fn new(
        space: Arc<AddressSpace>,
        extensions: Extensions,
        options: Options,
        keeper: Option<Arc<dyn Keeper>>,
    ) -> io::Result<Self> {
        let epoch = space.code_epoch();
        Ok(Self {
            space,
            extensions,
            options,
            keeper,
            unfit: FxHashSet::default(),
            read: Vec::with_capacity(MUCH_READ),
            store: Store::new(options.code_bytes)?,
            worker: None,
            compiler: None,
            pending: FxHashSet::default(),
            generation: 0,
            waiting: FxHashMap::default(),
            straight: FxHashSet::default(),
            asked: Duration::ZERO,
            awaited: Duration::ZERO,
            compiled: Duration::ZERO,
            refused: FxHashSet::default(),
            epoch,
            changes: VecDeque::new(),
            forgotten: 0,
            jumps: BTreeSet::new(),
            stats: Stats::default(),
            watch: None,
            members: Vec::new(),
        })
    }

    /// A new hart.
    pub fn join(&mut self) -> Arc<Member> {
        let member = Arc::new(Member { inside: AtomicU64::new(OUTSIDE), ..Member::default() });
        self.members.push(member.clone());
        member
    }

    /// A hart is no more.
    pub fn leave(&mut self, member: &Arc<Member>) {
        self.members.retain(|other| !Arc::ptr_eq(other, member));
    }

    /// Makes those leave translated code who entered before so many translations had
    /// been dropped; says whether there are none.
    fn is_quiet(members: &[Arc<Member>], removals: u64) -> bool {
        let mut quiet = true;
        for member in members.iter().filter(|m| m.inside.load(Ordering::SeqCst) < removals) {
            quiet = false;
            if let Some(attention) = member.attention.get() {
                attention.store(1, Ordering::SeqCst);
            }
        }
        quiet
    }

    fn note(&mut self, entry: u64, is_there: bool) {
        if self.changes.len() == MAX_CHANGES {
            self.changes.pop_front();
            self.forgotten += 1;
        }
        self.changes.push_back((entry, is_there));
    }

    /// How many entries came or went.
    pub fn change_count(&self) -> u64 {
        self.forgotten + self.changes.len() as u64
    }

    /// What came or went since there had been `seen` in all, which is brought up to date.
    pub fn catch_up(&self, seen: &mut u64) -> Changes {
        let changes = self.changes_since(*seen);
        *seen = self.change_count();
        changes
    }

    /// What came and went since there had been `count` changes.
    fn changes_since(&self, count: u64) -> Changes {
        match count.checked_sub(self.forgotten) {
            Some(skip) => Changes::Some(self.changes.iter().skip(skip as usize).copied().collect()),
            None => Changes::All(self.store.entries()),
        }
    }

    /// Remembers where a jump through a register went.
    pub fn note_jump(&mut self, pc: u64) {
        if self.jumps.len() < MAX_JUMPS {
            self.jumps.insert(pc);
        }
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
        let mut region = region(pc, self.options.limits, &code);
        crate::copy_parts(&mut region);
        let entry = region.nodes.first()?;
        let nothing = entry.body.is_empty() && matches!(entry.end, End::Interpret);
        let base = self.base_of(&region);
        let divisors = divisors(&region, profile);
        self.stats.find_time += start.elapsed();
        let hash = content_hash(&self.space, &region.code);
        (!nothing).then_some(Job {
            region,
            divisors,
            mode: self.options.mode,
            base,
            hash,
            generation: self.generation,
        })
    }

    /// Asks for a translation that is entered at `pc`; or, where jumps go to `pc`
    /// of which it did not know, for a new one of the region that makes them. `is_left_to` says
    /// whether translated code has got there.
    pub fn request(&mut self, pc: u64, profile: &dyn Profile, is_left_to: bool) {
        if !self.wants(pc) || self.fetch(pc) {
            return;
        }
        let even_straight = match profile.was_hot(pc) {
            true => Straight::Any,
            false if is_left_to => Straight::Link,
            false => Straight::None,
        };
        if even_straight == Straight::None && self.straight.contains(&pc) {
            return;
        }
        match self.jumper(pc, profile) {
            Some(entry) if !self.pending.contains(&entry) => {
                self.translate(entry, profile, Straight::Any);
            }
            Some(_) => {}
            None => self.translate(pc, profile, even_straight),
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

    /// Whether there is time for compiling that takes so long.
    fn affords(&self, time: Duration, was_hot: bool) -> bool {
        let (taken, part) = match was_hot {
            true => (self.compiled + self.awaited, PART_FOR_OTHERS),
            false => (self.asked, PART),
        };
        !self.options.sparing || taken + time <= FREE_TIME + process_time() / part
    }

    /// Whether the region is left to where others are entered.
    fn leads_to_others(&self, region: &Region) -> bool {
        region.nodes.iter().flat_map(|node| node.end.leaves()).any(|pc| self.store.contains(pc))
    }

    fn translate(&mut self, pc: u64, profile: &dyn Profile, even_straight: Straight) {
        // Finding a region takes a while, too.
        let was_hot = profile.was_hot(pc);
        if !self.affords(Duration::ZERO, was_hot) {
            return;
        }
        let weight = profile.weight(pc);
        if let Some(wait) = self.waiting.get_mut(&pc) {
            *wait = wait.saturating_sub(weight);
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
        let is_wanted = match even_straight {
            Straight::Any => true,
            Straight::Link => self.leads_to_others(&job.region),
            Straight::None => false,
        };
        if !is_wanted && self.options.sparing && !job.region.repeats() {
            self.straight.insert(pc);
            return;
        }
        // What takes long to compile has to be asked for more often.
        let wait = (job.region.instructions / INSTRUCTIONS_PER_REQUEST) as u32;
        let has_waited = self.waiting.remove(&pc).is_some() || was_hot;
        if !has_waited && wait >= weight && self.options.sparing {
            self.waiting.insert(pc, wait + 1 - weight);
            return;
        }
        if self.fetch_kept(pc) {
            return;
        }
        let time = time_to_compile(&job);
        if !self.affords(time, was_hot) {
            self.waiting.insert(pc, if was_hot { UNAFFORDABLE } else { wait.max(1) });
            return;
        }
        self.asked += time;
        self.awaited += time;
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

    /// The worker, if there is one: what it has not begun may be asked for again.
    pub fn dismiss(&mut self) -> Option<Worker> {
        self.collect();
        self.pending.clear();
        self.awaited = Duration::ZERO;
        self.worker.take()
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

    /// Waits until all that was asked for is compiled, and takes it in.
    pub fn finish(&mut self) {
        if let Some(worker) = &self.worker {
            worker.finish();
        }
        self.collect();
    }

    /// Takes in what the worker has done.
    pub fn collect(&mut self) {
        while let Some(done) = self.worker.as_mut().and_then(Worker::take) {
            self.install(&done);
            if let Some(worker) = &mut self.worker {
                worker.give_back(done.result);
            }
        }
    }

    fn install(&mut self, done: &Done) {
        let start = Instant::now();
        let region = &done.job.region;
        // What was given to the worker before everything was dropped may be what is not wanted
        // any more.
        let current = done.job.generation == self.generation;
        self.pending.remove(&region.entry);
        self.awaited = self.awaited.saturating_sub(time_to_compile(&done.job));
        self.compiled += done.time;
        self.stats.compile_time += done.time;
        let code = match &done.result {
            Ok(code) if current => code,
            Ok(_) => {
                self.stats.outdated += 1;
                return;
            }
            Err(Failure(_)) => {
                self.stats.refused += 1;
                self.refused.insert(region.entry);
                return;
            }
        };
        let hash = done.job.hash;
        if content_hash(&self.space, &region.code) != hash {
            self.stats.outdated += 1;
            return;
        }
        let made = Made {
            guest: region.code.clone(),
            blocks: region.nodes.iter().map(|node| node.pc).collect(),
            divisors: done.job.divisors.clone(),
            hash,
            jumps: jump_sites(region),
            instructions: region.instructions,
            precise: done.job.mode.precise,
        };
        if let Some(base) = done.job.base {
            self.keep(base, region, code, &made);
        }
        let host = Host {
            bytes: &code.bytes,
            relocs: Relocs::Known(&code.relocs),
            base: done.job.base.unwrap_or(0),
            origins: Origins::Known(code.origins.clone()),
        };
        if !self.insert(region.entry, host, made) {
            return;
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
    }

    /// Puts host code into its place; says whether it is there.
    fn insert(&mut self, entry: u64, code: Host, made: Made) -> bool {
        let members = &self.members;
        let quiet = |removals| Self::is_quiet(members, removals);
        let (inserted, gone) = self.store.insert(entry, code, made, quiet);
        self.stats.evicted += gone.len() as u64;
        for entry in gone {
            self.note(entry, false);
        }
        match inserted {
            Inserted::Yes => self.note(entry, true),
            // Whoever wants it asks again.
            Inserted::NotYet => {}
            Inserted::Never => {
                self.refused.insert(entry);
            }
            Inserted::NoSlots => self.clear(),
        }
        inserted == Inserted::Yes
    }

    /// Where the object begins that the region is part of, if its translation is to be kept.
    fn base_of(&self, region: &Region) -> Option<u64> {
        self.keeper.as_ref()?;
        let object = self.space.code_object(region.entry)?;
        let inside =
            |part: &Range<u64>| object.range.start <= part.start && part.end <= object.range.end;
        region.code.iter().all(inside).then_some(object.base)
    }

    fn keep(&self, base: u64, region: &Region, code: &compile::Code, made: &Made) {
        let Some(keeper) = &self.keeper else { return };
        let object = self.space.code_object(region.entry);
        let Some(object) = object.filter(|object| object.base == base) else { return };
        let variant = Variant { distance: region.entry.wrapping_sub(base), precise: made.precise };
        if let Some(kept) = kept::write(&self.space, &object, region, code, made) {
            keeper.put(object.number, variant, kept);
        }
    }

    /// Whether the translation that is entered at `pc` is there, or has come since it is kept and
    /// what is translated need not be worth it.
    pub fn fetch(&mut self, pc: u64) -> bool {
        self.store.contains(pc) || !self.options.sparing && self.fetch_kept(pc)
    }

    /// Takes in the translation that is entered at `pc`, if it is kept; says whether it is
    /// there now.
    fn fetch_kept(&mut self, pc: u64) -> bool {
        let Some(keeper) = &self.keeper else { return false };
        if self.unfit.contains(&pc) || !self.wants(pc) {
            return false;
        }
        let Some(object) = self.space.code_object(pc) else { return false };
        let precise = self.options.mode.precise;
        let variant = Variant { distance: pc.wrapping_sub(object.base), precise };
        let mut room = std::mem::take(&mut self.read);
        let bytes = keeper.get(object.number, variant, &mut room);
        let is_there = bytes.is_some_and(|bytes| self.insert_again(&object, pc, bytes));
        self.read = room;
        is_there
    }

    /// Puts the translation at `pc` into its place that was kept in `bytes`; says whether it is
    /// there.
    fn insert_again(&mut self, object: &CodeObject, pc: u64, bytes: &[u8]) -> bool {
        let again = kept::read(object, pc, self.options.mode, bytes);
        let Some(kept::Again { code, relocs, origins, made }) = again else {
            self.unfit.insert(pc);
            return false;
        };
        self.waiting.remove(&pc);
        let (relocs, origins) = (Relocs::Kept(relocs), Origins::Kept(origins));
        let host = Host { bytes: code, relocs, base: object.base, origins };
        self.insert(pc, host, made)
    }

    /// Drops translations of code that the guest has unmapped, mapped over, made
    /// not executable, or said to have changed.
    pub fn follow_code_changes(&mut self) {
        let epoch = self.space.code_epoch();
        if epoch == self.epoch {
            return;
        }
        let changes = self.space.code_changes_since(self.epoch);
        self.epoch = epoch;
        self.judge_anew();
        let candidates = match changes {
            None => self.store.entries(),
            Some(ranges) => ranges.iter().flat_map(|range| self.store.made_from(range)).collect(),
        };
        self.drop_changed(candidates);
    }

    /// Forgets what was found of code that may be other code now.
    fn judge_anew(&mut self) {
        self.refused.clear();
        self.straight.clear();
        self.unfit.clear();
    }

    /// After a fence.i: drops translations of code that has changed. What nobody can write
    /// in place has not.
    pub fn revalidate(&mut self) {
        self.judge_anew();
        let writable = |range: &Range<u64>| {
            self.space.code_region(range.start).is_none_or(|region| region.writable)
        };
        let may_have_changed = |entry: &u64| {
            self.store.translation(*entry).is_some_and(|made| made.guest.iter().any(writable))
        };
        let mut candidates = self.store.entries();
        candidates.retain(may_have_changed);
        self.drop_changed(candidates);
    }

    fn drop_changed(&mut self, candidates: Vec<u64>) {
        for entry in candidates {
            let Some(translation) = self.store.translation(entry) else { continue };
            if content_hash(&self.space, &translation.guest) != translation.hash {
                self.store.remove(entry);
                self.note(entry, false);
                self.stats.invalidated += 1;
            }
        }
    }

    /// Drops everything, and the slots if nobody can be using their numbers.
    pub fn clear(&mut self) {
        self.generation += 1;
        self.pending.clear();
        self.judge_anew();
        for entry in self.store.entries() {
            self.store.remove(entry);
            self.note(entry, false);
        }
        if Self::is_quiet(&self.members, self.store.removals()) {
            self.store.clear_slots();
        }
    }

    /// Drops the translation that is entered at `pc`.
    pub fn evict(&mut self, pc: u64) {
        if self.store.remove(pc) {
            self.note(pc, false);
            self.stats.evicted += 1;
        }
    }

    /// Translates in another mode from now on; what there is goes.
    pub fn set_mode(&mut self, mode: Mode) {
        if mode != self.options.mode {
            self.options.mode = mode;
            self.clear();
        }
    }

    /// In the child of a fork: the worker is not there any more, nor are other harts.
    pub fn forked(&mut self, member: Option<&Arc<Member>>) {
        // What it had locked stays locked.
        std::mem::forget(self.worker.take());
        self.pending.clear();
        self.members.retain(|other| member.is_some_and(|member| Arc::ptr_eq(other, member)));
    }
}
