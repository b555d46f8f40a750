export { createFeedSocket, type SocketData } from './feed.socket.ts';
export { createFeed } from './feed.ts';
export { eventsStream, resumeFrom } from './feed.routes.ts';
export { createTickets } from './tickets.ts';
