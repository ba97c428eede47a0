//! Geometric means, and rvrun against QEMU.

use crate::bench::class::CLASSES;
use crate::bench::contestant::{Contestant, Maker};
use crate::bench::measure::Row;

/// A geometric mean's title, and a number a contestant.
pub type Mean = (&'static str, Vec<f64>);

const ALL: &str = "all kernels";

/// Of the ratios to the native programs: a mean of each class that has rows, then of all
/// kernels that count.
pub fn means(rows: &[Row], contestants: usize) -> Vec<Mean> {
    let column = |rows: &[&Row], i: usize| geometric_mean(rows.iter().map(|row| row.ratio(i)));
    groups(rows)
        .into_iter()
        .map(|(title, rows)| (title, (0..contestants).map(|i| column(&rows, i)).collect()))
        .collect()
}

/// A contestant of ours against a QEMU: how many times as fast it is.
pub struct Duel {
    /// Our contestant.
    pub rvrun: usize,
    /// The other.
    pub qemu: usize,
    /// Geometric means with the titles of [`means`].
    pub speeds: Vec<(&'static str, f64)>,
    /// The kernel that counts where we are slowest, and how fast we are there.
    pub worst: Option<(String, f64)>,
}

/// Every rvrun against every QEMU.
pub fn duels(rows: &[Row], contestants: &[Contestant]) -> Vec<Duel> {
    let of = |maker| (0..contestants.len()).filter(move |&i| contestants[i].maker == maker);
    let pairs = of(Maker::Rvrun).flat_map(|rvrun| of(Maker::Qemu).map(move |qemu| (rvrun, qemu)));
    pairs.map(|(rvrun, qemu)| duel(rows, rvrun, qemu)).collect()
}

fn duel(rows: &[Row], rvrun: usize, qemu: usize) -> Duel {
    let speed = |row: &Row| row.speed(rvrun, qemu);
    let mean = |rows: &[&Row]| geometric_mean(rows.iter().map(|row| speed(row)));
    let speeds = groups(rows).iter().map(|(title, rows)| (*title, mean(rows))).collect();
    let worst = counted(rows)
        .min_by(|a, b| speed(a).total_cmp(&speed(b)))
        .map(|row| (row.name.clone(), speed(row)));
    Duel { rvrun, qemu, speeds, worst }
}

/// The rows that each mean is of; none is of no rows.
fn groups(rows: &[Row]) -> Vec<(&'static str, Vec<&Row>)> {
    let classes = CLASSES.iter().map(|class| {
        let rows = rows.iter().filter(|row| row.class == class).collect();
        (class.name, rows)
    });
    let all = (ALL, counted(rows).collect());
    classes.chain([all]).filter(|(_, rows): &(_, Vec<_>)| !rows.is_empty()).collect()
}

fn counted(rows: &[Row]) -> impl Iterator<Item = &Row> {
    rows.iter().filter(|row| row.class.counts)
}

fn geometric_mean(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0.0, 0.0), |(n, sum), value| (n + 1.0, sum + value.ln()));
    (sum / f64::max(count, 1.0)).exp()
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::bench::class::Class;
    use crate::bench::look::Look;

    /// Rows with these times of an rvrun and a QEMU, for a second of the native program.
    pub fn rows() -> Vec<Row> {
        let row = |name: &str, class: &str, rvrun: f64, qemu: f64| Row {
            name: name.into(),
            class: Class::of_name(class).unwrap(),
            native: vec![1.0],
            theirs: vec![vec![rvrun], vec![qemu]],
            look: Look { memory: vec![1.5, 20.0, 30.0], parts: Some([0.1, 0.5, 0.25, 0.05, 0.1]) },
        };
        vec![
            row("a", "integer", 2.0, 4.0),
            row("b", "integer", 8.0, 4.0),
            row("c", "calls", 32.0, 64.0),
            row("w", "self-writing code", 5.0, 5.0),
            row("startup", "short programs", 1000.0, 9.0),
        ]
    }

    /// The two contestants of [`rows`].
    pub fn contestants() -> Vec<Contestant> {
        let contestant = |name: &str, maker| Contestant {
            name: name.into(),
            version: format!("{name} 1"),
            path: name.into(),
            options: Vec::new(),
            maker,
            cache: None,
        };
        vec![contestant("rvrun", Maker::Rvrun), contestant("QEMU", Maker::Qemu)]
    }

    fn close(found: f64, expected: f64) -> bool {
        (found - expected).abs() < 1e-9
    }

    #[test]
    fn the_mean_of_all_kernels_leaves_some_classes_out() {
        let means = means(&rows(), 1);
        let expected = [
            ("integer", 4.0),
            ("calls", 32.0),
            ("self-writing code", 5.0),
            ("short programs", 1000.0),
            ("all kernels", 8.0),
        ];
        assert_eq!(means.len(), expected.len());
        for ((title, mean), (wanted_title, wanted)) in means.iter().zip(expected) {
            assert_eq!(*title, wanted_title);
            assert!(close(mean[0], wanted), "{title} {mean:?}");
        }
    }

    #[test]
    fn a_duel_tells_speeds_and_the_worst_kernel() {
        let duels = duels(&rows(), &contestants());
        let [duel] = &duels[..] else { panic!("one pair") };
        assert_eq!((duel.rvrun, duel.qemu), (0, 1));
        let (title, speed) = duel.speeds[0];
        assert!(title == "integer" && close(speed, 1.0), "{speed}");
        let (title, speed) = duel.speeds[4];
        assert!(title == ALL && close(speed, 2f64.powf(1.0 / 3.0)), "{speed}");
        assert_eq!(duel.worst, Some(("b".to_owned(), 0.5)));
    }
}
