ALTER TABLE "holds" ADD COLUMN "landing_of" uuid;--> statement-breakpoint
ALTER TABLE "holds" ADD COLUMN "commit" text;--> statement-breakpoint
CREATE UNIQUE INDEX "holds_landing" ON "holds" USING btree ("landing_of") WHERE "holds"."ended_ver" is null;