//! Results as a picture: a dot for each contestant and row, on a logarithmic axis.

use crate::bench::class::CLASSES;
use crate::bench::report::Report;
use crate::bench::summary::means;
use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

const WIDTH: u32 = 960;
const LINE: u32 = 21;
const HEADER: u32 = 64;
const LABELS: u32 = 150;
const AXIS: u32 = 46;
const MARGIN: u32 = 24;
const DOT: i32 = 4;
/// The part of a line over which contestants are spread, so that none hides another.
const SPREAD: f64 = 0.5;
const FONT: &str = "sans-serif";
/// plotters writes a size in pixels that is this divided by 1.24.
const SIZE: u32 = 15;
const TITLE_SIZE: u32 = 21;
const GREY: RGBColor = RGBColor(150, 150, 150);
/// Told apart by colour-blind readers too (Okabe and Ito).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(213, 94, 0),
    RGBColor(86, 180, 233),
    RGBColor(204, 121, 167),
    RGBColor(60, 60, 60),
];

/// What stands in a line of the picture.
enum Line {
    Heading(&'static str),
    /// A title and a ratio a contestant; whether it is a mean.
    Ratios(String, Vec<f64>, bool),
}

/// The picture, as SVG.
///
/// # Errors
/// The numbers cannot be drawn.
pub fn svg(report: &Report) -> Result<String> {
    let lines = lines(report);
    let height = HEADER + AXIS + LINE * lines.len() as u32;
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
        draw(&area, report, &lines).map_err(|error| anyhow!("the plot: {error}"))?;
        area.present().map_err(|error| anyhow!("the plot: {error}"))?;
    }
    Ok(text)
}

/// Class by class: a heading, the rows, and their mean; at last the mean of all.
fn lines(report: &Report) -> Vec<Line> {
    let means = means(report.rows, report.contestants.len());
    let mean = |title: &str| means.iter().find(|(t, _)| *t == title).map(|(_, m)| m.clone());
    let mut lines = Vec::new();
    for class in &CLASSES {
        let rows: Vec<_> = report.rows.iter().filter(|row| row.class == class).collect();
        if rows.is_empty() {
            continue;
        }
        lines.push(Line::Heading(class.name));
        for row in &rows {
            lines.push(Line::Ratios(row.name.clone(), report.ratios(row), false));
        }
        if let Some(mean) = mean(class.name).filter(|_| rows.len() > 1) {
            lines.push(Line::Ratios("geometric mean".into(), mean, true));
        }
    }
    if let Some((title, mean)) = means.last() {
        lines.push(Line::Heading(title));
        lines.push(Line::Ratios("geometric mean".into(), mean.clone(), true));
    }
    lines
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

fn draw(area: &Area, report: &Report, lines: &[Line]) -> Drawn {
    area.fill(&WHITE)?;
    let (header, body) = area.split_vertically(HEADER);
    legend(&header, report)?;
    let (from, to) = range(lines);
    let mut chart = ChartBuilder::on(&body)
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
    let native = PathElement::new([(1.0, 0.0), (1.0, lines.len() as f64)], BLACK.stroke_width(2));
    chart.plotting_area().draw(&native)?;
    for (index, line) in lines.iter().enumerate() {
        let y = index as f64 + 0.5;
        let label = |text: &str, style: FontStyle| {
            let style = TextStyle::from((FONT, SIZE, style).into_font());
            let style = style.pos(Pos::new(HPos::Right, VPos::Center));
            EmptyElement::at((from, y)) + Text::new(text.to_owned(), (-8, 0), style)
        };
        match line {
            Line::Heading(title) => {
                chart.plotting_area().draw(&label(title, FontStyle::Bold))?;
            }
            Line::Ratios(title, ratios, is_mean) => {
                let style = if *is_mean { FontStyle::Italic } else { FontStyle::Normal };
                chart.plotting_area().draw(&label(title, style))?;
                let guide = PathElement::new([(from, y), (to, y)], GREY.mix(0.3));
                chart.plotting_area().draw(&guide)?;
                for (i, ratio) in
                    ratios.iter().enumerate().filter(|(_, ratio)| is_drawable(**ratio))
                {
                    let at = (*ratio, y + shift(i, ratios.len()));
                    if *is_mean {
                        let diamond = [(0, -6), (6, 0), (0, 6), (-6, 0)];
                        let diamond = Polygon::new(diamond, colour(i).filled());
                        chart.plotting_area().draw(&(EmptyElement::at(at) + diamond))?;
                    } else {
                        chart.plotting_area().draw(&Circle::new(at, DOT, colour(i).filled()))?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// The title, and whose which colour is.
fn legend(area: &Area, report: &Report) -> Drawn {
    let title = "CPU time of RISC-V programs over that of native ones";
    area.draw(&Text::new(title, (MARGIN as i32, 12), (FONT, TITLE_SIZE).into_font()))?;
    let style = TextStyle::from((FONT, SIZE).into_font()).pos(Pos::new(HPos::Left, VPos::Center));
    let mut x = MARGIN as i32;
    for (i, contestant) in report.contestants.iter().enumerate() {
        area.draw(&Circle::new((x + DOT, 46), DOT, colour(i).filled()))?;
        area.draw(&Text::new(contestant.name.clone(), (x + 3 * DOT, 46), style.clone()))?;
        x += 3 * DOT + 7 * contestant.name.len() as i32 + MARGIN as i32;
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

fn colour(contestant: usize) -> RGBColor {
    COLOURS[contestant % COLOURS.len()]
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
fn range(lines: &[Line]) -> (f64, f64) {
    let ratios = lines.iter().flat_map(|line| match line {
        Line::Heading(_) => &[],
        Line::Ratios(_, ratios, _) => ratios.as_slice(),
    });
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
