-- A database as schema version 1 made it; never to be changed.
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
CREATE INDEX ix_submissions_status ON submissions (status);
CREATE INDEX submissions_by_version ON submissions (manifest_id, version, no);
CREATE UNIQUE INDEX one_live_submission_per_version ON submissions (manifest_id, version) WHERE status != 'rejected';
CREATE INDEX submissions_by_manifest ON submissions (manifest_id, no);
CREATE TABLE asset_folders (
    manifest_id VARCHAR(128) NOT NULL,
    version VARCHAR(64) NOT NULL,
    root TEXT NOT NULL,
    files BLOB NOT NULL,
    registered_at FLOAT NOT NULL,
    PRIMARY KEY (manifest_id, version)
);
CREATE TABLE client_secrets (
    no INTEGER NOT NULL,
    client_id VARCHAR(128) NOT NULL,
    sha256 BLOB NOT NULL,
    created_at FLOAT NOT NULL,
    PRIMARY KEY (no),
    FOREIGN KEY(client_id) REFERENCES clients (client_id)
);
CREATE INDEX ix_client_secrets_client_id ON client_secrets (client_id);
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
INSERT INTO facts VALUES ('schemaVersion', '1');
