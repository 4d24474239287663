-- A database as schema version 3 made it; never to be changed.
CREATE TABLE facts (
    name VARCHAR(64) NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (name)
);
CREATE TABLE clients (
    client_id VARCHAR(128) NOT NULL,
    name VARCHAR(128) NOT NULL,
    scopes TEXT NOT NULL,
    is_development BOOLEAN NOT NULL,
    created_at FLOAT NOT NULL,
    PRIMARY KEY (client_id)
);
CREATE TABLE signing_keys (
    kid VARCHAR(64) NOT NULL,
    private_pem TEXT NOT NULL,
    created_at FLOAT NOT NULL,
    PRIMARY KEY (kid)
);
CREATE TABLE submissions (
    no INTEGER NOT NULL,
    submission_id VARCHAR(64) NOT NULL,
    manifest_id VARCHAR(128) NOT NULL,
    version VARCHAR(64) NOT NULL,
    digest VARCHAR(71) NOT NULL,
    content_digest VARCHAR(71) NOT NULL,
    status VARCHAR(16) NOT NULL,
    attempt INTEGER NOT NULL,
    asset_count INTEGER NOT NULL,
    body_bytes BIGINT NOT NULL,
    submitted_at FLOAT NOT NULL,
    updated_at FLOAT NOT NULL,
    trace_id VARCHAR(128) NOT NULL,
    validation TEXT NOT NULL,
    PRIMARY KEY (no),
    UNIQUE (submission_id)
);
CREATE INDEX submissions_by_version ON submissions (manifest_id, version, no);
CREATE INDEX submissions_by_manifest ON submissions (manifest_id, no);
CREATE UNIQUE INDEX one_live_submission_per_version ON submissions (manifest_id, version) WHERE status != 'rejected';
CREATE INDEX ix_submissions_status ON submissions (status);
CREATE TABLE asset_folders (
    manifest_id VARCHAR(128) NOT NULL,
    version VARCHAR(64) NOT NULL,
    root TEXT NOT NULL,
    files BLOB NOT NULL,
    registered_at FLOAT NOT NULL,
    PRIMARY KEY (manifest_id, version)
);
CREATE TABLE entitlements (
    user_id VARCHAR(256) NOT NULL,
    "plan" VARCHAR(64) NOT NULL,
    product VARCHAR(64) NOT NULL,
    status VARCHAR(16) NOT NULL,
    issued_at FLOAT NOT NULL,
    expires_at FLOAT,
    features TEXT NOT NULL,
    source VARCHAR(128) NOT NULL,
    region VARCHAR(64),
    PRIMARY KEY (user_id, "plan")
)
 WITHOUT ROWID;
CREATE TABLE telemetry_batches (
    no INTEGER NOT NULL,
    batch_id VARCHAR(64) NOT NULL,
    client_id VARCHAR(128) NOT NULL,
    trace_id VARCHAR(128) NOT NULL,
    events INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    received_at FLOAT NOT NULL,
    PRIMARY KEY (no),
    UNIQUE (batch_id)
);
CREATE TABLE telemetry_events (
    no INTEGER NOT NULL,
    client_id VARCHAR(128) NOT NULL,
    event_id VARCHAR(128) NOT NULL,
    type VARCHAR(128) NOT NULL,
    occurred_at VARCHAR(40) NOT NULL,
    user_id VARCHAR(256),
    session_id VARCHAR(256),
    properties TEXT,
    batch_no INTEGER NOT NULL,
    received_at FLOAT NOT NULL,
    PRIMARY KEY (no)
);
CREATE UNIQUE INDEX one_event_per_id ON telemetry_events (client_id, event_id);
CREATE TABLE client_secrets (
    no INTEGER NOT NULL,
    client_id VARCHAR(128) NOT NULL,
    sha256 BLOB NOT NULL,
    created_at FLOAT NOT NULL,
    PRIMARY KEY (no),
    FOREIGN KEY(client_id) REFERENCES clients (client_id)
);
CREATE INDEX ix_client_secrets_client_id ON client_secrets (client_id);
CREATE TABLE client_limits (
    client_id VARCHAR(128) NOT NULL,
    policy VARCHAR(64) NOT NULL,
    quota INTEGER NOT NULL,
    PRIMARY KEY (client_id, policy),
    FOREIGN KEY(client_id) REFERENCES clients (client_id)
)
 WITHOUT ROWID;
CREATE TABLE manifest_bodies (
    submission_no INTEGER NOT NULL,
    gzipped BLOB NOT NULL,
    PRIMARY KEY (submission_no),
    FOREIGN KEY(submission_no) REFERENCES submissions (no)
);
CREATE TABLE active_versions (
    manifest_id VARCHAR(128) NOT NULL,
    submission_no INTEGER NOT NULL,
    PRIMARY KEY (manifest_id),
    FOREIGN KEY(submission_no) REFERENCES submissions (no)
);
CREATE TABLE published_assets (
    url_key VARCHAR(32) NOT NULL,
    sha256 VARCHAR(64) NOT NULL,
    submission_no INTEGER NOT NULL,
    PRIMARY KEY (url_key),
    FOREIGN KEY(submission_no) REFERENCES submissions (no)
)
 WITHOUT ROWID;
INSERT INTO facts VALUES ('schemaVersion', '3');
