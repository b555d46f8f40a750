import { bundleCli } from './lib/cli.mjs';
import { ready, runBun } from './lib/run.mjs';
import { say } from './lib/root.mjs';

// `npm start`: fetches what is missing, builds `bin/nexus`, then runs the server with the arguments given here.
const problem = await bundleCli(await ready());
if (problem) say(`The nexus command could not be built; the server starts without it.\n${problem}`);
await runBun(['apps/server/src/main.ts', ...process.argv.slice(2)]);
