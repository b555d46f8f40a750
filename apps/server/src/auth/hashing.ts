import argon2 from 'argon2';
import { LRUCache } from 'lru-cache';
import { digestOf, sameDigest } from './api-key.ts';
import { createGate } from './gate.ts';

/** OWASP's least for argon2id: 37 ms here. Paid when a key is made, and at its first use in a process that did not make it. */
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

export type Hashing = ReturnType<typeof createHashing>;

/** argon2 takes a core and 19 MB: two at a time, and not an endless queue. Tests, which make keys by the thousand, let it cost less. */
export function createHashing(options: { memoryCost?: number; timeCost?: number } = {}) {
  const gate = createGate({ running: 2, waiting: 64 });
  /** Which key a hash was just made of; its digest alone, for the key itself stays nowhere. */
  const made = new LRUCache<string, string>({ max: 1000 });

  async function hash(key: string): Promise<string> {
    const hashed = await gate(() => argon2.hash(key, { type: argon2.argon2id, ...cost, ...options }));
    made.set(hashed, digestOf(key));
    return hashed;
  }

  async function verify(hashed: string, key: string): Promise<boolean> {
    const digest = made.get(hashed);
    return (digest !== undefined && sameDigest(digest, digestOf(key))) || gate(() => argon2.verify(hashed, key));
  }

  return { hash, verify };
}
