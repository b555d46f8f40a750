import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../scripts/lib/root.mjs';

const lines = (name: string): string[] =>
  readFileSync(join(root, 'bench/data', name), 'utf8')
    .trim()
    .split('\n');

/** Notes of an imagined shop, by name; each is one learning. */
export const readNotes = (): Array<{ name: string; text: string }> =>
  lines('notes.txt').map((line) => {
    const [name = '', ...words] = line.split(' ');
    return { name, text: words.join(' ') };
  });

/** Questions that people ask, some of them misspelled, each with the notes that answer it. */
export const readQuestions = (): Array<{ question: string; answers: string[] }> =>
  lines('questions.txt').map((line) => {
    const [question = '', answers = ''] = line.split(' | ');
    return { question, answers: answers.split(' ') };
  });
