CREATE TABLE "allocations" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"name" text NOT NULL,
	"number" bigint NOT NULL,
	"session_id" uuid NOT NULL,
	"hold_id" uuid,
	"node" text,
	"display" text,
	"machine" text,
	"ver" bigint,
	"at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "allocations" ADD CONSTRAINT "allocations_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "allocations" ADD CONSTRAINT "allocations_session_id_sessions_id_fk" FOREIGN KEY ("session_id") REFERENCES "public"."sessions"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "allocations" ADD CONSTRAINT "allocations_hold_id_holds_id_fk" FOREIGN KEY ("hold_id") REFERENCES "public"."holds"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "allocations_number" ON "allocations" USING btree ("project_id","name","number") WHERE "allocations"."kind" = 'number';--> statement-breakpoint
CREATE INDEX "allocations_session" ON "allocations" USING btree ("session_id");--> statement-breakpoint
CREATE INDEX "allocations_project" ON "allocations" USING btree ("project_id","id");