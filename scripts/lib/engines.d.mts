type Running = { url: string; stop: () => Promise<void> };
export function findPostgres(): string | undefined;
export function startPostgres(bin: string, options?: { fsync?: boolean }): Promise<Running & { bin: string }>;
export function findRedis(): string | undefined;
export function startRedis(program: string): Promise<Running>;
