//! The files within a program, for those who have not got the repository.

use crate::{FileError, VectorFile};
use std::path::Path;

/// Names and texts of the files.
macro_rules! files {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../vectors/", $name, ".txt")))),*]
    };
}

/// All of them, sorted by name.
const FILES: &[(&str, &str)] = files! {
    "a"
    "c"
    "d"
    "f"
    "i"
    "m"
    "zabha"
    "zacas"
    "zawrs"
    "zba"
    "zbb"
    "zbc"
    "zbkb"
    "zbs"
    "zcb"
    "zcmop"
    "zfa"
    "zfh"
    "zicbom"
    "zicbop"
    "zicboz"
    "zicond"
    "zicsr"
    "zifencei"
    "zihintntl"
    "zihintpause"
    "zimop"
};

/// The files as they were when the program was built.
///
/// # Errors
/// If a line is not a vector.
pub fn embedded() -> Result<Vec<VectorFile>, FileError> {
    FILES
        .iter()
        .map(|(name, text)| VectorFile::parse(Path::new(&format!("{name}.txt")), text))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read_all;

    #[test]
    fn all_files_are_embedded() {
        let names = |files: Vec<VectorFile>| files.into_iter().map(|f| f.name).collect::<Vec<_>>();
        assert_eq!(names(embedded().unwrap()), names(read_all().unwrap()));
    }
}
