import { type Call, linearize, type Verdict } from './linear.ts';
import { isUnheard, type Op } from './log.ts';

/** What only the ledger knows: whose session was lost, and every hold there ever was. */
export type Known = { lost: Set<string>; holds: Array<{ session: string; slug: string; fence: number }> };

/** Free without a session; `fence` is the last one given, for each is given once and they only grow. */
type Register = { session: string; fence: number };
type Lock = ReadonlyMap<string, 'read' | 'write'>;
const isFree = (state: Register) => state.session === '';

export type Registers = { broken: string[]; calls: number; unknown: number; undecided: number };

/** From what agents asked and heard alone: was each feature one register, and each locked path one lock? */
export function checkRegisters(ops: Op[], known: Known): Registers {
  const broken: string[] = [];
  let calls = 0;
  let undecided = 0;
  const judge = (what: string, found: Verdict) => {
    if (found.is === 'undecided') undecided += 1;
    if (found.is === 'broken') broken.push(`${what}: no order of its calls fits, ${found.stuckAt}`);
  };
  const ofFeatures = ops.filter((op) => {
    if (op.verb === 'release') return !isRepeated(op, ops);
    return op.answer && isAboutFeature(op.verb);
  });
  const bySlug = Map.groupBy(ofFeatures, ({ on, answer }) => answer?.on ?? on ?? '');
  for (const [slug, all] of bySlug) {
    const steps = [...all.flatMap((op) => featureCall(op, known)), ...unheardPicks(slug, ops, known)];
    calls += steps.length;
    const found = linearize<Register>(steps, { session: '', fence: 0 }, ({ session, fence }) => `${session} ${fence}`);
    if (slug !== '') judge(`${slug} was no register`, found);
  }
  const byPath = Map.groupBy(
    ops.filter(({ verb }) => verb === 'lock' || verb === 'unlock'),
    ({ on }) => on ?? '',
  );
  for (const [path, all] of byPath) {
    const steps = all.flatMap((op) => lockCall(op, known));
    calls += steps.length;
    judge(
      `${path} was no lock`,
      linearize<Lock>(steps, new Map(), (state) => [...state].flat().join(' ')),
    );
  }
  return { broken, calls, unknown: ops.filter(({ answer }) => !answer).length, undecided };
}

/** Its session was told before that this hold is released: to be told so once more says nothing. */
const isRepeated = ({ session, fence, at }: Op, ops: Op[]) =>
  ops.some(
    ({ verb, answer, ...other }) =>
      verb === 'release' && other.session === session && other.fence === fence && answer?.ok && answer.at <= at,
  );

const isAboutFeature = (verb: Op['verb']) => verb === 'pick' || verb === 'release' || verb === 'extend';

/** Clocks of two processes of one machine differ by less than this. */
const SKEW = 5;
const span = (op: Op) => ({
  from: op.at - SKEW,
  to: op.answer ? op.answer.at + SKEW : Infinity,
  by: op.session,
  name: `${op.verb} of ${op.answer?.on ?? op.on} by ${op.session.slice(-6)} at ${Math.round(op.at)}, ${op.answer?.code ?? 'ok'}`,
});

/** The hold is given: to whoever finds it free, or whose holder may have been lost by now, for that one is in the end. */
const given =
  (session: string, fence: number, lost: Set<string>) =>
  (state: Register): Register | undefined =>
    fence > state.fence && (isFree(state) || lost.has(state.session)) ? { session, fence } : undefined;

/**
 * Picks that took place, and whose answer never came: they may be put wherever they fit. A hold that a later pick was
 * answered with may stem from one of them as well.
 */
function unheardPicks(slug: string, ops: Op[], { holds, lost }: Known): Call<Register>[] {
  const unheard = ops.filter((op) => op.verb === 'pick' && isUnheard(op) && (op.on === null || op.on === slug));
  return holds.flatMap(({ slug: of, session, fence }) => {
    const op = of === slug ? unheard.find((each) => each.session === session) : undefined;
    return op ? [{ ...span(op), to: Infinity, step: given(session, fence, lost) }] : [];
  });
}

function featureCall(op: Op, { lost }: Known): Call<Register>[] {
  const { verb, session, answer } = op;
  const fence = answer?.fence ?? op.fence ?? 0;
  const isMine = (state: Register) => state.session === session && state.fence === fence;
  const place = span(op);
  if (verb === 'pick' && answer?.ok) {
    const gives = given(session, fence, lost);
    return [{ ...place, step: (state) => (isMine(state) ? state : gives(state)) }];
  }
  if (verb === 'pick') {
    // A refusal for the paths says nothing of this feature; one for its state says that somebody else has it.
    if (answer?.code !== 'INVALID_STATUS_TRANSITION') return [];
    return [{ ...place, reads: true, step: (state) => (!isFree(state) && state.session !== session ? state : undefined) }];
  }
  if (verb === 'release' && (!answer || answer.ok))
    return [{ ...place, step: (state) => (isMine(state) ? { session: '', fence } : undefined) }];
  if (verb === 'extend' && answer?.ok) return [{ ...place, reads: true, step: (state) => (isMine(state) ? state : undefined) }];
  // Refused because of the paths, it had the hold; for any other reason it had not, or not any more.
  const hadIt = answer?.code === 'FILE_ALREADY_CLAIMED';
  return [{ ...place, reads: true, step: (state) => (isMine(state) === hadIt || lost.has(session) ? state : undefined) }];
}

function lockCall(op: Op, { lost }: Known): Call<Lock>[] {
  const { verb, session, answer, mode = 'write' } = op;
  const inTheWay = (state: Lock) =>
    [...state].flatMap(([holder, held]) => (holder !== session && (held === 'write' || mode === 'write') ? [holder] : []));
  const takes = (state: Lock): Lock | undefined => {
    if (verb === 'unlock') return new Map([...state].filter(([holder]) => holder !== session));
    const others = inTheWay(state);
    if (others.some((holder) => !lost.has(holder))) return undefined;
    return new Map([...state].filter(([holder]) => !others.includes(holder))).set(session, mode);
  };
  if (!answer || answer.ok) return [{ ...span(op), step: takes }];
  const unheard = isUnheard(op) ? [{ ...span(op), to: Infinity, step: takes }] : [];
  if (answer.code !== 'FILE_ALREADY_CLAIMED' || verb === 'unlock') return unheard;
  return [...unheard, { ...span(op), reads: true, step: (state) => (inTheWay(state).length > 0 ? state : undefined) }];
}
