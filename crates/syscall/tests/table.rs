//! The table against an independent list of riscv64's system calls, and the
//! page that is made from it.

use rvrun_syscall::{Handler, Kind, SYSCALLS, Support, syscalls_page};
use std::collections::BTreeMap;
use std::path::Path;
use syscalls::riscv64::Sysno;

/// The last number of Linux 6.12.
const LAST: u16 = 462;

#[test]
fn every_number_and_name_of_linux_6_12_is_there() {
    let ours: BTreeMap<u16, &str> = SYSCALLS.iter().map(|row| (row.number, row.name)).collect();
    assert_eq!(ours.len(), SYSCALLS.len(), "a number is there twice");
    let theirs: BTreeMap<u16, &str> = Sysno::iter()
        .filter(|call| call.id() <= i32::from(LAST))
        .map(|call| (u16::try_from(call.id()).unwrap(), call.name()))
        .collect();
    assert!(theirs.len() > 300);
    assert_eq!(ours, theirs);
}

#[test]
fn rows_are_in_order_and_sound() {
    assert!(SYSCALLS.is_sorted_by_key(|row| row.number));
    for row in SYSCALLS {
        assert!(row.args.len() <= 6, "{}", row.name);
        let stub = matches!(row.support, Support::Stub(_));
        assert_eq!(stub, matches!(row.handler, Handler::Missing), "{}", row.name);
        for arg in row.args {
            if let Kind::In(length) = arg.kind {
                assert!(usize::from(length) < row.args.len(), "{}", row.name);
            }
        }
        if let Handler::Paths(_, paths) = row.handler {
            for path in paths {
                let kind = row.args[usize::from(path.path)].kind;
                assert!(matches!(kind, Kind::Path | Kind::Str), "{}", row.name);
                if let Some(dir) = path.dir {
                    assert_eq!(row.args[usize::from(dir)].kind, Kind::DirFd, "{}", row.name);
                }
            }
        }
    }
}

#[test]
fn a_call_that_is_passed_through_is_the_hosts_of_the_same_name() {
    for row in SYSCALLS {
        if let Handler::Host(number) | Handler::Paths(number, _) = row.handler {
            let host = syscalls::x86_64::Sysno::new(usize::try_from(number).unwrap());
            assert_eq!(host.map(|host| host.name()), Some(row.name), "{}", row.name);
        }
    }
}

#[test]
fn notes_are_sentences_for_users() {
    for row in SYSCALLS {
        if let Support::Partial(note) | Support::Stub(note) = row.support {
            assert!(note.len() > 20 && !note.ends_with('.') && !note.contains('|'), "{}", row.name);
        }
    }
}

#[test]
fn the_page_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/syscalls.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, syscalls_page()).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, syscalls_page(), "run: BLESS=1 cargo test -p rvrun-syscall");
}
