/** Turns texts into vectors: the nearer two of them are, the more alike is what the texts mean. */
export type Embeddings = {
  /** What makes the vectors. Those of two models are never compared. */
  model: string;
  /**
   * One vector for each text, in their order: of one length, and 1 long. Throws TextsRefused when it will never read these,
   * EmbeddingsAway for all else, and then nothing is lost by trying again.
   */
  embed: (texts: string[], options: { timeoutMs: number; signal?: AbortSignal }) => Promise<number[][]>;
};

/** It cannot be reached, is slow, has a bad day, or answers what is no vector. */
export class EmbeddingsAway extends Error {
  override name = 'EmbeddingsAway';
}

/** These texts, or one of them, it will not read: too long, for example. */
export class TextsRefused extends Error {
  override name = 'TextsRefused';
}
