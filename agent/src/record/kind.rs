//! Record types: the numbers of linux/audit.h and libaudit, and their names in text.

/// A message of any program; nothing in it is verified.
pub const USER: u16 = 1005;
/// A process got a login uid.
pub const LOGIN: u16 = 1006;
/// A program checked who someone is.
pub const USER_AUTH: u16 = 1100;
/// A program checked whether an account may be used.
pub const USER_ACCT: u16 = 1101;
/// An account was changed.
pub const USER_MGMT: u16 = 1102;
/// Credentials were set up.
pub const CRED_ACQ: u16 = 1103;
/// A PAM session was opened.
pub const USER_START: u16 = 1105;
/// A PAM session was closed.
pub const USER_END: u16 = 1106;
/// A password or an account attribute was changed.
pub const USER_CHAUTHTOK: u16 = 1108;
/// Login was refused before an account was known.
pub const USER_ERR: u16 = 1109;
/// Credentials were renewed.
pub const CRED_REFR: u16 = 1110;
/// A login program says that a login succeeded or failed.
pub const USER_LOGIN: u16 = 1112;
/// An account was added.
pub const ADD_USER: u16 = 1114;
/// An account was removed.
pub const DEL_USER: u16 = 1115;
/// A group was added.
pub const ADD_GROUP: u16 = 1116;
/// A group was removed.
pub const DEL_GROUP: u16 = 1117;
/// The group of a process was changed by a program.
pub const CHGRP_ID: u16 = 1119;
/// sudo was asked to run a command.
pub const USER_CMD: u16 = 1123;
/// The user of a process was changed by a program.
pub const CHUSER_ID: u16 = 1125;
/// A group was changed.
pub const GRP_MGMT: u16 = 1132;
/// A group's password was changed.
pub const GRP_CHAUTHTOK: u16 = 1133;
/// An account was locked.
pub const ACCT_LOCK: u16 = 1135;
/// An account was unlocked.
pub const ACCT_UNLOCK: u16 = 1136;
/// auditd ended.
pub const DAEMON_END: u16 = 1201;
/// auditd broke off.
pub const DAEMON_ABORT: u16 = 1202;
/// auditd read its configuration again.
pub const DAEMON_CONFIG: u16 = 1203;
/// A system call.
pub const SYSCALL: u16 = 1300;
/// A path that a system call named.
pub const PATH: u16 = 1302;
/// The audit configuration or a rule changed.
pub const CONFIG_CHANGE: u16 = 1305;
/// Working directory of a system call.
pub const CWD: u16 = 1307;
/// Words of a command line that was started.
pub const EXECVE: u16 = 1309;
/// Target of a signal.
pub const OBJ_PID: u16 = 1318;
/// End of an event.
pub const EOE: u16 = 1320;
/// Command line of a process.
pub const PROCTITLE: u16 = 1327;
/// An audit feature was switched.
pub const FEATURE_CHANGE: u16 = 1328;
/// A kernel module was loaded or removed.
pub const KERN_MODULE: u16 = 1330;
/// The clock was moved by an offset.
pub const TIME_INJOFFSET: u16 = 1332;
/// Somebody listens to the records, or no longer.
pub const EVENT_LISTENER: u16 = 1335;
/// An operation of io_uring.
pub const URINGOP: u16 = 1336;
/// Flags of an openat2 call.
pub const OPENAT2: u16 = 1337;
/// A user's role changed.
pub const USER_ROLE_CHANGE: u16 = 2300;
/// A role was assigned.
pub const ROLE_ASSIGN: u16 = 2301;
/// A role was removed.
pub const ROLE_REMOVE: u16 = 2302;

/// The type that a line names: a name, a number, or `UNKNOWN[number]`.
pub fn from_word(word: &[u8]) -> Option<u16> {
    let word = std::str::from_utf8(word).ok()?;
    let number = word.strip_prefix("UNKNOWN[").and_then(|rest| rest.strip_suffix(']')).unwrap_or(word);
    if number.starts_with(|first: char| first.is_ascii_digit()) {
        return number.parse().ok().filter(|number| *number >= 1000);
    }
    NAMES.iter().find(|(name, _)| *name == word).map(|(_, number)| *number)
}

/// Whether a record of this type is an event by itself: user-space messages and auditd's own.
pub fn stands_alone(kind: u16) -> bool {
    matches!(kind, USER | 1100..=1299 | 2000..=2999)
}

#[rustfmt::skip]
const NAMES: &[(&str, u16)] = &[
    ("GET", 1000), ("SET", 1001), ("LIST", 1002), ("ADD", 1003), ("DEL", 1004), ("USER", 1005),
    ("LOGIN", 1006), ("WATCH_INS", 1007), ("WATCH_REM", 1008), ("WATCH_LIST", 1009), ("SIGNAL_INFO", 1010),
    ("ADD_RULE", 1011), ("DEL_RULE", 1012), ("LIST_RULES", 1013), ("TRIM", 1014), ("MAKE_EQUIV", 1015),
    ("TTY_GET", 1016), ("TTY_SET", 1017), ("SET_FEATURE", 1018), ("GET_FEATURE", 1019), ("USER_AUTH", 1100),
    ("USER_ACCT", 1101), ("USER_MGMT", 1102), ("CRED_ACQ", 1103), ("CRED_DISP", 1104), ("USER_START", 1105),
    ("USER_END", 1106), ("USER_AVC", 1107), ("USER_CHAUTHTOK", 1108), ("USER_ERR", 1109),
    ("CRED_REFR", 1110), ("USYS_CONFIG", 1111), ("USER_LOGIN", 1112), ("USER_LOGOUT", 1113),
    ("ADD_USER", 1114), ("DEL_USER", 1115), ("ADD_GROUP", 1116), ("DEL_GROUP", 1117), ("DAC_CHECK", 1118),
    ("CHGRP_ID", 1119), ("TEST", 1120), ("TRUSTED_APP", 1121), ("USER_SELINUX_ERR", 1122),
    ("USER_CMD", 1123), ("USER_TTY", 1124), ("CHUSER_ID", 1125), ("GRP_AUTH", 1126), ("SYSTEM_BOOT", 1127),
    ("SYSTEM_SHUTDOWN", 1128), ("SYSTEM_RUNLEVEL", 1129), ("SERVICE_START", 1130), ("SERVICE_STOP", 1131),
    ("GRP_MGMT", 1132), ("GRP_CHAUTHTOK", 1133), ("MAC_CHECK", 1134), ("ACCT_LOCK", 1135),
    ("ACCT_UNLOCK", 1136), ("USER_DEVICE", 1137), ("SOFTWARE_UPDATE", 1138), ("DAEMON_START", 1200),
    ("DAEMON_END", 1201), ("DAEMON_ABORT", 1202), ("DAEMON_CONFIG", 1203), ("DAEMON_RECONFIG", 1204),
    ("DAEMON_ROTATE", 1205), ("DAEMON_RESUME", 1206), ("DAEMON_ACCEPT", 1207), ("DAEMON_CLOSE", 1208),
    ("DAEMON_ERR", 1209), ("SYSCALL", 1300), ("PATH", 1302), ("IPC", 1303), ("SOCKETCALL", 1304),
    ("CONFIG_CHANGE", 1305), ("SOCKADDR", 1306), ("CWD", 1307), ("EXECVE", 1309), ("IPC_SET_PERM", 1311),
    ("MQ_OPEN", 1312), ("MQ_SENDRECV", 1313), ("MQ_NOTIFY", 1314), ("MQ_GETSETATTR", 1315),
    ("KERNEL_OTHER", 1316), ("FD_PAIR", 1317), ("OBJ_PID", 1318), ("TTY", 1319), ("EOE", 1320),
    ("BPRM_FCAPS", 1321), ("CAPSET", 1322), ("MMAP", 1323), ("NETFILTER_PKT", 1324),
    ("NETFILTER_CFG", 1325), ("SECCOMP", 1326), ("PROCTITLE", 1327), ("FEATURE_CHANGE", 1328),
    ("REPLACE", 1329), ("KERN_MODULE", 1330), ("FANOTIFY", 1331), ("TIME_INJOFFSET", 1332),
    ("TIME_ADJNTPVAL", 1333), ("BPF", 1334), ("EVENT_LISTENER", 1335), ("URINGOP", 1336), ("OPENAT2", 1337),
    ("DM_CTRL", 1338), ("DM_EVENT", 1339), ("AVC", 1400), ("SELINUX_ERR", 1401), ("AVC_PATH", 1402),
    ("MAC_POLICY_LOAD", 1403), ("MAC_STATUS", 1404), ("MAC_CONFIG_CHANGE", 1405), ("MAC_UNLBL_ALLOW", 1406),
    ("MAC_CIPSOV4_ADD", 1407), ("MAC_CIPSOV4_DEL", 1408), ("MAC_MAP_ADD", 1409), ("MAC_MAP_DEL", 1410),
    ("MAC_IPSEC_ADDSA", 1411), ("MAC_IPSEC_DELSA", 1412), ("MAC_IPSEC_ADDSPD", 1413),
    ("MAC_IPSEC_DELSPD", 1414), ("MAC_IPSEC_EVENT", 1415), ("MAC_UNLBL_STCADD", 1416),
    ("MAC_UNLBL_STCDEL", 1417), ("MAC_CALIPSO_ADD", 1418), ("MAC_CALIPSO_DEL", 1419), ("IPE_ACCESS", 1420),
    ("IPE_CONFIG_CHANGE", 1421), ("IPE_POLICY_LOAD", 1422), ("LANDLOCK_ACCESS", 1423),
    ("LANDLOCK_DOMAIN", 1424), ("MAC_TASK_CONTEXTS", 1425), ("MAC_OBJ_CONTEXTS", 1426), ("AA", 1500),
    ("APPARMOR_AUDIT", 1501), ("APPARMOR_ALLOWED", 1502), ("APPARMOR_DENIED", 1503),
    ("APPARMOR_HINT", 1504), ("APPARMOR_STATUS", 1505), ("APPARMOR_ERROR", 1506), ("APPARMOR_KILL", 1507),
    ("ANOM_PROMISCUOUS", 1700), ("ANOM_ABEND", 1701), ("ANOM_LINK", 1702), ("ANOM_CREAT", 1703),
    ("INTEGRITY_DATA", 1800), ("INTEGRITY_METADATA", 1801), ("INTEGRITY_STATUS", 1802),
    ("INTEGRITY_HASH", 1803), ("INTEGRITY_PCR", 1804), ("INTEGRITY_RULE", 1805),
    ("INTEGRITY_EVM_XATTR", 1806), ("INTEGRITY_POLICY_RULE", 1807), ("INTEGRITY_USERSPACE", 1808),
    ("KERNEL", 2000), ("ANOM_LOGIN_FAILURES", 2100), ("ANOM_LOGIN_TIME", 2101),
    ("ANOM_LOGIN_SESSIONS", 2102), ("ANOM_LOGIN_ACCT", 2103), ("ANOM_LOGIN_LOCATION", 2104),
    ("ANOM_MAX_DAC", 2105), ("ANOM_MAX_MAC", 2106), ("ANOM_AMTU_FAIL", 2107), ("ANOM_RBAC_FAIL", 2108),
    ("ANOM_RBAC_INTEGRITY_FAIL", 2109), ("ANOM_CRYPTO_FAIL", 2110), ("ANOM_ACCESS_FS", 2111),
    ("ANOM_EXEC", 2112), ("ANOM_MK_EXEC", 2113), ("ANOM_ADD_ACCT", 2114), ("ANOM_DEL_ACCT", 2115),
    ("ANOM_MOD_ACCT", 2116), ("ANOM_ROOT_TRANS", 2117), ("ANOM_LOGIN_SERVICE", 2118),
    ("ANOM_LOGIN_ROOT", 2119), ("ANOM_ORIGIN_FAILURES", 2120), ("ANOM_SESSION", 2121),
    ("RESP_ANOMALY", 2200), ("RESP_ALERT", 2201), ("RESP_KILL_PROC", 2202), ("RESP_TERM_ACCESS", 2203),
    ("RESP_ACCT_REMOTE", 2204), ("RESP_ACCT_LOCK_TIMED", 2205), ("RESP_ACCT_UNLOCK_TIMED", 2206),
    ("RESP_ACCT_LOCK", 2207), ("RESP_TERM_LOCK", 2208), ("RESP_SEBOOL", 2209), ("RESP_EXEC", 2210),
    ("RESP_SINGLE", 2211), ("RESP_HALT", 2212), ("RESP_ORIGIN_BLOCK", 2213),
    ("RESP_ORIGIN_BLOCK_TIMED", 2214), ("RESP_ORIGIN_UNBLOCK_TIMED", 2215), ("USER_ROLE_CHANGE", 2300),
    ("ROLE_ASSIGN", 2301), ("ROLE_REMOVE", 2302), ("LABEL_OVERRIDE", 2303), ("LABEL_LEVEL_CHANGE", 2304),
    ("USER_LABELED_EXPORT", 2305), ("USER_UNLABELED_EXPORT", 2306), ("DEV_ALLOC", 2307),
    ("DEV_DEALLOC", 2308), ("FS_RELABEL", 2309), ("USER_MAC_POLICY_LOAD", 2310), ("ROLE_MODIFY", 2311),
    ("USER_MAC_CONFIG_CHANGE", 2312), ("USER_MAC_STATUS", 2313), ("CRYPTO_TEST_USER", 2400),
    ("CRYPTO_PARAM_CHANGE_USER", 2401), ("CRYPTO_LOGIN", 2402), ("CRYPTO_LOGOUT", 2403),
    ("CRYPTO_KEY_USER", 2404), ("CRYPTO_FAILURE_USER", 2405), ("CRYPTO_REPLAY_USER", 2406),
    ("CRYPTO_SESSION", 2407), ("CRYPTO_IKE_SA", 2408), ("CRYPTO_IPSEC_SA", 2409), ("VIRT_CONTROL", 2500),
    ("VIRT_RESOURCE", 2501), ("VIRT_MACHINE_ID", 2502), ("VIRT_INTEGRITY_CHECK", 2503),
    ("VIRT_CREATE", 2504), ("VIRT_DESTROY", 2505), ("VIRT_MIGRATE_IN", 2506), ("VIRT_MIGRATE_OUT", 2507),
];
