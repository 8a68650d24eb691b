# A sealed machine: what a person who is root tries against the recording is refused, and told.
step "collector"
printf 'root:x:0:0:root:/root:/bin/sh\nitadmin1:x:1001:1001::/:/bin/sh\n' >/etc/passwd
printf 'root:x:0:\nitadmin1:x:1001:\n' >/etc/group
mkdir -p /srv/mail /srv/later
echo text >/srv/mail/letter
echo text >/srv/later/letter
. /practice.sh
cat >/agent/agent.toml <<'T'
keepalive_s = 1
[sensor]
sealed = true
audit = true
fanotify = false
logs = false
notify = false
[[watch]]
path = "/srv/mail"
class = "mailbox"
owner = "mary"
T
step "agent"
start() {
  ntk-agent run --dir /agent >>/out/agent.log 2>&1 &
  agent=$!
  until_so 60 grep -q "\"pid\": $agent" /agent/status.json
  until_so 60 grep -q linux-audit /agent/status.json
}
# person COMMANDS: as root in the session of a person.
person() { sh -c "echo 1001 >/proc/self/loginuid; $1" >>/out/person 2>&1 || true; }
start
audit_state >/out/audit.sealed
before=$(durable)
step "attempts"
person 'auditctl -e 0'
person 'auditctl -D'
person 'auditctl -a never,exclude -F msgtype=CONFIG_CHANGE'
person 'ntk-audit-state try exclude'
person 'ntk-audit-state try own'
person 'auditctl -b 1'
person 'echo 7 >/proc/self/loginuid; cat /srv/mail/letter'
person 'echo 4294967295 >/proc/self/loginuid; cat /srv/mail/letter'
until_so 60 told 12 "$before"
audit_state >/out/audit.attempted
step "killed"
person "kill -9 $agent"
wait $agent || true
person 'cat /srv/mail/letter'
# A watch that came too late for the lock.
printf '[[watch]]\npath = "/srv/later"\nclass = "export"\n' >>/agent/agent.toml
start
before=$(durable)
person 'cat /srv/mail/letter /srv/later/letter'
until_so 60 told 1 "$before"
cp /agent/status.json /out/status.json
audit_state >/out/audit.again
step "end"
kill $agent
wait $agent
audit_state >/out/audit.after
ntk-collector events --dir /practice/collector --json >/out/events.jsonl
