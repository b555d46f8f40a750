import { expect, test } from 'bun:test';
import type { FeedEvent } from '@nexus/contract';
import { checkEvents } from './events.ts';
import type { Op } from './log.ts';
import { checkRegisters } from './registers.ts';

const nobody = { lost: new Set<string>(), holds: [] };
let calls = 0;
const op = (session: string, verb: Op['verb'], from: number, to: number, answer: Partial<NonNullable<Op['answer']>>, fence = 0): Op => {
  const id = String((calls += 1));
  return { id, session, verb, on: 'auth', fence, at: from * 100, answer: { id, at: to * 100, ok: true, ...answer } };
};

test('a feature that two sessions picked one after the other, with a release between, is a register', () => {
  const ops = [
    op('a', 'pick', 1, 2, { fence: 1 }),
    op('b', 'pick', 1, 3, { ok: false, code: 'INVALID_STATUS_TRANSITION' }),
    op('a', 'extend', 3, 4, { ok: true }, 1),
    op('a', 'release', 5, 8, {}, 1),
    op('b', 'pick', 6, 7, { fence: 2 }),
  ];
  expect(checkRegisters(ops, nobody)).toEqual({ broken: [], calls: 5, unknown: 0, undecided: 0 });
});

test('a feature that two sessions held at once is none, unless the first of them was lost', () => {
  const ops = [op('a', 'pick', 1, 2, { fence: 1 }), op('b', 'pick', 3, 4, { fence: 2 })];
  expect(checkRegisters(ops, nobody).broken).toHaveLength(1);
  expect(checkRegisters(ops, { lost: new Set(['a']), holds: [] }).broken).toEqual([]);
});

test('a write that was accepted under a fence after another session had the feature breaks it', () => {
  const ops = [op('a', 'pick', 1, 2, { fence: 1 }), op('b', 'pick', 3, 4, { fence: 2 }), op('a', 'release', 5, 6, {}, 1)];
  expect(checkRegisters(ops, { lost: new Set(['a']), holds: [] }).broken).toHaveLength(1);
});

test('a pick that nobody heard of explains a refusal', () => {
  const unheard: Op = { id: 'x', session: 'a', verb: 'pick', on: null, fence: null, at: 100, answer: undefined };
  const ops = [unheard, op('b', 'pick', 3, 4, { ok: false, code: 'INVALID_STATUS_TRANSITION' })];
  expect(checkRegisters(ops, nobody).broken).toHaveLength(1);
  expect(checkRegisters(ops, { lost: new Set(['a']), holds: [{ session: 'a', slug: 'auth', fence: 1 }] }).broken).toEqual([]);
});

test('a refusal after an attempt that nobody answered says little: that attempt may take place later', () => {
  const refused = { ok: false, code: 'NOTHING_AVAILABLE', unsure: true };
  const later = [op('a', 'pick', 1, 2, refused), op('b', 'pick', 6, 7, { ok: false, code: 'INVALID_STATUS_TRANSITION' })];
  const known = { ...nobody, holds: [{ session: 'a', slug: 'auth', fence: 4 }] };
  expect(checkRegisters(later, known).broken).toEqual([]);
  expect(checkRegisters([op('a', 'pick', 1, 2, { ...refused, unsure: false }), ...later.slice(1)], known).broken).toHaveLength(1);
});

test('a hold that a later pick is answered with may have been given to an attempt before', () => {
  const refused = { ok: false, code: 'INVALID_STATUS_TRANSITION' };
  const first = op('a', 'pick', 1, 2, { ok: false, code: 'FILE_ALREADY_CLAIMED', unsure: true });
  const ops = [first, op('b', 'pick', 6, 7, refused), op('a', 'pick', 8, 9, { fence: 4 })];
  const known = { ...nobody, holds: [{ session: 'a', slug: 'auth', fence: 4 }] };
  expect(checkRegisters(ops, known).broken).toEqual([]);
  expect(checkRegisters(ops.slice(1), known).broken).toHaveLength(1);
});

test('a fence that is not above the one before it breaks it', () => {
  const ops = (second: number) => [
    op('a', 'pick', 1, 2, { fence: 2 }),
    op('a', 'release', 3, 4, {}, 2),
    op('b', 'pick', 5, 6, { fence: second }),
  ];
  expect(checkRegisters(ops(3), nobody).broken).toEqual([]);
  expect(checkRegisters(ops(2), nobody).broken).toHaveLength(1);
});

test('a release that is said again after it was answered is right as well', () => {
  const ops = [
    op('a', 'pick', 1, 2, { fence: 1 }),
    op('a', 'release', 3, 4, {}, 1),
    op('b', 'pick', 5, 6, { fence: 2 }),
    op('a', 'release', 7, 8, {}, 1),
  ];
  expect(checkRegisters(ops, nobody).broken).toEqual([]);
  expect(checkRegisters([...ops.slice(0, 1), ...ops.slice(2)], nobody).broken).toHaveLength(1);
});

test('two readers hold a path together, a writer beside a reader does not', () => {
  const lock = (session: string, from: number, mode: 'read' | 'write'): Op => ({ ...op(session, 'lock', from, from + 1, {}), mode });
  expect(checkRegisters([lock('a', 1, 'read'), lock('b', 3, 'read')], nobody).broken).toEqual([]);
  expect(checkRegisters([lock('a', 1, 'read'), lock('b', 3, 'write')], nobody).broken).toHaveLength(1);
});

test("one's own calls take place in their order, however close they come", () => {
  const call = (session: string, verb: Op['verb'], from: number, to: number, ok = true): Op => {
    const code = ok ? {} : { code: 'FILE_ALREADY_CLAIMED' };
    return { ...op(session, verb, from / 100, to / 100, { ok, ...code }), mode: 'write' };
  };
  const again = [call('a', 'lock', 0, 6), call('a', 'unlock', 41, 48), call('a', 'lock', 48, 53), call('a', 'unlock', 130, 135)];
  expect(checkRegisters([...again, call('b', 'lock', 63, 69, false)], nobody).broken).toEqual([]);
  expect(checkRegisters([...again, call('b', 'lock', 150, 160, false)], nobody).broken).toHaveLength(1);
});

const event = (seq: number, type: string, session: string, data: object, slug?: string) =>
  ({ seq, type, actor: { session }, feature: slug ? { slug } : null, data }) as unknown as FeedEvent;

test('events tell of paths that two sessions hold at once, and of claims under a fence that has ended', () => {
  const claimed = (seq: number, session: string, fence: number, path: string) =>
    event(seq, 'files_claimed', session, { fence, paths: [path] });
  expect(checkEvents([claimed(1, 'a', 1, 'src/'), claimed(2, 'b', 2, 'src/a.ts')])).toHaveLength(1);
  expect(checkEvents([claimed(1, 'a', 1, 'ro:src/'), claimed(2, 'b', 2, 'ro:src/a.ts')])).toEqual([]);
  const strengthened = [claimed(1, 'a', 1, 'ro:a.ts'), claimed(2, 'a', 1, 'a.ts')];
  const freed = event(3, 'files_released', 'a', { fence: 1, paths: ['a.ts'] });
  expect(checkEvents([...strengthened, freed, claimed(4, 'b', 2, 'a.ts')])).toEqual([]);
  expect(checkEvents([...strengthened, claimed(4, 'b', 2, 'a.ts')])).toHaveLength(1);
  const released = [
    event(1, 'feature_claimed', 'a', { fence: 1 }, 'auth'),
    event(2, 'feature_released', 'a', { fence: 1 }, 'auth'),
    event(3, 'files_claimed', 'a', { fence: 1, paths: ['x.ts'] }, 'auth'),
  ];
  expect(checkEvents(released)).toHaveLength(1);
});
