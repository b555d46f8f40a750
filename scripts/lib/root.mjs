import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's folder. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

export const readPackage = () => JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** Progress goes to stderr, so that a command's own output stays clean. */
export const say = (line) => process.stderr.write(`${line}\n`);
