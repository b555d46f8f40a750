import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** Every program of this name on PATH, then in `more`, first one first. */
export function programs(name, more = []) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...more].filter(Boolean);
  const names = process.platform === 'win32' ? [`${name}.exe`, name] : [name];
  return [...new Set(folders.flatMap((folder) => names.map((each) => join(folder, each))).filter(isProgram))];
}

/** Runs to the end without showing anything. Answers `{ code, output, stdout }`; a program that cannot start has code 127. */
export function capture(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let [output, stdout] = ['', ''];
    child.stdout.on('data', (chunk) => {
      output += chunk;
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      output += chunk;
    });
    child.once('error', (error) => resolve({ code: 127, output: String(error), stdout }));
    child.once('close', (code) => resolve({ code: code ?? 1, output, stdout }));
  });
}
