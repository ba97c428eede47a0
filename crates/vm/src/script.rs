//! Scripts that name their interpreter in a `#!` line (execve(2), "Interpreter scripts").

use crate::error::Error;
use crate::file::ProgramFile;
use crate::program::Program;
use rvrun_syscall::Sysroot;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Scripts that may be the interpreters of scripts, as in the kernel.
const MAX_SCRIPTS: u32 = 5;

/// The program that runs `program`, and its file: itself, or its interpreter if it is a script.
///
/// # Errors
/// Those of [`ProgramFile::open`]; for a `#!` line that the kernel refuses, and when scripts lead to
/// scripts too often.
pub fn open(
    mut program: Program,
    sysroot: Option<&Sysroot>,
) -> Result<(Program, ProgramFile), Error> {
    for _ in 0..=MAX_SCRIPTS {
        let error = match ProgramFile::open(&program.path) {
            Ok(file) => return Ok((program, file)),
            Err(error) => error,
        };
        let not_runnable =
            |why: &str| Error::NotRunnable { path: program.path.clone(), why: why.into() };
        let Some((interpreter, argument)) = first_line(&program.path)
            .map_err(|()| not_runnable("a script whose first line names no interpreter"))?
        else {
            return Err(error);
        };
        let guest = PathBuf::from(OsString::from_vec(interpreter));
        let found = rvrun_syscall::resolve(sysroot, &guest);
        if !found.exists() {
            let why = format!("a script for {}, which is not there", guest.display());
            return Err(not_runnable(&why));
        }
        let script = std::mem::replace(&mut program.path, found).into_os_string();
        let argument = argument.map(OsString::from_vec);
        program.args.splice(..0, argument.into_iter().chain([script.clone()]));
        program.execfn.get_or_insert(script);
        program.argv0 = Some(guest.into());
    }
    Err(Error::NotRunnable {
        path: program.path,
        why: "scripts are the interpreters of scripts too often".into(),
    })
}

type Line = (Vec<u8>, Option<Vec<u8>>);

/// The interpreter and the argument that a script names; none if the file is no script, or cannot
/// be read.
fn first_line(path: &Path) -> Result<Option<Line>, ()> {
    let mut head = Vec::with_capacity(256);
    let regular = path.metadata().is_ok_and(|metadata| metadata.is_file());
    if !regular {
        return Ok(None);
    }
    let read = File::open(path).and_then(|file| file.take(256).read_to_end(&mut head));
    if read.is_err() || !head.starts_with(b"#!") {
        return Ok(None);
    }
    rvrun_syscall::script_line(&head).map(Some).ok_or(())
}
