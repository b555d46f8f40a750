import { bundleCli, compileCli } from './lib/cli.mjs';
import { ready, runBun } from './lib/run.mjs';
import { say } from './lib/root.mjs';

// `npm start`: fetches what is missing, builds `bin/nexus`, then runs the server with the arguments given here.
const bun = await ready();
const problem = await bundleCli(bun);
if (problem) say(`The nexus command could not be built; the server starts without it.\n${problem}`);
// Beside the server's own start: until it is there, and where it cannot be, `bin/nexus` takes the bundle.
else void compileCli(bun);
await runBun(['apps/server/src/main.ts', ...process.argv.slice(2)]);
