#!/usr/bin/env bash
# Starts an image of deploy/box/build in qemu, sets a practice up over HTTPS as a browser would, starts it again, and looks at
# the raw data partition. Usage: box.sh OUT PORT; OUT was built with --cloud and NTK_BOX_SCREEN=ttyS0.
set -Eeuo pipefail
out=$1 port=$2 machine='' screen=''
export PATH=$PATH:/usr/sbin:/sbin
cd "$out"
trap '[ -z "$machine" ] || kill "$machine" 2>/dev/null || true' EXIT
die() { echo "box: $1"; tail -n 40 "$screen" 2>/dev/null; exit 1; }
# within SECONDS COMMAND...: asks until it succeeds.
within() {
  local until=$((SECONDS + $1)); shift
  until "$@"; do
    kill -0 "$machine" 2>/dev/null || die "the machine ended"
    [ $SECONDS -lt $until ] || return 1
    read -rt 1 <> <(:) || true
  done
}
start() {
  screen=screen-$1.log
  : >"$screen"
  qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 1536 -nodefaults -display none -no-reboot \
    -kernel vmlinuz -initrd initrd -append "root=LABEL=NTK-ROOT ro console=ttyS0 quiet panic=-1 no_timer_check systemd.log_color=no" \
    -drive file=disk.img,if=virtio,format=raw -drive file=stick.img,if=virtio,format=raw -device virtio-rng-pci \
    -netdev "user,id=n,restrict=on,hostfwd=tcp:127.0.0.1:$port-:7444" -device virtio-net-pci,netdev=n \
    -serial "file:$screen" </dev/null &
  machine=$!
}
page=https://127.0.0.1:$port
ask() { curl -sk --max-time 120 -b jar -c jar "$@"; }

rm -f stick.img jar disk.img
cp --sparse=always box.img disk.img
truncate -s 16M stick.img
mkfs.vfat -n NTK-START stick.img >/dev/null
began=$SECONDS
start 1
within 400 grep -q 'Then type this code' "$screen" || die "no code on the screen"
echo "first-start page after $((SECONDS - began)) s"
code=$(sed -n 's/.*Then type this code: *\([0-9A-Z-]*\).*/\1/p' "$screen" | tail -n 1)
shown=$(sed -n 's/^ *\(\([0-9A-F]\{4\} \)\{7\}[0-9A-F]\{4\}\).*/\1/p' "$screen" | tail -n 2 | tr -d ' \n')
met=$(openssl s_client -connect "127.0.0.1:$port" </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256 | sed 's/.*=//' | tr -d ':')
[ "$shown" = "$met" ] || die "the screen shows $shown, the browser met $met"
[ "$(ask -o /dev/null -w '%{http_code}' -d 'code=00000-00000' $page/code)" = 403 ] || die "a wrong code"
[ "$(ask -o /dev/null -w '%{http_code}' -d "code=$code" $page/code)" = 303 ] || die "the right code"
form='name=Maple+Street+Family+Practice&timezone=America%2FNew_York&place=box&network=Northwind+IT&second=Dr.+Chen'
[ "$(ask -o /dev/null -w '%{http_code}' -d "$form" $page/make)" = 303 ] || die "the practice was not made"
ask $page/keys >keys
last() { sed -n 's/.*as words: *//p' keys | sed -n "$1p" | tr -d '\r' | awk '{print $NF}'; }
link=$(ask -d "practice=$(last 1)&recovery=$(last 2)" $page/taken | grep -o "$page/set-up/[A-Za-z0-9_-]*" | head -n 1) || die "no link to the console"
open_console() { curl -sk --max-time 20 "$link" | grep -q 'Set up your practice'; }
within 300 open_console || die "the console does not answer"
! ask -d "code=$code" "$page/code" >/dev/null || ! ask "$page/keys" | grep -q 'as words' || die "the first-start page shows the keys still"
echo "console after $((SECONDS - began)) s"
kill "$machine"; wait "$machine" 2>/dev/null || true

# A power cut was that. Again, with the stick still in: nobody is there to type anything.
began=$SECONDS
start 2
signs_in() { curl -sk --max-time 20 $page/sign-in | grep -qi 'sign in'; }
within 400 signs_in || die "the console does not answer after a restart"
echo "console after a restart: $((SECONDS - began)) s"
! grep -q 'Then type this code' "$screen" || die "a second first start"
kill "$machine"; wait "$machine" 2>/dev/null || true
machine=''

# A disk without its stick: no name of the practice on it, and another key opens nothing.
begin=$(grep -o '[0-9]*$' layout)
dd if=disk.img of=data.raw bs=1M skip="$begin" status=none
! grep -aq 'Maple Street' data.raw || die "the practice's name stands on the raw partition"
# The twin: the same search finds what is there in plain.
grep -aq 'LUKS' data.raw || die "there is no LUKS header"
head -c 64 /dev/zero >other.key
! cryptsetup open --test-passphrase --key-file other.key data.raw 2>/dev/null || die "any key opens it"
! grep -aq "$code" disk.img || die "the code stands on the disk"
echo done
