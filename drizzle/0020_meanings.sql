CREATE TABLE "search_vectors" (
	"kind" text NOT NULL,
	"id" uuid NOT NULL,
	"project_id" uuid NOT NULL,
	"readers" uuid[],
	"hash" text NOT NULL,
	"model" text DEFAULT '' NOT NULL,
	"dims" integer DEFAULT 0 NOT NULL,
	"vector" real[],
	"signs" bit varying,
	CONSTRAINT "search_vectors_kind_id_pk" PRIMARY KEY("kind","id")
);
--> statement-breakpoint
ALTER TABLE "search_vectors" ADD CONSTRAINT "search_vectors_entry" FOREIGN KEY ("kind","id") REFERENCES "public"."search_entries"("kind","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "search_vectors_project" ON "search_vectors" USING btree ("project_id");--> statement-breakpoint
CREATE INDEX "search_vectors_model" ON "search_vectors" USING btree ("model","dims");