import type { Database } from '../engines/database/database.ts';
import { type Embeddings, EmbeddingsAway, TextsRefused } from '../engines/embeddings/embeddings.ts';
import type { Log } from '../platform/log.ts';
import { countUnread, keepVectors, markUnread, type Unread, unreadTexts } from './vectors.store.ts';

export type Embedder = ReturnType<typeof createEmbedder>;

/** Texts in one request: a provider without a graphics card reads some ten a second. */
const BATCH = 32;
const BATCH_MS = 60_000;
/** Letters of a text that are read, and how many are tried when they are too many: models take from 250 to 8,000 words. */
const LETTERS = [6000, 1500, 400] as const;
/** What other servers left to do is looked for this often. */
const LOOK_MS = 30_000;
/** After a change. What comes together is read together. */
const SOON_MS = 200;
const AWAY_MS = { first: 1000, most: 60_000 };
/** Every provider reads this. */
const PROBE = 'nexus';
const MARKED_AT_ONCE = 500;

/**
 * Has a provider read what is written, after its commit and beside everything else: a provider that hangs holds nothing up.
 * What is to be read is known from the rows alone, so that a crash loses nothing; two servers that read one text write the same.
 */
export function createEmbedder({ database: { db }, embeddings, log }: { database: Database; embeddings: Embeddings; log: Log }) {
  const { model } = embeddings;
  const closing = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let due = Infinity;
  let running: Promise<void> = Promise.resolve();
  let failures = 0;
  let marked = false;
  let dims = 0;

  const embed = (texts: string[]) => embeddings.embed(texts, { timeoutMs: BATCH_MS, signal: closing.signal });

  /** By halves, when something in it is refused. */
  async function read(texts: string[]): Promise<Array<number[] | null>> {
    try {
      return await embed(texts);
    } catch (error) {
      if (!(error instanceof TextsRefused)) throw error;
      const [only, ...others] = texts;
      if (only === undefined) return [];
      if (others.length === 0) return [await readShorter(only)];
      const half = Math.ceil(texts.length / 2);
      return [...(await read(texts.slice(0, half))), ...(await read(texts.slice(half)))];
    }
  }

  async function readShorter(text: string): Promise<number[] | null> {
    for (const letters of LETTERS.filter((most) => most < text.length)) {
      try {
        return (await embed([text.slice(0, letters).toWellFormed()]))[0] ?? null;
      } catch (error) {
        if (!(error instanceof TextsRefused)) throw error;
      }
    }
    // Is it the text? A provider that refuses everything is set up wrongly, and has yet to read it.
    await embed([PROBE]).catch((error: unknown) => {
      throw error instanceof TextsRefused ? new EmbeddingsAway('The embeddings provider refuses every text.') : error;
    });
    return null;
  }

  /** Reads the next batch; answers whether there may be more. */
  async function once(): Promise<boolean> {
    if (!marked) await markAll();
    const unread = await unreadTexts(db, { model, dims, letters: LETTERS[0], limit: BATCH });
    const texts = unread.filter(({ text }) => text.trim() !== '');
    const vectors = texts.length > 0 ? await read(texts.map(({ text }) => text.toWellFormed())) : [];
    const vectorOf = new Map<Unread, number[] | null>(texts.map((text, at) => [text, vectors[at] ?? null]));
    dims = vectors.find((vector) => vector !== null)?.length ?? dims;
    await keepVectors(
      db,
      model,
      unread.map((text) => ({ kind: text.kind, id: text.id, hash: text.hash, vector: vectorOf.get(text) ?? null })),
    );
    return unread.length === BATCH;
  }

  /** What was written before there was a provider, or by a server that knew of none. */
  async function markAll(): Promise<void> {
    let last = await markUnread(db, undefined, MARKED_AT_ONCE);
    while (last && !closing.signal.aborted) last = await markUnread(db, last, MARKED_AT_ONCE);
    marked = true;
  }

  async function step(): Promise<void> {
    due = Infinity;
    let pause = LOOK_MS;
    try {
      if (await once()) pause = 0;
      if (failures > 0) log.info('search: the embeddings provider reads again');
      failures = 0;
    } catch (error) {
      if (closing.signal.aborted) return;
      if (failures === 0) log.warn({ err: error }, 'search: by words alone for new texts; the embeddings provider is asked again');
      pause = Math.min(AWAY_MS.most, AWAY_MS.first * 2 ** failures) * (0.5 + Math.random() / 2);
      failures += 1;
    }
    schedule(pause);
  }

  /** Never later than it is due already. */
  function schedule(ms: number): void {
    const at = performance.now() + ms;
    if (closing.signal.aborted || at >= due) return;
    due = at;
    clearTimeout(timer);
    timer = setTimeout(() => {
      running = running.then(step);
    }, ms);
  }

  return {
    start: () => schedule(0),
    /** Something was written. While the provider is away it is asked no sooner for that. */
    wake(): void {
      if (failures === 0) schedule(SOON_MS);
    },
    /** As an answer just was. Another one than before: all is read again. */
    lengthIs(length: number): void {
      if (length === dims) return;
      dims = length;
      schedule(SOON_MS);
    },
    /** How many texts it has yet to read. */
    unread: () => countUnread(db, model, dims),
    stop: async () => {
      closing.abort();
      clearTimeout(timer);
      await running;
    },
  };
}
