//! The thread that compiles.
//!
//! A process that forks has no such thread in its child, and what the thread had
//! locked stays locked there, the memory allocator's lock of its own arena
//! included. So the two sides share nothing but one queue, which the child leaves
//! behind, and each frees only memory of its own: jobs and results travel there
//! and back.

use crate::compile::{Code, Compiler, Failure, Job};
use rvrun_host::process;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Jobs that may wait; what is hot asks again.
const MAX_JOBS: usize = 64;

/// A job that is done.
pub struct Done {
    /// The job.
    pub job: Box<Job>,
    /// What became of it.
    pub result: Result<Code, Failure>,
    /// How long that took.
    pub time: Duration,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    /// Is told when there are no jobs any more.
    idle: Condvar,
}

struct Queue {
    jobs: VecDeque<Box<Job>>,
    done: VecDeque<Done>,
    /// Results that the other side is through with.
    used: VecDeque<Result<Code, Failure>>,
    closed: bool,
}

impl Default for Queue {
    fn default() -> Self {
        // Room for all that there can be: neither side ever allocates for the other.
        let (jobs, done) = (VecDeque::with_capacity(MAX_JOBS), VecDeque::with_capacity(MAX_JOBS));
        let used = VecDeque::with_capacity(MAX_JOBS);
        Self { jobs, done, used, closed: false }
    }
}

/// The side of the one who has jobs.
pub struct Worker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// Jobs that have been given and not been taken back.
    open: usize,
}

impl Shared {
    /// A panic of the other side leaves a queue that is still whole.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Worker {
    /// Starts the thread.
    ///
    /// # Errors
    /// The host's, when there can be no more threads.
    pub fn new(mut compiler: Compiler) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let thread = process::start_vm_thread(move || work(&theirs, &mut compiler))?;
        Ok(Self { shared, thread: Some(thread), open: 0 })
    }

    /// Ends the thread and waits for that; what it has not begun is dropped.
    pub fn end(mut self) {
        self.shared.lock().jobs.clear();
        let thread = self.thread.take();
        drop(self);
        // Had it panicked, it would have ended as well.
        let _ = thread.map(JoinHandle::join);
    }

    /// Gives a job to the thread, or back if there are too many.
    pub fn give(&mut self, job: Box<Job>) -> Result<(), Box<Job>> {
        if self.open >= MAX_JOBS {
            return Err(job);
        }
        self.open += 1;
        self.shared.lock().jobs.push_back(job);
        self.shared.wake.notify_one();
        Ok(())
    }

    /// The next job that is done, if the thread's side can be looked at right now.
    pub fn take(&mut self) -> Option<Done> {
        if self.open == 0 {
            return None;
        }
        let done = self.shared.queue.try_lock().ok()?.done.pop_front()?;
        self.open -= 1;
        Some(done)
    }

    /// Waits until no job is left to be done.
    pub fn finish(&self) {
        let mut queue = self.shared.lock();
        while queue.done.len() < self.open {
            queue = self.shared.idle.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Gives a result back to the thread, whose memory it is.
    pub fn give_back(&mut self, result: Result<Code, Failure>) {
        self.shared.lock().used.push_back(result);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.wake.notify_one();
    }
}

fn work(shared: &Shared, compiler: &mut Compiler) {
    let mut used = VecDeque::with_capacity(MAX_JOBS);
    let mut queue = shared.lock();
    loop {
        std::mem::swap(&mut used, &mut queue.used);
        if let Some(job) = queue.jobs.pop_front() {
            drop(queue);
            used.clear();
            let start = Instant::now();
            let result = compiler.compile(&job);
            let time = start.elapsed();
            queue = shared.lock();
            queue.done.push_back(Done { job, result, time });
        } else if queue.closed {
            return;
        } else {
            shared.idle.notify_one();
            queue = shared.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
