# `ntk-agent install` and `uninstall` on a machine that systemd runs, by a person who became root.
export SYSTEMD_COLORS=0 SYSTEMD_PAGER=
step "collector"
mkdir -p /srv/mail
echo text >/srv/mail/letter
. /collector.sh
# person COMMANDS: as root in the session of a person.
person() { sh -c "echo 1001 >/proc/self/loginuid; $1"; }
# Nothing of ours is there yet, and the machine is not enrolled.
rm /etc/systemd/system/ntk-agent.service
person 'ntk-agent install' >/out/not-enrolled 2>&1 || echo "exit $?" >>/out/not-enrolled
token=$(collector enroll new --machine ws-01 | grep -o 'ntk1\.[A-Za-z0-9_.=-]*')
ntk-agent enroll --token "$token" >>/out/init.log
printf '\nkeepalive_s = 1\n' >/tmp/first
cat /tmp/first - >/var/lib/ntk-agent/agent.toml <<'T'
[[watch]]
path = "/srv/mail"
class = "mailbox"
owner = "mary"
T
audit_state >/out/audit.before
step "install"
ntk-agent install --dry-run >/out/dry-run
test ! -e /etc/systemd/system/ntk-agent.service
person 'ntk-agent install' >/out/installed 2>&1
durable() { sed -n 's/.*"durable": *\([0-9]*\).*/\1/p' /var/lib/ntk-agent/status.json; }
until_so 90 grep -q linux-audit /var/lib/ntk-agent/status.json
systemctl is-enabled ntk-agent >/out/state
systemctl show -p ActiveState,NRestarts ntk-agent >>/out/state
person 'cat /srv/mail/letter' >/dev/null
# The read itself, not only the start of what read.
arrived() { collector events --json | grep '"kind": *"file_access"' | grep -q /srv/mail/letter; }
until_so 90 arrived
first=$(systemctl show -p MainPID --value ntk-agent)
person 'ntk-agent install' >/out/again 2>&1
[ "$(systemctl show -p MainPID --value ntk-agent)" = "$first" ]
step "uninstall"
person 'ntk-agent uninstall' >/out/uninstalled 2>&1
systemctl is-active ntk-agent >>/out/state || true
ls /etc/systemd/system /var/lib/ntk-agent >/out/left
audit_state >/out/audit.after
collector events --json >/out/events.jsonl
