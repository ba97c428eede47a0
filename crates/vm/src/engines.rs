//! What the engines of all threads of a program share.

use crate::dump::Dump;
use crate::keeper::Kept;
use crate::program::{Engine, Translation};
use crate::verify::DifferenceSink;
use rvrun_host::lock::Mutex;
use rvrun_interp::Interpreter;
use rvrun_isa::Extensions;
use rvrun_jit::{Keeper, Options, Stats, Translations, Translator};
use rvrun_memory::{AddressSpace, CodeObject};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// The object that was asked for last, and in which epoch: the next address is in the same one,
/// most often.
#[derive(Default)]
pub(crate) struct LastObject(Option<(u64, CodeObject)>);

impl LastObject {
    /// The object around `pc`, if there is one.
    fn at(&mut self, space: &AddressSpace, pc: u64) -> Option<&CodeObject> {
        let epoch = space.code_epoch();
        if !self.0.as_ref().is_some_and(|(then, o)| *then == epoch && o.range.contains(&pc)) {
            self.0 = space.code_object(pc).map(|object| (epoch, object));
        }
        self.0.as_ref().map(|(_, object)| object)
    }
}

/// How the threads of a program are executed, and what their engines share.
pub struct Engines {
    pub(crate) space: Arc<AddressSpace>,
    pub(crate) extensions: Extensions,
    pub(crate) engine: Engine,
    pub(crate) options: Options,
    pub(crate) threshold: u32,
    pub(crate) chaos: Option<u64>,
    pub(crate) counting: bool,
    pub(crate) precise: AtomicBool,
    /// How rare the stretches are that both engines run, and who is told of differences.
    pub(crate) verify: Option<(u32, DifferenceSink)>,
    /// Whether there is more than one hart, or was: the host's kernel writes into the
    /// guest's memory when a thread has ended, at its own time.
    pub(crate) several: AtomicBool,
    /// Whether there is one.
    pub(crate) inhabited: AtomicBool,
    /// Made when something is to be translated for the first time: most short programs do not
    /// live to see that.
    pub(crate) translations: Mutex<Option<Arc<Translations>>>,
    /// Whether there are any.
    translates: AtomicBool,
    /// Whether the process's memory is its parent's, too.
    pub(crate) borrowed: bool,
    /// Where translations are kept for other processes.
    keeper: Option<Arc<Kept>>,
    /// Whether what is being compiled when the program ends is waited for, and whoever else
    /// just keeps translations.
    waits: bool,
    /// The process that may write there.
    owner: AtomicU32,
    /// Those of threads that have ended: they know the program.
    idle: Mutex<Vec<Interpreter>>,
}

/// Interpreters that wait for a thread: each keeps what it has pre-decoded.
const MOST_IDLE: usize = 8;

impl Engines {
    /// For a program in `space`, on harts with these extensions.
    pub fn new(
        space: Arc<AddressSpace>,
        extensions: Extensions,
        engine: Engine,
        translation: &Translation,
        verify: Option<(u32, DifferenceSink)>,
        stats: bool,
    ) -> Arc<Self> {
        Self::keeping(space, extensions, engine, translation, verify, stats, None)
    }

    /// The same, with translations that are kept.
    pub(crate) fn keeping(
        space: Arc<AddressSpace>,
        extensions: Extensions,
        engine: Engine,
        translation: &Translation,
        verify: Option<(u32, DifferenceSink)>,
        stats: bool,
        keeper: Option<Arc<Kept>>,
    ) -> Arc<Self> {
        let mut options = translation.options(engine);
        options.mode.counting = stats || verify.is_some();
        Arc::new(Self {
            space,
            extensions,
            engine,
            options,
            threshold: translation.threshold,
            chaos: translation.chaos,
            counting: stats,
            precise: AtomicBool::new(false),
            verify,
            several: AtomicBool::new(false),
            inhabited: AtomicBool::new(false),
            translations: Mutex::default(),
            translates: AtomicBool::new(false),
            borrowed: false,
            keeper,
            waits: translation.waits,
            owner: AtomicU32::new(std::process::id()),
            idle: Mutex::default(),
        })
    }

    /// The same for a process that borrows this one's memory. It is only interpreted: it may
    /// be killed at any moment, and would leave what all translate for in the midst of a
    /// change.
    pub(crate) fn lent(&self) -> Arc<Self> {
        self.several.store(true, Ordering::SeqCst);
        Arc::new(Self { borrowed: true, ..self.anew() })
    }

    /// The same without translations.
    fn anew(&self) -> Self {
        Self {
            space: self.space.clone(),
            precise: AtomicBool::new(self.precise.load(Ordering::SeqCst)),
            verify: self.verify.clone(),
            several: AtomicBool::new(false),
            inhabited: AtomicBool::new(true),
            translations: Mutex::default(),
            translates: AtomicBool::new(false),
            borrowed: false,
            keeper: self.keeper.clone(),
            owner: AtomicU32::new(std::process::id()),
            idle: Mutex::default(),
            ..*self
        }
    }

    /// An interpreter for a hart that has not run yet: that of a thread that has ended, if there is
    /// one.
    pub(crate) fn interpreter(&self) -> Interpreter {
        // In the child of a fork, one that is gone may hold them for ever.
        let idle = self.idle.try_lock().and_then(|mut idle| idle.pop());
        let Some(mut interpreter) = idle else {
            return Interpreter::new(self.space.clone(), self.extensions);
        };
        interpreter.renew();
        interpreter
    }

    /// Takes back the interpreter of a thread that ends.
    pub(crate) fn leave(&self, interpreter: Interpreter) {
        if let Some(mut idle) = self.idle.try_lock().filter(|idle| idle.len() < MOST_IDLE) {
            idle.push(interpreter);
        }
    }

    /// The translations; none if the host has no memory for code.
    pub(crate) fn translations(&self) -> Option<Arc<Translations>> {
        let mut late = self.translations.lock();
        if late.is_none() {
            let mut options = self.options;
            options.mode.precise = self.precise.load(Ordering::SeqCst);
            let keeper = self.keeper.clone().map(|keeper| keeper as Arc<dyn Keeper>);
            let (space, extensions) = (self.space.clone(), self.extensions);
            let made = Translations::new(space, extensions, options, keeper).ok()?;
            *late = Some(made);
            self.translates.store(true, Ordering::Release);
        }
        late.clone()
    }

    /// The translations, if they have been made.
    pub(crate) fn made(&self) -> Option<Arc<Translations>> {
        self.translations.lock().clone()
    }

    /// Whether they have been made.
    pub(crate) fn translates(&self) -> bool {
        self.translates.load(Ordering::Acquire)
    }

    /// Who keeps sheets of blocks for other processes, if somebody does.
    pub(crate) fn block_keeper(&self) -> Option<Arc<dyn rvrun_interp::Keeper>> {
        let can_be_kept = !self.borrowed && rvrun_interp::can_be_kept();
        let keeper = self.keeper.clone().filter(|_| can_be_kept);
        keeper.map(|keeper| keeper as Arc<dyn rvrun_interp::Keeper>)
    }

    /// Whether translations are kept for other processes.
    pub(crate) fn keeps(&self) -> bool {
        self.keeper.is_some()
    }

    /// Writes translations that are to be kept. Nothing in a process that borrows another
    /// one's memory, which may be killed amidst.
    pub(crate) fn save(&self) {
        let Some(keeper) = &self.keeper else { return };
        if self.owner.load(Ordering::Relaxed) != std::process::id() {
            return;
        }
        if let Some(translations) = self.made() {
            match self.waits {
                true => translations.finish(),
                false => translations.collect(),
            }
        }
        keeper.save(&self.space, self.extensions, self.waits);
    }

    /// Whether an earlier run found the code at `pc` hot, and left it to the next one to
    /// translate it.
    pub(crate) fn was_hot(&self, pc: u64, last: &mut LastObject) -> bool {
        let Some(keeper) = &self.keeper else { return false };
        let found = last.at(&self.space, pc);
        found.is_some_and(|object| keeper.was_hot(object.number, pc.wrapping_sub(object.base)))
    }

    /// Notes that the code at `pc` is hot, for later runs.
    pub(crate) fn note_hot(&self, pc: u64) {
        if let Some(keeper) = &self.keeper
            && let Some(object) = self.space.code_object(pc)
        {
            keeper.note_hot(object.number, pc.wrapping_sub(object.base));
        }
    }

    /// Describes translations from now on.
    pub(crate) fn dump(&self, mut dump: Dump) {
        if self.engine != Engine::Interpreter
            && let Some(translations) = self.translations()
        {
            translations.watch(Box::new(move |job, code, at| dump.translated(job, code, at)));
        }
    }

    /// What was translated, for all threads.
    pub(crate) fn stats(&self) -> Option<Stats> {
        self.made().map(|translations| translations.stats())
    }

    /// In the child of a fork, whose one thread has `translator`. Gives the engines that its
    /// threads share from now on, if these are others: where another thread of the parent's
    /// was changing what is translated, the child begins anew.
    pub(crate) fn forked(&self, translator: &mut Option<Translator>) -> Option<Arc<Self>> {
        self.several.store(false, Ordering::SeqCst);
        self.owner.store(std::process::id(), Ordering::Relaxed);
        if let Some(keeper) = &self.keeper {
            keeper.forked();
        }
        let made = self.translations.try_lock().map(|late| late.clone());
        match (made, translator.as_mut()) {
            (Some(None), _) if !self.borrowed => None,
            (Some(Some(translations)), own) if translations.is_whole() => {
                match own {
                    Some(translator) => translator.forked(),
                    None => translations.forked(),
                }
                None
            }
            _ => {
                std::mem::forget(translator.take());
                Some(Arc::new(self.anew()))
            }
        }
    }
}
