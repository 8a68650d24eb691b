#!/bin/busybox sh
# The first process of a machine with systemd: gives it a root that it can take file systems out of, and becomes it.
/bin/busybox mount -t tmpfs -o size=80%,mode=755 root /run
for entry in /*; do
  case $entry in /run | /tmp | /init | /dev | /proc | /sys) ;; *) /bin/busybox cp -a "$entry" /run ;; esac
done
cd /run && /bin/busybox mkdir -p dev proc sys run tmp && /bin/busybox chmod 1777 tmp
exec /bin/busybox switch_root /run /usr/lib/systemd/systemd
