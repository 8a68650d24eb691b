//! The service control manager of Windows: to be its service, and to be installed as one. (The agent has its own, of the same
//! shape: the two never see each other.)
//!
//! What the system does with it is set at installation: started a little after the machine, as LocalSystem, and started again
//! a few seconds after every end that nobody asked for (Microsoft, "Service Control Manager", SERVICE_CONFIG_FAILURE_ACTIONS,
//! SERVICE_CONFIG_DELAYED_AUTO_START_INFO).

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use windows_service::service::{
    Service, ServiceAccess, ServiceAction, ServiceActionType, ServiceControl, ServiceControlAccept,
    ServiceErrorControl, ServiceExitCode, ServiceFailureActions, ServiceFailureResetPeriod, ServiceInfo,
    ServiceStartType, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{ServiceControlHandlerResult, ServiceStatusHandle, register};
use windows_service::service_dispatcher;
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};

use crate::home::Home;
use crate::run::{self, LevelHandle, RunError, Starter};

/// Its name among services.
pub const NAME: &str = "ntk-collector";
const SHOWN_NAME: &str = "Need-to-Know collector";
const DESCRIPTION: &str =
    "Keeps the practice's ledger of who touched protected information, for everyone's protection.";

/// How long the system waits for a start and an end: those of [`crate::run`], with room for a large ledger.
const PENDING_MAX: Duration = Duration::from_secs(60);
/// When the service is started again after an end that nobody asked for: each of the first three, and every later one as the
/// last.
const AGAIN_AFTER: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(30)];
/// Without such an end for so long, counting begins anew.
const COUNTED_FOR: Duration = Duration::from_secs(86_400);
/// A log file of more is put aside at the next start, in place of the one that was put aside before.
const LOG_BYTES_MAX: u64 = 4 << 20;
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Of winerror.h.
const ERROR_SERVICE_DATABASE_LOCKED: i32 = 1055;
const ERROR_SERVICE_DOES_NOT_EXIST: i32 = 1060;

/// The service control manager refused.
#[derive(Debug, thiserror::Error)]
#[error("could not {what}; run this as an administrator")]
pub struct ServiceError {
    what: &'static str,
    source: windows_service::Error,
}

fn refused(what: &'static str) -> impl FnOnce(windows_service::Error) -> ServiceError {
    move |source| ServiceError { what, source }
}

/// What [`serve`] runs when the system calls.
static SERVED: Mutex<Option<(Home, Option<LevelHandle>)>> = Mutex::new(None);
/// How serving ended: 0 in order.
static ENDED: AtomicU8 = AtomicU8::new(0);

/// Where log lines of a service go: it has no stderr.
pub fn log_file(dir: &Path) -> io::Result<File> {
    let path = dir.join("collector.log");
    if path.metadata().is_ok_and(|file| file.len() > LOG_BYTES_MAX) {
        let _ = std::fs::rename(&path, dir.join("collector.log.1"));
    }
    OpenOptions::new().create(true).append(true).open(path)
}

/// Is the service until the system says to stop: for the program that the system started, and no other. The exit code of
/// the program.
pub fn serve(home: Home, level: Option<LevelHandle>) -> Result<u8, ServiceError> {
    *SERVED.lock().unwrap_or_else(PoisonError::into_inner) = Some((home, level));
    service_dispatcher::start(NAME, entry).map_err(refused(
        "serve: this is for the service control manager, and `ntk-collector run` is for people",
    ))?;
    Ok(ENDED.load(Ordering::Acquire))
}

windows_service::define_windows_service!(entry, service_main);

/// What the system calls, on a thread of its own.
fn service_main(_: Vec<OsString>) {
    let Some((home, level)) = SERVED.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    let starter = Starter::default();
    let stop = starter.stop.clone();
    let status = register(NAME, move |control| match control {
        ServiceControl::Stop | ServiceControl::Shutdown => {
            stop.cancel();
            ServiceControlHandlerResult::NoError
        }
        // The system asks so whether the service answers at all.
        ServiceControl::Interrogate => ServiceControlHandlerResult::NoError,
        _ => ServiceControlHandlerResult::NotImplemented,
    });
    let Ok(status) = status else { return };
    tell(&status, ServiceState::StartPending, 0);
    let told = tell_of_progress(status, starter.clone());
    let code = match run::run(home, level, &starter) {
        Ok(()) => 0,
        Err(error) => {
            tracing::error!(error = %crate::error_chain(&error), "the collector ended");
            code_of(error)
        }
    };
    ENDED.store(code, Ordering::Release);
    // Whatever ended it: who waits for one of the two must come back.
    starter.is_ready.cancel();
    starter.stop.cancel();
    let _ = told.map(std::thread::JoinHandle::join);
    tell(&status, ServiceState::Stopped, code);
}

fn code_of(error: RunError) -> u8 {
    crate::cli::exit_code(&error.into())
}

/// Tells the system that the collector answers, and that it stops, as both come.
fn tell_of_progress(status: ServiceStatusHandle, starter: Starter) -> Option<std::thread::JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().ok()?;
    let watch = move || {
        runtime.block_on(starter.is_ready.cancelled());
        if !starter.stop.is_cancelled() {
            tell(&status, ServiceState::Running, 0);
        }
        runtime.block_on(starter.stop.cancelled());
        tell(&status, ServiceState::StopPending, 0);
    };
    std::thread::Builder::new().name("service".to_owned()).spawn(watch).ok()
}

fn tell(status: &ServiceStatusHandle, state: ServiceState, code: u8) {
    let accepts = match state {
        ServiceState::Running => ServiceControlAccept::STOP | ServiceControlAccept::SHUTDOWN,
        _ => ServiceControlAccept::empty(),
    };
    let is_pending = matches!(state, ServiceState::StartPending | ServiceState::StopPending);
    // A manager that does not listen is no reason to stop.
    let _ = status.set_service_status(ServiceStatus {
        service_type: ServiceType::OWN_PROCESS,
        current_state: state,
        controls_accepted: accepts,
        exit_code: if code == 0 {
            ServiceExitCode::NO_ERROR
        } else {
            ServiceExitCode::ServiceSpecific(code.into())
        },
        checkpoint: u32::from(is_pending),
        wait_hint: if is_pending { PENDING_MAX } else { Duration::ZERO },
        process_id: None,
    });
}

/// Makes the collector a service that runs this program with this folder, or changes the one that is there, and starts it.
/// Sentences about what this system does not do for it.
pub fn install(program: &Path, dir: &Path) -> Result<Vec<String>, ServiceError> {
    let access = ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE;
    let make = || refused("make the service");
    let manager = ServiceManager::local_computer(None::<&OsStr>, access).map_err(make())?;
    let info = ServiceInfo {
        name: NAME.into(),
        display_name: SHOWN_NAME.into(),
        service_type: ServiceType::OWN_PROCESS,
        start_type: ServiceStartType::AutoStart,
        error_control: ServiceErrorControl::Normal,
        executable_path: program.to_owned(),
        launch_arguments: vec!["--dir".into(), dir.into(), "serve".into()],
        dependencies: Vec::new(),
        account_name: None,
        account_password: None,
    };
    let access = ServiceAccess::CHANGE_CONFIG | ServiceAccess::START | ServiceAccess::QUERY_STATUS;
    let service = match manager.open_service(NAME, access) {
        Ok(service) => {
            service.change_config(&info).map_err(make())?;
            service
        }
        Err(_) => manager.create_service(&info, access).map_err(make())?,
    };
    service.set_description(DESCRIPTION).map_err(make())?;
    let again = |delay| ServiceAction { action_type: ServiceActionType::Restart, delay };
    let actions = ServiceFailureActions {
        reset_period: ServiceFailureResetPeriod::After(COUNTED_FOR),
        reboot_msg: None,
        command: None,
        actions: Some(AGAIN_AFTER.into_iter().map(again).collect()),
    };
    service.update_failure_actions(actions).map_err(make())?;
    // Every Windows since Vista knows these two, Wine may not. An end with an error of its own counts, too, not only a crash.
    let missing = [
        ("starts the service again after a crash only, not after an end with an error", {
            service.set_failure_actions_on_non_crash_failures(true).err()
        }),
        ("starts the service with the machine, not a little after it", {
            service.set_delayed_auto_start(true).err()
        }),
    ];
    if service.query_status().map_err(make())?.current_state == ServiceState::Stopped {
        start(&service).map_err(refused("start the service"))?;
    }
    let sentence = |(what, error): (&str, Option<windows_service::Error>)| {
        error.map(|error| format!("this system {what} ({})", crate::error_chain(&error)))
    };
    Ok(missing.into_iter().filter_map(sentence).collect())
}

/// Starts it; a manager that is busy starting others (as after a boot) is asked again.
fn start(service: &Service) -> Result<(), windows_service::Error> {
    let mut waited = Duration::ZERO;
    loop {
        match service.start::<&OsStr>(&[]) {
            Err(windows_service::Error::Winapi(error))
                if error.raw_os_error() == Some(ERROR_SERVICE_DATABASE_LOCKED) && waited < PENDING_MAX =>
            {
                std::thread::park_timeout(LOOK_EVERY);
                waited = waited.saturating_add(LOOK_EVERY);
            }
            other => return other,
        }
    }
}

/// Stops the service and takes it off this machine. Whether it had ended in time.
pub fn uninstall() -> Result<bool, ServiceError> {
    let remove = || refused("remove the service");
    let manager =
        ServiceManager::local_computer(None::<&OsStr>, ServiceManagerAccess::CONNECT).map_err(remove())?;
    let access = ServiceAccess::STOP | ServiceAccess::QUERY_STATUS | ServiceAccess::DELETE;
    let service = manager.open_service(NAME, access).map_err(remove())?;
    let has_ended = end(&service).map_err(remove())?;
    service.delete().map_err(remove())?;
    Ok(has_ended)
}

/// Stops the service where there is one: Windows lets nobody replace a program that runs. Whether it ended in time.
pub fn stop() -> Result<bool, ServiceError> {
    let stop = || refused("stop the service");
    let manager =
        ServiceManager::local_computer(None::<&OsStr>, ServiceManagerAccess::CONNECT).map_err(stop())?;
    match manager.open_service(NAME, ServiceAccess::STOP | ServiceAccess::QUERY_STATUS) {
        Ok(service) => end(&service).map_err(stop()),
        Err(windows_service::Error::Winapi(error))
            if error.raw_os_error() == Some(ERROR_SERVICE_DOES_NOT_EXIST) =>
        {
            Ok(true)
        }
        Err(error) => Err(stop()(error)),
    }
}

fn end(service: &Service) -> Result<bool, windows_service::Error> {
    let mut waited = Duration::ZERO;
    let mut is_asked = false;
    while waited < PENDING_MAX.saturating_mul(2) {
        match service.query_status()?.current_state {
            ServiceState::Stopped => return Ok(true),
            // One that still starts takes no wishes.
            ServiceState::Running if !is_asked => {
                service.stop()?;
                is_asked = true;
            }
            _ => {}
        }
        std::thread::park_timeout(LOOK_EVERY);
        waited = waited.saturating_add(LOOK_EVERY);
    }
    Ok(false)
}
