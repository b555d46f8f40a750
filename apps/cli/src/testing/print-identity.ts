import { findIdentity } from '../identity.ts';

const identity = findIdentity({ env: process.env, pid: process.pid, machine: () => 'm', place: '/repo' });
console.log(identity.kind === 'own' ? `${identity.agent}:${identity.agentSessionId}:${identity.watch?.pid}` : identity.sessionId);
