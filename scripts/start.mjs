import { runBun } from './lib/run.mjs';

// `npm start`: fetches what is missing, then runs the server with the arguments given here.
await runBun(['apps/server/src/main.ts', ...process.argv.slice(2)]);
