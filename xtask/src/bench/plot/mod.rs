//! Results as pictures, in SVG: a line for each row, class by class.

mod parts;
mod ratios;

pub use parts::svg as parts;
pub use ratios::svg as ratios;

use crate::bench::class::CLASSES;
use crate::bench::measure::Row;
use crate::bench::report::Report;
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

/// What stands in a line of a picture.
struct Line<T> {
    title: String,
    font: FontStyle,
    /// None of a heading.
    shown: Option<T>,
}

impl<T> Line<T> {
    fn heading(title: &str) -> Self {
        Self { title: title.to_owned(), font: FontStyle::Bold, shown: None }
    }

    fn row(row: &Row, shown: T) -> Self {
        Self { title: row.name.clone(), font: FontStyle::Normal, shown: Some(shown) }
    }

    fn mean(shown: T) -> Self {
        let title = "geometric mean".to_owned();
        Self { title, font: FontStyle::Italic, shown: Some(shown) }
    }
}

/// Class by class: a heading, the rows that have something to show, and their mean if there is one
/// for the class's name.
fn lines<T>(
    report: &Report,
    shown: impl Fn(&Row) -> Option<T>,
    mean: impl Fn(&str) -> Option<T>,
) -> Vec<Line<T>> {
    let mut lines = Vec::new();
    for class in &CLASSES {
        let rows = report.rows.iter().filter(|row| row.class == class);
        let rows: Vec<_> = rows.filter_map(|row| Some(Line::row(row, shown(row)?))).collect();
        if rows.is_empty() {
            continue;
        }
        let mean = mean(class.name).filter(|_| rows.len() > 1);
        lines.push(Line::heading(class.name));
        lines.extend(rows);
        lines.extend(mean.map(Line::mean));
    }
    lines
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// What is said above a picture.
struct About<'a> {
    title: &'a str,
    /// Whose which colour is.
    names: Vec<&'a str>,
}

/// A picture; `chart` draws what is beside the titles of its lines, and an axis below.
///
/// # Errors
/// The numbers cannot be drawn.
fn picture<T>(
    about: &About,
    lines: &[Line<T>],
    chart: impl FnOnce(&Area) -> Drawn,
) -> Result<String> {
    let height = HEADER + AXIS + LINE * lines.len() as u32;
    let mut text = String::new();
    let draw = |text| -> Drawn {
        let area = SVGBackend::with_string(text, (WIDTH, height)).into_drawing_area();
        area.fill(&WHITE)?;
        let (header, body) = area.split_vertically(HEADER);
        legend(&header, about)?;
        titles(&body, lines)?;
        chart(&body)?;
        Ok(area.present()?)
    };
    draw(&mut text).map_err(|error| anyhow!("the plot: {error}"))?;
    Ok(text)
}

fn legend(area: &Area, about: &About) -> Drawn {
    let title = (FONT, TITLE_SIZE).into_font();
    area.draw(&Text::new(about.title, (MARGIN as i32, 12), title))?;
    let style = TextStyle::from((FONT, SIZE).into_font()).pos(Pos::new(HPos::Left, VPos::Center));
    let mut x = MARGIN as i32;
    for (i, name) in about.names.iter().enumerate() {
        area.draw(&Circle::new((x + DOT, 46), DOT, colour(i).filled()))?;
        area.draw(&Text::new(*name, (x + 3 * DOT, 46), style.clone()))?;
        x += 3 * DOT + 7 * name.len() as i32 + MARGIN as i32;
    }
    Ok(())
}

/// The lines' titles, left of the chart.
fn titles<T>(area: &Area, lines: &[Line<T>]) -> Drawn {
    for (index, line) in lines.iter().enumerate() {
        let style = TextStyle::from((FONT, SIZE, line.font).into_font());
        let style = style.pos(Pos::new(HPos::Right, VPos::Center));
        let at = (LABELS as i32 - 2 * DOT, index as i32 * LINE as i32 + LINE as i32 / 2);
        area.draw(&Text::new(line.title.as_str(), at, style))?;
    }
    Ok(())
}

fn colour(index: usize) -> RGBColor {
    COLOURS[index % COLOURS.len()]
}

/// The height of a line's middle in a chart where each is as high as 1.
fn middle(index: usize) -> f64 {
    index as f64 + 0.5
}
