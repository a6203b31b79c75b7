-- SPDX-License-Identifier: MIT
-- A database of schema 0001 as rpsd 0.1.0 made it: a key and two records. State key: SHA-256 of 'rpsd test'.
-- Key: rpsd_eYTQJEmaZv8c_BSvWjkzhu59tXEDWhhdsj7Gbpf6KHpp742Z3xUzOy8t_191yEd
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE api_keys (
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	tenant TEXT NOT NULL, 
	roles TEXT NOT NULL, 
	limits TEXT NOT NULL, 
	digest BLOB NOT NULL, 
	digest_before BLOB, 
	before_until BIGINT, 
	created BIGINT NOT NULL, 
	expires BIGINT, 
	revoked BIGINT, 
	last_used BIGINT, 
	PRIMARY KEY (id)
);
INSERT INTO "api_keys" VALUES('eYTQJEmaZv8c','alice','desk','["auditor","user"]','{"rate":null,"points_per_day":null}',X'72D947436181347F1F4590F8870C7C6069940EC1DA15BCD782C843E7A9BE8281',NULL,NULL,1795837016454998,NULL,NULL,NULL);
CREATE TABLE audit (
	number BIGINT NOT NULL, 
	time BIGINT NOT NULL, 
	record TEXT NOT NULL, 
	digest BLOB NOT NULL, 
	PRIMARY KEY (number)
);
INSERT INTO "audit" VALUES(1,1795837016483754,'{"action":"keys create","key":"eYTQJEmaZv8c","number":1,"outcome":"done","time":1795837016483754,"who":"cli:alice"}',X'9E725A076F6AA34E4F7C19149EE1763DDEEFA3AA7D8D2035920F8F07191BB959');
INSERT INTO "audit" VALUES(2,1795837016483856,'{"action":"POST /v1/denoise","number":2,"outcome":"allowed","request_id":"r1","time":1795837016483856,"who":"key:eYTQJEmaZv8c"}',X'4DE5CAAC8BAAB320DE1179D57CC4F570C89E32A730C18D77B59B29B5C10C7815');
CREATE TABLE audit_head (
	id INTEGER NOT NULL, 
	number BIGINT NOT NULL, 
	digest BLOB NOT NULL, 
	signature BLOB NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "audit_head" VALUES(1,2,X'4DE5CAAC8BAAB320DE1179D57CC4F570C89E32A730C18D77B59B29B5C10C7815',X'71B81CEBCD592A64A311A313B89A84E704AF90E2E705D8B0013EF1867A8171A8');
CREATE TABLE data_keys (
	number INTEGER NOT NULL, 
	created BIGINT NOT NULL, 
	wrapped BLOB NOT NULL, 
	PRIMARY KEY (number)
);
INSERT INTO "data_keys" VALUES(1,1795837016439027,X'1786CA5D1E27DCD949DC12F5E2081C719A312EF061043C81DE2C7E0FD10C236CF9EA51B012F2A7B0080C087B66E8AE8C3769BE30693CF84BB82CDAA5');
CREATE TABLE idempotency (
	tenant TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	fingerprint BLOB NOT NULL, 
	expires BIGINT NOT NULL, 
	answer BLOB, 
	PRIMARY KEY (tenant, "key")
);
CREATE TABLE jobs (
	id TEXT NOT NULL, 
	tenant TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	operation TEXT NOT NULL, 
	status TEXT NOT NULL, 
	created BIGINT NOT NULL, 
	started BIGINT, 
	ended BIGINT, 
	expires BIGINT NOT NULL, 
	attempts INTEGER NOT NULL, 
	lease_owner TEXT, 
	lease_until BIGINT, 
	request BLOB NOT NULL, 
	result BLOB, 
	PRIMARY KEY (id)
);
CREATE TABLE streams (
	id TEXT NOT NULL, 
	tenant TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	created BIGINT NOT NULL, 
	used BIGINT NOT NULL, 
	sequence BIGINT NOT NULL, 
	samples BIGINT NOT NULL, 
	settings TEXT NOT NULL, 
	checkpoint_sequence BIGINT NOT NULL, 
	checkpoint BLOB NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE stream_inputs (
	stream TEXT NOT NULL, 
	sequence BIGINT NOT NULL, 
	request BLOB NOT NULL, 
	PRIMARY KEY (stream, sequence), 
	FOREIGN KEY(stream) REFERENCES streams (id) ON DELETE CASCADE
);
CREATE INDEX streams_by_tenant ON streams (tenant);
CREATE INDEX streams_by_use ON streams (used);
CREATE INDEX jobs_by_status ON jobs (status, created);
CREATE INDEX jobs_by_tenant ON jobs (tenant, created);
CREATE INDEX jobs_by_end ON jobs (expires);
CREATE INDEX idempotency_by_end ON idempotency (expires);
COMMIT;
