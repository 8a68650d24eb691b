"""Checks each tlog-proof of a bundle with the package pymerkle: merkle.py PROOFS.

The form (text to numbers and hashes) is read here; the tree's rules are pymerkle's. Each proof has twins that must be
refused: a changed leaf, hash or root, another index, a hash too few.
"""

import base64
import hashlib
import pathlib
import sys

from pymerkle import InvalidProof, verify_inclusion
from pymerkle.core import _inclusion_path_layout
from pymerkle.proof import InclusionProof


def accepts(leaf, index, size, hashes, root):
    base = hashlib.sha256(b"\x00" + leaf).digest()
    try:
        rule, _ = _inclusion_path_layout(index + 1, size)
        proof = InclusionProof("sha256", True, size, index + 1, rule, [base, *hashes])
        verify_inclusion(base, root, proof, index=index + 1, size=size)
        return True
    except (InvalidProof, ValueError, IndexError):
        return False


def flip(data):
    return bytes([data[0] ^ 1]) + data[1:]


accepted = refused = 0
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.tlog-proof")):
    head, note = path.read_text(encoding="utf-8").split("\n\n", 1)
    _, index, *lines = head.split("\n")
    index, hashes = int(index.removeprefix("index ")), [base64.b64decode(line) for line in lines]
    _, size, root = note.split("\n")[:3]
    size, root = int(size), base64.b64decode(root)
    leaf = path.with_suffix(".note").read_bytes()
    if not accepts(leaf, index, size, hashes, root):
        sys.exit(f"{path.name}: refused")
    accepted += 1
    twins = [
        (flip(leaf), index, size, hashes, root),
        (leaf, index ^ 1, size, hashes, root),
        (leaf, index, size, hashes[:-1], root),
        (leaf, index, size, [flip(hash_) for hash_ in hashes] or [root], root),
        (leaf, index, size, hashes, flip(root)),
    ]
    for number, twin in enumerate(twins):
        if accepts(*twin):
            sys.exit(f"{path.name}: twin {number} was accepted")
        refused += 1
print(f"{accepted} proofs accepted, {refused} twins refused")
sys.exit(0 if accepted else 1)
