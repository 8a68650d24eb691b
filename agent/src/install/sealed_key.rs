//! Sets `sealed` in the text of agent.toml and leaves everything else as people wrote it.

use std::path::Path;

use crate::config;

/// The text with the key set; none where that cannot be done without guessing.
pub(super) fn set(text: &str, sealed: bool, path: &Path) -> Option<String> {
    let before = config::parse(text, path).ok()?;
    if before.sensor.sealed == sealed {
        return Some(text.to_owned());
    }
    let line = format!("sealed = {sealed}");
    let mut lines: Vec<&str> = text.lines().collect();
    let is_header = |line: &&str| line.trim_start().starts_with('[');
    let begins =
        lines.iter().position(|line| line.split('#').next().is_some_and(|line| line.trim() == "[sensor]"));
    match begins.map(|begins| begins.saturating_add(1)) {
        Some(from) => {
            let section = lines.iter().skip(from).take_while(|line| !is_header(line));
            let is_key = |line: &&str| {
                let line = line.trim_start_matches(['#', ' ', '\t']);
                line.strip_prefix("sealed").is_some_and(|rest| rest.trim_start().starts_with('='))
            };
            // One that counts, else one that is only a comment, else a new one.
            let keys: Vec<usize> = section
                .enumerate()
                .filter(|(_, line)| is_key(line))
                .map(|(at, _)| from.saturating_add(at))
                .collect();
            let counts =
                |at: &&usize| lines.get(**at).is_some_and(|line| !line.trim_start().starts_with('#'));
            match keys.iter().find(counts).or(keys.first()).copied().and_then(|at| lines.get_mut(at)) {
                Some(place) => *place = &line,
                None => lines.insert(from, &line),
            }
        }
        None => lines.extend(["", "[sensor]", &line]),
    }
    let after = format!("{}\n", lines.join("\n"));
    let parsed = config::parse(&after, path).ok()?;
    let mut wanted = before;
    wanted.sensor.sealed = sealed;
    (parsed == wanted).then_some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: &str, sealed: bool, after: &str) {
        assert_eq!(set(before, sealed, Path::new("agent.toml")).as_deref(), Some(after));
    }

    #[test]
    fn the_key_is_set_where_it_stands_and_nothing_else_changes() {
        check("", true, "\n[sensor]\nsealed = true\n");
        check("# a\n[sensor] # b\naudit = true\n", true, "# a\n[sensor] # b\nsealed = true\naudit = true\n");
        check("[sensor]\n# sealed = false\nlogs = true\n", true, "[sensor]\nsealed = true\nlogs = true\n");
        check("[sensor]\n# sealed = x\nsealed = false\n", true, "[sensor]\n# sealed = x\nsealed = true\n");
        check("[sensor]\nsealed = true\n[spool]\n", false, "[sensor]\nsealed = false\n[spool]\n");
        check("[sensor]\n\tsealed=true", true, "[sensor]\n\tsealed=true");
        let template = set(config::TEMPLATE, true, Path::new("agent.toml")).unwrap();
        assert_eq!(template.replace("sealed = true", "# sealed = false"), config::TEMPLATE);
    }

    #[test]
    fn what_cannot_be_done_without_guessing_is_not_done() {
        assert_eq!(set("sensor = { audit = true }\n", true, Path::new("agent.toml")), None);
        assert_eq!(set("colour = 1\n", true, Path::new("agent.toml")), None);
    }
}
