import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { type Embeddings, EmbeddingsAway, TextsRefused } from './embeddings.ts';
import type { Provider } from './provider.suite.ts';

/** The specification of embeddings. `provider` stands behind them and misbehaves when it is told to. */
export function embeddingsSuite(name: string, open: () => { embeddings: Embeddings; provider: Provider }) {
  describe(name, () => {
    let embeddings: Embeddings;
    let provider: Provider;
    beforeAll(() => {
      ({ embeddings, provider } = open());
    });
    afterEach(() => void Object.assign(provider, { delayMs: 0, status: 200, body: undefined, more: 0, refused: undefined }));
    afterAll(() => provider.stop());

    const embed = (texts: string[], timeoutMs = 5000, signal?: AbortSignal) =>
      embeddings.embed(texts, { timeoutMs, ...(signal ? { signal } : {}) });
    const failure = (work: Promise<unknown>) =>
      work.then(
        () => expect.unreachable(),
        (error: unknown) => error,
      );
    const likeness = (a: number[] = [], b: number[] = []) => a.reduce((sum, x, at) => sum + x * (b[at] ?? NaN), 0);

    test('one vector for each text, in their order, of one length and 1 long', async () => {
      const texts = ['the car', 'a physician', 'an automobile', 'a doctor', 'the car'];
      const vectors = await embed(texts);
      expect(vectors).toHaveLength(texts.length);
      expect(new Set(vectors.map((vector) => vector.length)).size).toBe(1);
      for (const vector of vectors) expect(likeness(vector, vector)).toBeCloseTo(1, 5);
      expect(vectors[4]).toEqual(vectors[0]);
      expect(likeness(vectors[0], vectors[2])).toBeGreaterThan(0.9);
      expect(likeness(vectors[1], vectors[3])).toBeGreaterThan(0.9);
      expect(likeness(vectors[0], vectors[1])).toBeLessThan(0.5);
    });

    test('texts of any letters are read', async () => {
      expect(await embed(['日本 👩‍💻 ß', '"\\\n\u2028'])).toHaveLength(2);
    });

    test('a text that is refused is told from a provider that fails', async () => {
      provider.refused = /secret/;
      expect(await failure(embed(['fine', 'a secret']))).toBeInstanceOf(TextsRefused);
      for (const status of [401, 404, 429, 500, 503]) {
        provider.status = status;
        expect(await failure(embed(['fine']))).toBeInstanceOf(EmbeddingsAway);
      }
    });

    test('what is no vector for each text is a provider that fails', async () => {
      const one = { index: 0, embedding: [1, 2] };
      for (const body of [
        {},
        [],
        { data: [] },
        { data: [one] },
        { data: [one, one] },
        { data: [one, { index: 1, embedding: [1] }] },
        { data: [one, { index: 1, embedding: [0, 0] }] },
        { data: [one, { index: 1, embedding: [1, null] }] },
        { data: [one, { index: 2, embedding: [1, 2] }] },
      ]) {
        provider.body = body;
        expect([body, await failure(embed(['a', 'b']))]).toEqual([body, expect.any(EmbeddingsAway)]);
      }
    });

    test('no answer in time, an end that was asked for and a closed port are a provider that is away', async () => {
      provider.delayMs = 2000;
      const began = performance.now();
      expect(await failure(embed(['a'], 100))).toBeInstanceOf(EmbeddingsAway);
      expect(await failure(embed(['a'], 5000, AbortSignal.timeout(100)))).toBeInstanceOf(EmbeddingsAway);
      expect(performance.now() - began).toBeLessThan(1500);
    });

    test('no error tells the key or the texts', async () => {
      for (const status of [400, 401, 500]) {
        provider.status = status;
        const error = (await failure(embed(['between us']))) as Error;
        expect(`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`).not.toMatch(/between us|k-e-y/);
      }
    });
  });
}
