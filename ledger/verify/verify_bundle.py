#!/usr/bin/env python3
"""Checks an evidence bundle of Need-to-Know: the core facts, without any program of its maker.

    python3 verify_bundle.py BUNDLE --trust trust.txt        BUNDLE is a .zip or the folder with bagit.txt

Needs Python 3.9 or later and the package `cryptography` (Debian: python3-cryptography) for Ed25519.
Names of checks and exit codes are those of ntk-verify: 0 verified (only with --trust), 1 altered, 2 incomplete,
3 not verifiable, 64 usage. It does not make the timeline, the renderings and proofs/brackets.csv again; ntk-verify does.
Time-stamps (RFC 3161) are tied to checkpoints of the log; who signed them is for `openssl ts -verify` to say.
"""
import argparse, base64, datetime, hashlib, json, os, re, sys, zipfile

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ALTERED, INCOMPLETE, NOT_VERIFIABLE = 1, 2, 3
RANK = {ALTERED: 3, NOT_VERIFIABLE: 2, INCOMPLETE: 1}
FILES_MAX, BYTES_MAX = 100_000, 1 << 30
SAFE = re.compile(r"(?!\.)[A-Za-z0-9._-]*[A-Za-z0-9_-]")


class Wrong(Exception):
    """A check failed: how that counts, and what to say."""

    def __init__(self, status, sentence):
        super().__init__(sentence)
        self.status = status


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def un64(text):
    return base64.b64decode(text, validate=True)


# ---- Merkle trees (RFC 6962) -----------------------------------------------------------------------------------
def leaf_hash(data):
    return sha256(b"\x00", data)


def node(left, right):
    return sha256(b"\x01", left, right)


def root_from_inclusion(leaf, index, size, proof):
    """RFC 9162 2.1.3.2: the root to which a proof leads."""
    if index >= size:
        raise ValueError("the index lies outside the tree")
    at, last, root = index, size - 1, leaf
    for hash_ in proof:
        if last == 0:
            raise ValueError("the proof is too long")
        if at & 1 or at == last:
            root = node(hash_, root)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            root = node(root, hash_)
        at, last = at >> 1, last >> 1
    if last:
        raise ValueError("the proof is too short")
    return root


def subtrees_of(before, first):
    """A compact range: the roots of the full subtrees of `first`, largest first, as a list of (leaves, root)."""
    sizes = [1 << bit for bit in range(63, -1, -1) if first >> bit & 1]
    if [one["size"] for one in before] != sizes:
        raise ValueError("the compact range does not fit its size")
    return [(one["size"], bytes.fromhex(one["hash"])) for one in before]


def append(stack, leaf):
    size = 1
    while stack and stack[-1][0] == size:
        leaf = node(stack.pop()[1], leaf)
        size *= 2
    stack.append((size, leaf))


def root_of(stack):
    if not stack:
        return sha256()
    root = stack[-1][1]
    for _, left in reversed(stack[:-1]):
        root = node(left, root)
    return root


# ---- signed notes and checkpoints (c2sp.org/signed-note, tlog-checkpoint, tlog-cosignature) --------------------
class Key:
    def __init__(self, vkey):
        self.text = vkey
        self.name, key_id, encoded = vkey.split("+", 2)
        raw = un64(encoded)
        self.kind, self.raw, self.id = raw[0], raw[1:], bytes.fromhex(key_id)
        if len(raw) != 33 or self.kind not in (1, 4) or sha256(self.name.encode(), b"\n", raw)[:4] != self.id:
            raise ValueError("not a verifier key: " + vkey)

    def vkey(self):
        raw = bytes([self.kind]) + self.raw
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(raw).decode()}"

    def verify(self, signature, message):
        Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)


def read_note(note):
    """Text, and signatures as (name, key id, bytes)."""
    text, _, lines = note.decode("utf-8").rpartition("\n\n")
    if not text or not lines.endswith("\n"):
        raise ValueError("not a signed note")
    signatures = []
    for line in lines[:-1].split("\n"):
        dash, name, encoded = line.split(" ")
        if dash != "\u2014":
            raise ValueError("a line after the text is no signature")
        raw = un64(encoded)
        signatures.append((name, raw[:4], raw[4:]))
    return text + "\n", signatures


def signed_by(note, key, what):
    """The text, if this key signed it."""
    try:
        text, signatures = read_note(note)
        own = [raw for name, key_id, raw in signatures if (name, key_id) == (key.name, key.id)]
        for raw in own:
            key.verify(raw, text.encode())
    except (ValueError, InvalidSignature) as error:
        raise Wrong(ALTERED, f"{what}: the signature by {key.name} does not fit ({error or 'other text'})")
    if not own:
        raise Wrong(NOT_VERIFIABLE, f"{what}: no signature by {key.name} ({key.id.hex()})")
    return text


def checkpoint(note, key, what):
    """Size and root that this key signed for the log of its name."""
    lines = signed_by(note, key, what).split("\n")
    if len(lines) != 4 or lines[0] != key.name or not re.fullmatch(r"0|[1-9][0-9]*", lines[1]):
        raise Wrong(ALTERED, f"{what}: not a checkpoint of {key.name}")
    return int(lines[1]), un64(lines[2])


def der(data, *path):
    """The parts of nested DER: for each tag of the path, into the first part that has it. The last one's parts."""
    for tag in path + (None,):
        parts = []
        while data:
            kind, size, at = data[0], data[1], 2
            if size >= 0x80:
                at += size & 0x7F
                size = int.from_bytes(data[2:at], "big")
            if len(data) < at + size:
                raise ValueError("cut short")
            parts.append((kind, data[at:at + size]))
            data = data[at + size:]
        if tag is not None:
            data = next(value for kind, value in parts if kind == tag)
    return parts


def stamped(response):
    """Imprint and time of a granted RFC 3161 response with a SHA-256 imprint."""
    try:
        (_, status), (_, token) = der(response, 0x30)
        if der(status)[0] not in ((2, b"\0"), (2, b"\1")):
            raise Wrong(ALTERED, "a time-stamp was not granted")
        encapsulated = der(token, 0xA0, 0x30)[2][1]
        info = der(der(encapsulated, 0xA0)[0][1], 0x30)
        (_, algorithm), (_, imprint) = der(info[2][1])
        if der(algorithm)[0][1] != bytes.fromhex("608648016503040201") or info[4][0] != 0x18:
            raise ValueError("not SHA-256")
        return imprint, info[4][1].decode("ascii")
    except StopIteration:
        raise ValueError("a part is missing")


def cosigned(note, key):
    """Whether this witness cosigned; a false cosignature is an alteration."""
    text, signatures = read_note(note)
    found = False
    for name, key_id, raw in signatures:
        if (name, key_id) == (key.name, key.id):
            time = int.from_bytes(raw[:8], "big")
            try:
                key.verify(raw[8:], f"cosignature/v1\ntime {time}\n{text}".encode())
            except InvalidSignature:
                raise Wrong(ALTERED, f"the cosignature by {name} does not fit the checkpoint")
            found = True
    return found


# Characters without a look of their own, or that turn the direction of writing.
MISLEADS = re.compile("[\x00-\x1f\x7f-\x9f\xad\u061c\u3164\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
HELD = {"recovery-key": "a copy of the recovery key", "both-keys": "copies of the practice key and the recovery key",
        "witness": "no key, and remembers the log as a witness"}
# In this order; those of the second line any number of times, the others once.
TRUST_WORDS = ("practice made practice-key log collector bundle recovery machines-max enrolment-until "
               "reviewer custodian succeeded retired restored committee outside quorum").split()
MANY = ("reviewer", "custodian", "succeeded", "retired", "restored", "committee", "outside")


def moment(text):
    """Seconds and nanoseconds since 1970 of an RFC 3339 time."""
    found = re.fullmatch(r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?"
                         r"([Zz]|[+-][0-9]{2}:[0-9]{2})", text)
    if not found:
        raise ValueError("not a time: " + text)
    year, month, day, hour, minute, second = (int(number) for number in found.groups()[:6])
    if hour > 23 or minute > 59 or second > 60:
        raise ValueError("not a time: " + text)
    days, zone = (datetime.date(year, month, day) - datetime.date(1970, 1, 1)).days, found[8]
    offset = 0 if zone in "Zz" else (int(zone[1:3]) * 3600 + int(zone[4:6]) * 60) * (1 if zone[0] == "+" else -1)
    return days * 86400 + hour * 3600 + minute * 60 + second - offset, int(((found[7] or ".") + "0" * 9)[1:10])


def read_restored(value, slug):
    """An announced restore: when a copy was put back, and at which size and root the log was closed, whose keys end there."""
    try:
        made, size, root, log, collector, why = value.split(" ", 5)
        one = {"made": made, "size": int(size), "root": un64(root), "log": Key(log), "collector": Key(collector), "why": why}
        moment(made)
        plain = 1 <= len(why.encode()) <= 300 and why == why.strip() and not MISLEADS.search(why)
        canonical = [str(one["size"]), base64.b64encode(one["root"]).decode(), one["log"].vkey(), one["collector"].vkey()]
        if (not plain or canonical != [size, root, log, collector] or not 0 < one["size"] < 1 << 64 or len(one["root"]) != 32
                or (one["log"].name, one["collector"].name) != (f"{slug}/log", f"{slug}/collector")
                or (one["log"].kind, one["collector"].kind) != (1, 1)):
            raise ValueError
    except ValueError:
        raise Wrong(ALTERED, "the trust file announces a restore that is not in form")
    return one


def generation(trust, size):
    """How many logs were closed before the one in which a tree of this size stands: what a closed one had beyond is void."""
    return max([number for number, one in enumerate(trust["restored"], 1) if size > one["size"]], default=0)


def closed_within(trust, size):
    """The restores that bound the tree of `size` leaves; not those of which an older copy left nothing beyond."""
    return [one for number, one in enumerate(trust["restored"])
            if one["size"] < size and generation(trust, one["size"]) <= number]


def owner(trust, word, number):
    """The key of the log or of the collector that is so many restores old; none beyond today's."""
    return ([one[word] for one in trust["restored"]] + [trust[word]])[number:number + 1]


def of_log(note, trust, what):
    """Size and root of a checkpoint, signed by the log to which its size belongs."""
    lines = read_note(note)[0].split("\n")
    if len(lines) != 4 or not re.fullmatch(r"0|[1-9][0-9]*", lines[1]):
        raise Wrong(ALTERED, f"{what}: not a checkpoint")
    belongs = generation(trust, int(lines[1]))
    try:
        size, root = checkpoint(note, owner(trust, "log", belongs)[0], what)
    except Wrong as wrong:
        if wrong.status != NOT_VERIFIABLE:
            raise
        for signed in range(len(trust["restored"]) + 1):
            try:
                size, _ = checkpoint(note, owner(trust, "log", signed)[0], what)
            except Wrong:
                continue
            if signed > belongs:
                raise Wrong(ALTERED, f"{what}: the key of a later log signed a checkpoint of {size}, which belongs to one before it")
            closed = trust["restored"][belongs - 1]
            raise Wrong(NOT_VERIFIABLE, f"{what}: void: a checkpoint of {size} batches by a log that was closed at {closed['size']} "
                                        f"when a copy was put back at {closed['made']} ({closed['why']}), as the practice key announced")
        raise wrong
    if any(one["size"] == size and one["root"] != root for one in closed_within(trust, size + 1)):
        raise Wrong(ALTERED, f"{what}: the log was closed at {size} batches with another root, as the trust file says")
    return size, root


def founding_key(trust):
    """The key with which the practice began: each former practice key signed for the next, and none comes back."""
    chain, newest = trust["succeeded"], trust["practice-key"]
    keys = [one[1] for one in chain] + [newest]
    for (made, former, signature, why, text), following in zip(chain, keys[1:]):
        if not 1 <= len(why.encode()) <= 300 or why != why.strip() or MISLEADS.search(why):
            raise Wrong(ALTERED, "the trust file gives no readable reason why a practice key was replaced")
        if (former.name, former.kind) != (trust["slug"] + "/practice", 1):
            raise Wrong(ALTERED, "the trust file names a former practice key that is none of this practice")
        try:
            said = f"{trust['slug']}/succession\nmade {made}\nformer {text}\nnext {following.text}\nwhy {why}\n"
            former.verify(signature, said.encode())
        except InvalidSignature:
            raise Wrong(ALTERED, "a former practice key did not sign for the next one")
    times = [datetime.datetime.fromisoformat(made.replace("Z", "+00:00"))
             for made in [one[0] for one in chain] + ([trust["made"]] if chain else [])]
    if len(chain) > 16 or len({key.raw for key in keys}) != len(keys) or times != sorted(times):
        raise Wrong(ALTERED, "the former practice keys are too many, out of order, or one comes back")
    return keys[0]


def leads_from(trust, held):
    """Whether the practice key of one trust file is that of the other, or was named by it and its successors."""
    n = len(held["succeeded"])
    keys = [one[4] for one in trust["succeeded"]] + [trust["practice-key"].text]
    said = [[one[:1] + one[2:] for one in either["succeeded"][:n]] for either in (trust, held)]
    return (trust["slug"] == held["slug"] and len(trust["succeeded"]) >= n and said[0] == said[1]
            and keys[n] == held["practice-key"].text)


def read_trust(note):
    """The trust file: a dictionary of its lines, checked under the practice key that it names."""
    text, _ = read_note(note)
    head, *lines = text.split("\n")[:-1]
    trust = {"committee": [], "outside": [], "custodian": [], "succeeded": [], "retired": [], "restored": [],
             "slug": head[: -len("/trust")]}
    words = [line.split(" ", 1)[0] for line in lines]
    if [word for word in TRUST_WORDS if word not in MANY] != [word for word in words if word not in MANY]:
        raise Wrong(ALTERED, "the trust file has an unknown line, or lacks one")
    if words != sorted(words, key=TRUST_WORDS.index):
        raise Wrong(ALTERED, "the lines of the trust file are out of order")
    for line in lines:
        word, value = line.split(" ", 1)
        if word in ("committee", "outside"):
            trust[word].append(Key(value))
        elif word == "custodian":
            held, _, name = value.partition(" ")
            if held not in HELD or not 1 <= len(name.encode()) <= 200 or name != name.strip() or MISLEADS.search(name):
                raise Wrong(ALTERED, "the trust file names a custodian without saying what they hold, or so that it misleads")
            if name in (one.partition(" ")[2] for one in trust[word]) or len(trust[word]) >= 8:
                raise Wrong(ALTERED, "the trust file names a custodian twice, or more than eight")
            trust[word].append(value)
        elif word == "succeeded":
            made, former, signature, why = value.split(" ", 3)
            trust[word].append((made, Key(former), un64(signature), why, former))
        elif word == "retired":
            made, key, why = (value.split(" ", 2) + ["", ""])[:3]
            plain = 1 <= len(why.encode()) <= 300 and why == why.strip() and not MISLEADS.search(why)
            if not plain or not re.fullmatch("age1[a-z0-9]{58}", key):
                raise Wrong(ALTERED, "the trust file names a recovery key that was replaced, and not in form")
            trust[word].append((moment(made), key))
        elif word == "restored":
            trust[word].append(read_restored(value, trust["slug"]))
        else:
            trust[word] = value
    for word in ("practice-key", "log", "collector", "bundle"):
        trust[word] = Key(trust[word])
    closed = trust["restored"]
    keys = [one[key].raw for one in closed + [trust] for key in ("log", "collector")]
    times = [moment(one["made"]) for one in closed + [trust]] if closed else []
    if len(closed) > 32 or times != sorted(times) or closed and len(set(keys)) != len(keys):
        raise Wrong(ALTERED, "the announced restores are out of order or too many, or a key that was closed comes back")
    replaced = trust["retired"]
    keys, times = [one[1] for one in replaced] + [trust["recovery"]], [one[0] for one in replaced]
    times += [moment(trust["made"])] if replaced else []
    if len(replaced) > 16 or times != sorted(times) or len(set(keys)) != len(keys):
        raise Wrong(ALTERED, "the recovery keys that were replaced are out of order or too many, or one comes back")
    if not trust["slug"].endswith("." + hashlib.sha256(founding_key(trust).raw).hexdigest()[:8]):
        raise Wrong(NOT_VERIFIABLE, "the trust file's name does not belong to its practice key")
    signed_by(note, trust["practice-key"], "trust file")
    _, inside, _, outside = trust["quorum"].split(" ")
    trust["quorums"] = {"committee": int(inside), "outside": int(outside)}
    return trust


# ---- the bundle ------------------------------------------------------------------------------------------------
def read_bundle(path):
    """All files by name, within bounds, without writing any."""
    files, total = {}, 0
    if os.path.isdir(path):
        found = ((os.path.join(at, name), None) for at, _, names in os.walk(path) for name in names)
        names = [(os.path.relpath(full, path).replace(os.sep, "/"), full) for full, _ in found]
        opened = ((name, lambda full=full: open(full, "rb")) for name, full in names)
    else:
        archive = zipfile.ZipFile(path)
        members = [one for one in archive.infolist() if not one.is_dir()]
        opened = ((one.filename, lambda one=one: archive.open(one)) for one in members)
    for name, open_ in opened:
        if name in files or len(files) >= FILES_MAX or not all(SAFE.fullmatch(part) for part in name.split("/")):
            raise Wrong(ALTERED, f"{name!r} stands twice, or is no path for a bundle, or is one file too many")
        with open_() as file:
            files[name] = file.read(BYTES_MAX - total + 1)
        total += len(files[name])
        if total > BYTES_MAX:
            raise Wrong(NOT_VERIFIABLE, "more than 1 GiB is not read")
    top = min(files).split("/")[0] + "/" if files else ""
    if "bagit.txt" not in files and all(name.startswith(top) for name in files):
        files = {name[len(top):]: content for name, content in files.items()}
    return files


class Bundle:
    def __init__(self, files, given):
        self.files, self.given, self.results, self.final = files, given, [], None
        self.trust, self.own, self.keyless = None, None, False
        self.rows, self.indexes, self.keys, self.bounds, self.notes = {}, {}, {}, {}, 0

    @property
    def last(self):
        """Size, root and note of the final checkpoint, where the log signed it."""
        if self.final is None:
            raise Wrong(NOT_VERIFIABLE, "not judged without a final checkpoint that holds")
        return self.final

    def need(self, path):
        if path not in self.files:
            raise Wrong(INCOMPLETE, f"{path} is missing")
        return self.files[path]

    def check(self, name, function):
        """Runs one check; whatever it raises is a failure with its name, never a traceback."""
        try:
            status, sentence = 0, function()
        except Wrong as wrong:
            status, sentence = wrong.status, str(wrong)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            # Without keys nothing can be told, and nothing is said to be altered.
            status, sentence = NOT_VERIFIABLE if self.keyless else ALTERED, f"not in form: {type(error).__name__} {error}"
        self.results.append((name, status, sentence))

    def info(self, label):
        values = re.findall(rf"(?m)^{label}: (.*)$", self.need("bag-info.txt").decode())
        if len(values) != 1:
            raise Wrong(INCOMPLETE, f"bag-info.txt has not exactly one {label}")
        return values[0]

    def manifest(self, name, digest, wanted):
        listed = {}
        for line in self.need(name).decode().splitlines():
            total, path = line.split("  ", 1)
            if path in listed:
                raise Wrong(ALTERED, f"{name} lists {path} twice")
            listed[path] = total
        for path in sorted(set(listed) | wanted):
            if path not in self.files:
                raise Wrong(INCOMPLETE, f"{path}, listed in {name}, is missing")
            if listed.get(path) != digest(self.files[path]).hexdigest():
                raise Wrong(ALTERED, f"{path} does not have its sum in {name}, or was added")

    def bag_structure(self):
        if self.need("bagit.txt") != b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n":
            raise Wrong(ALTERED, "bagit.txt does not declare BagIt 1.0")
        return f"a BagIt 1.0 bag with {len(self.files)} files"

    def bag_manifests(self):
        payload = {path for path in self.files if path.startswith("data/")}
        self.manifest("manifest-sha256.txt", hashlib.sha256, payload)
        self.manifest("manifest-sha512.txt", hashlib.sha512, payload)
        return f"{len(payload)} payload files have the sums of 2 manifests, none is missing, none added"

    def bag_tagmanifest(self):
        tags = {path for path in self.files if not path.startswith(("data/", "tagmanifest-"))}
        self.manifest("tagmanifest-sha256.txt", hashlib.sha256, tags)
        return f"{len(tags)} tag files have their sums"

    def trust_file(self):
        if self.given is not None:
            try:
                self.trust = read_trust(self.given)
            except (Wrong, ValueError, KeyError, TypeError, IndexError) as wrong:
                self.keyless = True
                raise Wrong(NOT_VERIFIABLE, f"the trust file that was given cannot be used: {wrong}")
        self.own = read_trust(self.need("data/proofs/trust.txt"))
        self.trust = self.trust or self.own
        restored = "".join(f"; a copy was put back at {one['made']} ({one['why']}): the log was closed at {one['size']} batches, "
                           "and what the lost collector had beyond is not here, except what machines sent again"
                           for one in self.trust["restored"])
        named = [f"{name} holds {HELD[held]}" for held, _, name in
                 (line.partition(" ") for line in self.trust["custodian"])]
        before = [f"{one[1].id.hex()} until {one[0]} ({one[3]})" for one in self.trust["succeeded"]]
        return ("it is signed by the practice key that it names; custodians outside: " + ("; ".join(named) or "none")
                + ("; practice keys before it, each of which signed for the next: " if before else "") + ", ".join(before)
                + restored)

    def practice_key(self):
        if self.given is None:
            raise Wrong(NOT_VERIFIABLE, "consistent in itself; nobody vouched for the practice key: give --trust")
        if self.trust is None:
            raise Wrong(NOT_VERIFIABLE, "no practice key can be taken from the trust file that was given")
        if self.own is None:
            raise Wrong(INCOMPLETE, "the bundle does not say under which practice key it stands")
        if leads_from(self.own, self.trust) and not leads_from(self.trust, self.own):
            raise Wrong(NOT_VERIFIABLE, "the bundle stands under a later practice key than the one that was given: "
                        "take the newer trust file from another source than the bundle")
        if not leads_from(self.trust, self.own):
            raise Wrong(NOT_VERIFIABLE, "the bundle stands under another practice key than the one that was given")
        return "the bundle stands under the practice key that was given"

    def bundle_signature(self):
        note, key = self.need("tagmanifest-sha256.txt.note"), self.trust["bundle"]
        total = hashlib.sha256(self.need("tagmanifest-sha256.txt")).hexdigest()
        if signed_by(note, key, "bundle") != f"{key.name}\n{total}\n" or len(read_note(note)[1]) != 1:
            raise Wrong(ALTERED, "the bundle key signed another tag manifest")
        return "the bundle key of the trust file signed the tag manifest"

    def checkpoint(self):
        note = self.need("data/proofs/checkpoint.txt")
        size, root = of_log(note, self.trust, "checkpoint.txt")
        told = [self.info("Log-Origin"), self.info("Log-Size"), self.info("Log-Root")]
        self.final = (size, root, note)
        if told != [self.trust["log"].name, str(size), base64.b64encode(root).decode()]:
            raise Wrong(ALTERED, "bag-info.txt names another log than the checkpoint")
        continued = ""
        for one in closed_within(self.trust, size):
            path = f"data/proofs/restored/{one['size']}.consistency"
            lines = self.need(path).decode()
            hashes = [un64(line) for line in lines.split("\n")[:-1]]
            if "".join(base64.b64encode(hash_).decode() + "\n" for hash_ in hashes) != lines:
                raise Wrong(ALTERED, f"{path} is not a list of hashes")
            if not self.grows(one["size"], one["root"], hashes):
                raise Wrong(ALTERED, f"{path}: the final checkpoint does not continue the log that was closed")
            continued += f"; it continues the log that was closed at {one['size']}"
        weekly = self.weekly()
        also = f"; {weekly} weekly checkpoints lead to it" if weekly else ""
        return f"the log key signed the final checkpoint of size {size}, which bag-info.txt names too{also}{continued}"

    def weekly(self):
        """Weekly checkpoints that the final one continues: how many."""
        held = 0
        for path in sorted(path for path in self.files if path.startswith("data/proofs/weekly/")):
            stem, _, kind = path.rpartition(".")
            if kind != "txt":
                if kind != "consistency" or stem + ".txt" not in self.files:
                    raise Wrong(INCOMPLETE, f"{path} stands without its checkpoint")
                continue
            size, root = of_log(self.files[path], self.trust, path)
            if not self.grows(size, root, [un64(line) for line in self.need(stem + ".consistency").decode().splitlines()]):
                raise Wrong(ALTERED, f"{path} does not lead to the final checkpoint")
            held += 1
        return held

    def witnesses(self):
        note, told = self.need("data/proofs/checkpoint.txt"), []
        for group, quorum in self.trust["quorums"].items():
            # Size of a checkpoint, and how many of the group cosigned it: the final one and older ones.
            found = [(self.last[0], sum(cosigned(note, key) for key in self.trust[group]))]
            found += [self.older(path, group) for path in self.witnessed()]
            count, enough = max(count for _, count in found), [size for size, count in found if count >= quorum]
            if not enough:
                raise Wrong(INCOMPLETE, f"{count} of {group} cosigned where {quorum} are needed")
            later = self.rows_after(max(enough)) if quorum else 0
            if later:
                raise Wrong(INCOMPLETE, f"{later} rows of machines came after what {group} cosigned")
            told.append(f"{count} of {len(self.trust[group])} in {group} cosigned ({quorum} needed)")
        return "; ".join(told)

    def rows_after(self, size):
        """Disclosed rows of machines in ranges whose end note stands in the log at or after this size."""
        self.read_rows()
        later = 0
        for one in self.ranges():
            index = re.search(rb"(?m)^index ([0-9]+)$", self.need(one["proof"]))
            if one["author"] != "collector" and (index is None or int(index[1]) >= size):
                later += sum("parts" in row and one["first"] <= row["number"] < one["size"]
                             for row in self.rows.get(one["author"], []))
        return later

    def time_stamps(self):
        told = []
        for path in sorted(self.files):
            if not re.fullmatch(r"data/proofs/timestamps/[0-9]+\.txt", path):
                continue
            size, root = of_log(self.files[path], self.trust, path)
            lines = self.need(path[: -len(".txt")] + ".consistency").decode().split()
            if path.rsplit("/", 1)[1] != f"{size}.txt" or not self.grows(size, root, [un64(line) for line in lines]):
                raise Wrong(ALTERED, f"{path} does not lead to the final checkpoint")
            imprint, time = stamped(self.need(path[: -len("txt")] + "tsr"))
            if imprint != sha256(self.files[path]):
                raise Wrong(ALTERED, f"{path}: the time-stamp is over another text")
            told.append(f"the log at size {size} existed by {time}")
        return "; ".join(told + ["signatures are left to openssl"]) if told else "none"

    def witnessed(self):
        """Older checkpoints that somebody cosigned, each with the proof that the final one continues it."""
        return [path for path in self.files if re.fullmatch(r"data/proofs/witnessed/[0-9]+\.txt", path)]

    def older(self, path, group):
        size, root = of_log(self.files[path], self.trust, path)
        lines = self.need(path[: -len(".txt")] + ".consistency").decode().split()
        if not self.grows(size, root, [un64(line) for line in lines]):
            raise Wrong(ALTERED, f"{path} does not lead to the final checkpoint")
        return size, sum(cosigned(self.files[path], key) for key in self.trust[group])

    def grows(self, old, old_root, proof):
        """RFC 9162 2.1.4.2: whether the tree of `old` leaves is a prefix of the final one."""
        new, new_root = self.last[0], self.last[1]
        if not 0 < old <= new or old == new:
            return old == new and not proof and old_root == new_root
        proof = ([] if old & (old - 1) else [old_root]) + proof
        at, last = old - 1, new - 1
        while at & 1:
            at, last = at >> 1, last >> 1
        before = after = proof[0]
        for hash_ in proof[1:]:
            if last == 0:
                return False
            if at & 1 or at == last:
                before, after = node(hash_, before), node(hash_, after)
                while at and not at & 1:
                    at, last = at >> 1, last >> 1
            else:
                after = node(after, hash_)
            at, last = at >> 1, last >> 1
        return last == 0 and (before, after) == (old_root, new_root)

    def included(self, note, index, proof, what):
        """Whether a batch note stands at an index of the final checkpoint's log."""
        size, root, _ = self.last
        try:
            held = root_from_inclusion(leaf_hash(note), index, size, proof) == root
        except ValueError as error:
            raise Wrong(ALTERED, f"{what}: {error}")
        if not held:
            raise Wrong(ALTERED, f"{what}: the proof leads to another root")
        return index

    def proved(self, note_path, proof_path):
        """Where the note of a file stands in the log, by its tlog-proof."""
        head, note = self.need(proof_path).decode().split("\n\n", 1)
        magic, index, *hashes = head.split("\n")
        if magic != "c2sp.org/tlog-proof@v1" or note.encode() != self.last[2] or not index.startswith("index "):
            raise Wrong(ALTERED, f"{proof_path} is no proof against the final checkpoint")
        return self.included(self.need(note_path), int(index[6:]), [un64(line) for line in hashes], proof_path)

    def read_rows(self):
        """Rows by author, in the order of their numbers."""
        for path in self.files:
            if path.startswith("data/entries/"):
                rows = [json.loads(line) for line in self.files[path].decode().split("\n")[:-1]]
                self.rows[path[len("data/entries/"):-len(".jsonl")].replace("-", "/", 1)] = rows
                numbers = [row["number"] for row in rows]
                if not rows or any(one >= two for one, two in zip(numbers, numbers[1:])):
                    raise Wrong(ALTERED, f"rows of {path} are out of order, or there is none")

    def ranges(self):
        found = json.loads(self.need("data/proofs/ranges.json"))
        if not found:
            raise Wrong(INCOMPLETE, "ranges.json names no range")
        return found

    def acts(self, wanted):
        """The collector's disclosed acts of a kind: number and body. Their rows are tied by the check entries."""
        for row in self.rows.get("collector", []):
            if row.get("parts") and row["parts"][0].get("text"):
                event = json.loads(row["parts"][0]["text"])
                if event.get("kind") == wanted:
                    yield row["number"], event["act"], event["time"]

    def author_keys(self):
        """The collector's keys are the trust file's, one an announced restore and today's; an agent's first key is enrolled, each later one rolled over to."""
        self.read_rows()
        enrolments = {number: (body, time) for number, body, time in self.acts("act_enrolment")}
        slug, rolled = self.trust["slug"], 0
        for one in sorted(json.loads(self.need("data/proofs/keys.json")), key=lambda one: one["epoch"]):
            author, epoch, key = one["author"], one["epoch"], Key(one["key"])
            name = f"the key of {author} in epoch {epoch}"
            if (author, epoch) in self.keys or key.name != f"{slug}/{author}" or key.kind != 1:
                raise Wrong(ALTERED, f"{name} is listed twice or bears another name")
            begins = (0, -1)
            if author == "collector":
                if [key.text] != [known.text for known in owner(self.trust, "collector", epoch)]:
                    raise Wrong(NOT_VERIFIABLE, f"the collector's key in epoch {epoch} is not the one of the trust file")
                if "enrolled_by" in one or "rolled_by" in one:
                    raise Wrong(NOT_VERIFIABLE, "the collector's key names an entry, where only the trust file names it")
            elif "rolled_by" in one:
                begins, rolled = self.rolled(one, key, name), rolled + 1
                earlier = self.bounds[author, epoch - 1]
                self.bounds[author, epoch - 1] = (*earlier[:2], *begins)
            else:
                body, time = enrolments.get(one.get("enrolled_by", {}).get("number"), ({}, ""))
                if [body.get("author"), body.get("key"), body.get("epoch")] != [author, one["key"], epoch]:
                    raise Wrong(NOT_VERIFIABLE, f"no disclosed act enrols {name}")
                if time[:19] > self.trust["enrolment-until"][:19]:
                    raise Wrong(NOT_VERIFIABLE, f"{name} was enrolled after the delegation had ended")
            self.keys[author, epoch] = key
            self.bounds[author, epoch] = (*begins, 1 << 64, 1 << 64)
        machines = {re.sub(r"\.[0-9]+$", "", body["author"]) for body, _ in enrolments.values()
                    if body["author"].startswith("agent/")}
        if len(machines) > int(self.trust["machines-max"]):
            raise Wrong(NOT_VERIFIABLE, f"{len(machines)} machines are enrolled: more than the trust file allows")
        closed = closed_within(self.trust, self.last[0])
        for one in closed:
            self.acts_before(one["size"])
        also = f"; the acts lead to what the collector signed before each restore ({len(closed)})" if closed else ""
        return f"{len(self.keys)} keys, enrolled or named by the key before ({rolled} roll-overs){also}"

    def collector_note(self, size):
        """The collector's note of a size, signed with the key of the leaf at which it stands: size, root and leaf."""
        path = f"data/proofs/collector-{size}"
        index = self.proved(path + ".note", path + ".tlog-proof")
        epoch = generation(self.trust, index + 1)
        return (*checkpoint(self.need(path + ".note"), owner(self.trust, "collector", epoch)[0], path), index, epoch)

    def acts_before(self, closed):
        """The acts lead to the collector's last note before a restore: the new key vouches for none of them."""
        sizes = [int(one[1]) for one in (re.fullmatch(r"data/proofs/collector-([0-9]+)\.note", path) for path in self.files) if one]
        places = {size: re.search(rb"(?m)^index ([0-9]+)$", self.files.get(f"data/proofs/collector-{size}.tlog-proof", b""))
                  for size in sizes}
        before = [size for size, place in places.items() if place and int(place[1]) < closed]
        if not before:
            raise Wrong(INCOMPLETE, f"the collector's last note before leaf {closed} is missing")
        size, root, _, epoch = self.collector_note(max(before))
        if ("collector", epoch) not in self.keys:
            raise Wrong(NOT_VERIFIABLE, f"the collector's key in epoch {epoch} is not listed")
        for one in self.ranges():
            if one["author"] == "collector" and one["first"] < size <= one["size"]:
                stack = subtrees_of(one["compact_range_before"], one["first"])
                for row in self.rows["collector"]:
                    if one["first"] <= row["number"] < size:
                        append(stack, row_leaf(row))
                if size != max(before) or root_of(stack) != root:
                    raise Wrong(ALTERED, f"the acts do not lead to the root of {size} entries that the collector signed before the restore")
                return
        raise Wrong(NOT_VERIFIABLE, f"the collector's note of {size} entries lies inside no range")

    def rolled(self, one, key, name):
        """A roll-over: signed by the key before, in the log, and the entry names the new key. Size and index."""
        by, author, epoch = one["rolled_by"], one["author"], one["epoch"]
        before = self.keys.get((author, epoch - 1))
        if before is None or "enrolled_by" in one or by["row"]["number"] != by["number"]:
            raise Wrong(NOT_VERIFIABLE, f"{name} follows no key that is shown to be its author's")
        note = by["note"].encode()
        size, root = checkpoint(note, before, f"the roll-over to {name}")
        stack = subtrees_of(by["before"], by["number"])
        append(stack, row_leaf(by["row"]))
        event = json.loads(by["row"]["parts"][0]["text"])
        named = event.get("epoch", {})
        if event["kind"] != "epoch" or (named.get("number"), named.get("key")) != (epoch, key.text):
            raise Wrong(NOT_VERIFIABLE, f"the roll-over to {name} names another key")
        if (size, root) != (by["number"] + 1, root_of(stack)):
            raise Wrong(ALTERED, f"the roll-over to {name} does not lead to the root that the key before signed")
        hashes = [bytes.fromhex(hash_) for hash_ in by["inclusion"]]
        return size, self.included(note, by["index"], hashes, f"the roll-over to {name}")

    def revoked(self, author):
        """Index in the log of the note of the act that revoked an author; a large number for none."""
        acts = [number for number, body, _ in self.acts("act_revocation") if body["author"] == author]
        acts += [number for number, body, _ in self.acts("act_enrolment")
                 if body.get("replaces", "").split("+")[0] == f"{self.trust['slug']}/{author}"]
        if not acts:
            return 1 << 64
        found = [re.fullmatch(r"data/proofs/collector-([0-9]+)\.note", path) for path in self.files]
        size = min(int(one[1]) for one in found if one and int(one[1]) > min(acts))
        return self.collector_note(size)[2]

    def begins(self, author):
        """Where the act that enrolled an author says that its log begins, of which the first entries are gone."""
        body = next((body for _, body, _ in self.acts("act_enrolment") if body["author"] == author), {})
        begun = body.get("begins", {"first": 0, "range": []})
        return begun["first"], [bytes.fromhex(hash_) for hash_ in begun["range"]]

    def batch_notes(self):
        for one in self.ranges():
            for at, size in ((one, one["size"]), (one.get("before"), one["first"])):
                if at is None:
                    continue
                key = self.keys.get((one["author"], at["epoch"]))
                if key is None:
                    raise Wrong(NOT_VERIFIABLE, f"no key of {one['author']} in epoch {at['epoch']} is shown")
                signed, root = checkpoint(self.need(at["note"]), key, at["note"])
                if signed != size:
                    raise Wrong(ALTERED, f"{at['note']} speaks of {signed} entries where the range needs {size}")
                self.indexes[at["note"]] = (size, root)
                self.notes += 1
        return f"{self.notes} notes are signed by their authors' keys"

    def inclusion(self):
        for one in self.ranges():
            places = []
            for at, size in ((one.get("before"), one["first"]), (one, one["size"])):
                if at is not None:
                    index = self.proved(at["note"], at["proof"])
                    if (one["author"], at["epoch"]) not in self.bounds:
                        raise Wrong(NOT_VERIFIABLE, f"{at['note']} is not judged without a key")
                    from_size, from_index, to_size, to_index = self.bounds[one["author"], at["epoch"]]
                    if one["author"] == "collector" and generation(self.trust, index + 1) != at["epoch"]:
                        raise Wrong(ALTERED, f"{at['note']} stands at leaf {index}, which is of another epoch as the trust file says")
                    if not (from_size < size <= to_size and from_index < index <= to_index):
                        raise Wrong(ALTERED, f"{at['note']} lies outside epoch {at['epoch']}")
                    if index >= self.revoked(one["author"]):
                        raise Wrong(ALTERED, f"{at['note']} came after its author was revoked")
                    places.append(index)
            if places != sorted(set(places)):
                raise Wrong(ALTERED, "the notes of a range stand in the log in the wrong order")
        return f"{self.notes} notes stand in the log of the final checkpoint"

    def entries(self):
        told, seen = [], dict.fromkeys(self.rows, 0)
        for one in sorted(self.ranges(), key=lambda one: (one["author"], one["first"])):
            author, first, size = one["author"], one["first"], one["size"]
            stack, before = subtrees_of(one["compact_range_before"], first), one.get("before")
            known = first > 0 and self.begins(author) == (first, [hash_ for _, hash_ in stack])
            if (before is None) != (first == 0) and not (before is None and known) or first >= size:
                raise Wrong(INCOMPLETE, f"{author} [{first}, {size}) has no note of its beginning, or is empty")
            if one["note"] not in self.indexes or before and before["note"] not in self.indexes:
                raise Wrong(NOT_VERIFIABLE, f"{author} [{first}, {size}) is not tied to signed notes")
            if before and root_of(stack) != self.indexes[before["note"]][1]:
                raise Wrong(ALTERED, f"what stands before {author} {first} does not lead to its note")
            rows = [row for row in self.rows.get(author, []) if first <= row["number"] < size]
            if [row["number"] for row in rows] != list(range(first, size)):
                raise Wrong(INCOMPLETE, f"an entry of {author} [{first}, {size}) is missing")
            for row in rows:
                append(stack, row_leaf(row))
            if root_of(stack) != self.indexes[one["note"]][1]:
                raise Wrong(ALTERED, f"the rows of {author} do not lead to the root that the author signed")
            shown = sum("parts" in row for row in rows)
            seen[author] += len(rows)
            told.append(f"of entries {first}..{size - 1} of {author}, {shown} shown, "
                        f"{len(rows) - shown} withheld, none missing")
        for author, rows in self.rows.items():
            if seen[author] != len(rows):
                raise Wrong(NOT_VERIFIABLE, f"a row of {author} lies in no range")
        return "; ".join(told)

    def counts(self):
        rows = [row for rows in self.rows.values() for row in rows]
        shown = sum("parts" in row for row in rows)
        if [self.info("Disclosed-Events"), self.info("Withheld-Events")] != [str(shown), str(len(rows) - shown)]:
            raise Wrong(ALTERED, "bag-info.txt counts other rows than there are")
        return f"{shown} rows are disclosed and {len(rows) - shown} withheld, as noted"

    CHECKS = ("bag-structure bag-manifests bag-tagmanifest trust-file practice-key bundle-signature checkpoint "
              "witnesses time-stamps author-keys batch-notes inclusion entries counts").split()

    def run(self):
        for number, name in enumerate(self.CHECKS):
            if self.trust is None and number > self.CHECKS.index("practice-key"):
                self.results.append((name, NOT_VERIFIABLE, "not judged without a trust file"))
            else:
                self.check(name, getattr(self, name.replace("-", "_")))


def row_leaf(row):
    """The leaf hash to which a row leads: given, or from its three parts."""
    if set(row) == {"number", "leaf"}:
        return bytes.fromhex(row["leaf"])
    if set(row) != {"number", "parts"} or len(row["parts"]) != 3:
        raise ValueError("a row has either a leaf or three parts")
    commitments = []
    for part in row["parts"]:
        if "commitment" in part:
            commitments.append(bytes.fromhex(part["commitment"]))
        else:
            commitments.append(sha256(bytes.fromhex(part["salt"]), part["text"].encode()))
    return leaf_hash(b"".join(commitments))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle")
    parser.add_argument("--trust", help="the practice's trust file, from another source than the bundle")
    try:
        asked = parser.parse_args()
    except SystemExit as ended:
        return 64 if ended.code else 0
    try:
        with open(asked.trust, "rb") if asked.trust else open(os.devnull, "rb") as file:
            given = file.read(1 << 20) if asked.trust else None
        bundle = Bundle(read_bundle(asked.bundle), given)
        bundle.run()
        results = bundle.results
    except OSError as error:
        print(f"verify_bundle: {error}", file=sys.stderr)
        return 64
    except Wrong as wrong:
        results = [("archive", wrong.status, str(wrong))]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        results = [("archive", ALTERED, f"the ZIP file is damaged: {error}")]
    for name, status, sentence in results:
        mark = {0: "ok  ", NOT_VERIFIABLE: "??  "}.get(status, "FAIL")
        print(mark, f"{name:<16}", re.sub(r"[^ -~]", "?", sentence))
    code = max((status for _, status, _ in results), key=lambda status: RANK.get(status, 0))
    print("\n" + ("verified", "altered", "incomplete", "not verifiable")[code])
    return code


if __name__ == "__main__":
    sys.exit(main())
