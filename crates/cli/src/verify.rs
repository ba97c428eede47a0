//! What `--verify` finds, and `rvrun replay`.

use crate::complain;
use crate::output::full_path;
use rvrun::{Difference, DifferenceSink};
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What `rvrun replay` ends with when the engines still do not agree.
const STILL_DIFFERENT: u8 = 1;

/// Writes a difference into `file`, or into one named after the process in the directory
/// that rvrun was started in, and says so.
pub fn sink(file: Option<&Path>) -> DifferenceSink {
    let (file, directory) = (file.map(full_path), full_path(Path::new(".")));
    Arc::new(move |difference| {
        let name = format!("rvrun-difference-{}.json", std::process::id());
        let file = file.clone().unwrap_or_else(|| directory.join(name));
        complain(difference.to_string().trim_end());
        match std::fs::write(&file, difference.to_json()) {
            Ok(()) => complain(&format!(
                "this is a defect of rvrun; please report it with {}, which `rvrun replay` shows again",
                file.display()
            )),
            Err(error) => complain(&format!("cannot write {}: {error}", file.display())),
        }
    })
}

/// The file, if the command line is `replay FILE`, and `replay` is no program here.
pub fn wants_replay(args: &[OsString]) -> Option<PathBuf> {
    match args {
        [command, file] if command == "replay" && !Path::new(command).exists() => Some(file.into()),
        _ => None,
    }
}

/// Runs what a file tells of again; gives the exit status.
pub fn replay(file: PathBuf) -> u8 {
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) => return failed(&format!("cannot read {}: {error}", file.display())),
    };
    let bundle = match Difference::from_json(&text) {
        Ok(bundle) => bundle,
        Err(why) => return failed(&format!("{} is no difference: {why}", file.display())),
    };
    let (message, status) = match rvrun::replay(&bundle) {
        Ok(None) => ("the engines agree\n".to_string(), 0),
        Ok(Some(difference)) => (difference.to_string(), STILL_DIFFERENT),
        Err(why) => return failed(&why),
    };
    // There is nobody to tell if that fails.
    let _ = std::io::stdout().write_all(message.as_bytes());
    status
}

fn failed(message: &str) -> u8 {
    complain(message);
    crate::VM_FAILURE
}
