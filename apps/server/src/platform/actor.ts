import type { Role, Scope } from '@nexus/contract';

/** Who calls: from the API key, never from the body. */
export type Principal = {
  engineer: { id: string; name: string; email: string; role: 'admin' | 'engineer' | 'readonly' };
  keyId: string;
  /** Which of the key's secrets was shown: each rotation makes the next. */
  secret: number;
  scopes: readonly Scope[];
  /** The only project in which the key works. */
  boundTo: string | null;
};

/** What of the session a caller acts in never changes; whether it lives is asked where it matters. */
export type SessionRef = {
  id: string;
  projectId: string;
  engineerId: string;
  engineerName: string;
  agent: string;
  /** Itself first, then its parent and so on: whose claims do not stand in its way. */
  lineage: string[];
  ttlMs: number;
};

export type Idempotency = { key: string; fingerprint: string };

/** A principal with one request. */
export type Caller = Principal & { idempotency: Idempotency | undefined };

/** A caller in a project of theirs. */
export type Actor = Caller & {
  projectId: string;
  role: Role;
  /** Undefined until something needs it: a bare client's default session is made by its first write. */
  session: SessionRef | undefined;
  requestId: string;
};

export type SessionActor = Actor & { session: SessionRef };

/** The server itself, when a sweep ends what its holder left. */
export type SystemActor = { projectId: string; system: true };
