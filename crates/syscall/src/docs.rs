//! The page of supported system calls, made from the table.

use crate::row::{Row, Support};
use crate::table::SYSCALLS;
use std::fmt::Write;

/// The text of `docs/syscalls.md`.
pub fn syscalls_page() -> String {
    let count =
        |wanted: fn(&Support) -> bool| SYSCALLS.iter().filter(|row| wanted(&row.support)).count();
    let mut page = format!(
        "# System calls\n\n\
         <!-- Made from the table in crates/syscall/src/table.rs; `BLESS=1 cargo test -p rvrun-syscall` writes it. -->\n\n\
         rvrun knows every system call of riscv64 Linux 6.12. Of {} calls, {} are supported in full, {} in part, and\n\
         {} always fail with `ENOSYS`. A call that is supported in full does what the host's kernel does: on an older\n\
         kernel, a newer call fails with `ENOSYS` as well. `rvrun --strace` shows each call and says why one is missing.\n",
        SYSCALLS.len(),
        count(|support| *support == Support::Full),
        count(|support| matches!(support, Support::Partial(_))),
        count(|support| matches!(support, Support::Stub(_))),
    );
    section(&mut page, "In part", |row| match row.support {
        Support::Partial(note) => Some(note),
        _ => None,
    });
    section(&mut page, "Missing", |row| match row.support {
        Support::Stub(why) => Some(why),
        _ => None,
    });
    page.push_str("\n## In full\n");
    let mut line = String::new();
    for row in SYSCALLS.iter().filter(|row| row.support == Support::Full) {
        if line.len() + row.name.len() > 110 {
            let _ = write!(page, "\n{}", line.trim_end());
            line.clear();
        }
        let _ = write!(line, "`{}` ", row.name);
    }
    let _ = writeln!(page, "\n{}", line.trim_end());
    page
}

fn section(page: &mut String, title: &str, note: impl Fn(&Row) -> Option<&'static str>) {
    let _ = write!(page, "\n## {title}\n\n| Number | Call | Note |\n|---|---|---|\n");
    for row in SYSCALLS {
        if let Some(note) = note(row) {
            let _ = writeln!(page, "| {} | `{}` | {note} |", row.number, row.name);
        }
    }
}
