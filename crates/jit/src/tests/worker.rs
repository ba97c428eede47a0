//! Jobs on the compile thread come back, and no more of them are taken than there is room for.

use super::program::Program;
use crate::compile::{Compiler, Job};
use crate::worker::{Done, Worker};
use std::thread;
use std::time::{Duration, Instant};

fn worker() -> Worker {
    Worker::new(Compiler::for_common_host().unwrap()).unwrap()
}

fn job() -> Box<Job> {
    Box::new(Program::parse("addi a0, a0, 1\n ecall").job())
}

/// The next job that is done.
fn wait(worker: &mut Worker) -> Done {
    let start = Instant::now();
    loop {
        if let Some(done) = worker.take() {
            return done;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "the thread does nothing");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_job_comes_back_with_what_the_compiler_makes_of_it() {
    let mut worker = worker();
    assert!(worker.take().is_none());
    assert!(worker.give(job()).is_ok());
    let done = wait(&mut worker);
    let expected = Compiler::for_common_host().unwrap().compile(&job()).unwrap();
    assert_eq!(done.job.region, job().region);
    assert_eq!(done.result.as_ref().unwrap().bytes, expected.bytes);
    worker.give_back(done.result);
}

#[test]
fn jobs_come_back_in_order() {
    let mut worker = worker();
    for length in 1..20 {
        let text = "addi a0, a0, 1\n".repeat(length) + "ecall";
        assert!(worker.give(Box::new(Program::parse(&text).job())).is_ok());
    }
    for length in 1..20 {
        let done = wait(&mut worker);
        assert_eq!(done.job.region.instructions, length + 1);
        worker.give_back(done.result);
    }
}

#[test]
fn nothing_is_left_to_do_after_waiting_for_that() {
    let mut worker = worker();
    worker.finish();
    (0..20).for_each(|_| assert!(worker.give(job()).is_ok()));
    worker.finish();
    for _ in 0..20 {
        let done = worker.take().expect("it is done");
        worker.give_back(done.result);
    }
    worker.finish();
}

#[test]
fn a_job_too_many_is_given_back() {
    let mut worker = worker();
    let mut given = 0;
    while worker.give(job()).is_ok() {
        given += 1;
        assert!(given < 10_000);
    }
    for _ in 0..given {
        let done = wait(&mut worker);
        worker.give_back(done.result);
    }
    assert!(worker.give(job()).is_ok());
}

#[test]
fn the_thread_ends_with_its_owner() {
    let mut worker = worker();
    assert!(worker.give(job()).is_ok());
    drop(worker);
}
