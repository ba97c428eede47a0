//! Results as a table on the terminal, as JSON, and as a page of Markdown.

use crate::bench::contestant::Contestant;
use crate::bench::kernels::CLASSES;
use crate::bench::machine::Machine;
use crate::bench::measure::{Cell, Row};
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
    let mut line = format!("native {:.3} s", row.native);
    for (cell, contestant) in row.cells.iter().zip(contestants) {
        line += &format!(", {} {:.2}", contestant.name, cell.ratio);
    }
    line
}

/// A line of ratios: its title, and a number a contestant.
type Line = (String, Vec<f64>);

impl Report<'_> {
    /// The geometric means: of each class that has rows, then of all kernels.
    fn means(&self) -> Vec<Line> {
        let mean = |title: &str, counts: &dyn Fn(&str) -> bool| {
            let rows = self.rows.iter().filter(|r| r.class.as_deref().is_some_and(counts));
            let rows: Vec<&Row> = rows.collect();
            let column = |i: usize| geometric_mean(rows.iter().map(|row| row.cells[i].ratio));
            let means = (0..self.contestants.len()).map(column).collect();
            (!rows.is_empty()).then(|| (title.to_owned(), means))
        };
        let classes = CLASSES.iter().filter_map(|class| mean(class, &|c| c == *class));
        classes.chain(mean("all kernels", &|_| true)).collect()
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
            text += &format!("{:<20}{:>12.3}", row.name, row.native);
            text += &numbers(row.cells.iter().map(|cell| cell.ratio), width);
        }
        for (title, means) in self.means() {
            text += &format!("{:<32}", format!("mean of {title}"));
            text += &numbers(means.into_iter(), width);
        }
        text
    }

    /// For programs.
    pub fn json(&self) -> String {
        let by_name = |numbers: &mut dyn Iterator<Item = f64>| -> Value {
            let names = self.contestants.iter().map(|c| c.name.clone());
            Value::Object(names.zip(numbers.map(Value::from)).collect::<Map<_, _>>())
        };
        let row = |row: &Row| {
            let column = |f: fn(&Cell) -> f64| by_name(&mut row.cells.iter().map(f));
            json!({
                "name": row.name,
                "class": row.class,
                "native_seconds": row.native,
                "seconds": column(|cell| cell.seconds),
                "ratio": column(|cell| cell.ratio),
            })
        };
        let means = self.means();
        let mean = |(title, means): &Line| (title.clone(), by_name(&mut means.iter().copied()));
        let version = |c: &Contestant| json!({ "name": c.name, "version": c.version });
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
            "contestants": self.contestants.iter().map(version).collect::<Vec<_>>(),
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
            "geometric_means": means.iter().map(mean).collect::<Map<_, _>>(),
        });
        format!("{value:#}\n")
    }

    /// For `BENCHMARKS.md`.
    pub fn page(&self) -> String {
        let machine = &self.machine;
        let mut text = String::from(
            "# Benchmarks\n\n\
             Written by `cargo xtask bench --write`. A number is CPU time (user and system, of \
             the whole\nprocess) divided by that of the same C source compiled for the host: \
             less is better, 1 is as fast\nas native. It is the median of the ratios of ",
        );
        text += &format!(
            "{} runs, in which all take turns. The kernels\nare in `benches/kernels`; `startup` \
             is a static program that says hello, again and again.\n\n",
            self.runs
        );
        text += &format!("- Machine: {}, {} threads", machine.processor, machine.threads);
        text += &format!(", Linux {}\n- Native: {}, `-O2`\n", machine.kernel, machine.compiler);
        for contestant in self.contestants {
            text += &format!("- {}: {}\n", contestant.name, contestant.version);
        }
        text += &format!("- rvrun built by {} from commit {}\n", machine.rustc, machine.commit);
        if self.percent != 100 {
            text += &format!("- {} % of the kernels' rounds\n", self.percent);
        }
        text += "\n| kernel | class | native, s |";
        for contestant in self.contestants {
            text += &format!(" {} |", contestant.name);
        }
        text += "\n|---|---|--:|";
        text += &"--:|".repeat(self.contestants.len());
        text.push('\n');
        for row in self.rows {
            let class = row.class.as_deref().unwrap_or("");
            text += &format!("| {} | {class} | {:.3} |", row.name, row.native);
            text += &cells(row.cells.iter().map(|cell| cell.ratio), "");
        }
        for (title, means) in self.means() {
            text += &format!("| **geometric mean** | **{title}** | |");
            text += &cells(means.into_iter(), "**");
        }
        text
    }
}

fn numbers(values: impl Iterator<Item = f64>, width: usize) -> String {
    values.map(|value| format!("{value:>width$.2}")).collect::<String>() + "\n"
}

fn cells(values: impl Iterator<Item = f64>, mark: &str) -> String {
    values.map(|value| format!(" {mark}{value:.2}{mark} |")).collect::<String>() + "\n"
}

fn geometric_mean(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0.0, 0.0), |(n, sum), value| (n + 1.0, sum + value.ln()));
    (sum / f64::max(count, 1.0)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, class: Option<&str>, ratio: f64) -> Row {
        let cells = vec![Cell { seconds: ratio, ratio }];
        Row { name: name.into(), class: class.map(str::to_owned), native: 1.0, cells }
    }

    #[test]
    fn means_are_of_classes_and_leave_startup_out() {
        let contestants =
            [Contestant { name: "rvrun".into(), version: "rvrun 1".into(), path: "rvrun".into() }];
        let rows = [
            row("a", Some("integer"), 2.0),
            row("b", Some("integer"), 8.0),
            row("c", Some("calls"), 32.0),
            row("startup", None, 1000.0),
        ];
        let unknown = || "unknown".to_owned();
        let machine = Machine {
            processor: unknown(),
            threads: 1,
            kernel: unknown(),
            compiler: unknown(),
            rustc: unknown(),
            commit: unknown(),
        };
        let report =
            Report { machine, runs: 1, percent: 100, contestants: &contestants, rows: &rows };
        let means = report.means();
        let titles: Vec<&str> = means.iter().map(|(title, _)| title.as_str()).collect();
        assert_eq!(titles, ["integer", "calls", "all kernels"]);
        for ((_, mean), expected) in means.iter().zip([4.0, 32.0, 8.0]) {
            assert!((mean[0] - expected).abs() < 1e-9, "{mean:?}");
        }
        assert!(report.page().contains("| startup |  | 1.000 | 1000.00 |"));
        let value: Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(value["rows"][2]["ratio"]["rvrun"], 32.0);
    }
}
