CREATE TABLE "patches" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"engineer_id" uuid NOT NULL,
	"session_id" uuid NOT NULL,
	"feature_id" uuid,
	"paths" jsonb NOT NULL,
	"files" jsonb NOT NULL,
	"diff" text NOT NULL,
	"bytes" integer NOT NULL,
	"base" text,
	"why" text,
	"replaces" uuid,
	"state" text DEFAULT 'open' NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"free_at" timestamp (3) with time zone,
	"closed_at" timestamp (3) with time zone,
	"closed_engineer" uuid,
	"closed_session" uuid,
	"fence" bigint,
	"commit" text,
	"note" text
);
--> statement-breakpoint
ALTER TABLE "patches" ADD CONSTRAINT "patches_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "patches" ADD CONSTRAINT "patches_engineer_id_engineers_id_fk" FOREIGN KEY ("engineer_id") REFERENCES "public"."engineers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "patches" ADD CONSTRAINT "patches_session_id_sessions_id_fk" FOREIGN KEY ("session_id") REFERENCES "public"."sessions"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "patches" ADD CONSTRAINT "patches_closed_engineer_engineers_id_fk" FOREIGN KEY ("closed_engineer") REFERENCES "public"."engineers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "patches" ADD CONSTRAINT "patches_closed_session_sessions_id_fk" FOREIGN KEY ("closed_session") REFERENCES "public"."sessions"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "patches_open" ON "patches" USING btree ("project_id","created_at") WHERE "patches"."closed_at" is null;--> statement-breakpoint
CREATE INDEX "patches_closed" ON "patches" USING btree ("closed_at");--> statement-breakpoint
CREATE INDEX "patches_project" ON "patches" USING btree ("project_id","created_at","id");