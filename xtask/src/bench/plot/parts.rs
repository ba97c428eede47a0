//! What the time goes into: a bar for each row, as long as its ratio.

use super::{
    AXIS, About, Area, Drawn, FONT, GREY, LABELS, Line, MARGIN, SIZE, colour, lines, middle,
    picture,
};
use crate::bench::look::ACTIVITIES;
use crate::bench::report::Report;
use anyhow::Result;
use plotters::prelude::*;

/// The part of a line that a bar takes.
const THICKNESS: f64 = 0.6;

/// A row's time in each of [`ACTIVITIES`], over that of the native program.
type Parts = [f64; ACTIVITIES.len()];

/// The picture, as SVG; none if no contestant tells what it does.
///
/// # Errors
/// The numbers cannot be drawn.
pub fn svg(report: &Report) -> Result<Option<String>> {
    let Some(counting) = report.counting() else { return Ok(None) };
    let parts = |row: &_| report.parts(row);
    let lines = lines(report, parts, |_| None);
    let title = format!("What the CPU time of {} goes into", report.contestants[counting].name);
    let about = About { title: &title, names: ACTIVITIES.map(|(name, _)| name).to_vec() };
    picture(&about, &lines, |area| draw(area, &lines)).map(Some)
}

fn draw(area: &Area, lines: &[Line<Parts>]) -> Drawn {
    let sums = lines.iter().filter_map(|line| Some(line.shown?.iter().sum()));
    let to = sums.fold(1.0, f64::max) * 1.05;
    let mut chart = ChartBuilder::on(area)
        .set_label_area_size(LabelAreaPosition::Left, LABELS)
        .set_label_area_size(LabelAreaPosition::Bottom, AXIS)
        .margin_right(MARGIN)
        .build_cartesian_2d(0.0..to, lines.len() as f64..0.0)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .x_desc("CPU time / native's (less is better)")
        .label_style((FONT, SIZE))
        .bold_line_style(GREY.mix(0.5))
        .max_light_lines(0)
        .draw()?;
    let plot = chart.plotting_area();
    for (index, line) in lines.iter().enumerate() {
        let Some(parts) = line.shown else { continue };
        let [top, bottom] = [-0.5, 0.5].map(|side| middle(index) + side * THICKNESS);
        let mut from = 0.0;
        for (i, part) in parts.into_iter().enumerate().filter(|(_, part)| *part > 0.0) {
            let ends = [(from, top), (from + part, bottom)];
            plot.draw(&Rectangle::new(ends, colour(i).filled()))?;
            from += part;
        }
    }
    let native = [(1.0, 0.0), (1.0, lines.len() as f64)];
    plot.draw(&PathElement::new(native, BLACK.stroke_width(2)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::report::tests::with_report;

    #[test]
    fn bars_have_a_part_for_each_thing_that_takes_time() {
        with_report(|report| {
            let picture = svg(report).unwrap().unwrap();
            for text in ["interpreting", "system calls", "What the CPU time of rvrun goes into"] {
                assert!(picture.contains(text), "{text}");
            }
            let parts = report.rows.iter().filter_map(|row| report.parts(row));
            let bars = parts.flatten().filter(|part| *part > 0.0).count();
            assert!(bars > ACTIVITIES.len());
            // The background is one as well.
            assert_eq!(picture.matches("<rect").count(), bars + 1);
        });
    }
}
