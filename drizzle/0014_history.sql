CREATE TABLE "contention" (
	"project_id" uuid NOT NULL,
	"day" date NOT NULL,
	"node" text NOT NULL,
	"kind" text NOT NULL,
	"display" text NOT NULL,
	"refused" integer NOT NULL,
	"denied" integer NOT NULL,
	"last_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "contention_project_id_day_node_pk" PRIMARY KEY("project_id","day","node")
);
--> statement-breakpoint
ALTER TABLE "contention" ADD CONSTRAINT "contention_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "claims_past" ON "claims" USING btree ("project_id","node") WHERE "claims"."ended_ver" is not null;--> statement-breakpoint
CREATE INDEX "claims_past_hold" ON "claims" USING btree ("hold_id") WHERE "claims"."ended_ver" is not null;