//! One legible line for each system call, made from the table.
//!
//! [`Pending`] is a call whose arguments have been read and whose result is not
//! known: what goes into a call is formatted before it, what comes out after.
//! Without a sink in the configuration nothing here runs.

pub mod names;
mod signal;
mod value;

use crate::row::{Args, Kind, Row, Support};
use crate::task::Task;

pub(crate) use signal::signal;

/// Bytes of a string that are shown.
const SHOWN: usize = 64;
/// Strings of an array that are shown.
const SHOWN_STRINGS: usize = 16;

/// A call that has begun.
pub(crate) struct Pending {
    row: Option<&'static Row>,
    number: u64,
    args: Args,
    /// The arguments' text; none where it has to wait for the result.
    text: Vec<Option<String>>,
}

impl Pending {
    /// Formats what goes into the call.
    pub(crate) fn new(row: Option<&'static Row>, number: u64, args: Args) -> Self {
        let text = match row {
            Some(row) => row
                .args
                .iter()
                .zip(args)
                .map(|(arg, value)| value::before(arg.kind, value, &args))
                .collect(),
            None => args.iter().map(|value| Some(format!("{value:#x}"))).collect(),
        };
        Self { row, number, args, text }
    }

    /// The line's part before the equals sign.
    fn head(&self, result: u64) -> String {
        let mut line = match self.row {
            Some(row) => row.name.to_string(),
            None => format!("syscall_{:#x}", self.number),
        };
        line.push('(');
        for (index, text) in self.text.iter().enumerate() {
            if index > 0 {
                line.push_str(", ");
            }
            match text {
                Some(text) => line.push_str(text),
                None => line.push_str(&value::after(self.kind(index), self.args[index], result)),
            }
        }
        line.push(')');
        line
    }

    fn kind(&self, index: usize) -> Kind {
        self.row.and_then(|row| row.args.get(index)).map_or(Kind::Hex, |arg| arg.kind)
    }

    /// The line of a call that has returned `result`.
    pub(crate) fn finished(&self, result: u64) -> String {
        format!("{} = {}", self.head(result), self.result(result))
    }

    /// The line of a call that does not return.
    pub(crate) fn endless(&self, result: &str) -> String {
        format!("{} = {result}", self.head(0))
    }

    fn result(&self, result: u64) -> String {
        let error = match result as i64 {
            error @ -4095..=-1 => -error as i32,
            // Calls that take an address first give one back.
            _ if self.kind(0) == Kind::Ptr && result >= 4096 => return format!("{result:#x}"),
            value @ -65536..=0xff_ffff => return value.to_string(),
            _ => return format!("{result:#x}"),
        };
        let name = names::error(error).map_or_else(|| error.to_string(), str::to_string);
        if error == libc::ENOSYS {
            let why = match self.row.map(|row| row.support) {
                Some(Support::Stub(why)) => format!("not implemented by rvrun: {why}"),
                Some(_) => "not in the host's kernel, or not with these arguments".to_string(),
                None => "no system call of Linux 6.12 has this number".to_string(),
            };
            return format!("-1 {name} ({why})");
        }
        // The standard library adds the number in parentheses.
        let text = std::io::Error::from_raw_os_error(error).to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        format!("-1 {name} ({text})")
    }
}

/// Hands one line to the sink.
pub(crate) fn emit(task: &Task, line: &str) {
    let Some(strace) = &task.process.config.strace else { return };
    if strace.show_pid || task.process.has_relatives() {
        (strace.sink)(&format!("[pid {}] {line}", crate::raw::syscall(libc::SYS_gettid, [0; 6])));
    } else {
        (strace.sink)(line);
    }
}
