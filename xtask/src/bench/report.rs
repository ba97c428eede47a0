//! Results as a table on the terminal and as JSON.

use crate::bench::contestant::Contestant;
use crate::bench::look::ACTIVITIES;
use crate::bench::machine::Machine;
use crate::bench::measure::Row;
use crate::bench::summary::{Duel, duels, means};
use serde_json::{Map, Value, json};

/// All that was measured.
pub struct Report<'a> {
    /// Where.
    pub machine: Machine,
    /// How often.
    pub runs: u32,
    /// The part of the kernels' rounds.
    pub percent: u64,
    /// The columns.
    pub contestants: &'a [Contestant],
    /// The rows.
    pub rows: &'a [Row],
}

/// A row's times in a few words.
pub fn progress(row: &Row, contestants: &[Contestant]) -> String {
    let mut line = format!("native {:.3} s", row.native_seconds());
    for (i, contestant) in contestants.iter().enumerate() {
        line += &format!(", {} {:.2}", contestant.name, row.ratio(i));
    }
    line
}

impl Report<'_> {
    /// A row's ratios.
    pub fn ratios(&self, row: &Row) -> Vec<f64> {
        (0..self.contestants.len()).map(|i| row.ratio(i)).collect()
    }

    /// Index of the contestant whose parts the rows have.
    pub fn counting(&self) -> Option<usize> {
        self.contestants.iter().position(Contestant::counts)
    }

    /// What that spends on each of [`ACTIVITIES`] in a row, over the native program's time.
    pub fn parts(&self, row: &Row) -> Option<[f64; ACTIVITIES.len()]> {
        let ratio = row.ratio(self.counting()?);
        Some(row.look.parts?.map(|part| part * ratio))
    }

    /// For the terminal.
    pub fn table(&self) -> String {
        let width = self.contestants.iter().map(|c| c.name.len() + 2).max().unwrap_or(0).max(10);
        let mut text = format!("{:<20}{:>12}", "CPU time / native's", "native, s");
        for contestant in self.contestants {
            text += &format!("{:>width$}", contestant.name);
        }
        text.push('\n');
        for row in self.rows {
            text += &format!("{:<20}{:>12.3}", row.name, row.native_seconds());
            text += &numbers(&self.ratios(row), width);
        }
        for (title, means) in means(self.rows, self.contestants.len()) {
            text += &format!("{:<32}", format!("mean of {title}"));
            text += &numbers(&means, width);
        }
        for duel in duels(self.rows, self.contestants) {
            let [rvrun, qemu] = [duel.rvrun, duel.qemu].map(|i| &self.contestants[i].name);
            text += &format!("\n{rvrun}, times as fast as {qemu}:");
            for (title, speed) in &duel.speeds {
                text += &format!(" {title} {speed:.2},");
            }
            text += &format!(" worst {}", worst(&duel));
        }
        text
    }

    /// For programs.
    pub fn json(&self) -> String {
        let by_name = |numbers: &[f64]| -> Value {
            let names = self.contestants.iter().map(|c| c.name.clone());
            names.zip(numbers.iter().map(|n| Value::from(*n))).collect::<Map<_, _>>().into()
        };
        let row = |row: &Row| {
            let seconds: Vec<f64> = (0..self.contestants.len()).map(|i| row.seconds(i)).collect();
            json!({
                "name": row.name,
                "class": row.class.name,
                "native_seconds": row.native_seconds(),
                "seconds": by_name(&seconds),
                "ratio": by_name(&self.ratios(row)),
                "native_memory_mib": row.look.memory.first(),
                "memory_mib": by_name(row.look.memory.get(1..).unwrap_or_default()),
                "parts": row.look.parts.map(|parts| {
                    let named = ACTIVITIES.iter().zip(parts);
                    named.map(|((name, _), part)| ((*name).to_owned(), Value::from(part)))
                        .collect::<Map<_, _>>()
                }),
            })
        };
        let means: Map<_, _> = means(self.rows, self.contestants.len())
            .iter()
            .map(|(title, means)| ((*title).to_owned(), by_name(means)))
            .collect();
        let duel = |duel: &Duel| {
            let speeds: Map<_, _> = duel
                .speeds
                .iter()
                .map(|(title, speed)| ((*title).to_owned(), Value::from(*speed)))
                .collect();
            json!({
                "rvrun": self.contestants[duel.rvrun].name,
                "qemu": self.contestants[duel.qemu].name,
                "times_as_fast": speeds,
                "worst_kernel": duel.worst.as_ref().map(|(name, _)| name),
                "worst": duel.worst.as_ref().map(|(_, speed)| speed),
            })
        };
        let contestant =
            |c: &Contestant| json!({ "name": c.name, "version": c.version, "options": c.options });
        let value = json!({
            "machine": {
                "processor": self.machine.processor,
                "threads": self.machine.threads,
                "kernel": self.machine.kernel,
            },
            "compiler": self.machine.compiler,
            "rustc": self.machine.rustc,
            "commit": self.machine.commit,
            "runs": self.runs,
            "percent": self.percent,
            "contestants": self.contestants.iter().map(contestant).collect::<Vec<_>>(),
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
            "geometric_means": means,
            "against_qemu": duels(self.rows, self.contestants).iter().map(duel).collect::<Vec<_>>(),
        });
        format!("{value:#}\n")
    }
}

/// The worst kernel, its speed first.
pub fn worst(duel: &Duel) -> String {
    duel.worst.as_ref().map_or_else(String::new, |(name, speed)| format!("{speed:.2} ({name})"))
}

fn numbers(values: &[f64], width: usize) -> String {
    values.iter().map(|value| format!("{value:>width$.2}")).collect::<String>() + "\n"
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::bench::summary::tests::{contestants, rows};

    /// Calls `look` with a report of the rows that tests share.
    pub fn with_report(look: impl FnOnce(&Report)) {
        let unknown = || "unknown".to_owned();
        let machine = Machine {
            processor: unknown(),
            threads: 1,
            kernel: unknown(),
            compiler: unknown(),
            rustc: unknown(),
            commit: unknown(),
        };
        let (contestants, rows) = (contestants(), rows());
        look(&Report { machine, runs: 1, percent: 100, contestants: &contestants, rows: &rows });
    }

    #[test]
    fn tables_and_json_have_all_numbers() {
        with_report(|report| {
            let table = report.table();
            assert!(table.contains("rvrun, times as fast as QEMU: integer 1.00, calls 2.00"));
            assert!(table.ends_with("worst 0.50 (b)"), "{table}");
            let value: Value = serde_json::from_str(&report.json()).unwrap();
            assert_eq!(value["rows"][2]["ratio"]["rvrun"], 32.0);
            assert_eq!(value["against_qemu"][0]["worst_kernel"], "b");
        });
    }
}
