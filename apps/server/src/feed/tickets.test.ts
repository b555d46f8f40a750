import { expect, test } from 'bun:test';
import { principal } from './testing/server.ts';
import { createTestBus } from './testing/world.ts';
import { createTickets } from './tickets.ts';

const ann = principal('ann');
const holder = { engineerId: ann.engineer.id, keyId: ann.keyId, secret: 1, projectId: undefined };

test('a ticket is redeemed once, at whichever replica', () => {
  const bus = createTestBus();
  const [here, there] = [createTickets({ secret: 's', bus }), createTickets({ secret: 's', bus })];
  const { ticket, expiresInSeconds } = here.issue(ann);
  expect(expiresInSeconds).toBe(30);
  expect(there.redeem(ticket)).toEqual(holder);
  expect(there.redeem(ticket)).toBeUndefined();
  expect(here.redeem(ticket)).toBeUndefined();
});

test('a ticket lives 30 seconds, and names its project if it was asked for one', () => {
  let clock = 1_000_000;
  const tickets = createTickets({ secret: 's', now: () => clock });
  const [early, late] = [tickets.issue(ann, 'p').ticket, tickets.issue(ann).ticket];
  clock += 29_999;
  expect(tickets.redeem(early)).toEqual({ ...holder, projectId: 'p' });
  clock += 1;
  expect(tickets.redeem(late)).toBeUndefined();
});

test('what was not issued with this secret is no ticket', () => {
  const tickets = createTickets({ secret: 's' });
  const { ticket } = tickets.issue(ann);
  const [body = '', signature = ''] = ticket.split('.');
  for (const forged of [
    '',
    'nxt_',
    'nxt_.',
    body,
    `${body}x.${signature}`,
    `${body}.${signature.slice(2)}`,
    createTickets({ secret: 't' }).issue(ann).ticket,
  ]) {
    expect(tickets.redeem(forged)).toBeUndefined();
  }
  expect(tickets.redeem(ticket)).toEqual(holder);
});
