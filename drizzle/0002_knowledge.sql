CREATE TABLE "decisions" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"number" integer NOT NULL,
	"feature_id" uuid,
	"engineer_id" uuid NOT NULL,
	"author" jsonb,
	"session_id" uuid,
	"title" text NOT NULL,
	"decision" text NOT NULL,
	"rationale" text,
	"alternatives" text,
	"supersedes" uuid,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "learnings" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"feature_id" uuid,
	"engineer_id" uuid NOT NULL,
	"author" jsonb,
	"session_id" uuid,
	"scope" text NOT NULL,
	"kind" text NOT NULL,
	"tags" jsonb NOT NULL,
	"content" text NOT NULL,
	"fence" bigint,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "decisions" ADD CONSTRAINT "decisions_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "decisions" ADD CONSTRAINT "decisions_feature_id_features_id_fk" FOREIGN KEY ("feature_id") REFERENCES "public"."features"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "decisions" ADD CONSTRAINT "decisions_engineer_id_engineers_id_fk" FOREIGN KEY ("engineer_id") REFERENCES "public"."engineers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "learnings" ADD CONSTRAINT "learnings_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "learnings" ADD CONSTRAINT "learnings_feature_id_features_id_fk" FOREIGN KEY ("feature_id") REFERENCES "public"."features"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "learnings" ADD CONSTRAINT "learnings_engineer_id_engineers_id_fk" FOREIGN KEY ("engineer_id") REFERENCES "public"."engineers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "decisions_number" ON "decisions" USING btree ("project_id","number");--> statement-breakpoint
CREATE UNIQUE INDEX "decisions_supersedes" ON "decisions" USING btree ("supersedes");--> statement-breakpoint
CREATE INDEX "decisions_feature" ON "decisions" USING btree ("feature_id","number");--> statement-breakpoint
CREATE INDEX "learnings_project" ON "learnings" USING btree ("project_id","created_at","id");--> statement-breakpoint
CREATE INDEX "learnings_feature" ON "learnings" USING btree ("feature_id","created_at","id");