import argon2 from 'argon2';
import { createGate } from './gate.ts';

/** OWASP's least for argon2id: 37 ms here. Paid when a key is made, and at its first use in a process. */
const argon = { type: argon2.argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

export type Hashing = ReturnType<typeof createHashing>;

/** argon2 takes a core and 19 MB: two at a time, and not an endless queue. */
export function createHashing() {
  const gate = createGate({ running: 2, waiting: 64 });
  return {
    hash: (key: string) => gate(() => argon2.hash(key, argon)),
    verify: (hash: string, key: string) => gate(() => argon2.verify(hash, key)),
  };
}
