import { expect, test } from 'bun:test';
import { createHashing } from './hashing.ts';

test('a key is kept as argon2id of the cost that OWASP asks for, and known again anywhere', async () => {
  const [here, there] = [createHashing(), createHashing()];
  const hash = await here.hash('a key');
  expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,p=1,t=2\$/);
  expect(await here.hash('a key')).not.toBe(hash);
  for (const hashing of [here, there])
    expect(await Promise.all([hashing.verify(hash, 'a key'), hashing.verify(hash, 'another')])).toEqual([true, false]);
});
