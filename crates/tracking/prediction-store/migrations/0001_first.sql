-- The same text for SQLite and PostgreSQL. Times are microseconds since 1970 (UTC), ids are
-- UUIDs of version 7 as text, so that their order is the order in which they were made.

CREATE TABLE predictions (
    id                  TEXT PRIMARY KEY NOT NULL,
    created_at_us       BIGINT NOT NULL,
    key_name            TEXT,
    file                TEXT,
    model_name          TEXT NOT NULL,
    model_version       TEXT,
    model_digest        TEXT NOT NULL,
    image_sha256        TEXT NOT NULL,
    image_format        TEXT NOT NULL,
    image_width         BIGINT NOT NULL,
    image_height        BIGINT NOT NULL,
    image_colour_mode   TEXT NOT NULL,
    image_window_centre DOUBLE PRECISION,
    image_window_width  DOUBLE PRECISION,
    image_stored        BOOLEAN NOT NULL,
    class               TEXT,
    confidence          DOUBLE PRECISION,
    probabilities       TEXT NOT NULL, -- a JSON object: class to probability, in class order
    accepted            BOOLEAN NOT NULL,
    grey_correlation    DOUBLE PRECISION,
    feature_distance    DOUBLE PRECISION,
    decode_ms           DOUBLE PRECISION NOT NULL,
    wait_ms             DOUBLE PRECISION NOT NULL,
    inference_ms        DOUBLE PRECISION NOT NULL,
    total_ms            DOUBLE PRECISION NOT NULL,
    -- The feedback that counts: the last that was recorded. Set with it, in one transaction.
    feedback_id         TEXT
);
CREATE INDEX predictions_by_time ON predictions (created_at_us);
CREATE INDEX predictions_by_class ON predictions (class, id);
CREATE INDEX predictions_by_model ON predictions (model_digest, id);
CREATE INDEX predictions_by_image ON predictions (image_sha256);
CREATE INDEX predictions_refused ON predictions (id) WHERE NOT accepted;
CREATE INDEX predictions_with_feedback ON predictions (feedback_id) WHERE feedback_id IS NOT NULL;
CREATE INDEX predictions_with_file ON predictions (created_at_us) WHERE file IS NOT NULL;

CREATE TABLE feedback (
    id            TEXT PRIMARY KEY NOT NULL,
    prediction_id TEXT NOT NULL REFERENCES predictions (id) ON DELETE CASCADE,
    created_at_us BIGINT NOT NULL,
    key_name      TEXT,
    class         TEXT NOT NULL,
    note          TEXT
);
CREATE INDEX feedback_by_prediction ON feedback (prediction_id, id);

CREATE TABLE audit (
    id            TEXT PRIMARY KEY NOT NULL,
    created_at_us BIGINT NOT NULL,
    key_name      TEXT,
    role          TEXT NOT NULL,
    action        TEXT NOT NULL,
    detail        TEXT NOT NULL,
    outcome       TEXT NOT NULL,
    request_id    TEXT NOT NULL
);
CREATE INDEX audit_by_time ON audit (created_at_us);

CREATE TABLE trainings (
    id             TEXT PRIMARY KEY NOT NULL,
    started_at_us  BIGINT NOT NULL,
    finished_at_us BIGINT,
    key_name       TEXT,
    state          TEXT NOT NULL,
    model_before   TEXT NOT NULL,
    model_after    TEXT,
    promoted       BOOLEAN,
    reason         TEXT
);
-- One at a time, whoever asks.
CREATE UNIQUE INDEX trainings_running ON trainings (state) WHERE state = 'running';
