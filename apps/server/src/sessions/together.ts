/**
 * Makes one call of all that ask in one turn of the event loop, and so are waiting for the same thing anyway: under load a
 * script in Redis, and the way there, serve many heartbeats. Alone, a call waits for nothing but the end of the turn.
 * `call` gets each thing once, at most `most` at a time; what it throws, all of them get.
 */
export function together<Thing, Answer>(call: (things: Thing[]) => Promise<Answer>, most: number): (thing: Thing) => Promise<Answer> {
  let gathering: { things: Set<Thing>; answer: Promise<Answer> } | undefined;
  return (thing) => {
    if (!gathering || gathering.things.size >= most) {
      const things = new Set<Thing>();
      const begun = {
        things,
        answer: new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
          if (gathering === begun) gathering = undefined;
          return call([...things]);
        }),
      };
      gathering = begun;
    }
    gathering.things.add(thing);
    return gathering.answer;
  };
}
