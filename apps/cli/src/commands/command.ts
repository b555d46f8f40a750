import { type Command, InvalidArgumentError, Option } from 'commander';
import { lanes } from '@nexus/contract';
import type { Context, GlobalOptions } from '../context.ts';

/** Turns a handler into a Commander action. The handler gets the context, then the command's arguments and options. */
export type Runner = <Args extends unknown[]>(
  handler: (context: Context, ...args: Args) => Promise<void>,
) => (...all: unknown[]) => Promise<void>;

export const createRunner =
  (contextFor: (options: GlobalOptions) => Context): Runner =>
  <Args extends unknown[]>(handler: (context: Context, ...args: Args) => Promise<void>) =>
  async (...all: unknown[]) => {
    const command = all.at(-1) as Command;
    await handler(contextFor(command.optsWithGlobals()), ...(all.slice(0, -1) as Args));
  };

/** Adds examples below the help of a command. */
export function examples(command: Command, ...lines: string[]): Command {
  return command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`);
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('Give a whole number.');
  return Number(text);
}

export function decimal(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('Give a number.');
  return value;
}

/** For options that may be given several times. */
export const collected = (text: string, before: string[] | undefined): string[] => [...(before ?? []), text];

export const laneOption = (description = 'when it is due'): Option => new Option('--lane <lane>', description).choices([...lanes]);
