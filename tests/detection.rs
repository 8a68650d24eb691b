//! The detection benchmark: a made-up practice with labelled cases, and rules judged by what they find.
//!
//! [`generate`] makes a [`scenario`] from a seed: [`cast`] and [`roster_text`] say who works there, [`turnover`]
//! who comes and goes, [`life`] plays ordinary days on the [`stage`], [`incidents`] and [`innocent`] the cases;
//! [`tape`] brings all into the order of a ledger.

pub mod calendar;
pub mod cast;
pub mod chance;
pub mod generate;
pub mod incidents;
pub mod innocent;
pub mod life;
pub mod roster_text;
pub mod scenario;
pub mod stage;
pub mod tape;
pub mod turnover;
