CREATE TABLE "written_paths" (
	"project_id" uuid NOT NULL,
	"hold_id" uuid NOT NULL,
	"node" text collate "C" NOT NULL,
	"display" text NOT NULL,
	"declared" boolean NOT NULL,
	"at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "written_paths_hold_id_node_pk" PRIMARY KEY("hold_id","node")
);
--> statement-breakpoint
ALTER TABLE "holds" ADD COLUMN "written" jsonb;--> statement-breakpoint
ALTER TABLE "written_paths" ADD CONSTRAINT "written_paths_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "written_paths" ADD CONSTRAINT "written_paths_hold_id_holds_id_fk" FOREIGN KEY ("hold_id") REFERENCES "public"."holds"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "written_paths_node" ON "written_paths" USING btree ("project_id","node");