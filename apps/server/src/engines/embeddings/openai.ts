import { z } from 'zod';
import { type Embeddings, EmbeddingsAway, TextsRefused } from './embeddings.ts';

/** As long as pgvector's vectors may be. */
const MAX_LENGTH = 16_000;
const Answer = z.object({
  data: z.array(z.object({ index: z.number().int(), embedding: z.array(z.number()).min(1).max(MAX_LENGTH) })),
});

/** What is wrong with the texts; all other refusals have to do with the server, the key or the model. */
const TEXTS = [400, 413, 422];
const why: Record<number, string> = {
  401: 'it does not accept EMBEDDINGS_API_KEY',
  403: 'it does not accept EMBEDDINGS_API_KEY',
  404: 'it knows no such path, or not this model',
  429: 'it has too much to do',
};

/** Any server that speaks OpenAI's `/v1/embeddings`, Ollama among them. */
export function createOpenAiEmbeddings({ url, model, apiKey }: { url: string; model: string; apiKey: string | undefined }): Embeddings {
  const base = url.replace(/\/+$/, '');
  const address = base.endsWith('/embeddings') ? base : `${base}/embeddings`;
  const headers = { 'content-type': 'application/json', ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }) };

  /** What it says itself is left out of errors: it may quote the key, or the texts. */
  async function ask(input: string[], signal: AbortSignal): Promise<unknown> {
    const response = await fetch(address, { method: 'POST', headers, body: JSON.stringify({ model, input }), signal, redirect: 'error' });
    if (response.ok) return response.json();
    await response.body?.cancel();
    if (TEXTS.includes(response.status)) throw new TextsRefused(`The embeddings provider answers ${response.status}.`);
    throw new EmbeddingsAway(`The embeddings provider answers ${response.status}: ${why[response.status] ?? 'it fails'}.`);
  }

  return {
    model,
    async embed(texts, { timeoutMs, signal }) {
      const limit = AbortSignal.timeout(timeoutMs);
      const answer = await ask(texts, signal ? AbortSignal.any([signal, limit]) : limit).catch((error: unknown) => {
        if (error instanceof EmbeddingsAway || error instanceof TextsRefused) throw error;
        const slow = limit.aborted ? `gave no answer within ${timeoutMs} ms` : 'cannot be reached';
        throw new EmbeddingsAway(`The embeddings provider ${slow}.`, { cause: error });
      });
      return vectorsIn(answer, texts.length);
    },
  };
}

function vectorsIn(answer: unknown, count: number): number[][] {
  const { success, data } = Answer.safeParse(answer);
  const found = new Map(data?.data.map(({ index, embedding }) => [index, unit(embedding)]));
  const vectors = Array.from({ length: count }, (_, index) => found.get(index));
  const length = vectors[0]?.length;
  if (!success || found.size !== count || !vectors.every((vector) => vector !== undefined && vector.length === length))
    throw new EmbeddingsAway('The embeddings provider answers something else than one vector for each text, all of one length.');
  return vectors.flatMap((vector) => (vector ? [vector] : []));
}

/** Its direction alone says what a text means: so that of two a product is their likeness. */
function unit(vector: number[]): number[] | undefined {
  const length = Math.hypot(...vector);
  return length > 0 && Number.isFinite(length) ? vector.map((x) => x / length) : undefined;
}
