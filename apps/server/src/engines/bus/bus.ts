/**
 * Wakes other parts and other replicas. A message may be lost or come twice; what it points to is in the database, so a
 * listener looks there. `publish` reaches every subscriber of the topic, those of this process included, and never throws.
 */
export type Bus = {
  publish: (topic: BusTopic, message: string) => void;
  /** Answers the function that ends the subscription. */
  subscribe: (topic: BusTopic, listener: (message: string) => void) => () => void;
  /** Throws when messages cannot reach other replicas at this moment. */
  ping: () => Promise<void>;
  close: () => Promise<void>;
};

/** `feed`: "<projectId> <seq>", events up to seq are committed. `auth`: "key <keyId>", "member <projectId> <engineerId>", "ticket <nonce>". */
export type BusTopic = 'feed' | 'auth';
