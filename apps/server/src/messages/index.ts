export { createMessages } from './messages.ts';
export { messagesRoutes } from './messages.routes.ts';
export { createPost } from './post.ts';
