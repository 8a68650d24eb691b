# The collector of a machine that systemd runs, as its unit has it; `collector` asks it.
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
