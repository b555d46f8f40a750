/** What the model shall do next: one tool call, or several side by side, or wait for a gate of the test. */
export type Step =
  | { tool: string; input: Record<string, unknown> }
  | { all: { tool: string; input: Record<string, unknown> }[] }
  | { gate: string };

type Block = {
  type: string;
  text?: string;
  id?: string;
  name?: string;
  input?: unknown;
  tool_use_id?: string;
  content?: unknown;
  is_error?: boolean;
};
type Message = { role: 'user' | 'assistant'; content: string | Block[] };
type Request = { model: string; stream?: boolean; messages: Message[]; system?: unknown; tools?: { name: string }[] };

export type Model = {
  url: string;
  /** Every request of the conversation that this prompt began, or went on with. */
  of: (name: string) => Request[];
  /** The text of all that its tools answered, in order. */
  results: (name: string) => { text: string; isError: boolean }[];
  /** All that the model was told in this conversation. */
  told: (name: string) => string;
  open: (gate: string) => void;
  /** Resolves when a conversation waits at the gate. */
  reached: (gate: string) => Promise<void>;
  stop: () => void;
};

const mark = 'STEPS ';

/** The prompt that makes the model take these steps, then say that it is done. The script travels in the prompt, so nothing is shared. */
export const script = (name: string, ...steps: Step[]): string => `${mark}${JSON.stringify({ name, steps })}`;

/** A model on loopback that does what its prompts say. Speaks as much of the Messages API as Claude Code needs. */
export function startModel(): Model {
  const requests: { name: string; request: Request }[] = [];
  const gates = new Map<string, { reached: PromiseWithResolvers<void>; opened: PromiseWithResolvers<void> }>();
  const gate = (name: string) => {
    const found = gates.get(name) ?? { reached: Promise.withResolvers<void>(), opened: Promise.withResolvers<void>() };
    gates.set(name, found);
    return found;
  };

  async function answer(request: Request): Promise<Block[]> {
    const asked = scriptOf(request.messages);
    if (asked === undefined) return [{ type: 'text', text: 'ok' }];
    requests.push({ name: asked.name, request });
    for (const step of asked.left) {
      if ('gate' in step) {
        gate(step.gate).reached.resolve();
        await gate(step.gate).opened.promise;
        continue;
      }
      const calls = 'all' in step ? step.all : [step];
      return calls.map(({ tool, input }) => ({
        type: 'tool_use',
        id: `toolu_${crypto.randomUUID().replaceAll('-', '')}`,
        name: tool,
        input,
      }));
    }
    return [{ type: 'text', text: `${asked.name} is done` }];
  }

  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    idleTimeout: 0,
    async fetch(received) {
      const { pathname } = new URL(received.url);
      if (pathname.endsWith('/count_tokens')) return Response.json({ input_tokens: 10 });
      if (!pathname.endsWith('/v1/messages'))
        return Response.json({ type: 'error', error: { type: 'not_found_error', message: pathname } }, { status: 404 });
      const request = (await received.json()) as Request;
      const content = await answer(request);
      const stopReason = content.some(({ type }) => type === 'tool_use') ? 'tool_use' : 'end_turn';
      const message = {
        id: `msg_${crypto.randomUUID()}`,
        type: 'message',
        role: 'assistant',
        model: request.model,
        usage: { input_tokens: 1, output_tokens: 1 },
      };
      if (request.stream !== true) return Response.json({ ...message, content, stop_reason: stopReason, stop_sequence: null });
      return new Response(asEvents(message, content, stopReason), { headers: { 'content-type': 'text/event-stream' } });
    },
  });

  const of: Model['of'] = (name) => requests.filter((one) => one.name === name).map(({ request }) => request);
  return {
    url: `http://127.0.0.1:${server.port}`,
    of,
    results: (name) => resultsIn(of(name).at(-1)?.messages ?? []),
    told: (name) => JSON.stringify(of(name).map(({ messages, system }) => [messages, system])),
    open: (name) => gate(name).opened.resolve(),
    reached: (name) => gate(name).reached.promise,
    stop: () => void server.stop(true),
  };
}

const blocksOf = ({ content }: Message): Block[] => (typeof content === 'string' ? [{ type: 'text', text: content }] : content);

/** The last script in the conversation and those of its steps that no answer of the model has taken yet. */
function scriptOf(messages: Message[]): { name: string; left: Step[] } | undefined {
  const at = messages.findLastIndex((message) => message.role === 'user' && blocksOf(message).some(({ text }) => text?.includes(mark)));
  const text = messages[at] && blocksOf(messages[at]).find((block) => block.text?.includes(mark))?.text;
  if (text === undefined) return undefined;
  const line = text.slice(text.indexOf(mark) + mark.length).split('\n')[0] ?? '';
  // After a slash command its arguments stand between tags.
  const { name, steps } = JSON.parse(line.slice(0, line.lastIndexOf('}') + 1)) as { name: string; steps: Step[] };
  let taken = messages
    .slice(at)
    .filter((message) => message.role === 'assistant' && blocksOf(message).some(({ type }) => type === 'tool_use')).length;
  const left = steps.slice();
  // Gates before a call that was made are open already.
  while (taken > 0) {
    const step = left.shift();
    if (step === undefined) break;
    if (!('gate' in step)) taken -= 1;
  }
  return { name, left };
}

function resultsIn(messages: Message[]): { text: string; isError: boolean }[] {
  return messages.flatMap((message) =>
    blocksOf(message)
      .filter(({ type }) => type === 'tool_result')
      .map(({ content, is_error: isError }) => ({
        text: typeof content === 'string' ? content : JSON.stringify(content),
        isError: isError === true,
      })),
  );
}

function asEvents(message: object, content: Block[], stopReason: string): string {
  const events: [string, object][] = [['message_start', { message: { ...message, content: [], stop_reason: null, stop_sequence: null } }]];
  for (const [index, block] of content.entries()) {
    const isText = block.type === 'text';
    events.push(['content_block_start', { index, content_block: isText ? { type: 'text', text: '' } : { ...block, input: {} } }]);
    const delta = isText
      ? { type: 'text_delta', text: block.text }
      : { type: 'input_json_delta', partial_json: JSON.stringify(block.input) };
    events.push(['content_block_delta', { index, delta }], ['content_block_stop', { index }]);
  }
  events.push(
    ['message_delta', { delta: { stop_reason: stopReason, stop_sequence: null }, usage: { output_tokens: 1 } }],
    ['message_stop', {}],
  );
  return events.map(([type, data]) => `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`).join('');
}
