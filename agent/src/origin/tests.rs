//! Records in, marks and events out.
