import type { Request } from '@nexus/contract';
import { clean, clockTime, shortId } from '../text.ts';
import type { Actor } from './actor.ts';
import { quoted } from './say.ts';

/** What the agent has not heard yet of requests: those made of it, and the answers to its own. */
export function requestNews(actor: Pick<Actor, 'session' | 'told' | 'own'>, requests: Request[]): string[] {
  const { session, told, own } = actor;
  return requests.flatMap((request) => {
    const key = `${request.id} ${request.state} ${request.yieldsAt !== null} ${request.givesBack ?? ''}`;
    if (told.has(key)) return [];
    told.add(key);
    const isAsker = request.askedBy?.sessionId === session.id;
    // What it holds has changed without these hooks.
    if (!isAsker && request.state === 'yielded') own.doubt();
    const text = isAsker ? answered(request, session.id) : asked(request, session.id);
    return text === undefined ? [] : [text];
  });
}

function asked({ path, heldPath, askedBy, reason, yieldsAt, givesBack, state, note }: Request, own: string): string | undefined {
  const held = clean(heldPath);
  if (state === 'yielded') return note === null ? undefined : `${held} was given back to who asked for it: ${clean(note)}`;
  if (state !== 'open') return undefined;
  const give = `\`nexus yield ${quoted(held)}\` gives it back`;
  if (askedBy === null)
    return `${held} is a path that every change needs, and this session has held it for long. Once it is committed, ${give}.`;
  const who = `${clean(askedBy.engineerName)} (${clean(askedBy.agent)}, session ${shortId(askedBy.sessionId)})`;
  const as = held === clean(path) ? '' : ` (held as ${held})`;
  const why = reason === null ? '' : `: ${clean(reason)}`;
  const next =
    givesBack === own
      ? `The two ask each other, and this session is the younger: it commits, then ${give}.`
      : `Once it is committed or not needed, ${give}; \`nexus refuse ${quoted(held)}\` keeps it.`;
  const clock = yieldsAt === null ? '' : ` Nothing is uncommitted there: it is given back at ${clockTime(yieldsAt)} unless refused.`;
  return `${who} asks for ${clean(path)}${as}${why}. ${next}${clock}`;
}

function answered({ path, holder, state, note, givesBack }: Request, own: string): string | undefined {
  const name = clean(path);
  const who = `${clean(holder.engineerName)} (${clean(holder.agent)}, session ${shortId(holder.sessionId)})`;
  switch (state) {
    case 'yielded':
    case 'freed':
      return `${name} is free now: ${who} gave it back, as this session asked.`;
    case 'refused':
      return `${who} keeps ${name}${note === null ? '' : `: ${clean(note)}`}. \`nexus feature pick-next\` gives other work.`;
    case 'open':
      return givesBack !== null && givesBack !== own
        ? `${who} gives ${name} back first: the two ask each other, and it is the younger.`
        : undefined;
    case 'withdrawn':
      return undefined;
  }
}
