"""The documents walked on a machine of their own: a root laid over this one's, so that nothing of what a command changes
stays, and a network of its own. Reads {"steps": [{"page", "line", "text"}], "binaries", "checkout"} from the file that is
named first and writes {"said": [{"code", "text"}]} to the second. Commands run as they stand there, with the few names
replaced that a reader replaces: a token, a number that was printed a line before.

Runs as root in namespaces for mounts, network and processes of its own (tests/it/walk.rs starts it so).
"""
import datetime
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time

HOME = "/var/lib/ntk-collector"
PHRASES = {"mary": "four walnut doors 17", "drchen": "seven copper kites 23"}
SECONDS = 60
# What a person says where a line asks.
ANSWERS = {"Type yes": "yes", "Who administers": "Jan Novak", "Were the users": "2026-11-20", "Client secret": "s3cret"}

wanted = json.load(open(sys.argv[1]))
result = open(sys.argv[2], "w")  # before the root is another one
scratch = os.path.dirname(sys.argv[2])


def call(*words, **more):
    done = subprocess.run(words, capture_output=True, text=True, **more)
    if done.returncode:
        raise SystemExit(f"before a step: {' '.join(words)}: {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def write(path, text, owner=None):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    if owner:
        shutil.chown(path, owner, owner)


def own_root():
    """This machine's root with a layer of memory over it, and what the documents take for granted: `target/release`."""
    call("mount", "--make-rprivate", "/")
    over = os.path.join(scratch, "over")
    os.makedirs(over)
    call("mount", "-t", "tmpfs", "-o", "size=3g", "none", over)
    for name in ("upper", "work", "root"):
        os.makedirs(f"{over}/{name}")
    root = f"{over}/root"
    call("mount", "-t", "overlay", "-o", f"lowerdir=/,upperdir={over}/upper,workdir={over}/work", "none", root)
    for inside in ("src", "src/target", "src/target/release"):
        os.makedirs(f"{root}/{inside}", exist_ok=True)
    for name in ("ntk-agent", "ntk-collector", "ntk-verify"):
        shutil.copy(f"{wanted['binaries']}/{name}", f"{root}/src/target/release/{name}")
    shutil.copytree(f"{wanted['checkout']}/deploy", f"{root}/src/deploy")
    roster = f"{wanted['checkout']}/collector/templates/roster-example.toml"
    shutil.copy(roster, f"{root}/src/roster-example.toml")
    call("mount", "-t", "proc", "proc", f"{root}/proc")
    call("mount", "--rbind", "/dev", f"{root}/dev")
    call("mount", "--rbind", "/sys", f"{root}/sys")
    for place in ("tmp", "run", "media", "srv"):
        call("mount", "-t", "tmpfs", "-o", "mode=1777" if place == "tmp" else "mode=755", "none", f"{root}/{place}")
    # What another test may have left on this machine, or the machine's own.
    for left in ("var/lib/ntk-collector", "var/lib/ntk-agent", "var/lib/ntk-practices", "etc/ntk"):
        shutil.rmtree(f"{root}/{left}", ignore_errors=True)
    os.chroot(root)
    os.chdir("/src")
    call("ip", "link", "set", "lo", "up")
    call("ip", "address", "add", "10.0.0.14/32", "dev", "lo")
    os.environ.clear()
    os.environ.update(PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME="/root", TERM="dumb")
    write("/usr/local/sbin/systemctl", SYSTEMCTL)
    os.chmod("/usr/local/sbin/systemctl", 0o755)


# systemd is not the first process here. What stands in for it starts what the unit says, as the account that it says.
SYSTEMCTL = r"""#!/bin/sh
word=$1; [ "$2" = --now ] && shift
[ "$word" = daemon-reload ] && exit 0
unit=/etc/systemd/system/$2.service pid=/run/$2.pid
[ -f "$unit" ] || { echo "Unit $2.service not found."; exit 5; }
user=$(sed -n 's/^User=//p' "$unit")
runs() { [ -f "$pid" ] && kill -0 "$(cat "$pid")" 2>/dev/null; }
stop() { runs && kill "$(cat "$pid")" && while runs; do sleep 0.1; done; rm -f "$pid"; }
start() {
  sed -n 's/^ExecStartPre=//p' "$unit" | while read -r before; do runuser -u "${user:-root}" -- $before || exit 1; done || exit 1
  setsid runuser -u "${user:-root}" -- sh -c 'echo $$ >"$1"; shift; exec "$@"' - "/tmp/$2.pid" $(sed -n 's/^ExecStart=//p' "$unit") >>"/tmp/$2.log" 2>&1 </dev/null &
  for _ in $(seq 300); do [ -s "/tmp/$2.pid" ] && break; sleep 0.1; done
  cp "/tmp/$2.pid" "$pid"; rm -f "/tmp/$2.pid"
}
case $word in
  enable | start) start "$@" ;;
  stop) stop ;;
  restart) stop; start "$@" ;;
  status) runs && echo "active (running)" || { echo inactive; exit 3; } ;;
  *) echo "no such word here: $word"; exit 64 ;;
esac
"""

# Whom a page names besides.
LEE = """
[[person]]
id = "lee"
name = "Lee Park"
roles = ["itadmin"]
"""

subs = {}


def replaced(text):
    for name, value in subs.items():
        text = text.replace(name, value)
    return text


def is_question(waiting):
    open_line = not waiting.endswith(b"\n") and waiting.rstrip(b" ").endswith((b":", b">", b"?", b".", b"$"))
    return open_line or any(question.encode() in waiting for question in ANSWERS)


def run(text, user="root", typed=()):
    """One line in a shell, on a terminal: `typed` is what a person types, a line at each question."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir("/src" if user == "root" else HOME)
        words = ["bash", "-c", text]
        os.execvp("bash", words) if user == "root" else os.execvp("runuser", ["runuser", "-u", user, "--", *words])
    said, waiting, typed = b"", b"", list(typed)
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        ready, _, _ = select.select([terminal], [], [], 0.2)
        if ready:
            try:
                piece = os.read(terminal, 65536)
            except OSError:
                piece = b""
            if not piece:
                break
            said += piece
            waiting += piece
        # A question ends without an end of line; whoever asks has stopped writing.
        elif is_question(waiting):
            asked = re.search(r"Passphrase of ([a-z]+): *$", waiting.decode(errors="replace"))
            if asked and asked[1] in PHRASES:
                os.write(terminal, PHRASES[asked[1]].encode() + b"\n")
                waiting = b""
            else:
                answers = (answer for question, answer in ANSWERS.items() if question in waiting.decode(errors="replace"))
                os.write(terminal, (typed.pop(0) if typed else next(answers, "")).encode() + b"\n")
                waiting = b""
    else:
        os.kill(pid, signal.SIGKILL)
        said += b"\n(nothing more for %d s)" % SECONDS
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), said.decode(errors="replace").replace("\r\n", "\n")


def collector(text, typed=()):
    code, said = run(text, "ntk-collector", typed)
    if code:
        raise SystemExit(f"before a step: {text}: {code}: {said}")
    return said


def until_it_answers():
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if run("ntk-collector status", "ntk-collector")[0] == 0:
            return
        time.sleep(0.2)
    raise SystemExit("the collector does not answer: " + open("/tmp/ntk-collector.log").read()[-3000:])


# ── what a reader does between the lines ─────────────────────────────────────────────────────────────────────


def sticks():
    """Two FAT sticks; folders of memory with the same owner where this kernel knows no FAT."""
    if "vfat" not in open("/proc/filesystems").read():
        for device in ("/dev/sdb1", "/dev/sdc1"):
            subs[f"sudo mount -o uid=$(id -u ntk-collector),umask=077 {device}"] = \
                "mount -t tmpfs -o uid=$(id -u ntk-collector),mode=700 none"
        return
    for name, device in (("keys", "/dev/sdb1"), ("start", "/dev/sdc1")):
        call("truncate", "-s", "8M", f"/tmp/{name}.img")
        call("mkfs.vfat", f"/tmp/{name}.img")
        subs[device] = call("losetup", "--find", "--show", f"/tmp/{name}.img").strip()


def detach():
    """What is mounted keeps its device, and the device goes with the mount."""
    for device in ("/dev/sdb1", "/dev/sdc1"):
        if device in subs:
            subprocess.run(["losetup", "-d", subs[device]], check=False, capture_output=True)


def words_of_the_keys():
    text = open("/media/keys/keys.txt").read()
    return [line.split(":", 1)[1].strip() for line in text.splitlines() if "words:" in line]


def on_the_machine():
    """What the machine holds, and the lines of the page for its configuration."""
    for folder in ("/srv/mail/mary", "/srv/practice/exports/2019-archive"):
        os.makedirs(folder, exist_ok=True)
    with open("/var/lib/ntk-agent/agent.toml", "a") as file:
        file.write("\n" + wanted["watch"])


def agent_runs():
    # `sudo ntk-agent install` writes the unit and needs systemd.
    shutil.copy("/src/deploy/systemd/ntk-agent.service", "/etc/systemd/system/ntk-agent.service")
    call("systemctl", "start", "ntk-agent")
    end = time.monotonic() + SECONDS
    while run("ntk-agent status")[0] != 0 and time.monotonic() < end:
        time.sleep(0.2)


def three_machines():
    for name in ("ws-01", "ws-02", "ws-03"):
        said = collector(f"ntk-collector enroll new --machine {name} --address 10.0.0.14:7443 --users-notified 2026-11-20")
        token = re.search(r"ntk1\.[A-Za-z0-9_-]+", said)[0]
        call("ntk-agent", "enroll", "--token", token, "--dir", f"/var/lib/ntk-agent-{name}")
    os.makedirs("/media/safe", exist_ok=True)
    shutil.copy("/media/keys/keys.txt", "/media/safe/keys.txt")
    shutil.chown("/media/safe/keys.txt", "ntk-collector")


def new_sticks(name="new"):
    for place in (f"/media/{name}-1", f"/media/{name}-2"):
        os.makedirs(place, exist_ok=True)
        shutil.chown(place, "ntk-collector")


def the_new_stick(name="new"):
    """From here on the stick in the safe is the new one."""
    shutil.copy(f"/media/{name}-1/keys.txt", "/media/safe/keys.txt")
    shutil.chown("/media/safe/keys.txt", "ntk-collector")


def audit_log():
    """One access of the firm to the manager's mailbox, as Purview writes it."""
    def row(number, operation, user, **more):
        base = dict(Id=f"00000000-0000-0000-0000-{number:012}", CreationTime=f"2026-11-16T10:{number:02}:00", Operation=operation,
                    UserId=user, UserType=0, Workload="Exchange", ResultStatus="Succeeded", ClientIP="203.0.113.7", **more)
        return base["CreationTime"], user, operation, json.dumps(base).replace('"', '""')
    def read(number, user):
        return row(number, "MailItemsAccessed", user, RecordType=50, LogonType=2, MailboxOwnerUPN="mary@maplestreet.example",
                   ClientInfoString="Client=OWA;", OperationProperties=[{"Name": "MailAccessType", "Value": "Bind"}],
                   Folders=[{"Path": "\\Inbox", "FolderItems": [{"InternetMessageId": "<m-1@x>"}]}])
    rows = [read(1, "it@northwind.example"), read(2, "mary@maplestreet.example")]
    lines = ["RecordId,CreationDate,RecordType,Operation,UserId,AuditData"]
    lines += [f'{at},{at},50,{operation},{user},"{data}"' for at, user, operation, data in rows]
    write(f"{HOME}/AuditLog.csv", "\n".join(lines) + "\n", "ntk-collector")


def other_records():
    own = "ntk-collector"
    write(f"{HOME}/our-ehr.toml", wanted["map"], own)
    write(f"{HOME}/access-log.csv", "Access Time,User ID,Patient,Action\n2026-11-16 10:00:00,CHEN,4711,Chart Review\n", own)
    event = {"resourceType": "AuditEvent", "id": "a1", "recorded": "2026-11-16T10:00:00Z", "action": "R",
             "type": {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "110110"},
             "agent": [{"requestor": True, "who": {"identifier": {"value": "CHEN"}}}],
             "source": {"observer": {"display": "ehr"}}, "entity": [{"what": {"reference": "Patient/4711"}}]}
    write(f"{HOME}/AuditEvent.ndjson", json.dumps(event) + "\n", own)


def witness_key():
    line = next(line for line in last().splitlines() if "/witness/" in line)
    subs["maple-street-family-practice.d9ffa09c/witness/outside+0876ba46+BFXrU2458q..."] = \
        re.search(r"\S+/witness/\S+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+", line)[0]


def token():
    tokens = [found[0] for step in said if (found := re.search(r"ntk1\.[A-Za-z0-9_-]+", step["text"]))]
    subs["ntk1.eyJhIjoi..."] = tokens[-1]


def off_site():
    """The page's lines name servers; here the copy goes into a folder."""
    config = f"{HOME}/collector.toml"
    text = open(config).read()
    if "[off_site]" not in text:
        os.makedirs("/srv/copy", exist_ok=True)
        shutil.chown("/srv/copy", "ntk-collector")
        write(config, text + '\n[off_site]\nto = "/srv/copy"\n', "ntk-collector")
        call("systemctl", "restart", "ntk-collector")
        until_it_answers()


def finding():
    listed = json.loads(collector("ntk-collector findings --json"))
    rows = listed["findings"] if isinstance(listed, dict) else listed
    subs["9c3a51d27be0f418"] = next(row["finding"]["id"] for row in rows)


def bundle():
    shutil.copy(f"{HOME}/trial.zip", f"{HOME}/bundle.zip")
    shutil.chown(f"{HOME}/bundle.zip", "ntk-collector")


def package():
    """What came from the builder: the program and its package, on the collector and on the machine."""
    for place in (HOME, "/src"):
        shutil.copy("/src/target/release/ntk-agent", f"{place}/ntk-agent")
        write(f"{place}/ntk-agent_0.2.0_amd64.deb", "stands for a package: its hash is what is compared")
    call("chown", "-R", "ntk-collector:ntk-collector", f"{HOME}/ntk-agent", f"{HOME}/ntk-agent_0.2.0_amd64.deb")


def last():
    return said[-1]["text"]


# Before a line that begins so.
BEFORE = {
    "sudo mount -o uid=$(id -u ntk-collector),umask=077 /dev/sdb1": sticks,
    "ntk-collector init --name": detach,
    "ntk-collector check": until_it_answers,
    "ntk-collector roster import roster.toml": lambda: write(
        f"{HOME}/roster.toml", open("/src/roster-example.toml").read() + LEE, "ntk-collector"),
    "sudo install -m 755 ntk-agent": lambda: (token(), shutil.copy("/src/target/release/ntk-agent", "/src/ntk-agent")),
    "sudo ntk-agent check": on_the_machine,
    "ntk-collector enroll new --replace": lambda: subs.update({"--replace ws-01": "--replace reception-2"}),
    "sudo ntk-agent enroll --token ntk1.eyJhIjoi... --replace": token,
    "sudo ntk-agent status": agent_runs,
    "ntk-collector import m365": audit_log,
    "ntk-collector import ehr-audit AuditEvent": other_records,
    "ntk-verify witness --state usb.state --trust": three_machines,
    "ntk-collector trust sign --key /media/safe/keys.txt --committee": witness_key,
    "ntk-collector keys hand-over": new_sticks,
    "ntk-collector keys check /media/new-1": the_new_stick,
    "ntk-collector keys replace-recovery": lambda: new_sticks("next"),
    "ntk-collector keys check /media/next-1": lambda: the_new_stick("next"),
    "ntk-collector off-site now": off_site,
    "ntk-collector update announce": package,
    "sudo ntk-agent check-package": lambda: shutil.copy(f"{HOME}/0.2.0.txt", "/src/0.2.0.txt"),
    "ntk-collector breach start": finding,
    "ntk-verify bundle.zip --trust trust.txt": bundle,
    "ntk-collector staff-notice publish --by mary --text": lambda: write(
        f"{HOME}/our-notice.md", "# Notice\n\nAccess is recorded, and who reads the records.\n", "ntk-collector"),
}
# At most once, though the line stands on several pages.
ONCE = {"sudo ntk-agent check", "sudo ntk-agent status", "ntk-collector trust sign --key /media/safe/keys.txt --committee"}
# What is typed at the questions of a line that begins so; passphrases of persons besides.
TYPED = {
    "sudo -u ntk-collector bash": lambda: ["exit"],
    "ntk-collector keys from-words": words_of_the_keys,
    "ntk-collector reviewer passphrase mary": lambda: [PHRASES["mary"]] * 2,
    "ntk-collector reviewer passphrase drchen": lambda: [PHRASES["drchen"]] * 2,
}


def typed(text):
    for begin, lines in TYPED.items():
        if text.startswith(begin):
            return lines()
    return []


own_root()
said = []
done = set()
try:
    for step in wanted["steps"]:
        text, user = step["text"], "root"
        for begin, before in BEFORE.items():
            if text.startswith(begin) and not (begin in ONCE and begin in done):
                before()
                done.add(begin)
        if os.path.isdir(HOME) and not text.startswith(("sudo ", "deploy/")):
            user = "ntk-collector"
        began = time.monotonic()
        code, output = run(replaced(text), user, typed(text))
        said.append({"code": code, "text": output, "ms": int(1000 * (time.monotonic() - began))})
finally:
    detach()
    log = open("/tmp/ntk-collector.log").read()[-4000:] if os.path.exists("/tmp/ntk-collector.log") else ""
    json.dump({"said": said, "log": log}, result)
