//! The ways in which rvrun executes a program, as its command line names them.

use std::fmt::{self, Display, Formatter};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// How the guest's side executes code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// As rvrun does by itself.
    Auto,
    /// Interpreted.
    Interp,
    /// Translated, all of it.
    Jit,
    /// Translated and interpreted in turns, with small regions that come and go.
    Chaos,
    /// As rvrun does by itself, but that more is translated, with the translations that earlier
    /// programs have left.
    Kept,
}

impl Engine {
    /// Options for rvrun; `seed` is for chaos, and translations are kept in `cache`.
    pub fn options(self, seed: u64, cache: &Path) -> Vec<String> {
        let text = match self {
            Self::Auto => "--engine=auto".into(),
            Self::Interp => "--engine=interp".into(),
            Self::Jit => "--engine=jit".into(),
            Self::Chaos => format!(
                "--hot=200 --chaos={seed} --code-memory=256 --region-limit=60 --inline-limit=20"
            ),
            Self::Kept => {
                return vec!["--hot=2000".into(), format!("--cache-dir={}", cache.display())];
            }
        };
        text.split(' ').map(str::to_owned).collect()
    }
}

impl Display for Engine {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Auto => "auto",
            Self::Interp => "interp",
            Self::Jit => "jit",
            Self::Chaos => "chaos",
            Self::Kept => "kept",
        })
    }
}

/// A seed for who has none.
pub fn seed_from_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs())
}
