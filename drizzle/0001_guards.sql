ALTER TABLE "projects" ADD COLUMN "policy" jsonb;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "edits" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "denials" integer DEFAULT 0 NOT NULL;