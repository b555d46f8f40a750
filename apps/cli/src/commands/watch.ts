import { followFeed } from '@nexus/client';
import { Cursor, type FeedEvent } from '@nexus/contract';
import type { Command } from 'commander';
import { join } from 'node:path';
import { z } from 'zod';
import { interrupted, usage } from '../errors.ts';
import { readJson, writeJson } from '../files.ts';
import { shortHash } from '../machine.ts';
import type { Output } from '../output.ts';
import { clean, clockTime, safeJson, shortId } from '../text.ts';
import { examples, type Runner } from './command.ts';

type WatchOptions = { jsonl?: boolean; after?: string; fromStart?: boolean; resume?: boolean };
const Saved = z.object({ cursor: Cursor });

export function addWatchCommand(program: Command, run: Runner): void {
  examples(
    program
      .command('watch')
      .description('Follow what happens in the project, one line an event; reconnects by itself and misses nothing')
      .option('--jsonl', 'each event as one line of JSON')
      .option('--after <cursor>', 'begin after this event (`epoch.seq`, as --jsonl prints them)')
      .option('--from-start', 'begin with the oldest event that is kept')
      .option('--resume', 'begin where the last `nexus watch --resume` of this project ended, if there was one'),
    'nexus watch',
    'nexus watch --jsonl --resume | ./notify.sh',
  ).action(
    run(async ({ project, settings, io, out }, options: WatchOptions) => {
      if ([options.after, options.fromStart, options.resume].filter(Boolean).length > 1)
        throw usage('Give one of --after, --from-start and --resume.');
      if (options.after !== undefined && !Cursor.safeParse(options.after).success)
        throw usage(`"${options.after}" is not a cursor. Copy epoch.seq of an event, or use --from-start.`);
      const { id: projectId, client } = await project();
      const { server, apiKey = '' } = client.options;
      const place = join((await settings()).dirs.state, 'watch', `${shortHash(`${server}\n${projectId}`)}.json`);
      const keepPlace = (cursor: string): void => {
        if (options.resume) writeJson(place, { cursor }, { secret: true });
      };
      await followFeed({
        server,
        apiKey,
        projectId,
        after: (options.resume ? savedPlace(place) : undefined) ?? (options.fromStart ? '0' : options.after),
        signal: io.signal,
        onEvent: (event, cursor) => {
          out.line(options.jsonl === true || out.json ? safeJson(event) : describe(event, out));
          keepPlace(cursor);
        },
        onReset: (cursor) => {
          out.warn(
            'events were missed for good (too old, or the server was restored from a backup): see `nexus status`; going on from now',
          );
          keepPlace(cursor);
        },
        onJoined: keepPlace,
        onState: (state, detail) => {
          if (state === 'live') out.note(`Watching ${server}`);
          if (state === 'waiting') out.note(`Disconnected (${clean(detail ?? '')}); connecting again`);
        },
      });
      throw interrupted();
    }),
  );
}

function savedPlace(path: string): string | undefined {
  const saved = Saved.safeParse(readJson(path));
  return saved.success ? saved.data.cursor : undefined;
}

function describe(event: FeedEvent, out: Output): string {
  const { agent, session } = event.actor;
  const who = event.engineer
    ? `${clean(event.engineer.name)}${agent ? `/${clean(agent)}` : ''}${session ? ` ${shortId(session)}` : ''}`
    : 'nexus';
  const paint = /lost|released|cancelled/.test(event.type) ? 'yellow' : /completed|created/.test(event.type) ? 'green' : 'cyan';
  const subject = event.feature ? ` ${out.paint('bold', clean(event.feature.slug))}` : '';
  return `${out.paint('dim', clockTime(event.at))} ${who} ${out.paint(paint, clean(event.type))}${subject}${factsOf(event)}`;
}

/** The short facts of an event; long and nested ones are left to --jsonl. */
function factsOf({ data }: FeedEvent): string {
  const facts = Object.entries(data).flatMap(([name, value]) => {
    if (name === 'sessionId' || name === 'agent' || (Array.isArray(value) && value.length === 0)) return [];
    if (Array.isArray(value))
      return [
        `${clean(name)}: ${value
          .slice(0, 5)
          .map((item) => clean(String(item)))
          .join(', ')}${value.length > 5 ? `, and ${value.length - 5} more` : ''}`,
      ];
    return typeof value === 'string' || typeof value === 'number' ? [`${clean(name)}: ${clean(String(value)).slice(0, 80)}`] : [];
  });
  return facts.length === 0 ? '' : ` (${facts.join('; ')})`;
}
