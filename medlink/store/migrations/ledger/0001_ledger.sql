-- Times are UTC as 2026-01-31T09:30:00.000000Z, so that their order is that of their text. Hashes are sha256.

-- One run of an import: its rows are committed together. `digest` covers all rows of the batch and the digest of the
-- batch before, so a row that somebody changes or takes out behind medlink's back is noticed.
CREATE TABLE batches (
    id INTEGER PRIMARY KEY,
    recorded_at TEXT NOT NULL,
    medlink TEXT NOT NULL,
    n_events INTEGER NOT NULL CHECK (n_events >= 0),
    digest TEXT NOT NULL
) STRICT;

CREATE TABLE files (
    id INTEGER PRIMARY KEY,
    batch_id INTEGER NOT NULL REFERENCES batches (id) DEFERRABLE INITIALLY DEFERRED,
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL
) STRICT;

-- Every text that was seen under an id; the first one is what records without a text speak of.
CREATE TABLE documents (
    id INTEGER PRIMARY KEY,
    batch_id INTEGER NOT NULL REFERENCES batches (id) DEFERRABLE INITIALLY DEFERRED,
    doc_id TEXT NOT NULL CHECK (doc_id <> ''),
    hash TEXT NOT NULL CHECK (hash <> ''),
    UNIQUE (doc_id, hash)
) STRICT;

-- Texts themselves, only where the team chose to keep them.
CREATE TABLE texts (
    hash TEXT PRIMARY KEY,
    batch_id INTEGER NOT NULL REFERENCES batches (id) DEFERRABLE INITIALLY DEFERRED,
    text TEXT NOT NULL
) STRICT;

-- `at` is what orders a person's verdicts: `time`, or where the file gives none, the batch's `recorded_at`.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL CHECK (length(id) = 16),
    batch_id INTEGER NOT NULL REFERENCES batches (id) DEFERRABLE INITIALLY DEFERRED,
    file_id INTEGER NOT NULL REFERENCES files (id),
    line INTEGER NOT NULL,
    record_id TEXT NOT NULL,
    tool TEXT NOT NULL,
    doc_id TEXT NOT NULL CHECK (doc_id <> ''),
    doc_hash TEXT NOT NULL,
    "start" INTEGER NOT NULL CHECK ("start" >= 0),
    "end" INTEGER NOT NULL CHECK ("end" > "start"),
    surface TEXT NOT NULL CHECK (surface <> ''),
    expanded TEXT NOT NULL,
    section TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('accept', 'correct', 'nil', 'not_a_mention', 'missed', 'ignore')),
    concept_id TEXT CHECK (concept_id IS NOT NULL OR verdict NOT IN ('accept', 'correct')),
    proposed TEXT NOT NULL CHECK (json_valid(proposed)),
    rejected TEXT NOT NULL CHECK (json_valid(rejected)),
    annotator TEXT NOT NULL,
    adjudicator INTEGER NOT NULL CHECK (adjudicator IN (0, 1)),
    time TEXT,
    at TEXT NOT NULL,
    "release" TEXT NOT NULL,
    ontology_version TEXT NOT NULL
) STRICT;

CREATE INDEX events_by_id ON events (id);
CREATE INDEX events_by_place ON events (doc_id, "start", "end");
CREATE INDEX documents_by_batch ON documents (batch_id);
CREATE INDEX texts_by_batch ON texts (batch_id);

-- Append-only: rows are never changed, taken out, or written over (REPLACE fires no DELETE trigger by default).
CREATE TRIGGER batches_no_update BEFORE UPDATE ON batches BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER batches_no_delete BEFORE DELETE ON batches BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER batches_no_replace BEFORE INSERT ON batches WHEN EXISTS (SELECT 1 FROM batches WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER files_no_update BEFORE UPDATE ON files BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER files_no_delete BEFORE DELETE ON files BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER files_no_replace BEFORE INSERT ON files WHEN EXISTS (SELECT 1 FROM files WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER documents_no_update BEFORE UPDATE ON documents BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER documents_no_delete BEFORE DELETE ON documents BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER documents_no_replace BEFORE INSERT ON documents
WHEN EXISTS (SELECT 1 FROM documents WHERE id = NEW.id OR (doc_id = NEW.doc_id AND hash = NEW.hash))
BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER texts_no_update BEFORE UPDATE ON texts BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER texts_no_delete BEFORE DELETE ON texts BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER texts_no_replace BEFORE INSERT ON texts WHEN EXISTS (SELECT 1 FROM texts WHERE hash = NEW.hash)
BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER events_no_update BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER events_no_delete BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER events_no_replace BEFORE INSERT ON events WHEN EXISTS (SELECT 1 FROM events WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'append-only'); END;
