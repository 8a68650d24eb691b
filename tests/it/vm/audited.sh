# A practice on a machine that audits from its first moment: what a person reads reaches the collector.
step "collector"
mkdir -p /etc /practice /srv/mail
printf 'root:x:0:0:root:/root:/bin/sh\nitadmin1:x:1001:1001::/:/bin/sh\n' >/etc/passwd
printf 'root:x:0:\nitadmin1:x:1001:\n' >/etc/group
echo text >/srv/mail/letter
chmod 755 /srv/mail
# A process from before the agent: with audit=1 it is seen, too.
mkfifo /run/early
(echo 1001 >/proc/self/loginuid && exec su itadmin1 -c 'read -r path </run/early && exec cat "$path"' >/dev/null) &
. /practice.sh
step "agent"
cat >/agent/agent.toml <<'T'
keepalive_s = 1
[sensor]
audit = true
fanotify = false
logs = false
notify = false
[[watch]]
path = "/srv/mail"
class = "mailbox"
owner = "mary"
T
ntk-agent run --dir /agent >/out/agent.log 2>&1 &
agent=$!
until_so 60 grep -q linux-audit /agent/status.json
before=$(durable)
step "access"
echo /srv/mail/letter >/run/early
(echo 1001 >/proc/self/loginuid && exec su itadmin1 -c 'cat /etc/passwd; exec cat /srv/mail/letter') >/dev/null
until_so 60 told 2 $before
step "end"
# Ends in order: everything is sent before.
kill $agent
wait $agent
ntk-collector events --dir /practice/collector --json >/out/events.jsonl
audit_state >/out/audit.after
