# The shipped units, started as their comments say, and what people do on a machine that systemd runs.
export SYSTEMD_COLORS=0 SYSTEMD_PAGER=
step "systemd"
mkdir -p /srv/mail /home/itadmin1/.ssh /run/sshd /root/.ssh /run/watchdog
echo '127.0.0.1 localhost ws-01' >/etc/hosts
for n in 1 2 3 4; do echo text >"/srv/mail/letter-$n"; done
systemctl --no-legend list-units --failed >/out/failed-units

step "collector"
. /collector.sh
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
  printf '[Service]\nWatchdogSec=20s\n' >"/etc/systemd/system/$unit.service.d/test.conf"
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
audit_state >/out/audit.running
echo "$agent" >/out/agent.pid
cp /var/lib/ntk-agent/status.json /out/status.json
systemd-analyze security --offline=yes --no-pager ntk-agent.service ntk-observer.service ntk-collector.service >/out/security 2>&1 || true
systemd-analyze verify --man=no ntk-agent.service ntk-observer.service ntk-collector.service >/out/verify 2>&1

step "people"
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
ssh-keygen -q -t ed25519 -N '' -f /root/key
cp /root/key.pub /home/itadmin1/.ssh/authorized_keys
chown -R itadmin1:itadmin1 /home/itadmin1
ssh-keygen -lf /root/key.pub | cut -d' ' -f2 >/out/fingerprint
printf 'UsePAM yes\nPasswordAuthentication no\nHostKey /etc/ssh/ssh_host_ed25519_key\n' >/etc/ssh/sshd_config
echo 'itadmin1 ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/itadmin1
systemctl start ssh
person() { ssh -q -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -i /root/key itadmin1@127.0.0.1 "$@" 2>>/out/ssh.log; }
before=$(durable)
person cat /srv/mail/letter-1 >/dev/null
# It lives until its unit was asked for.
person "sudo systemd-run --quiet sh -c 'read -r line </srv/mail/letter-2; exec sleep 20'"
until_so 60 told 5 "$before"

step "stopped"
# Whoever opens watched files while the agent stands still: not held up for good.
opens() { n=0; while [ -e /run/opens ]; do : </srv/mail/letter-3; n=$((n + 1)); busybox usleep 200000; done; echo "$n"; }
since() { cut -d. -f1 /proc/uptime; }
began=$(since)
person "sudo sh -c 'kill -STOP $agent'"
touch /run/opens
opens >/out/opens &
until_so 120 sh -c '[ "$(systemctl show -p NRestarts --value ntk-agent)" -ge 1 ] && [ "$(systemctl show -p ActiveState --value ntk-agent)" = active ]'
rm /run/opens
wait $!
echo "$(($(since) - began))" >/out/stopped.seconds
state ntk-agent >/out/agent.state.again
agent=$(systemctl show -p MainPID --value ntk-agent)
until_so 60 grep -q "\"pid\": $agent" /var/lib/ntk-agent/status.json
until_so 60 grep -q linux-audit /var/lib/ntk-agent/status.json
before=$(durable)
person cat /srv/mail/letter-4 >/dev/null
# The login and the read; then everything is with the collector.
until_so 120 told 2 "$before"
until_so 120 grep -q '"waiting": 0' /var/lib/ntk-agent/status.json

step "end"
person sudo systemctl stop ntk-agent
systemctl stop ntk-observer
collector events --json >/out/events.jsonl
audit_state >/out/audit.after
