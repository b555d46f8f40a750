import { describe, expect, test } from 'bun:test';
import { AppError } from '../platform/errors.ts';
import { parseTouches } from './touches.ts';

const nodes = (inputs: string[], pathCase: 'insensitive' | 'sensitive') =>
  parseTouches(inputs, 'paths', { pathCase }).map(({ node, mode }) => `${mode} ${node}`);

describe('paths that were read before', () => {
  test('are read the same again, and in each case mode by its own rule', () => {
    for (let time = 0; time < 3; time += 1) {
      expect(nodes(['Src/A.ts', 'ro:Docs/'], 'insensitive')).toEqual(['write /src/a.ts', 'read /docs']);
      expect(nodes(['Src/A.ts', 'ro:Docs/'], 'sensitive')).toEqual(['write /Src/A.ts', 'read /Docs']);
    }
  });

  test('are claims that nobody can change for the next one who asks', () => {
    const [claim] = parseTouches(['lib/once.ts'], 'paths', { pathCase: 'sensitive' });
    expect(() => Object.assign(claim ?? {}, { mode: 'read' })).toThrow(TypeError);
    expect(nodes(['lib/once.ts', 'ro:lib/once.ts'], 'sensitive')).toEqual(['write /lib/once.ts']);
    expect(nodes(['ro:lib/once.ts'], 'sensitive')).toEqual(['read /lib/once.ts']);
  });

  test('are refused each time, at the entry that is wrong', () => {
    for (let time = 0; time < 2; time += 1) {
      let refused: unknown;
      try {
        parseTouches(['lib/once.ts', '../out'], 'paths', { pathCase: 'insensitive' });
      } catch (error) {
        refused = error;
      }
      expect(refused).toBeInstanceOf(AppError);
      expect(refused).toMatchObject({ code: 'PATH_ESCAPES', details: { field: 'paths[1]', value: '../out' } });
    }
  });
});
