CREATE TABLE "checkpoints" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"feature_id" uuid NOT NULL,
	"session_id" uuid NOT NULL,
	"engineer_id" uuid NOT NULL,
	"fence" bigint NOT NULL,
	"type" text NOT NULL,
	"state_hash" text NOT NULL,
	"active_claims" jsonb NOT NULL,
	"context" jsonb NOT NULL,
	"notes" text,
	"is_latest" boolean DEFAULT true NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "checkpoints" ADD CONSTRAINT "checkpoints_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "checkpoints" ADD CONSTRAINT "checkpoints_feature_id_features_id_fk" FOREIGN KEY ("feature_id") REFERENCES "public"."features"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "checkpoints" ADD CONSTRAINT "checkpoints_session_id_sessions_id_fk" FOREIGN KEY ("session_id") REFERENCES "public"."sessions"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "checkpoints" ADD CONSTRAINT "checkpoints_engineer_id_engineers_id_fk" FOREIGN KEY ("engineer_id") REFERENCES "public"."engineers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "checkpoints_latest" ON "checkpoints" USING btree ("feature_id") WHERE "checkpoints"."is_latest";--> statement-breakpoint
CREATE INDEX "checkpoints_feature" ON "checkpoints" USING btree ("feature_id","created_at");--> statement-breakpoint
CREATE INDEX "checkpoints_created_at" ON "checkpoints" USING btree ("created_at");