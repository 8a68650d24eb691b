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

. /vm.sh
(
  set -e
  . /script
)
finish $?
