# A practice on this machine: a collector that runs, and an agent that is enrolled in /agent and not started.
ntk-collector init --dir /practice/collector --name "Maple Street Family Practice" --timezone America/New_York \
  --keys-to /practice/keys.txt --listen 127.0.0.1:7400 \
  --administers "host=Northwind IT,hypervisor=Northwind IT,network=Northwind IT,backup=Northwind IT" \
  --decline-second "a machine of a test, whose console is a terminal that nobody types at" >/out/init.log 2>&1 </dev/null
ntk-collector run --config /practice/collector/collector.toml >/out/collector.log 2>&1 &
# Not with `status`, which opens the ledger itself where no collector runs yet.
until_so 60 grep -q 'collector runs' /out/collector.log
ntk-collector --dir /practice/collector roster import /practice/roster.toml >>/out/init.log
token=$(ntk-collector --dir /practice/collector enroll new --machine ws-01 | grep -o 'ntk1\.[A-Za-z0-9_.=-]*')
ntk-agent enroll --token "$token" --dir /agent

# Entries of the agent that are on its disk.
durable() { sed -n 's/.*"durable": *\([0-9]*\).*/\1/p' /agent/status.json; }
# told N BEFORE: whether N more are than before; asking the collector each time would cost more than what is waited for.
told() { [ "$(durable)" -ge $(($2 + $1)) ]; }
