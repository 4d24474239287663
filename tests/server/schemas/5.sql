-- A database as schema version 5 made it; never to be changed.
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
    leased_by INTEGER,
    leased_until FLOAT,
    PRIMARY KEY (no),
    UNIQUE (submission_id)
);
CREATE INDEX submissions_by_manifest ON submissions (manifest_id, no);
CREATE UNIQUE INDEX one_live_submission_per_version ON submissions (manifest_id, version) WHERE status != 'rejected';
CREATE INDEX submissions_by_version ON submissions (manifest_id, version, no);
CREATE INDEX submissions_leased ON submissions (leased_by) WHERE leased_by IS NOT NULL;
CREATE INDEX ix_submissions_status ON submissions (status);
CREATE INDEX ix_submissions_trace_id ON submissions (trace_id);
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
    expiry_told_at FLOAT,
    PRIMARY KEY (user_id, "plan")
)
 WITHOUT ROWID
;
CREATE INDEX entitlements_by_end ON entitlements (expires_at);
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
CREATE INDEX ix_telemetry_batches_trace_id ON telemetry_batches (trace_id);
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
CREATE TABLE webhook_endpoints (
    no INTEGER NOT NULL,
    endpoint_id VARCHAR(64) NOT NULL,
    url TEXT NOT NULL,
    types TEXT NOT NULL,
    source VARCHAR(16) NOT NULL,
    enabled BOOLEAN NOT NULL,
    disabled_reason TEXT,
    created_at FLOAT NOT NULL,
    last_delivered_at FLOAT,
    removed_at FLOAT,
    PRIMARY KEY (no),
    UNIQUE (endpoint_id)
);
CREATE TABLE webhook_events (
    no INTEGER NOT NULL,
    event_id VARCHAR(64) NOT NULL,
    type VARCHAR(64) NOT NULL,
    trace_id VARCHAR(128) NOT NULL,
    user_id VARCHAR(256),
    body TEXT NOT NULL,
    created_at FLOAT NOT NULL,
    undelivered VARCHAR(64),
    PRIMARY KEY (no),
    UNIQUE (event_id)
);
CREATE INDEX ix_webhook_events_user_id ON webhook_events (user_id);
CREATE INDEX ix_webhook_events_trace_id ON webhook_events (trace_id);
CREATE INDEX ix_webhook_events_created_at ON webhook_events (created_at);
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
 WITHOUT ROWID
;
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
 WITHOUT ROWID
;
CREATE TABLE webhook_secrets (
    no INTEGER NOT NULL,
    endpoint_no INTEGER NOT NULL,
    secret TEXT NOT NULL,
    created_at FLOAT NOT NULL,
    active_from FLOAT,
    signs_until FLOAT,
    fetched_at FLOAT,
    PRIMARY KEY (no),
    FOREIGN KEY(endpoint_no) REFERENCES webhook_endpoints (no)
);
CREATE INDEX ix_webhook_secrets_endpoint_no ON webhook_secrets (endpoint_no);
CREATE TABLE webhook_deliveries (
    no INTEGER NOT NULL,
    delivery_id VARCHAR(64) NOT NULL,
    event_no INTEGER NOT NULL,
    endpoint_no INTEGER NOT NULL,
    status VARCHAR(16) NOT NULL,
    attempt INTEGER NOT NULL,
    due_at FLOAT,
    fence INTEGER NOT NULL,
    leased_until FLOAT,
    created_at FLOAT NOT NULL,
    updated_at FLOAT NOT NULL,
    leased_by INTEGER,
    PRIMARY KEY (no),
    UNIQUE (delivery_id),
    FOREIGN KEY(event_no) REFERENCES webhook_events (no),
    FOREIGN KEY(endpoint_no) REFERENCES webhook_endpoints (no)
);
CREATE INDEX ix_webhook_deliveries_event_no ON webhook_deliveries (event_no);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (status, due_at);
CREATE INDEX webhook_deliveries_leased ON webhook_deliveries (endpoint_no) WHERE leased_until IS NOT NULL;
CREATE INDEX webhook_deliveries_by_endpoint ON webhook_deliveries (endpoint_no, status, due_at);
CREATE TABLE webhook_attempts (
    no INTEGER NOT NULL,
    delivery_no INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    kind VARCHAR(16) NOT NULL,
    started_at FLOAT NOT NULL,
    ended_at FLOAT NOT NULL,
    duration_ms FLOAT NOT NULL,
    webhook_timestamp INTEGER NOT NULL,
    status INTEGER,
    outcome VARCHAR(32) NOT NULL,
    error TEXT,
    PRIMARY KEY (no),
    FOREIGN KEY(delivery_no) REFERENCES webhook_deliveries (no)
);
CREATE INDEX ix_webhook_attempts_delivery_no ON webhook_attempts (delivery_no);
CREATE TABLE dead_letters (
    delivery_no INTEGER NOT NULL,
    reason TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    died_at FLOAT NOT NULL,
    expires_at FLOAT NOT NULL,
    forwarded_to TEXT,
    forwarded_at FLOAT,
    PRIMARY KEY (delivery_no),
    FOREIGN KEY(delivery_no) REFERENCES webhook_deliveries (no)
);
CREATE INDEX ix_dead_letters_expires_at ON dead_letters (expires_at);
INSERT INTO facts VALUES ('schemaVersion', '5');
