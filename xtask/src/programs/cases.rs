//! The cases: a name and a script each, in `xtask/programs/*.cases`.
//!
//! A line that begins with a word is a case: its name, then its script. Indented
//! lines continue the script, without the indentation that they share. `#` starts a
//! comment line.

/// The case files and what each is about.
const FILES: [(&str, &str); 7] = [
    ("busybox", include_str!("../../programs/busybox.cases")),
    ("coreutils", include_str!("../../programs/coreutils.cases")),
    ("text", include_str!("../../programs/text.cases")),
    ("compression", include_str!("../../programs/compression.cases")),
    ("processes", include_str!("../../programs/processes.cases")),
    ("languages", include_str!("../../programs/languages.cases")),
    ("compiler", include_str!("../../programs/compiler.cases")),
];

/// Files that each script finds in its directory.
pub const INPUTS: [(&str, &str); 4] = [
    ("poem", include_str!("../../programs/inputs/poem")),
    ("cities", include_str!("../../programs/inputs/cities")),
    ("rivers.csv", include_str!("../../programs/inputs/rivers.csv")),
    ("settings.json", include_str!("../../programs/inputs/settings.json")),
];

/// A script that has to do the same on both sides.
#[derive(Debug)]
pub struct Case {
    /// `FILE/NAME`.
    pub name: String,
    /// The script, for bash.
    pub script: String,
}

/// All cases.
pub fn all() -> Vec<Case> {
    FILES.iter().flat_map(|(file, text)| parse(file, text)).collect()
}

fn parse(file: &str, text: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut lines = text.lines().filter(|line| !line.starts_with('#')).peekable();
    while let Some(line) = lines.next() {
        let Some((name, first)) = line.split_once(char::is_whitespace) else { continue };
        let mut rest = Vec::new();
        while let Some(line) = lines.next_if(|line| line.starts_with(' ')) {
            rest.push(line);
        }
        let indentation = rest.iter().map(|line| line.len() - line.trim_start().len()).min();
        let mut script = first.trim_start().to_owned();
        for line in rest {
            script.push('\n');
            script.push_str(&line[indentation.unwrap_or(0)..]);
        }
        cases.push(Case { name: format!("{file}/{name}"), script });
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn continued_lines_keep_their_own_indentation() {
        let [case, other] = &parse("f", "# no\na  x 'y\n     b\n      c'\nd e\n")[..] else {
            panic!("two cases");
        };
        assert_eq!((case.name.as_str(), case.script.as_str()), ("f/a", "x 'y\nb\n c'"));
        assert_eq!((other.name.as_str(), other.script.as_str()), ("f/d", "e"));
    }

    #[test]
    fn no_name_stands_twice() {
        let cases = all();
        let names: BTreeSet<_> = cases.iter().map(|case| &case.name).collect();
        assert_eq!(names.len(), cases.len());
    }
}
