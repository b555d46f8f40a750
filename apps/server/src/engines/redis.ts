import { Cluster, Redis, type RedisOptions } from 'ioredis';

export type RedisConnection = Redis | Cluster;

/** Above every healthy answer, and below what a heartbeat's caller waits. */
const commandTimeout = 1500;

const options = {
  // A command that was on its way when the connection broke may have been done: sent again later, it would land among newer ones.
  autoResendUnfulfilledCommands: false,
  // 0 fails what is on its way at the moment the connection closes; 1 would leave it to the command timeout.
  maxRetriesPerRequest: 0,
  enableOfflineQueue: false,
  autoResubscribe: false,
  commandTimeout,
  connectTimeout: 2 * commandTimeout,
  // A connection that answers nothing for this long is replaced: a vanished host closes none.
  socketTimeout: 3 * commandTimeout,
  retryStrategy: (attempt: number) => Math.min(attempt * 100, 1000),
  // A demoted primary: the name leads to the new one after a reconnect.
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
} satisfies RedisOptions;

/**
 * A connection that reconnects by itself and fails commands at once while it is down. `url` is `redis://` or `rediss://`; with
 * commas between several, they are nodes of one cluster. `onError` gets each new reason once until the connection is ready.
 */
export function connectRedis({ url, onError }: { url: string; onError: (error: Error) => void }): RedisConnection {
  const [first = url, ...others] = url.split(',').map((part) => part.trim());
  const redis = others.length > 0 ? connectCluster([first, ...others]) : new Redis(first, options);
  let reported = '';
  redis.on('error', (error: Error) => {
    if (error.message !== reported) onError(error);
    reported = error.message;
  });
  redis.on('ready', () => (reported = ''));
  return redis;
}

function connectCluster(urls: string[]): Cluster {
  const { username, password, protocol } = new URL(urls[0] ?? '');
  const login = { username: decodeURIComponent(username), password: decodeURIComponent(password) };
  return new Cluster(urls, {
    enableOfflineQueue: false,
    clusterRetryStrategy: options.retryStrategy,
    redisOptions: { ...options, ...(password && login), ...(protocol === 'rediss:' && { tls: {} }) },
  });
}

/** Resolves when the first attempt to connect has ended, well or not. */
export const firstAttempt = (redis: RedisConnection): Promise<void> =>
  new Promise((resolve) => {
    for (const event of ['ready', 'error', 'close', 'end']) redis.once(event, () => resolve());
  });

/** The servers that hold data: one, or the primaries of a cluster. */
export const primariesOf = (redis: RedisConnection): Redis[] => (redis instanceof Cluster ? redis.nodes('master') : [redis]);
