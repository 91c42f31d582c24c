// Our MD5 of short keys equals the runtime's MD5.

import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { md5Words, SHORT_KEY_BYTES } from "../../src/records/kpl/md5.ts";

test("computes the runtime's digest at any offset", () => {
  const digest = new Uint32Array(4);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: SHORT_KEY_BYTES }), fc.nat(9), (key, offset) => {
      const bytes = Buffer.concat([Buffer.alloc(offset, 7), key, Buffer.alloc(3, 9)]);
      md5Words(bytes, offset, offset + key.length, digest);
      const hex = Array.from(digest, (word) => word.toString(16).padStart(8, "0")).join("");
      expect(hex).toBe(createHash("md5").update(key).digest("hex"));
    }),
  );
});
