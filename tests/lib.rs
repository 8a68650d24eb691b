//! A whole practice in a folder, with real processes, for tests and benches.
//!
//! [`practice`] makes one and starts its collector; [`machine`] enrols agents and runs them; [`program`] keeps
//! hold of what runs, and ends it whatever happens; [`wait`] waits for a fact with a deadline, never for a time.
//! [`crafted`] speaks the agents' protocol by hand, to say what no honest agent says; [`fleet`] is thousands of such agents, honest and lying. [`audit_state`] reads the
//! kernel's audit without the agent's code, to compare before and after. [`login_rig`] is what live tests put on the machine: accounts, an ssh server, auditd. [`disk`] makes a disk whose power can
//! be cut. [`authority`] stamps times. [`forge`] is the hand of whoever runs the collector; [`attack_table`] says how each attack ends. [`wine`] runs the agent for Windows. [`postgres`] is a database server. [`strangers`] counts the programs of others that judged ours. [`skip`] is how a test says that it could not be run here.

pub mod attack_table;
pub mod audit_state;
pub mod authority;
pub mod console;
pub mod crafted;
pub mod detection;
pub mod disk;
mod disk_ffi;
pub mod fleet;
pub mod forge;
pub mod login_rig;
pub mod machine;
pub mod postgres;
pub mod practice;
pub mod program;
pub mod proxy;
pub mod recording;
pub mod skip;
pub mod strangers;
pub mod usage;
pub mod vm;
pub mod wait;
pub mod wine;
