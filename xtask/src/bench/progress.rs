//! What is going on, and for how much longer.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// Counts runs of jobs, and tells on standard error.
pub struct Progress {
    jobs: usize,
    runs: u32,
    started: Instant,
    /// On a terminal a line is written over the one before.
    terminal: bool,
    /// The job that is running, from 1, and its name.
    job: (usize, String),
}

impl Progress {
    /// For so many jobs, each of so many runs; the clock starts.
    pub fn new(jobs: usize, runs: u32) -> Self {
        let terminal = stderr().is_terminal();
        Self { jobs, runs, started: Instant::now(), terminal, job: (0, String::new()) }
    }

    /// The next job begins.
    pub fn job(&mut self, name: &str) {
        self.job = (self.job.0 + 1, name.to_owned());
        self.after_run(0);
    }

    /// This run of the job has ended.
    pub fn after_run(&self, run: u32) {
        if self.terminal {
            eprint!("\r\x1b[K{} {run} of {} runs{}", self.title(), self.runs, self.left(run));
            let _ = stderr().flush();
        }
    }

    /// The job has ended.
    pub fn job_ended(&self, result: &str) {
        let clear = if self.terminal { "\r\x1b[K" } else { "" };
        eprintln!("{clear}{} {result}{}", self.title(), self.left(self.runs));
    }

    fn title(&self) -> String {
        format!("[{}/{}] {:<18}", self.job.0, self.jobs, self.job.1)
    }

    fn left(&self, run: u32) -> String {
        let runs = |jobs: usize| jobs as f64 * f64::from(self.runs);
        let done = runs(self.job.0.saturating_sub(1)) + f64::from(run);
        match time_left(self.started.elapsed(), done, runs(self.jobs)) {
            Some(left) => format!("; about {left} left"),
            None => String::new(),
        }
    }
}

/// The time for the rest, if it goes on like this; nothing before the first and after the last run.
fn time_left(elapsed: Duration, done: f64, all: f64) -> Option<String> {
    if done == 0.0 || done >= all {
        return None;
    }
    let seconds = (elapsed.as_secs_f64() / done * (all - done)).ceil();
    Some(if seconds < 100.0 {
        format!("{seconds} s")
    } else {
        format!("{:.0} min", seconds / 60.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_takes_as_long_as_what_is_done() {
        let elapsed = Duration::from_secs(10);
        assert_eq!(time_left(elapsed, 0.0, 10.0), None);
        assert_eq!(time_left(elapsed, 2.0, 10.0).as_deref(), Some("40 s"));
        assert_eq!(time_left(elapsed, 1.0, 43.0).as_deref(), Some("7 min"));
        assert_eq!(time_left(elapsed, 10.0, 10.0), None);
    }
}
