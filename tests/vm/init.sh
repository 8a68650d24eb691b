#!/bin/busybox sh
# The first process of a machine of our own: makes what every machine has, runs /script, sends /out back, switches off.
/bin/busybox --install -s /bin
export PATH=/usr/sbin:/usr/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmpfs /run
mkdir -p /tmp /etc
chmod 1777 /tmp
hostname ws-01
ip link set lo up

# until_so SECONDS COMMAND...: asks until it is so; says what did not come.
until_so() {
  local by=$(($(cut -d. -f1 /proc/uptime) + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    if [ "$(cut -d. -f1 /proc/uptime)" -ge "$by" ]; then
      echo "did not come: $*"
      return 1
    fi
    usleep 100000
  done
}

# step WORDS...: how long the machine has been running, for whoever wonders where the time goes.
step() { echo "[$(cut -d' ' -f1 /proc/uptime)] $*"; }

(
  set -e
  . /script
)
echo $? >/out/status
# Why it failed belongs on the console, where an error shows it.
[ "$(cat /out/status)" = 0 ] || tail -n 12 /out/*.log
stty -F /dev/ttyS1 raw -echo
(cd /out && find . -type f | cpio -o -H newc 2>/dev/null) >/dev/ttyS1
poweroff -f
