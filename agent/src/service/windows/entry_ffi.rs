//! The function that the system calls in a service's process, as crate windows-service writes it.
#![expect(unsafe_code, reason = "the crate's macro turns the system's array of arguments into texts")]

use windows_service::service_dispatcher;

use super::{NAME, service_main};

windows_service::define_windows_service!(entry, service_main);

/// Gives this thread to the system, which calls [`service_main`] on another one, until the service has ended.
pub(super) fn dispatch() -> windows_service::Result<()> {
    service_dispatcher::start(NAME, entry)
}
