CREATE TABLE "api_keys" (
	"id" uuid PRIMARY KEY NOT NULL,
	"key_id" text NOT NULL,
	"engineer_id" uuid NOT NULL,
	"hash" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp (3) with time zone,
	"revoked_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "engineers" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"email" text NOT NULL,
	"kind" text DEFAULT 'human' NOT NULL,
	"role" text DEFAULT 'engineer' NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "invitations" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"key_id" text NOT NULL,
	"hash" text NOT NULL,
	"role" text NOT NULL,
	"email" text,
	"created_by" uuid NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"used_at" timestamp (3) with time zone,
	"used_by" uuid
);
--> statement-breakpoint
CREATE TABLE "claims" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"hold_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"mode" text NOT NULL,
	"node" text collate "C" NOT NULL,
	"display" text NOT NULL,
	"granted_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"granted_ver" bigint NOT NULL,
	"ended_ver" bigint
);
--> statement-breakpoint
CREATE TABLE "holds" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"session_id" uuid NOT NULL,
	"engineer_id" uuid NOT NULL,
	"feature_id" uuid,
	"fence" bigint NOT NULL,
	"reason" text,
	"granted_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"granted_ver" bigint NOT NULL,
	"parked_at" timestamp (3) with time zone,
	"ended_at" timestamp (3) with time zone,
	"ended_ver" bigint,
	"ended_as" text
);
--> statement-breakpoint
CREATE TABLE "features" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"slug" text NOT NULL,
	"title" text NOT NULL,
	"spec" text NOT NULL,
	"status" text DEFAULT 'draft' NOT NULL,
	"lane" text NOT NULL,
	"priority" double precision NOT NULL,
	"touches" jsonb NOT NULL,
	"depends_on" jsonb NOT NULL,
	"interrupted" boolean DEFAULT false NOT NULL,
	"hold_id" uuid,
	"created_by" uuid NOT NULL,
	"claimed_by" uuid,
	"claimed_at" timestamp (3) with time zone,
	"completed_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"version" integer DEFAULT 1 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "events" (
	"project_id" uuid NOT NULL,
	"seq" bigint NOT NULL,
	"type" text NOT NULL,
	"at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"engineer_id" uuid,
	"session_id" uuid,
	"feature_id" uuid,
	"correlation_id" text,
	"payload" jsonb NOT NULL,
	CONSTRAINT "events_project_id_seq_pk" PRIMARY KEY("project_id","seq")
);
--> statement-breakpoint
CREATE TABLE "idempotency" (
	"engineer_id" uuid NOT NULL,
	"key" text NOT NULL,
	"fingerprint" text NOT NULL,
	"answer" jsonb NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "idempotency_engineer_id_key_pk" PRIMARY KEY("engineer_id","key")
);
--> statement-breakpoint
CREATE TABLE "ledgers" (
	"project_id" uuid PRIMARY KEY NOT NULL,
	"ledger_id" uuid NOT NULL,
	"fence" bigint DEFAULT 0 NOT NULL,
	"ver" bigint DEFAULT 0 NOT NULL,
	"event_seq" bigint DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "members" (
	"project_id" uuid NOT NULL,
	"engineer_id" uuid NOT NULL,
	"role" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "members_project_id_engineer_id_pk" PRIMARY KEY("project_id","engineer_id")
);
--> statement-breakpoint
CREATE TABLE "projects" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"slug" text NOT NULL,
	"owner_id" uuid NOT NULL,
	"repo_url" text,
	"repo_path" text,
	"default_branch" text NOT NULL,
	"path_case" text DEFAULT 'insensitive' NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sessions" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"engineer_id" uuid NOT NULL,
	"parent_id" uuid,
	"lineage" uuid[] NOT NULL,
	"agent" text NOT NULL,
	"agent_session_id" text,
	"keeper" boolean NOT NULL,
	"ttl_ms" integer NOT NULL,
	"status" text DEFAULT 'active' NOT NULL,
	"metadata" jsonb NOT NULL,
	"feature_id" uuid,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"ended_at" timestamp (3) with time zone,
	"opened_ver" bigint NOT NULL,
	"ended_ver" bigint
);
--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_engineer_id_engineers_id_fk" FOREIGN KEY ("engineer_id") REFERENCES "public"."engineers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "invitations" ADD CONSTRAINT "invitations_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "invitations" ADD CONSTRAINT "invitations_created_by_engineers_id_fk" FOREIGN KEY ("created_by") REFERENCES "public"."engineers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "invitations" ADD CONSTRAINT "invitations_used_by_engineers_id_fk" FOREIGN KEY ("used_by") REFERENCES "public"."engineers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "claims" ADD CONSTRAINT "claims_hold_id_holds_id_fk" FOREIGN KEY ("hold_id") REFERENCES "public"."holds"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "holds" ADD CONSTRAINT "holds_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "holds" ADD CONSTRAINT "holds_session_id_sessions_id_fk" FOREIGN KEY ("session_id") REFERENCES "public"."sessions"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "holds" ADD CONSTRAINT "holds_engineer_id_engineers_id_fk" FOREIGN KEY ("engineer_id") REFERENCES "public"."engineers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "features" ADD CONSTRAINT "features_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "features" ADD CONSTRAINT "features_created_by_engineers_id_fk" FOREIGN KEY ("created_by") REFERENCES "public"."engineers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "features" ADD CONSTRAINT "features_claimed_by_engineers_id_fk" FOREIGN KEY ("claimed_by") REFERENCES "public"."engineers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "events" ADD CONSTRAINT "events_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "ledgers" ADD CONSTRAINT "ledgers_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "members" ADD CONSTRAINT "members_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_engineer_id_engineers_id_fk" FOREIGN KEY ("engineer_id") REFERENCES "public"."engineers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "api_keys_key_id" ON "api_keys" USING btree ("key_id");--> statement-breakpoint
CREATE INDEX "api_keys_engineer" ON "api_keys" USING btree ("engineer_id");--> statement-breakpoint
CREATE UNIQUE INDEX "engineers_email" ON "engineers" USING btree (lower("email"));--> statement-breakpoint
CREATE UNIQUE INDEX "invitations_key_id" ON "invitations" USING btree ("key_id");--> statement-breakpoint
CREATE INDEX "claims_held" ON "claims" USING btree ("project_id","node") WHERE "claims"."ended_ver" is null;--> statement-breakpoint
CREATE INDEX "claims_hold" ON "claims" USING btree ("hold_id") WHERE "claims"."ended_ver" is null;--> statement-breakpoint
CREATE INDEX "claims_granted" ON "claims" USING btree ("project_id","granted_ver");--> statement-breakpoint
CREATE INDEX "claims_ended" ON "claims" USING btree ("project_id","ended_ver");--> statement-breakpoint
CREATE UNIQUE INDEX "holds_fence" ON "holds" USING btree ("project_id","fence");--> statement-breakpoint
CREATE UNIQUE INDEX "holds_open_feature" ON "holds" USING btree ("feature_id") WHERE "holds"."ended_ver" is null;--> statement-breakpoint
CREATE INDEX "holds_open_session" ON "holds" USING btree ("session_id") WHERE "holds"."ended_ver" is null;--> statement-breakpoint
CREATE INDEX "holds_open" ON "holds" USING btree ("project_id") WHERE "holds"."ended_ver" is null;--> statement-breakpoint
CREATE INDEX "holds_feature" ON "holds" USING btree ("feature_id","fence");--> statement-breakpoint
CREATE INDEX "holds_granted" ON "holds" USING btree ("project_id","granted_ver");--> statement-breakpoint
CREATE INDEX "holds_ended" ON "holds" USING btree ("project_id","ended_ver");--> statement-breakpoint
CREATE UNIQUE INDEX "features_slug" ON "features" USING btree ("project_id","slug");--> statement-breakpoint
CREATE INDEX "features_status" ON "features" USING btree ("project_id","status");--> statement-breakpoint
CREATE INDEX "events_at" ON "events" USING btree ("at");--> statement-breakpoint
CREATE INDEX "idempotency_created_at" ON "idempotency" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "members_engineer" ON "members" USING btree ("engineer_id");--> statement-breakpoint
CREATE UNIQUE INDEX "projects_owner_slug" ON "projects" USING btree ("owner_id","slug");--> statement-breakpoint
CREATE UNIQUE INDEX "sessions_live_agent" ON "sessions" USING btree ("project_id","engineer_id","agent","agent_session_id") WHERE "sessions"."status" = 'active';--> statement-breakpoint
CREATE INDEX "sessions_live" ON "sessions" USING btree ("project_id") WHERE "sessions"."status" = 'active';--> statement-breakpoint
CREATE INDEX "sessions_changed" ON "sessions" USING btree ("project_id","opened_ver");--> statement-breakpoint
CREATE INDEX "sessions_ended" ON "sessions" USING btree ("project_id","ended_ver");--> statement-breakpoint
CREATE INDEX "sessions_agent" ON "sessions" USING btree ("project_id","agent","agent_session_id");