//! Results as a page of Markdown: `BENCHMARKS.md`.

use crate::bench::look::ACTIVITIES;
use crate::bench::report::{Report, worst};
use crate::bench::summary::{duels, means};

/// Where what the page refers to lies, as seen from it.
pub struct Places<'a> {
    /// The plot of ratios.
    pub ratios: &'a str,
    /// The plot of what makes them up.
    pub parts: &'a str,
    pub numbers: &'a str,
}

/// The page.
pub fn page(report: &Report, places: &Places) -> String {
    let mut text = introduction(report, places);
    text += &circumstances(report);
    text += &against_qemu(report);
    text += &ratios(report);
    text += &parts(report, places);
    text += &memory(report);
    text
}

fn introduction(report: &Report, places: &Places) -> String {
    let Places { ratios, numbers, .. } = places;
    format!(
        "# Benchmarks\n\n\
         Written by `cargo xtask bench --write`. A number is CPU time (user and system, of the \
         whole\ntree of processes) divided by that of the same C source compiled for the host: \
         less is better,\n1 is as fast as native. It is the median of the ratios of {} runs, in \
         which all take turns.\n\n\
         The kernels are in `benches/kernels`. Self-writing code compiles functions while it \
         runs; it does\nnot count for the mean of all kernels, nor do programs. Real programs are Debian 13's, of \
         the same version for both\narchitectures: interpreters with scripts of \
         `benches/programs`, compressors with 12 MiB of text,\nand a C compiler. Of the short \
         ones, `startup` is a static program that says hello, `python-start`\nis `python3 -S -c \
         pass`, and `bash` a loop of 3,000 rounds.\n\n\
         ![CPU time of each kernel over native's]({ratios})\n\n\
         The same for programs: [{numbers}]({numbers}).\n\n",
        report.runs
    )
}

fn circumstances(report: &Report) -> String {
    let machine = &report.machine;
    let mut text = format!("- Machine: {}, {} threads", machine.processor, machine.threads);
    text += &format!(", Linux {}\n- Native: {}, `-O2`\n", machine.kernel, machine.compiler);
    for contestant in report.contestants {
        text += &format!("- {}: {}", contestant.name, contestant.version);
        if !contestant.options.is_empty() {
            text += &format!(", `{}`", contestant.options.join(" "));
        }
        text.push('\n');
    }
    text += &format!("- rvrun built by {} from commit {}\n", machine.rustc, machine.commit);
    if report.percent != 100 {
        text += &format!("- {} % of the kernels' rounds\n", report.percent);
    }
    text
}

/// How many times as fast as each QEMU rvrun is.
fn against_qemu(report: &Report) -> String {
    let duels = duels(report.rows, report.contestants);
    let Some(first) = duels.first() else { return String::new() };
    let mut text = String::from(
        "\n## Against QEMU\n\nHow many times as fast rvrun is: geometric means, and the kernel \
         that is worst for it. More is better.\n\n| rvrun | QEMU |",
    );
    text += &first.speeds.iter().map(|(title, _)| format!(" {title} |")).collect::<String>();
    text += " worst kernel |\n|---|---|";
    text += &"--:|".repeat(first.speeds.len() + 1);
    text.push('\n');
    for duel in &duels {
        let [rvrun, qemu] = [duel.rvrun, duel.qemu].map(|i| &report.contestants[i].name);
        text += &format!("| {rvrun} | {qemu} |");
        text += &duel.speeds.iter().map(|(_, speed)| format!(" {speed:.2} |")).collect::<String>();
        text += &format!(" {} |\n", worst(duel));
    }
    text
}

fn ratios(report: &Report) -> String {
    let mut text = String::from("\n## CPU time over native's\n\n| kernel | class | native, s |");
    text += &report.contestants.iter().map(|c| format!(" {} |", c.name)).collect::<String>();
    text += "\n|---|---|--:|";
    text += &"--:|".repeat(report.contestants.len());
    text.push('\n');
    for row in report.rows {
        text += &format!("| {} | {} | {:.3} |", row.name, row.class.name, row.native_seconds());
        text += &cells(&report.ratios(row), "");
    }
    for (title, means) in means(report.rows, report.contestants.len()) {
        text += &format!("| **geometric mean** | **{title}** | |");
        text += &cells(&means, "**");
    }
    text
}

/// How the difference from the native program is made up.
fn parts(report: &Report, places: &Places) -> String {
    let Some(counting) = report.counting() else { return String::new() };
    let mut text = format!(
        "\n## Where the time goes\n\n![What the CPU time of each program goes into]({})\n\n\
         Of {}, without translations of before, in hundredths: of a run \
         with `--stats`, which takes somewhat longer. Interpreting includes code from templates; \
         compiling is done by another thread, but for the regions that the guest finds and \
         takes in itself.\n\n| program |",
        places.parts, report.contestants[counting].name
    );
    text += &ACTIVITIES.map(|(name, _)| format!(" {name} |")).concat();
    text += "\n|---|";
    text += &"--:|".repeat(ACTIVITIES.len());
    text.push('\n');
    for row in report.rows {
        let Some(parts) = row.look.parts else { continue };
        text += &format!("| {} |", row.name);
        text += &parts.map(|part| format!(" {:.0} |", part * 100.0)).concat();
        text.push('\n');
    }
    text
}

fn memory(report: &Report) -> String {
    let mut text = String::from(
        "\n## Peak memory\n\nWhat the largest process of each has had of the host's memory, in MiB: five at least, which who measures\nhas.\n\n\
         | program | native |",
    );
    text += &report.contestants.iter().map(|c| format!(" {} |", c.name)).collect::<String>();
    text += "\n|---|--:|";
    text += &"--:|".repeat(report.contestants.len());
    text.push('\n');
    for row in report.rows {
        text += &format!("| {} |", row.name);
        text += &row.look.memory.iter().map(|mib| format!(" {mib:.0} |")).collect::<String>();
        text.push('\n');
    }
    text
}

fn cells(values: &[f64], mark: &str) -> String {
    values.iter().map(|value| format!(" {mark}{value:.2}{mark} |")).collect::<String>() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::report::tests::with_report;

    #[test]
    fn the_page_has_rows_means_and_duels() {
        with_report(|report| {
            let places = Places { ratios: "a.svg", parts: "b.svg", numbers: "a.json" };
            let page = page(report, &places);
            for place in [places.ratios, places.parts, places.numbers] {
                assert!(page.contains(&format!("]({place})")), "{place}");
            }
            assert!(page.contains("| startup | short programs | 1.000 | 1000.00 | 9.00 |"));
            assert!(
                page.contains("| rvrun | QEMU | 1.00 | 2.00 | 1.00 | 0.01 | 1.26 | 0.50 (b) |")
            );
            assert!(page.contains("| **geometric mean** | **all kernels** | | **8.00** |"));
            assert!(page.contains("| b | 10 | 50 | 25 | 5 | 10 |"));
            assert!(page.contains("| b | 2 | 20 | 30 |"));
        });
    }
}
