import { pino } from 'pino';

export type Log = ReturnType<typeof createLog>;

const keyPattern = /\b(nx[pasit]_[0-9A-Za-z]{12})[0-9A-Za-z]{36}\b/g;

/** JSON lines on stdout. Whatever reaches it, a key leaves as its id and `***`. */
export function createLog({ level, write }: { level: string; write: (line: string) => void }) {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: ['req.headers.authorization', '*.apiKey', '*.token', 'DATABASE_URL', 'REDIS_URL', 'EMBEDDINGS_API_KEY'],
    },
    { write: (line: string) => write(line.replace(keyPattern, '$1***')) },
  );
}
