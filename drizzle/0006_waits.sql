CREATE TABLE "waits" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"session_id" uuid NOT NULL,
	"engineer_id" uuid NOT NULL,
	"feature_id" uuid,
	"paths" jsonb NOT NULL,
	"reason" text,
	"seq" bigint NOT NULL,
	"passed" integer DEFAULT 0 NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"until" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone,
	"ended_as" text,
	"fence" bigint,
	"note" text
);
--> statement-breakpoint
ALTER TABLE "waits" ADD CONSTRAINT "waits_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "waits" ADD CONSTRAINT "waits_session_id_sessions_id_fk" FOREIGN KEY ("session_id") REFERENCES "public"."sessions"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "waits" ADD CONSTRAINT "waits_engineer_id_engineers_id_fk" FOREIGN KEY ("engineer_id") REFERENCES "public"."engineers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "waits_open_session" ON "waits" USING btree ("session_id") WHERE "waits"."ended_at" is null;--> statement-breakpoint
CREATE INDEX "waits_open" ON "waits" USING btree ("project_id") WHERE "waits"."ended_at" is null;--> statement-breakpoint
CREATE INDEX "waits_created" ON "waits" USING btree ("project_id","created_at");