// Answers a JSON list of requests on standard input with the npm packages; bytes are in base64.
import { createPublicKey } from "node:crypto";
import { verifyCheckpoint } from "@sigstore/verify/dist/tlog/checkpoint.js";
import { verifyMerkleInclusion } from "@sigstore/verify/dist/tlog/merkle.js";
import { Decrypter, Encrypter, generateHybridIdentity, identityToRecipient } from "age-encryption";
import { combine, split } from "shamir-secret-sharing";

const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));
const text = (data) => Buffer.from(data).toString("base64");

const answers = {
  async keygen() {
    const identity = await generateHybridIdentity();
    return { identity, recipient: await identityToRecipient(identity) };
  },
  recipient: ({ identity }) => identityToRecipient(identity),
  async encrypt({ recipients, data }) {
    const encrypter = new Encrypter();
    recipients.forEach((recipient) => encrypter.addRecipient(recipient));
    return text(await encrypter.encrypt(bytes(data)));
  },
  async decrypt({ identity, data }) {
    const decrypter = new Decrypter();
    decrypter.addIdentity(identity);
    return text(await decrypter.decrypt(bytes(data)));
  },
  async split({ data, count, threshold }) {
    return (await split(bytes(data), count, threshold)).map(text);
  },
  // Whether the log of a checkpoint, a signed note of this key, has a leaf at a place.
  included({ note, origin, keyId, key, leaf, index, hashes }) {
    const publicKey = createPublicKey({ key: bytes(key), format: "der", type: "spki" });
    const inclusionProof = {
      checkpoint: { envelope: note },
      logIndex: String(index),
      hashes: hashes.map((hash) => Buffer.from(hash, "base64")),
    };
    try {
      const log = { logID: Buffer.from(keyId, "base64"), baseURL: origin, publicKey };
      const checkpoint = verifyCheckpoint({ inclusionProof }, [log]);
      verifyMerkleInclusion(
        { inclusionProof, canonicalizedBody: Buffer.from(leaf, "base64") }, checkpoint);
    } catch (error) {
      return error.message;
    }
    return "included";
  },
  combine: async ({ shares }) => text(await combine(shares.map(bytes))),
};

let input = "";
for await (const chunk of process.stdin) input += chunk;
const results = [];
for (const request of JSON.parse(input)) results.push(await answers[request.op](request));
console.log(JSON.stringify(results));
