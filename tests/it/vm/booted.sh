# A practice whose machine is started more than once: what it keeps on disk comes and goes as an archive.
step "collector"
mkdir -p /etc /practice /srv/mail /agent
printf 'root:x:0:0:root:/root:/bin/sh\n' >/etc/passwd
printf 'root:x:0:\n' >/etc/group
if [ -f /kept.tar ]; then
  tar -x -f /kept.tar -C /
  ntk-collector run --config /practice/collector/collector.toml >/out/collector.log 2>&1 &
  until_so 60 grep -q 'collector runs' /out/collector.log
  durable() { sed -n 's/.*"durable": *\([0-9]*\).*/\1/p' /agent/status.json; }
else
  . /practice.sh
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
fi
step "agent"
rm -f /agent/status.json
ntk-agent run --dir /agent >/out/agent.log 2>&1 &
agent=$!
until_so 60 grep -q linux-audit /agent/status.json
step "end"
# Ends in order: everything is sent before.
kill $agent
wait $agent
ntk-collector --dir /practice/collector events --json >/out/events.jsonl
kill %1
wait %1 || true
tar -c -f /out/kept.tar /agent /practice
