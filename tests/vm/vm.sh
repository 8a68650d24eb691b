# What the scripts of machines of our own share; read by busybox's shell or dash.

# until_so SECONDS COMMAND...: asks until it is so; says what did not come.
until_so() {
  local by=$(($(cut -d. -f1 /proc/uptime) + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    if [ "$(cut -d. -f1 /proc/uptime)" -ge "$by" ]; then
      echo "did not come: $*"
      return 1
    fi
    busybox usleep 100000
  done
}

# step WORDS...: how long the machine has been running, for whoever wonders where the time goes.
step() { echo "[$(cut -d' ' -f1 /proc/uptime)] $*"; }

# The kernel's audit in two lines, state and a sum of its rules: the serial line is slow.
audit_state() {
  ntk-audit-state >/run/audit-state
  busybox head -n 1 /run/audit-state
  busybox tail -n +2 /run/audit-state | busybox sha256sum
}

# finish STATUS: sends /out back and switches off.
finish() {
  echo "$1" >/out/status
  # Why it failed belongs on the console, where an error shows it.
  [ "$1" = 0 ] || tail -n 12 /out/*.log
  [ "$1" = 0 ] || [ ! -d /run/log/journal ] || journalctl --no-pager -n 25
  busybox stty -F /dev/ttyS1 raw -echo
  (cd /out && busybox find . -type f | busybox cpio -o -H newc 2>/dev/null) >/dev/ttyS1
  busybox poweroff -f
}
