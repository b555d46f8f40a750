import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'postgresql',
  schema: './apps/server/src/**/*.table.ts',
  out: './drizzle',
  // For db:push and db:studio alone; the server migrates by itself.
  dbCredentials: { url: process.env['DATABASE_URL'] ?? 'postgres://postgres@127.0.0.1:5432/nexus' },
});
