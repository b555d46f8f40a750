/** Words that mean the same, for this provider: each line is a direction of its own. */
const CONCEPTS = [
  'car automobile vehicle',
  'doctor physician',
  'fast quick rapid',
  'money cash payment invoice',
  'sea ocean marine',
  'fire blaze',
];
const REST = 10;

/**
 * Speaks OpenAI's `/v1/embeddings` on a real port, as Ollama and OpenAI do, with vectors that follow from the words alone:
 * words that mean the same share a direction, all others are spread over a few.
 */
export function startProvider({ key }: { key?: string } = {}) {
  const state = {
    /** Before each answer. */
    delayMs: 0,
    /** Instead of an answer. */
    status: 200,
    body: undefined as unknown,
    /** More numbers in each vector. */
    more: 0,
    /** Texts with this in them are refused with a 400. */
    refused: undefined as RegExp | undefined,
    /** What was asked, in order. */
    asked: [] as Array<{ model: string; input: string[] }>,
  };

  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      if (request.method !== 'POST' || new URL(request.url).pathname !== '/v1/embeddings')
        return new Response('no such route', { status: 404 });
      if (key !== undefined && request.headers.get('authorization') !== `Bearer ${key}`)
        return Response.json(
          { error: { message: `Incorrect API key provided: ${request.headers.get('authorization')}` } },
          { status: 401 },
        );
      const { model, input } = (await request.json()) as { model: string; input: string[] };
      state.asked.push({ model, input });
      if (state.delayMs > 0) await Bun.sleep(state.delayMs);
      if (state.status !== 200) return Response.json({ error: { message: `about: ${input.join()}` } }, { status: state.status });
      if (state.body !== undefined) return Response.json(state.body);
      if (input.some((text) => text.trim() === '' || state.refused?.test(text)))
        return Response.json({ error: { message: 'invalid input' } }, { status: 400 });
      const data = input.map((text, index) => ({
        object: 'embedding',
        index,
        embedding: [...meaning(text), ...Array<number>(state.more).fill(0)],
      }));
      // The protocol numbers them; their order is nobody's promise.
      return Response.json({ object: 'list', data: data.toReversed(), model, usage: { prompt_tokens: 1, total_tokens: 1 } });
    },
  });
  return Object.assign(state, {
    url: `http://127.0.0.1:${server.port}/v1`,
    stop: () => server.stop(true),
  });
}
export type Provider = ReturnType<typeof startProvider>;

function meaning(text: string): number[] {
  const vector: number[] = Array<number>(CONCEPTS.length + REST).fill(0);
  for (const [word] of text.toLowerCase().matchAll(/\p{L}+/gu)) {
    const concept = CONCEPTS.findIndex((words) => words.split(' ').some((known) => word === known || word === `${known}s`));
    const at = concept >= 0 ? concept : CONCEPTS.length + (Bun.hash.crc32(word) % REST);
    vector[at] = (vector[at] ?? 0) + (concept >= 0 ? 3 : 0.3);
  }
  if (!vector.some((x) => x > 0)) vector[0] = 1e-6;
  return vector;
}
