DROP INDEX "claims_ended";--> statement-breakpoint
CREATE INDEX "claims_ended" ON "claims" USING btree ("project_id","ended_ver") WHERE "claims"."ended_ver" is not null;