//! Symbols of ELF files, for diagnostics.

use goblin::elf::section_header::{SHN_ABS, SHN_UNDEF};
use goblin::elf::{Elf, Symtab};
use goblin::strtab::Strtab;

/// The function or object that an address belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Its name, as in the file.
    pub name: String,
    /// The address's distance from its beginning, in bytes.
    pub offset: u64,
}

struct Entry {
    start: u64,
    /// 0 if the file does not say it.
    size: u64,
    name: String,
}

/// The symbols of a file, by address.
#[derive(Default)]
pub struct Symbols {
    /// The symbol table, then the dynamic one, each in ascending order.
    tables: [Vec<Entry>; 2],
}

impl Symbols {
    /// Reads a whole file's bytes. A file that cannot be parsed has no symbols.
    pub fn read(file: &[u8]) -> Self {
        let Ok(elf) = Elf::parse(file) else { return Self::default() };
        let entries = |names: &Strtab<'_>, symbols: &Symtab<'_>| {
            // Absolute symbols, such as the names of symbol versions, are no places.
            let mut entries: Vec<Entry> = symbols
                .iter()
                .filter(|s| !matches!(s.st_shndx as u32, SHN_UNDEF | SHN_ABS))
                .filter_map(|s| {
                    let name = names.get_at(s.st_name)?.to_owned();
                    Some(Entry { start: s.st_value, size: s.st_size, name })
                })
                .filter(|entry| !entry.name.is_empty() && !entry.name.starts_with('$'))
                .collect();
            entries.sort_by_key(|entry| entry.start);
            entries
        };
        Self { tables: [entries(&elf.strtab, &elf.syms), entries(&elf.dynstrtab, &elf.dynsyms)] }
    }

    /// The symbol that covers `address`, relative to the load bias.
    pub fn at(&self, address: u64) -> Option<Symbol> {
        let find = |table: &Vec<Entry>| {
            let behind = table.partition_point(|entry| entry.start <= address);
            let covers = |entry: &&Entry| entry.size == 0 || address - entry.start < entry.size;
            let entry = table[..behind].iter().rev().find(covers)?;
            Some(Symbol { name: entry.name.clone(), offset: address - entry.start })
        };
        self.tables.iter().find_map(find)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbols(list: &[(u64, u64, &str)]) -> Vec<Entry> {
        let entry = |(start, size, name): &(u64, u64, &str)| Entry {
            start: *start,
            size: *size,
            name: (*name).into(),
        };
        list.iter().map(entry).collect()
    }

    fn found(symbols: &Symbols, address: u64) -> Option<String> {
        symbols.at(address).map(|symbol| format!("{}+{}", symbol.name, symbol.offset))
    }

    #[test]
    fn the_last_symbol_that_covers_an_address_names_it() {
        let list = [(0x100, 0x40, "outer"), (0x110, 8, "inner"), (0x200, 0, "label")];
        let symbols = Symbols { tables: [symbols(&list), Vec::new()] };
        assert_eq!(found(&symbols, 0xff), None);
        assert_eq!(found(&symbols, 0x100), Some("outer+0".into()));
        assert_eq!(found(&symbols, 0x117), Some("inner+7".into()));
        assert_eq!(found(&symbols, 0x118), Some("outer+24".into()));
        assert_eq!(found(&symbols, 0x140), None);
        assert_eq!(found(&symbols, 0x999), Some("label+1945".into()));
    }

    #[test]
    fn the_dynamic_table_is_asked_last() {
        let tables = [symbols(&[(0x100, 4, "first")]), symbols(&[(0x100, 8, "second")])];
        let symbols = Symbols { tables };
        assert_eq!(found(&symbols, 0x102), Some("first+2".into()));
        assert_eq!(found(&symbols, 0x104), Some("second+4".into()));
    }

    #[test]
    fn what_is_no_elf_file_has_no_symbols() {
        assert_eq!(Symbols::read(b"#!/bin/sh").at(0), None);
    }
}
