//! Signs of life to the service manager that started the agent: a stopped process is ended by it, and the kernel's records
//! no longer wait for one that does not read. systemd gets them on Linux, the service control manager on Windows.

#[cfg(unix)]
mod systemd;
#[cfg(windows)]
pub mod windows;

#[cfg(unix)]
pub use systemd::Service;
#[cfg(windows)]
pub use windows::Service;

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Sensors run; what depends on the agent may start.
    Ready,
    /// Still here.
    Alive,
    /// Ending in order.
    Stopping,
}
