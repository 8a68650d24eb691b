//! What might be watched on this machine and is not: found by templates and by content, proposed, confirmed by a person.

pub mod recognise;
