//! The detection benchmark: a made-up practice with labelled cases, and rules judged by what they find.
//!
//! [`generate`] makes a [`scenario`] from a seed: [`cast`] and [`roster_text`] say who works there, [`turnover`]
//! who comes and goes, [`life`] plays ordinary days on the [`stage`], [`incidents`] and [`innocent`] the cases;
//! [`tape`] brings all into the order of a ledger. [`cert`] makes one of public files of others.
//!
//! [`walk`] gives its entries with the rules of their place. A [`detector`] reads it; [`naive`] holds the rules that people write first; [`score`] says what was found and
//! [`report`] prints it.

pub mod calendar;
pub mod cast;
pub mod cert;
pub mod chance;
pub mod detector;
pub mod generate;
pub mod incidents;
pub mod innocent;
pub mod life;
pub mod naive;
pub mod people;
pub mod product;
pub mod report;
pub mod roster_text;
pub mod scenario;
pub mod score;
pub mod stage;
pub mod tape;
pub mod touch;
pub mod turnover;
pub mod walk;
