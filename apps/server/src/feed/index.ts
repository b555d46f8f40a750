export { createFeedSocket, type FeedSocketNeeds, type SocketData } from './feed.socket.ts';
export { createFeed, type Feed } from './feed.ts';
export { eventsStream, resumeFrom } from './feed.routes.ts';
export { createTickets, type Tickets } from './tickets.ts';
