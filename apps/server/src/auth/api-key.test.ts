import { createHmac } from 'node:crypto';
import { expect, test } from 'bun:test';
import { createMac } from './api-key.ts';

test('the mac of a key is its HMAC under the salt, whichever keys were seen before', () => {
  const salt = 'a salt of more than one block of SHA-256, for then it is hashed itself before it is used as a key';
  for (const [salted, mac] of [salt, 'short'].map((each) => [each, createMac(each)] as const))
    for (const key of ['nxp_one', 'nxp_two', 'nxp_one', ''])
      expect(mac(key)).toBe(createHmac('sha256', salted).update(key).digest('base64'));
});
