import { chmodSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Dirs, Settings } from './config.ts';
import { CliError } from './errors.ts';
import { readJson, writeJson } from './files.ts';
import type { Io } from './io.ts';

const Credential = z.object({ apiKey: z.string(), name: z.string().optional(), email: z.string().optional() });
export type Credential = z.infer<typeof Credential>;
const CredentialFile = z.object({ servers: z.record(z.string(), Credential) });

/** API keys by server origin, in a file that only the user can read. */
export type Credentials = {
  get: (origin: string) => Credential | undefined;
  set: (origin: string, credential: Credential) => void;
  /** False when there was none. */
  remove: (origin: string) => boolean;
};

export function createCredentials(dirs: Dirs): Credentials {
  const path = join(dirs.config, 'credentials.json');
  const read = (): Record<string, Credential> => {
    const content = readJson(path);
    if (content === undefined) return {};
    if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
    const parsed = CredentialFile.safeParse(content);
    if (!parsed.success) throw new CliError('failure', 'CONFIG_INVALID', `${path} is not a credentials file. Remove it and log in again.`);
    return parsed.data.servers;
  };
  const write = (servers: Record<string, Credential>): void => writeJson(path, { servers }, { secret: true });
  return {
    get: (origin) => {
      const servers = read();
      return Object.hasOwn(servers, origin) ? servers[origin] : undefined;
    },
    set: (origin, credential) => write({ ...read(), [origin]: credential }),
    remove: (origin) => {
      const { [origin]: gone, ...rest } = read();
      if (gone !== undefined) write(rest);
      return gone !== undefined;
    },
  };
}

/**
 * The key for this server, or undefined. A key in NEXUS_TOKEN names no server, so it never goes to one that
 * only a repository's `.nexus.json` names: a hostile clone could collect it.
 */
export function findKey({
  settings,
  credentials,
  env,
}: {
  settings: Settings;
  credentials: Credentials;
  env: Io['env'];
}): string | undefined {
  const stored = credentials.get(settings.server)?.apiKey;
  const token = env['NEXUS_TOKEN'];
  if (!token) return stored;
  if (settings.serverFrom !== 'repository' || stored !== undefined) return token;
  throw new CliError(
    'auth',
    'UNAUTHORIZED',
    `NEXUS_TOKEN is not sent to ${settings.server}, which only ${settings.link?.path ?? '.nexus.json'} names. If you trust it, set NEXUS_SERVER_URL=${settings.server} as well.`,
  );
}
