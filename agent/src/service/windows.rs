//! The service control manager of Windows: to be its service, and to be installed as one.
//!
//! What the system does with it is set at installation: started with the machine, as LocalSystem, and started again a few
//! seconds after every end that nobody asked for (Microsoft, "Service Control Manager", SERVICE_CONFIG_FAILURE_ACTIONS).

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use windows_service::service::{
    ServiceAccess, ServiceAction, ServiceActionType, ServiceControl, ServiceControlAccept,
    ServiceErrorControl, ServiceExitCode, ServiceFailureActions, ServiceFailureResetPeriod, ServiceInfo,
    ServiceStartType, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{ServiceControlHandlerResult, ServiceStatusHandle, register};
use windows_service::service_dispatcher;
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};

use super::Sign;
use crate::run::{self, Part};

/// Its name among services.
pub const NAME: &str = "ntk-agent";
const SHOWN_NAME: &str = "Need-to-Know agent";
const DESCRIPTION: &str = "Records privileged logins and access to the practice's mailboxes and exports, for everyone's protection.";

/// How long the system waits for a start and an end: those of [`crate::run`], with room.
const PENDING_MAX: Duration = Duration::from_secs(30);
/// When the service is started again after an end that nobody asked for: each of the first three, and every later one as the
/// last.
const AGAIN_AFTER: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(30)];
/// Without such an end for so long, counting begins anew.
const COUNTED_FOR: Duration = Duration::from_secs(86_400);
/// A log file of more is put aside at the next start, in place of the one that was put aside before.
const LOG_BYTES_MAX: u64 = 4 << 20;

/// What the system asks a program that it started as a service: [`serve`] answers.
static SERVED: OnceLock<PathBuf> = OnceLock::new();
/// How serving ended: 0 in order.
static ENDED: AtomicU8 = AtomicU8::new(0);

/// The way to the service control manager, if it started the agent.
#[derive(Clone, Default)]
pub struct Service {
    shared: Option<Arc<Shared>>,
}

struct Shared {
    status: ServiceStatusHandle,
    stop: Arc<OnStop>,
}

type OnStop = Mutex<Option<Box<dyn Fn() + Send + Sync>>>;

impl Service {
    /// None: a program that a person starts is no service.
    pub fn from_environment() -> Self {
        Self::default()
    }

    /// Tells it. A manager that does not listen is no reason to stop.
    pub fn tell(&self, sign: Sign) {
        match sign {
            Sign::Ready => self.state(ServiceState::Running, 0),
            // The system watches whether the process lives, not whether it moves.
            Sign::Alive => {}
            Sign::Stopping => self.state(ServiceState::StopPending, 0),
        }
    }

    /// Has its wish to stop told, that of a shutdown, too.
    pub fn on_stop(&self, stop: impl Fn() + Send + Sync + 'static) {
        if let Some(shared) = &self.shared {
            *shared.stop.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(stop));
        }
    }

    /// Where log lines go: a service has no stderr.
    pub fn log_file(&self, dir: &Path) -> Option<File> {
        self.shared.as_ref()?;
        let path = dir.join("agent.log");
        if path.metadata().is_ok_and(|file| file.len() > LOG_BYTES_MAX) {
            let _ = std::fs::rename(&path, dir.join("agent.log.1"));
        }
        OpenOptions::new().create(true).append(true).open(path).ok()
    }

    fn state(&self, state: ServiceState, code: u8) {
        let Some(shared) = &self.shared else { return };
        let accepts = match state {
            ServiceState::Running => ServiceControlAccept::STOP | ServiceControlAccept::SHUTDOWN,
            _ => ServiceControlAccept::empty(),
        };
        let is_pending = matches!(state, ServiceState::StartPending | ServiceState::StopPending);
        let _ = shared.status.set_service_status(ServiceStatus {
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
}

/// Is the service until the system says to stop: for the program that the system started, and no other. The exit code of
/// the program.
pub fn serve(dir: &Path) -> Result<u8, windows_service::Error> {
    let _ = SERVED.set(dir.to_owned());
    service_dispatcher::start(NAME, entry)?;
    Ok(ENDED.load(Ordering::Acquire))
}

windows_service::define_windows_service!(entry, service_main);

/// What the system calls, on a thread of its own.
fn service_main(_: Vec<OsString>) {
    let Some(dir) = SERVED.get() else { return };
    let stop = Arc::<OnStop>::default();
    let theirs = Arc::clone(&stop);
    let status = register(NAME, move |control| match control {
        ServiceControl::Stop | ServiceControl::Shutdown => {
            if let Some(stop) = &*theirs.lock().unwrap_or_else(PoisonError::into_inner) {
                stop();
            }
            ServiceControlHandlerResult::NoError
        }
        // The system asks so whether the service answers at all.
        ServiceControl::Interrogate => ServiceControlHandlerResult::NoError,
        _ => ServiceControlHandlerResult::NotImplemented,
    });
    let Ok(status) = status else { return };
    let service = Service { shared: Some(Arc::new(Shared { status, stop })) };
    service.state(ServiceState::StartPending, 0);
    let code = match run::run(dir, Part::Agent, &service) {
        Ok(()) => 0,
        Err(error) => {
            tracing::error!(error = %crate::error_chain(&error), "the agent could not start");
            crate::cli::run_code(&error)
        }
    };
    ENDED.store(code, Ordering::Release);
    service.state(ServiceState::Stopped, code);
}

/// Makes the agent a service that runs this program with this folder, or changes the one that is there, and starts it. A
/// sentence about what this system does not do for it.
pub fn install(program: &Path, dir: &Path) -> Result<Option<String>, windows_service::Error> {
    let access = ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE;
    let manager = ServiceManager::local_computer(None::<&OsStr>, access)?;
    let info = ServiceInfo {
        name: NAME.into(),
        display_name: SHOWN_NAME.into(),
        service_type: ServiceType::OWN_PROCESS,
        start_type: ServiceStartType::AutoStart,
        error_control: ServiceErrorControl::Normal,
        executable_path: program.to_owned(),
        launch_arguments: vec!["serve".into(), "--dir".into(), dir.into()],
        dependencies: Vec::new(),
        account_name: None,
        account_password: None,
    };
    let access = ServiceAccess::CHANGE_CONFIG | ServiceAccess::START | ServiceAccess::QUERY_STATUS;
    let service = match manager.open_service(NAME, access) {
        Ok(service) => {
            service.change_config(&info)?;
            service
        }
        Err(_) => manager.create_service(&info, access)?,
    };
    service.set_description(DESCRIPTION)?;
    let again = |delay| ServiceAction { action_type: ServiceActionType::Restart, delay };
    service.update_failure_actions(ServiceFailureActions {
        reset_period: ServiceFailureResetPeriod::After(COUNTED_FOR),
        reboot_msg: None,
        command: None,
        actions: Some(AGAIN_AFTER.into_iter().map(again).collect()),
    })?;
    // An end with an error of its own counts, too, not only a crash. Every Windows since Vista knows this, Wine does not.
    let unknown = service.set_failure_actions_on_non_crash_failures(true).err();
    if service.query_status()?.current_state == ServiceState::Stopped {
        start(&service)?;
    }
    Ok(unknown.map(|error| {
        format!(
            "this system starts the service again after a crash only, not after an end with an error ({})",
            crate::error_chain(&error)
        )
    }))
}

/// The process of the service, where it runs.
pub fn process() -> Option<u32> {
    let manager = ServiceManager::local_computer(None::<&OsStr>, ServiceManagerAccess::CONNECT).ok()?;
    manager.open_service(NAME, ServiceAccess::QUERY_STATUS).ok()?.query_status().ok()?.process_id
}

/// Starts the service that [`stop`] stopped.
pub fn start_again() -> Result<(), windows_service::Error> {
    let manager = ServiceManager::local_computer(None::<&OsStr>, ServiceManagerAccess::CONNECT)?;
    start(&manager.open_service(NAME, ServiceAccess::START | ServiceAccess::QUERY_STATUS)?)
}

/// Starts it; a manager that is busy starting others (as after a boot) is asked again.
fn start(service: &windows_service::service::Service) -> Result<(), windows_service::Error> {
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

/// Of winerror.h.
const ERROR_SERVICE_DATABASE_LOCKED: i32 = 1055;

/// Stops the service and takes it off this machine. Whether it had ended in time.
pub fn uninstall() -> Result<bool, windows_service::Error> {
    let manager = ServiceManager::local_computer(None::<&OsStr>, ServiceManagerAccess::CONNECT)?;
    let access = ServiceAccess::STOP | ServiceAccess::QUERY_STATUS | ServiceAccess::DELETE;
    let service = manager.open_service(NAME, access)?;
    let has_ended = end(&service)?;
    service.delete()?;
    Ok(has_ended)
}

/// Stops the service where there is one: Windows lets nobody replace a program that runs. Whether it ended in time.
pub fn stop() -> Result<bool, windows_service::Error> {
    let manager = ServiceManager::local_computer(None::<&OsStr>, ServiceManagerAccess::CONNECT)?;
    match manager.open_service(NAME, ServiceAccess::STOP | ServiceAccess::QUERY_STATUS) {
        Ok(service) => end(&service),
        Err(windows_service::Error::Winapi(error))
            if error.raw_os_error() == Some(ERROR_SERVICE_DOES_NOT_EXIST) =>
        {
            Ok(true)
        }
        Err(error) => Err(error),
    }
}

/// Of winerror.h.
const ERROR_SERVICE_DOES_NOT_EXIST: i32 = 1060;

fn end(service: &windows_service::service::Service) -> Result<bool, windows_service::Error> {
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

const LOOK_EVERY: Duration = Duration::from_millis(200);
