import { type ErrorCode, errorStatus, FeedEvent, SocketServerMessage } from '@nexus/contract';
import { NexusError } from './client.ts';
import type { FeedReader } from './feed-socket.ts';

type ReaderNeeds = {
  projectId: string;
  position: { cursor: string | undefined };
  send: (text: string) => void;
  onEvent: (event: FeedEvent, cursor: string) => void | Promise<void>;
  onReset: ((cursor: string) => void | Promise<void>) | undefined;
  onJoined: (cursor: string) => void;
};

/** The protocol of one connection: joins, then hands over each event once and in order, moving `position` after each. */
export function createFeedReader({ projectId, position, send, onEvent, onReset, onJoined }: ReaderNeeds): FeedReader {
  return async (text) => {
    const parsed = readJson(text);
    if (parsed === undefined) return false;
    const event = FeedEvent.safeParse(parsed);
    if (event.success) {
      if (position.cursor === undefined) return true;
      const at = readCursor(position.cursor);
      const sameHistory = at.epoch === '' || at.epoch === event.data.epoch;
      if (sameHistory && event.data.seq <= at.seq) return true;
      if (!sameHistory || (at.epoch !== '' && event.data.seq !== at.seq + 1)) return false;
      const cursor = `${event.data.epoch}.${event.data.seq}`;
      await onEvent(event.data, cursor);
      position.cursor = cursor;
      return true;
    }
    const message = SocketServerMessage.safeParse(parsed);
    if (!message.success) return true;
    switch (message.data.type) {
      case 'connected':
        send(JSON.stringify({ type: 'join', projectId, ...(position.cursor === undefined ? {} : { after: position.cursor }) }));
        return true;
      case 'joined':
        position.cursor ??= message.data.cursor;
        onJoined(position.cursor);
        return true;
      case 'reset':
        position.cursor = message.data.cursor;
        await onReset?.(message.data.cursor);
        return true;
      case 'error':
        if (isPassing(message.data.code)) return false;
        throw refused(message.data.code, message.data.message);
      case 'left':
      case 'heartbeat':
        return true;
    }
  };
}

/** The error answer that this code and message stand for. */
export function refused(code: string, message: string): NexusError {
  const known: ErrorCode = code in errorStatus ? (code as ErrorCode) : 'INTERNAL_ERROR';
  return new NexusError(errorStatus[known], { code: known, message, requestId: '' });
}

const isPassing = (code: string): boolean => ['SERVICE_UNAVAILABLE', 'RATE_LIMITED', 'INTERNAL_ERROR'].includes(code);

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `0` is before the first event of whichever epoch the server is in. */
function readCursor(cursor: string): { epoch: string; seq: number } {
  const dot = cursor.lastIndexOf('.');
  return dot < 0 ? { epoch: '', seq: 0 } : { epoch: cursor.slice(0, dot), seq: Number(cursor.slice(dot + 1)) };
}
