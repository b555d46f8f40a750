/** One call of an agent, as it writes it down: a line when it calls, another when it is answered. Times are milliseconds of one machine's clock. */
export type Called = {
  id: string;
  session: string;
  verb: 'pick' | 'release' | 'extend' | 'lock' | 'unlock';
  /** The feature, or the path that is locked; null for a pick of whatever is free. */
  on: string | null;
  mode?: 'read' | 'write';
  fence: number | null;
  at: number;
};
export type Answered = {
  id: string;
  at: number;
  ok: boolean;
  /** An earlier attempt was not answered: where this is a refusal, that one may still take place, whenever a server gets to it. */
  unsure?: boolean;
  /** The feature that was picked. */
  on?: string;
  fence?: number | null;
  code?: string;
};
/** How a session ended for its agent, and the longest time that passed between two attempts to beat. */
export type Lived = { session: string; lost: boolean; greatestGap: number; stopped: boolean };
export type Line = { call: Called } | { answer: Answered } | { life: Lived } | { bug: string };

/** A call with its answer, if one came. */
export type Op = Called & { answer: Answered | undefined };

/** It may have taken place, though its agent never heard so. */
export const isUnheard = ({ answer }: Op): boolean => !answer || (!answer.ok && answer.unsure === true);

export function readLog(lines: Line[]): { ops: Op[]; lives: Lived[]; bugs: string[] } {
  const answers = new Map(lines.flatMap((line) => ('answer' in line ? [[line.answer.id, line.answer] as const] : [])));
  return {
    ops: lines.flatMap((line) => ('call' in line ? [{ ...line.call, answer: answers.get(line.call.id) }] : [])),
    lives: lines.flatMap((line) => ('life' in line ? [line.life] : [])),
    bugs: lines.flatMap((line) => ('bug' in line ? [line.bug] : [])),
  };
}
