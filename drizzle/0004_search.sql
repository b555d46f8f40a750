CREATE TABLE "search_entries" (
	"kind" text NOT NULL,
	"id" uuid NOT NULL,
	"project_id" uuid NOT NULL,
	"feature_id" uuid,
	"engineer_id" uuid NOT NULL,
	"author" jsonb,
	"title" text NOT NULL,
	"body" text NOT NULL,
	"tags" jsonb NOT NULL,
	"replaced" boolean DEFAULT false NOT NULL,
	"terms" "tsvector" NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "search_entries_kind_id_pk" PRIMARY KEY("kind","id")
);
--> statement-breakpoint
CREATE TABLE "search_spellings" (
	"project_id" uuid NOT NULL,
	"spelling" text collate "C" NOT NULL,
	"word" text collate "C" NOT NULL,
	"fragments" text[] NOT NULL,
	CONSTRAINT "search_spellings_project_id_spelling_pk" PRIMARY KEY("project_id","spelling")
);
--> statement-breakpoint
CREATE TABLE "search_words" (
	"project_id" uuid NOT NULL,
	"word" text collate "C" NOT NULL,
	"docs" integer NOT NULL,
	CONSTRAINT "search_words_project_id_word_pk" PRIMARY KEY("project_id","word")
);
--> statement-breakpoint
ALTER TABLE "search_entries" ADD CONSTRAINT "search_entries_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "search_spellings" ADD CONSTRAINT "search_spellings_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "search_words" ADD CONSTRAINT "search_words_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "search_entries_terms" ON "search_entries" USING gin ("terms");--> statement-breakpoint
CREATE INDEX "search_entries_at" ON "search_entries" USING btree ("project_id","at");--> statement-breakpoint
CREATE INDEX "search_spellings_fragments" ON "search_spellings" USING gin ("fragments");