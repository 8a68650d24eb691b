//! Which record it is: number and time from the `System` part of the XML that the system renders
//! (Microsoft's event schema, SystemPropertiesType).
//!
//! The system writes that part itself, before anything that a program chose, and escapes what programs chose: the first
//! occurrence is its own.

/// What tells one record of a channel from the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// `EventRecordID`.
    pub record: u64,
    /// `TimeCreated`, as it was written.
    pub at: String,
    /// `EventID`.
    pub id: u32,
}

/// More of a time's text is none.
const TIME_BYTES_MAX: usize = 64;

impl Head {
    /// Of one record; none where it has no number or time.
    pub fn of(xml: &str) -> Option<Self> {
        let record = between(xml, "<EventRecordID>", "</EventRecordID>")?.trim().parse().ok()?;
        let (_, time) = xml.split_once("<TimeCreated")?;
        let (_, time) = time.split_once("SystemTime=")?;
        let quote = time.chars().next().filter(|letter| matches!(letter, '\'' | '"'))?;
        let at = time.get(1..)?.split_once(quote)?.0;
        let (_, id) = xml.split_once("<EventID")?;
        let id = id.split_once('>')?.1.split_once('<')?.0.trim().parse().ok()?;
        (at.len() <= TIME_BYTES_MAX).then(|| Self { record, at: at.to_owned(), id })
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    Some(text.split_once(before)?.1.split_once(after)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_time_and_id_are_those_of_the_system_part() {
        let xml = "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>\
            <EventID Qualifiers='0'>4624</EventID><TimeCreated SystemTime='2026-11-20T21:00:00.1234567Z'/>\
            <EventRecordID>77</EventRecordID></System><EventData><Data Name='x'>&lt;EventRecordID&gt;5</Data></EventData></Event>";
        let head = Head::of(xml).unwrap();
        assert_eq!((head.record, head.id, head.at.as_str()), (77, 4624, "2026-11-20T21:00:00.1234567Z"));
        for text in ["", "<Event>", "<EventRecordID>1</EventRecordID>", &xml.replace("77", "-1")] {
            assert_eq!(Head::of(text), None);
        }
    }
}
