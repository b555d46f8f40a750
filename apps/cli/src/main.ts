#!/usr/bin/env node
import { runHook } from './hook/run.ts';

// A hook runs at every edit of every agent: it must not wait for what only commands need.
if (process.argv[2] === 'hook') void runHook(process.argv[3]);
else void import('./cli.ts').then(({ runCommand }) => runCommand());
