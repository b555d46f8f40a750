import { expect, test } from 'bun:test';
import { EmbeddingsAway } from './embeddings.ts';
import { embeddingsSuite } from './embeddings.suite.ts';
import { createOpenAiEmbeddings } from './openai.ts';
import { startProvider } from './provider.suite.ts';

embeddingsSuite("embeddings by OpenAI's protocol", () => {
  const provider = startProvider({ key: 'k-e-y' });
  return { provider, embeddings: createOpenAiEmbeddings({ url: provider.url, model: 'test', apiKey: 'k-e-y' }) };
});

test('the address may be the base or the whole, and the key goes along only where there is one', async () => {
  const [open, locked] = [startProvider(), startProvider({ key: 'k-e-y' })];
  const embed = (url: string, apiKey?: string) => createOpenAiEmbeddings({ url, model: 'test', apiKey }).embed(['a'], { timeoutMs: 5000 });
  for (const url of [open.url, `${open.url}/`, `${open.url}/embeddings`]) expect(await embed(url)).toHaveLength(1);
  expect(await embed(locked.url, 'k-e-y')).toHaveLength(1);
  await expect(embed(locked.url)).rejects.toThrow('EMBEDDINGS_API_KEY');
  await Promise.all([open.stop(), locked.stop()]);
  await expect(embed(open.url)).rejects.toBeInstanceOf(EmbeddingsAway);
});
