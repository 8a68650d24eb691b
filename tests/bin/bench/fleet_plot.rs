//! The fleet's figures as a picture: four small plots over the number of agents, with the number beside each point.

use std::fmt::Write as _;

use crate::fleet::Figures;

/// A plot's room and the room for its axes, in the picture's units.
const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 150.0;
const MARGIN: f64 = 46.0;

/// One plot: its title, how a value is read, and how it is written.
type Plot = (&'static str, fn(&Figures) -> f64, fn(f64) -> String);

const PLOTS: [Plot; 4] = [
    (
        "Memory of the collector, all at rest (MiB)",
        |at| at.memory / 1_048_576.0,
        |value| format!("{value:.0}"),
    ),
    ("Until all are back after all came at once (s)", |at| at.back, |value| format!("{value:.1}")),
    ("Entries a second, each agent says four and waits", |at| at.sustained, |value| format!("{value:.0}")),
    ("Entries a second, many wait at each agent", |at| at.peak, |value| format!("{value:.0}")),
];

/// The picture as SVG, with its words for who cannot see it.
pub(crate) fn drawn(all: &[Figures]) -> String {
    let (width, height) = (2.0 * (WIDTH + MARGIN) + 20.0, 2.0 * (HEIGHT + 2.0 * MARGIN));
    let mut words = String::new();
    for (title, value, written) in PLOTS {
        let points = all.iter().map(|at| format!("{} at {} agents", written(value(at)), at.agents));
        let _ = write!(words, "{title}: {}. ", points.collect::<Vec<_>>().join(", "));
    }
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         font-family=\"sans-serif\" font-size=\"11\">\n<title>What a fleet costs its collector</title>\n\
         <desc>{}</desc>\n<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n",
        words.trim_end()
    );
    for (number, plot) in (0u8..).zip(PLOTS) {
        let left = f64::from(number % 2) * (WIDTH + MARGIN) + 20.0;
        let top = f64::from(number / 2) * (HEIGHT + 2.0 * MARGIN) + MARGIN;
        one(&mut svg, all, plot, (left, top));
    }
    svg.push_str("</svg>\n");
    svg
}

fn one(svg: &mut String, all: &[Figures], (title, value, written): Plot, (left, top): (f64, f64)) {
    // Sizes of fleets go by tens, so their logarithm is what is spread.
    let place = |agents: usize| f64::from(u32::try_from(agents.max(1)).unwrap_or(u32::MAX)).log10();
    let first = all.first().map_or(0.0, |at| place(at.agents));
    let span = (all.last().map_or(1.0, |at| place(at.agents)) - first).max(0.1);
    let most = all.iter().map(value).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let x = |agents| left + 26.0 + (place(agents) - first) / span * (WIDTH - 52.0);
    let y = |height: f64| top + HEIGHT - height / most * (HEIGHT - 24.0);
    let bottom = top + HEIGHT;
    let _ = writeln!(
        svg,
        "<text x=\"{left:.1}\" y=\"{:.1}\" font-weight=\"bold\" fill=\"#1a1a1a\">{title}</text>",
        top - 12.0
    );
    let right = left + WIDTH;
    let _ = writeln!(
        svg,
        "<path d=\"M{left:.1} {top:.1}V{bottom:.1}H{right:.1}\" fill=\"none\" stroke=\"#767676\"/>"
    );
    let line: Vec<String> = all.iter().map(|at| format!("{:.1},{:.1}", x(at.agents), y(value(at)))).collect();
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#0b5cad\" stroke-width=\"2\"/>",
        line.join(" ")
    );
    for at in all {
        let (x, y) = (x(at.agents), y(value(at)));
        let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"#0b5cad\"/>");
        let _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#1a1a1a\" stroke=\"#ffffff\" \
             stroke-width=\"3\" paint-order=\"stroke\">{}</text>",
            y - 8.0,
            written(value(at))
        );
        let _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#1a1a1a\">{}</text>",
            bottom + 16.0,
            at.agents
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{right:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#4a4a4a\">agents</text>",
        bottom + 30.0
    );
}
