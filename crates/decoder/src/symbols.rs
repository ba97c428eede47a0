//! Symbols of ELF files, for diagnostics.

use goblin::elf::section_header::{SHN_ABS, SHN_UNDEF};
use goblin::elf::{Elf, Symtab};
use goblin::strtab::Strtab;
use std::ops::Range;

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
    /// Where its name is in the file. Names can share bytes: copies could take far
    /// more memory than the file.
    name: Range<usize>,
}

/// The symbols of a file, by address.
#[derive(Default)]
pub struct Symbols {
    file: Vec<u8>,
    /// The symbol table, then the dynamic one, each in ascending order.
    tables: [Vec<Entry>; 2],
}

impl Symbols {
    /// Reads a whole file's bytes. A file that cannot be parsed has no symbols.
    pub fn read(file: Vec<u8>) -> Self {
        let tables = tables(&file).unwrap_or_default();
        Self { file, tables }
    }

    /// The symbol that covers `address`, relative to the load bias.
    pub fn at(&self, address: u64) -> Option<Symbol> {
        let find = |table: &Vec<Entry>| {
            let behind = table.partition_point(|entry| entry.start <= address);
            let covers = |entry: &&Entry| entry.size == 0 || address - entry.start < entry.size;
            let entry = table[..behind].iter().rev().find(covers)?;
            let name = String::from_utf8_lossy(self.file.get(entry.name.clone())?).into_owned();
            Some(Symbol { name, offset: address - entry.start })
        };
        self.tables.iter().find_map(find)
    }
}

fn tables(file: &[u8]) -> Option<[Vec<Entry>; 2]> {
    let elf = Elf::parse(file).ok()?;
    let entries = |names: &Strtab<'_>, symbols: &Symtab<'_>| {
        // Absolute symbols, such as the names of symbol versions, are no places.
        let mut entries: Vec<Entry> = symbols
            .iter()
            .filter(|s| !matches!(s.st_shndx as u32, SHN_UNDEF | SHN_ABS))
            .filter_map(|s| {
                let name = names.get_at(s.st_name)?;
                let at = (name.as_ptr() as usize).checked_sub(file.as_ptr() as usize)?;
                let is_place = !name.is_empty() && !name.starts_with('$');
                let name = at..at + name.len();
                is_place.then_some(Entry { start: s.st_value, size: s.st_size, name })
            })
            .collect();
        entries.sort_by_key(|entry| entry.start);
        entries
    };
    Some([entries(&elf.strtab, &elf.syms), entries(&elf.dynstrtab, &elf.dynsyms)])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Symbols with these starts, sizes and names, in the symbol table and the dynamic one.
    fn symbols(tables: [&[(u64, u64, &str)]; 2]) -> Symbols {
        let mut file = Vec::new();
        let mut entry = |(start, size, name): &(u64, u64, &str)| {
            file.extend(name.as_bytes());
            Entry { start: *start, size: *size, name: file.len() - name.len()..file.len() }
        };
        let tables = tables.map(|table| table.iter().map(&mut entry).collect());
        Symbols { file, tables }
    }

    fn found(symbols: &Symbols, address: u64) -> Option<String> {
        symbols.at(address).map(|symbol| format!("{}+{}", symbol.name, symbol.offset))
    }

    #[test]
    fn the_last_symbol_that_covers_an_address_names_it() {
        let list = [(0x100, 0x40, "outer"), (0x110, 8, "inner"), (0x200, 0, "label")];
        let symbols = symbols([&list, &[]]);
        assert_eq!(found(&symbols, 0xff), None);
        assert_eq!(found(&symbols, 0x100), Some("outer+0".into()));
        assert_eq!(found(&symbols, 0x117), Some("inner+7".into()));
        assert_eq!(found(&symbols, 0x118), Some("outer+24".into()));
        assert_eq!(found(&symbols, 0x140), None);
        assert_eq!(found(&symbols, 0x999), Some("label+1945".into()));
    }

    #[test]
    fn the_dynamic_table_is_asked_last() {
        let symbols = symbols([&[(0x100, 4, "first")], &[(0x100, 8, "second")]]);
        assert_eq!(found(&symbols, 0x102), Some("first+2".into()));
        assert_eq!(found(&symbols, 0x104), Some("second+4".into()));
    }

    #[test]
    fn what_is_no_elf_file_has_no_symbols() {
        assert_eq!(Symbols::read(b"#!/bin/sh".to_vec()).at(0), None);
    }
}
