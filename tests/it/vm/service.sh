step "systemd"
systemctl --no-pager list-units --failed || true
systemctl is-system-running || true
systemd-analyze blame --no-pager | head -20 || true
