/** As many numbers as the vectors of common models have. */
const LENGTH = 768;

/**
 * Stands in for a provider of embeddings, to measure what search does with its vectors: they are made up, so that what it
 * finds says nothing. A hundred texts at most have one direction, and differ a little.
 */
export function startStandIn() {
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const { input } = (await request.json()) as { input: string[] };
      return Response.json({ data: input.map((text, index) => ({ index, embedding: madeUp(text) })) });
    },
  });
  return { url: `http://127.0.0.1:${server.port}/v1`, stop: () => server.stop(true) };
}

function madeUp(text: string): number[] {
  const hash = Bun.hash.crc32(text);
  const [direction, own] = [numbers(hash % 1000), numbers(hash)];
  return Array.from({ length: LENGTH }, () => Math.round((direction() + own() / 2) * 1e6) / 1e6);
}

/** Pseudo-random, from -1 to 1. */
function numbers(seed: number): () => number {
  let state = (seed * 2_654_435_761 + 1) % 4_294_967_296;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return state / 2_147_483_648 - 1;
  };
}
