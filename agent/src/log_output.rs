//! The agent's own log: fields on stderr, for people or as JSON lines. Ids only, never paths or names (PR-1).

use std::fs::File;
use std::sync::Arc;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people and journald.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
    /// For journald: each line begins with `<N>`, the priority that syslog has for the level (sd-daemon(3)), and has no
    /// time, which the journal has itself.
    Journald,
}

impl LogFormat {
    /// The words of the configuration.
    pub const WORDS: &'static [&'static str] = &["human", "json", "journald"];

    /// Reads a word of the configuration.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "human" => Some(Self::Human),
            "json" => Some(Self::Json),
            "journald" => Some(Self::Journald),
            _ => None,
        }
    }
}

/// The form of a line for journald.
struct Journal(Format<Full, ()>);

impl Default for Journal {
    fn default() -> Self {
        Self(Format::default().without_time().with_ansi(false).with_level(false))
    }
}

impl<S, N> FormatEvent<S, N> for Journal
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(writer, "<{priority}>")?;
        self.0.format_event(context, writer, event)
    }
}

/// Starts logging to stderr, or to this file; `NTK_LOG` chooses the level (default `info`), or one for each part: `info,h2=debug`. Does
/// nothing when called again.
pub fn start(format: LogFormat, file: Option<File>) {
    let chosen = std::env::var("NTK_LOG").ok().filter(|text| !text.is_empty());
    let chosen = chosen.and_then(|text| text.parse::<Targets>().ok());
    let levels = chosen.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let is_terminal = file.is_none() && std::io::IsTerminal::is_terminal(&std::io::stderr());
    let out = match file {
        Some(file) => BoxMakeWriter::new(Arc::new(file)),
        None => BoxMakeWriter::new(std::io::stderr),
    };
    let builder = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_writer(out);
    let _ = match format {
        LogFormat::Human => builder.with_ansi(is_terminal).finish().with(levels).try_init(),
        LogFormat::Journald => builder.event_format(Journal::default()).finish().with(levels).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().with(levels).try_init(),
    };
}
