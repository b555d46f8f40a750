import { runBun } from './lib/run.mjs';

// Runs Bun on a machine that may not have it: `node scripts/bun.mjs <what bun takes>`.
await runBun(process.argv.slice(2));
