# The shipped units, started as their comments say, and what people do on a machine that systemd runs.
export SYSTEMD_COLORS=0 SYSTEMD_PAGER=
step "systemd"
mkdir -p /srv/mail /home/itadmin1/.ssh /run/sshd /root/.ssh /run/watchdog /var/spool/cron/atjobs /var/spool/cron/atspool
chown daemon:daemon /var/spool/cron/atjobs /var/spool/cron/atspool
for n in 1 2 3 4 5 6; do echo text >"/srv/mail/letter-$n"; done
systemctl --no-legend list-units --failed >/out/failed-units

step "collector"
practice=/var/lib/ntk-collector
mkdir -p "$practice" && chown ntk-collector "$practice" && chmod 700 "$practice"
as_collector() { setpriv --reuid ntk-collector --regid ntk-collector --clear-groups "$@"; }
as_collector ntk-collector init --dir "$practice" --name "Maple Street Family Practice" --timezone America/New_York \
  --keys-to "$practice/keys.txt" --listen 127.0.0.1:7400 \
  --administers "host=Northwind IT,hypervisor=Northwind IT,network=Northwind IT,backup=Northwind IT" >/out/init.log 2>&1
systemctl start ntk-collector
until_so 60 sh -c 'journalctl -u ntk-collector | grep -q "collector runs"'
collector() { as_collector ntk-collector --dir "$practice" "$@"; }
collector roster import /practice/roster.toml >>/out/init.log
for pair in ws-01:/var/lib/ntk-agent ws-01-observer:/var/lib/ntk-observer; do
  token=$(collector enroll new --machine "${pair%%:*}" | grep -o 'ntk1\.[A-Za-z0-9_.=-]*')
  ntk-agent enroll --token "$token" --dir "${pair#*:}" >>/out/init.log
done
chown -R ntk-observer /var/lib/ntk-observer

step "agent"
cat >/var/lib/ntk-agent/agent.toml <<'T'
keepalive_s = 1
[[watch]]
path = "/srv/mail"
class = "mailbox"
owner = "mary"
T
# A shorter patience than the shipped one: emulated seconds are long.
for unit in ntk-agent ntk-observer; do
  mkdir -p "/etc/systemd/system/$unit.service.d"
  printf '[Service]\nWatchdogSec=10s\n' >"/etc/systemd/system/$unit.service.d/test.conf"
done
systemctl daemon-reload
systemctl start ntk-agent ntk-observer
state() { systemctl show -p ActiveState,SubState,NRestarts,Result,MainPID "$1"; }
agent=$(systemctl show -p MainPID --value ntk-agent)
durable() { sed -n 's/.*"durable": *\([0-9]*\).*/\1/p' /var/lib/ntk-agent/status.json; }
told() { [ "$(durable)" -ge $(($2 + $1)) ]; }
until_so 60 grep -q linux-audit /var/lib/ntk-agent/status.json
step "started"
state ntk-agent >/out/agent.state
state ntk-observer >/out/observer.state
ntk-audit-state >/out/audit.running
cp /var/lib/ntk-agent/status.json /out/status.json
echo "$agent" >/out/agent.pid
journalctl -u ntk-agent -u ntk-observer -u ntk-collector >/out/units.log
systemd-analyze security --offline=yes --no-pager ntk-agent.service ntk-observer.service ntk-collector.service >/out/security 2>&1 || true
systemd-analyze verify ntk-agent.service ntk-observer.service ntk-collector.service >/out/verify 2>&1 || true
