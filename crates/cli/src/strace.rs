//! Where the lines of `--strace` go.

use rvrun::StraceSink;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

/// A sink that appends to `file`, or writes to standard error.
pub fn sink(file: Option<&Path>) -> Result<StraceSink, String> {
    let Some(path) = file else {
        // One write a line, so that the lines of several processes do not mix.
        return Ok(Box::new(|line| {
            let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
        }));
    };
    let path = path.to_path_buf();
    let open = move || OpenOptions::new().create(true).append(true).open(&path);
    open().map_err(|error| format!("cannot write the trace: {error}"))?;
    // Opened for each line: a descriptor held open would be in the guest's reach.
    Ok(Box::new(move |line| {
        if let Ok(mut file) = open() {
            let _ = file.write_all(format!("{line}\n").as_bytes());
        }
    }))
}
