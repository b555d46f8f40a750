/** What the start of a hook needs of its runtime, each in the way that loads least. */
export type System = {
  readStdin: () => Promise<string>;
  print: (text: string) => Promise<void>;
  /** The user id that owns this path; undefined when there is none. */
  ownerOf: (path: string) => Promise<number | undefined>;
  /** POST over a unix socket; answers the body, or throws. A TimeoutError or AbortError means that nobody answered in time. */
  post: (socket: string, url: string, body: string, headers: Record<string, string>, ms: number) => Promise<string>;
};
