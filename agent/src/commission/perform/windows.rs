//! Who runs a test on Windows, and how the service is restarted there.

use super::{Me, PerformError};
use crate::error_chain;
use crate::service::windows as service;
use crate::windows::accounts_ffi;

/// Where each step's process is.
pub(super) const TOP: &str = r"C:\";

/// Who runs the test: the account and session of this process.
pub(super) fn me() -> Result<Me, PerformError> {
    let me = accounts_ffi::me().map_err(PerformError::Nobody)?;
    let session = Some(me.logon).filter(|logon| !ntk_windows::sid::SYSTEM_LOGONS.contains(logon));
    Ok(Me { login_uid: None, sid: Some(me.sid), session })
}

/// The service, where this process is it.
pub(super) fn unit_of(pid: u32) -> Option<String> {
    (service::process() == Some(pid)).then(|| service::NAME.to_owned())
}

/// Stops the service and starts it again.
pub(super) fn restart(_: &str) -> Result<(), String> {
    if !service::stop().map_err(|error| error_chain(&error))? {
        return Err("the service did not end in time".to_owned());
    }
    service::start_again().map_err(|error| error_chain(&error))
}
