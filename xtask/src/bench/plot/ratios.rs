//! Ratios: a dot for each contestant and row, on a logarithmic axis.

use super::{
    AXIS, About, Area, DOT, Drawn, FONT, GREY, LABELS, Line, MARGIN, SIZE, colour, lines, middle,
    picture,
};
use crate::bench::report::Report;
use crate::bench::summary::means;
use anyhow::Result;
use plotters::prelude::*;

/// The part of a line over which contestants are spread, so that none hides another.
const SPREAD: f64 = 0.5;

/// What a line shows.
struct Ratios {
    /// One a contestant.
    ratios: Vec<f64>,
    is_mean: bool,
}

/// The picture, as SVG.
///
/// # Errors
/// The numbers cannot be drawn.
pub fn svg(report: &Report) -> Result<String> {
    let lines = all_lines(report);
    let names = report.contestants.iter().map(|contestant| contestant.name.as_str()).collect();
    let about = About { title: "CPU time of RISC-V programs over that of native ones", names };
    picture(&about, &lines, |area| draw(area, &lines))
}

/// The rows and means of classes, and at last the mean of all.
fn all_lines(report: &Report) -> Vec<Line<Ratios>> {
    let means = means(report.rows, report.contestants.len());
    let as_mean = |ratios: &Vec<f64>| Ratios { ratios: ratios.clone(), is_mean: true };
    let mean = |title: &str| means.iter().find(|(t, _)| *t == title).map(|(_, m)| as_mean(m));
    let row = |row: &_| Some(Ratios { ratios: report.ratios(row), is_mean: false });
    let mut lines = lines(report, row, mean);
    if let Some((title, mean)) = means.last() {
        lines.push(Line::heading(title));
        lines.push(Line::mean(as_mean(mean)));
    }
    lines
}

fn draw(area: &Area, lines: &[Line<Ratios>]) -> Drawn {
    let (from, to) = range(lines);
    let mut chart = ChartBuilder::on(area)
        .set_label_area_size(LabelAreaPosition::Left, LABELS)
        .set_label_area_size(LabelAreaPosition::Bottom, AXIS)
        .margin_right(MARGIN)
        .build_cartesian_2d((from..to).log_scale(), lines.len() as f64..0.0)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .x_labels(20)
        .x_label_formatter(&|ratio| tick(*ratio))
        .x_desc("CPU time / native's (logarithmic; less is better)")
        .label_style((FONT, SIZE))
        .bold_line_style(GREY.mix(0.5))
        .max_light_lines(0)
        .draw()?;
    let plot = chart.plotting_area();
    let native = [(1.0, 0.0), (1.0, lines.len() as f64)];
    plot.draw(&PathElement::new(native, BLACK.stroke_width(2)))?;
    for (index, line) in lines.iter().enumerate() {
        let Some(Ratios { ratios, is_mean }) = &line.shown else { continue };
        let y = middle(index);
        plot.draw(&PathElement::new([(from, y), (to, y)], GREY.mix(0.3)))?;
        for (i, ratio) in ratios.iter().enumerate().filter(|(_, ratio)| is_drawable(**ratio)) {
            let at = (*ratio, y + shift(i, ratios.len()));
            if *is_mean {
                let diamond = [(0, -6), (6, 0), (0, 6), (-6, 0)];
                let diamond = Polygon::new(diamond, colour(i).filled());
                plot.draw(&(EmptyElement::at(at) + diamond))?;
            } else {
                plot.draw(&Circle::new(at, DOT, colour(i).filled()))?;
            }
        }
    }
    Ok(())
}

/// An axis's label: of 1, 2 and 5 times a power of ten only, or they would touch.
fn tick(ratio: f64) -> String {
    let power = 10f64.powf((ratio.log10() + 1e-9).floor());
    let digit = ratio / power;
    let is_labelled = [1.0, 2.0, 5.0].iter().any(|wanted| (digit - wanted).abs() < 1e-6);
    if is_labelled { format!("{}", digit.round() * power) } else { String::new() }
}

/// How much below the middle of its line a contestant's mark is.
fn shift(contestant: usize, contestants: usize) -> f64 {
    let from_first = contestant as f64 / (contestants.max(2) - 1) as f64;
    (from_first - 0.5) * SPREAD
}

fn is_drawable(ratio: f64) -> bool {
    ratio.is_finite() && ratio > 0.0
}

/// What the axis shows: all ratios and 1, and some room at both ends.
fn range(lines: &[Line<Ratios>]) -> (f64, f64) {
    let ratios = lines.iter().filter_map(|line| line.shown.as_ref()).flat_map(|line| &line.ratios);
    let (low, high) = ratios
        .filter(|ratio| is_drawable(**ratio))
        .fold((1f64, 1f64), |(low, high), ratio| (low.min(*ratio), high.max(*ratio)));
    (low / 1.3, high * 1.3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::report::tests::with_report;

    #[test]
    fn ticks_are_round_numbers() {
        let ticks = [0.5, 1.0, 3.0, 9.999_999_999, 20.0, 70.0].map(tick);
        assert_eq!(ticks, ["0.5", "1", "", "10", "20", ""]);
    }

    #[test]
    fn the_picture_names_everything_and_has_a_mark_a_number() {
        with_report(|report| {
            let picture = svg(report).unwrap();
            assert!(picture.starts_with("<svg") && picture.ends_with("</svg>\n"));
            for text in ["rvrun", "QEMU", "startup", "self-writing code", "all kernels"] {
                assert!(picture.contains(text), "{text}");
            }
            // Five rows of two contestants, and the legend's two.
            assert_eq!(picture.matches("<circle").count(), 12);
            // Of integer and of all kernels; the other classes have one row.
            assert_eq!(picture.matches("<polygon").count(), 4);
        });
    }
}
