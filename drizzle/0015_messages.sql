CREATE TABLE "message_recipients" (
	"message_id" uuid NOT NULL,
	"engineer_id" uuid NOT NULL,
	"session_id" uuid,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"told_at" timestamp (3) with time zone,
	"acknowledged_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "messages" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"thread_id" uuid NOT NULL,
	"reply_to" uuid,
	"kind" text NOT NULL,
	"payload" jsonb NOT NULL,
	"engineer_id" uuid NOT NULL,
	"session_id" uuid,
	"audience" text NOT NULL,
	"about" text,
	"deadline" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "message_recipients" ADD CONSTRAINT "message_recipients_message_id_messages_id_fk" FOREIGN KEY ("message_id") REFERENCES "public"."messages"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "message_recipients" ADD CONSTRAINT "message_recipients_engineer_id_engineers_id_fk" FOREIGN KEY ("engineer_id") REFERENCES "public"."engineers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "message_recipients" ADD CONSTRAINT "message_recipients_session_id_sessions_id_fk" FOREIGN KEY ("session_id") REFERENCES "public"."sessions"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "messages" ADD CONSTRAINT "messages_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "messages" ADD CONSTRAINT "messages_engineer_id_engineers_id_fk" FOREIGN KEY ("engineer_id") REFERENCES "public"."engineers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "messages" ADD CONSTRAINT "messages_session_id_sessions_id_fk" FOREIGN KEY ("session_id") REFERENCES "public"."sessions"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "message_recipients_one" ON "message_recipients" USING btree ("message_id","engineer_id","session_id");--> statement-breakpoint
CREATE INDEX "message_recipients_engineer" ON "message_recipients" USING btree ("engineer_id","created_at");--> statement-breakpoint
CREATE INDEX "message_recipients_open" ON "message_recipients" USING btree ("created_at") WHERE "message_recipients"."acknowledged_at" is null;--> statement-breakpoint
CREATE INDEX "messages_project" ON "messages" USING btree ("project_id","created_at","id");--> statement-breakpoint
CREATE INDEX "messages_deadline" ON "messages" USING btree ("deadline") WHERE "messages"."deadline" is not null;