CREATE TABLE "finished_paths" (
	"project_id" uuid NOT NULL,
	"node" text collate "C" NOT NULL,
	"base" text collate "C",
	"kind" text NOT NULL,
	"display" text NOT NULL,
	"commit" text NOT NULL,
	"hold_id" uuid NOT NULL,
	"at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "finished_paths_project_id_node_pk" PRIMARY KEY("project_id","node")
);
--> statement-breakpoint
ALTER TABLE "finished_paths" ADD CONSTRAINT "finished_paths_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "finished_paths" ADD CONSTRAINT "finished_paths_hold_id_holds_id_fk" FOREIGN KEY ("hold_id") REFERENCES "public"."holds"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "finished_paths_at" ON "finished_paths" USING btree ("at");--> statement-breakpoint
CREATE INDEX "finished_paths_globs" ON "finished_paths" USING btree ("project_id") WHERE "finished_paths"."base" is not null;