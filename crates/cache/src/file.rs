//! The format of a file of entries: one *chunk* after the other, each written at once.
//!
//! What a chunk has replaces what chunks before it have. The file ends where no whole chunk
//! begins: whoever adds one writes it there.
//!
//! All numbers are little-endian. Checksums are XXH3-64 with the file's name and the entry's number
//! as seed, so that nothing that was written for one file or entry is right in another one.
//!
//! | what | bytes |
//! |---|---|
//! | `RVRUNC02` | 8 |
//! | the file's name | 16 |
//! | how many entries | 4 |
//! | length of the label | 4 |
//! | length of the chunk | 8 |
//! | checksum of all this, the index and the label | 8 |
//! | index, in ascending order of numbers: number, offset in the chunk, length, checksum | 8 + 8 + 4 + 8 each |
//! | label: the path of an object that it is for | |
//! | entries | |

use rustc_hash::FxBuildHasher;
use std::hash::BuildHasher;
use xxhash_rust::xxh3::xxh3_64_with_seed;

const MAGIC: &[u8; 8] = b"RVRUNC02";
const HEADER: usize = 48;
const LENGTH_AT: usize = 32;
const CHECKSUM_AT: usize = 40;
const ROW: usize = 28;

/// Entries that a chunk may have.
const MAX_ENTRIES: usize = 1 << 20;
/// Bytes of a label.
const MAX_LABEL: usize = 4096;
/// Chunks that a file has before it is written anew, with what is in none of them twice.
const MAX_CHUNKS: usize = 32;

/// Where an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    number: u64,
    at: u64,
    len: u32,
    checksum: u64,
}

/// Where the numbers of an index are in it. A bit of the filter is set for each, by hash: most
/// numbers that are asked for are not there, and this says so with one look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Places {
    filter: Vec<u64>,
    /// By hash, or behind the place of that: the index of a row and one more, or 0.
    places: Vec<u32>,
    /// The distance from a hash to its place: 64 less the logarithm of how many places there are.
    shift: u32,
}

impl Places {
    /// Bits of the filter for each place.
    const SPARSENESS: usize = 8;

    fn of(rows: &[Row]) -> Self {
        if rows.is_empty() {
            return Self::default();
        }
        let count = (rows.len() * 2).next_power_of_two().max(64);
        let filter = vec![0; count * Self::SPARSENESS / 64];
        let mut all = Self { filter, places: vec![0; count], shift: 64 - count.ilog2() };
        for (index, row) in (1..).zip(rows) {
            let (bit, mut at) = all.hash(row.number);
            all.filter[bit / 64] |= 1 << (bit % 64);
            while all.places[at] != 0 {
                at = (at + 1) % count;
            }
            all.places[at] = index;
        }
        all
    }

    /// The bit of a number, and the first place where it may be.
    fn hash(&self, number: u64) -> (usize, usize) {
        let hash = FxBuildHasher.hash_one(number);
        ((hash >> (self.shift - Self::SPARSENESS.ilog2())) as usize, (hash >> self.shift) as usize)
    }

    /// The indices of rows that may have this number.
    fn find(&self, number: u64) -> impl Iterator<Item = usize> {
        let (bit, first) = if self.places.is_empty() { (0, 0) } else { self.hash(number) };
        let may_have = self.filter.get(bit / 64).is_some_and(|bits| bits >> (bit % 64) & 1 != 0);
        let places = self.places[first..].iter().chain(&self.places[..first]);
        let places = places.take_while(move |place| may_have && **place != 0);
        places.map(|place| *place as usize - 1)
    }
}

/// Bytes by which room for entries grows at least.
const ROOM: usize = 8 << 10;

/// What a file has, without the entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    name: u128,
    rows: Vec<Row>,
    places: Places,
    chunks: usize,
    end: u64,
    /// The path of an object that it is for.
    pub label: Vec<u8>,
}

/// Bytes that may not be there any more: fills the buffer from an offset on, or fails.
pub type Read<'a> = &'a dyn Fn(u64, &mut [u8]) -> Option<()>;

/// The bytes of a slice.
pub fn reader(bytes: &[u8]) -> impl Fn(u64, &mut [u8]) -> Option<()> {
    |at, buffer| {
        let at = usize::try_from(at).ok()?;
        buffer.copy_from_slice(bytes.get(at..at.checked_add(buffer.len())?)?);
        Some(())
    }
}

impl Index {
    /// The index of a file with this name; none if it has no whole chunk.
    pub fn read(name: u128, read: Read) -> Option<Self> {
        let mut index = Self { name, ..Self::default() };
        while index.chunks < MAX_CHUNKS && index.read_chunk(read).is_some() {}
        if index.chunks > 1 {
            // Sorting is stable, so that the last of those with one number is the newest.
            index.rows.sort_by_key(|row| row.number);
            index.rows.reverse();
            index.rows.dedup_by_key(|row| row.number);
            index.rows.reverse();
        }
        index.places = Places::of(&index.rows);
        (index.chunks > 0).then_some(index)
    }

    fn read_chunk(&mut self, read: Read) -> Option<()> {
        let start = self.end;
        let mut head = vec![0; HEADER];
        read(start, &mut head)?;
        let count = u32::from_le_bytes(field(&head, 24)) as usize;
        let label_len = u32::from_le_bytes(field(&head, 28)) as usize;
        if &head[..8] != MAGIC || count > MAX_ENTRIES || label_len > MAX_LABEL {
            return None;
        }
        let len = u64::from_le_bytes(field(&head, LENGTH_AT));
        let expected = u64::from_le_bytes(field(&head, CHECKSUM_AT));
        head.resize(HEADER + count * ROW + label_len, 0);
        read(start + HEADER as u64, &mut head[HEADER..])?;
        let is_right = u128::from_le_bytes(field(&head, 8)) == self.name;
        head[CHECKSUM_AT..HEADER].fill(0);
        if !is_right || checksum(self.name, 0, &head) != expected {
            return None;
        }
        let row = |at: usize| Row {
            number: u64::from_le_bytes(field(&head, at)),
            at: start.wrapping_add(u64::from_le_bytes(field(&head, at + 8))),
            len: u32::from_le_bytes(field(&head, at + 16)),
            checksum: u64::from_le_bytes(field(&head, at + 20)),
        };
        self.rows.extend((0..count).map(|i| row(HEADER + i * ROW)));
        self.label = head[HEADER + count * ROW..].to_vec();
        self.end = start.checked_add(len)?;
        self.chunks += 1;
        Some(())
    }

    /// Where the next chunk is to be written; none if the file is to be written anew.
    pub fn end(&self) -> Option<u64> {
        (self.chunks < MAX_CHUNKS).then_some(self.end)
    }

    fn row(&self, number: u64) -> Option<&Row> {
        let mut rows = self.places.find(number).filter_map(|index| self.rows.get(index));
        rows.find(|row| row.number == number)
    }

    /// Whether there is an entry with this number.
    pub fn has(&self, number: u64) -> bool {
        self.row(number).is_some()
    }

    /// The numbers of all entries, in ascending order.
    pub fn numbers(&self) -> impl Iterator<Item = u64> {
        self.rows.iter().map(|row| row.number)
    }

    /// The entry with this number, if that is as it was written, at the beginning of `room`.
    pub fn get<'a>(&self, number: u64, read: Read, room: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        let row = self.row(number)?;
        let len = row.len as usize;
        if room.len() < len {
            // The next one may be a little longer.
            room.resize(len.next_multiple_of(ROOM), 0);
        }
        let bytes = &mut room[..len];
        read(row.at, bytes)?;
        (checksum(self.name, number, bytes) == row.checksum).then_some(bytes)
    }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("so many bytes")
}

fn checksum(name: u128, number: u64, bytes: &[u8]) -> u64 {
    xxh3_64_with_seed(bytes, name as u64 ^ (name >> 64) as u64 ^ number)
}

/// A chunk of these entries, whose numbers are in ascending order.
pub fn chunk(name: u128, label: &[u8], entries: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let entries = &entries[..entries.len().min(MAX_ENTRIES)];
    let label = &label[..label.len().min(MAX_LABEL)];
    let head = HEADER + entries.len() * ROW + label.len();
    let len = head + entries.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
    let mut out = Vec::with_capacity(len);
    out.extend(MAGIC);
    out.extend(name.to_le_bytes());
    out.extend((entries.len() as u32).to_le_bytes());
    out.extend((label.len() as u32).to_le_bytes());
    out.extend((len as u64).to_le_bytes());
    out.extend([0; 8]);
    let mut at = head as u64;
    for (number, bytes) in entries {
        out.extend(number.to_le_bytes());
        out.extend(at.to_le_bytes());
        out.extend((bytes.len() as u32).to_le_bytes());
        out.extend(checksum(name, *number, bytes).to_le_bytes());
        at += bytes.len() as u64;
    }
    out.extend(label);
    let sum = checksum(name, 0, &out);
    out[CHECKSUM_AT..HEADER].copy_from_slice(&sum.to_le_bytes());
    entries.iter().for_each(|(_, bytes)| out.extend(bytes));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: u128 = 0x0123_4567_89ab_cdef_0011_2233_4455_6677;

    fn file() -> Vec<u8> {
        let first = [(3, b"one".to_vec()), (9, vec![9; 100])];
        let second = [(3, b"three".to_vec()), (7, Vec::new())];
        let mut bytes = chunk(NAME, b"/lib/first", &first);
        bytes.extend(chunk(NAME, b"/lib/label", &second));
        bytes
    }

    /// What is found in a file: of the entries 3, 7 and 9.
    fn found(bytes: &[u8]) -> Option<[Option<Vec<u8>>; 3]> {
        let read = reader(bytes);
        let index = Index::read(NAME, &read)?;
        let get = |number| {
            let mut room = b"what was there before".to_vec();
            index.get(number, &read, &mut room).map(<[u8]>::to_vec)
        };
        Some([3, 7, 9].map(get))
    }

    /// Without its second chunk, the file has what was there before.
    fn is_right_or_old((found, right): (&Option<Vec<u8>>, &Option<Vec<u8>>)) -> bool {
        found.is_none() || found == right || found.as_deref() == Some(b"one")
    }

    #[test]
    fn what_was_written_is_read() {
        let bytes = file();
        let index = Index::read(NAME, &reader(&bytes)).unwrap();
        assert_eq!(index.label, b"/lib/label");
        assert_eq!(index.numbers().collect::<Vec<_>>(), [3, 7, 9]);
        assert!(index.has(7) && !index.has(8));
        assert_eq!(index.end(), Some(bytes.len() as u64));
        let expected = [Some(b"three".to_vec()), Some(Vec::new()), Some(vec![9; 100])];
        assert_eq!(found(&bytes), Some(expected));
    }

    #[test]
    fn rows_are_found_by_number() {
        let row = |number| Row { number, at: 0, len: 0, checksum: 0 };
        let rows: Vec<Row> = (0..3000).map(|n| row(0x12345 + 14 * n)).collect();
        let places = Places::of(&rows);
        for (index, row) in rows.iter().enumerate() {
            assert!(places.find(row.number).any(|found| found == index));
        }
        let others = (0..10_000).map(|n| 0x12346 + 14 * n);
        let wrong = others.filter(|number| places.find(*number).next().is_some()).count();
        assert!(wrong < 1000, "{wrong}");
        assert_eq!(Places::of(&[]).find(0).next(), None);
    }

    #[test]
    fn a_file_under_another_name_is_none() {
        assert_eq!(Index::read(NAME + 1, &reader(&file())), None);
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed() {
        let right = found(&file()).unwrap();
        let mut without_effect = 0;
        for at in 0..file().len() * 8 {
            let mut bytes = file();
            bytes[at / 8] ^= 1 << (at % 8);
            let Some(entries) = found(&bytes) else { continue };
            without_effect += usize::from(entries == right);
            assert!(entries.iter().zip(&right).all(is_right_or_old), "bit {at} was believed");
        }
        assert_eq!(without_effect, "one".len() * 8, "but those of what was replaced");
    }

    #[test]
    fn no_shorter_file_is_believed() {
        let right = found(&file()).unwrap();
        for len in 0..file().len() {
            let Some(entries) = found(&file()[..len]) else { continue };
            let believed = entries.iter().zip(&right).all(is_right_or_old);
            assert!(believed, "{len} bytes were believed");
            assert_ne!(entries, right, "it is not all there in {len} bytes");
        }
    }
}
