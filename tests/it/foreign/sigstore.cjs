// Checks each tlog-proof of a bundle with npm's own @sigstore/verify: sigstore.cjs PACKAGE PROOFS.
// The log's key comes from the trust file, the leaf is the batch note. Each proof has twins that must be refused:
// one bit flipped in leaf, hash, checkpoint, signature; another index; a hash too few.
'use strict';
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

const [packageFolder, proofs] = process.argv.slice(2);
const { verifyCheckpoint } = require(path.join(packageFolder, 'dist/tlog/checkpoint.js'));
const { verifyMerkleInclusion } = require(path.join(packageFolder, 'dist/tlog/merkle.js'));

const trust = fs.readFileSync(path.join(proofs, 'trust.txt'), 'utf8');
const [, origin, keyId, keyText] = trust.match(/^log ([^+\n]+)\+([0-9a-f]{8})\+(\S+)$/m);
const key = Buffer.from(keyText, 'base64');
const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key.subarray(1)]);
const log = {
  logID: Buffer.from(keyId, 'hex'),
  baseURL: origin,
  publicKey: crypto.createPublicKey({ key: spki, format: 'der', type: 'spki' }),
};

function accepts({ index, hashes, envelope, leaf }) {
  const entry = {
    canonicalizedBody: leaf,
    inclusionProof: { logIndex: String(index), hashes, checkpoint: { envelope } },
  };
  try {
    verifyMerkleInclusion(entry, verifyCheckpoint(entry, [log]));
    return true;
  } catch {
    return false;
  }
}

const flip = (bytes, at) => {
  const changed = Buffer.from(bytes);
  changed[at] ^= 1;
  return changed;
};

let accepted = 0;
let refused = 0;
const wrong = [];
for (const name of fs.readdirSync(proofs).filter((file) => file.endsWith('.tlog-proof'))) {
  const text = fs.readFileSync(path.join(proofs, name), 'utf8');
  const cut = text.indexOf('\n\n');
  const [head, indexLine, ...hashLines] = text.slice(0, cut).split('\n');
  if (head !== 'c2sp.org/tlog-proof@v1') throw new Error(`${name}: ${head}`);
  const proof = {
    index: Number(indexLine.replace('index ', '')),
    hashes: hashLines.map((line) => Buffer.from(line, 'base64')),
    envelope: text.slice(cut + 2),
    leaf: fs.readFileSync(path.join(proofs, name.replace('.tlog-proof', '.note'))),
  };
  if (accepts(proof)) accepted += 1;
  else wrong.push(`${name}: refused`);
  const [signature] = proof.envelope.match(/\S+\n$/);
  const twins = {
    'a changed leaf': { leaf: flip(proof.leaf, 3) },
    'another index': { index: proof.index === 0 ? 1 : proof.index - 1 },
    'a hash too few': { hashes: proof.hashes.slice(1) },
    'a changed hash': { hashes: [flip(proof.hashes[0] ?? Buffer.alloc(32), 0), ...proof.hashes.slice(1)] },
    'another size': { envelope: proof.envelope.replace(/^(\S+\n)(\d+)/, (_, first, size) => `${first}${Number(size) + 1}`) },
    'a changed signature': {
      envelope: proof.envelope.replace(signature, `${flip(Buffer.from(signature, 'base64'), 20).toString('base64')}\n`),
    },
    'no signature': { envelope: proof.envelope.slice(0, proof.envelope.indexOf('\n\n') + 2) },
  };
  for (const [what, change] of Object.entries(twins)) {
    if (accepts({ ...proof, ...change })) wrong.push(`${name}: ${what} was accepted`);
    else refused += 1;
  }
}
console.log(`${accepted} proofs accepted, ${refused} twins refused`);
if (wrong.length > 0 || accepted === 0) {
  console.log(wrong.join('\n') || 'no proof was found');
  process.exit(1);
}
