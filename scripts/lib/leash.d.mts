export function onLeash(program: {
  command: string;
  args: string[];
  folder: string;
  signal: 'TERM' | 'QUIT' | 'INT' | 'KILL';
  prefix?: string[];
}): { output: () => string; stop: () => Promise<void> };
