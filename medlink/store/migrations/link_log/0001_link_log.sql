-- What was linked, as far as a later release needs it to link again. No text of a note beyond the mentions' surfaces.
-- Times are UTC as 2026-01-31T09:30:00.000000Z.

-- An ontology, or branches of it, that documents were linked to. `branches` is a JSON list.
CREATE TABLE targets (
    id INTEGER PRIMARY KEY,
    ontology TEXT NOT NULL,
    branches TEXT NOT NULL CHECK (json_valid(branches)),
    UNIQUE (ontology, branches)
) STRICT;

-- A run that linked, or linked again. `corrections` is the fingerprint of the rulings that it obeyed; `threshold` is what
-- the user asked for, NULL where that was left to the release.
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    target_id INTEGER NOT NULL REFERENCES targets (id),
    kind TEXT NOT NULL CHECK (kind IN ('link', 'relink')),
    recorded_at TEXT NOT NULL,
    "release" TEXT NOT NULL,
    ontology_version TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    corrections TEXT NOT NULL,
    threshold REAL,
    medlink TEXT NOT NULL
) STRICT;

-- What is looked up, normalised; empty for a surface without a letter or digit.
CREATE TABLE queries (
    id INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;

-- Mentions as they are written: what rulings are found by.
CREATE TABLE wordings (
    id INTEGER PRIMARY KEY,
    surface TEXT NOT NULL,
    expanded TEXT NOT NULL,
    query_id INTEGER NOT NULL REFERENCES queries (id),
    UNIQUE (surface, expanded)
) STRICT;

-- Normalised headings; the empty one is where there is none.
CREATE TABLE sections (
    id INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;

-- The links of a document are always those of one run.
CREATE TABLE documents (
    id INTEGER PRIMARY KEY,
    target_id INTEGER NOT NULL REFERENCES targets (id),
    doc_id TEXT NOT NULL CHECK (doc_id <> ''),
    run_id INTEGER NOT NULL REFERENCES runs (id),
    UNIQUE (target_id, doc_id)
) STRICT;

-- `candidates` are the best concepts, best first, as a JSON list; `score` is that of the first, 0 where there is none.
CREATE TABLE links (
    document_id INTEGER NOT NULL REFERENCES documents (id),
    "start" INTEGER NOT NULL CHECK ("start" >= 0),
    "end" INTEGER NOT NULL CHECK ("end" > "start"),
    wording_id INTEGER NOT NULL REFERENCES wordings (id),
    section_id INTEGER NOT NULL REFERENCES sections (id),
    concept_id TEXT,
    score REAL NOT NULL,
    candidates TEXT NOT NULL CHECK (json_valid(candidates)),
    PRIMARY KEY (document_id, "start", "end")
) STRICT, WITHOUT ROWID;

-- Links that a run of kind 'relink' replaced by one to another concept: what `run_id` had made of the place.
CREATE TABLE history (
    id INTEGER PRIMARY KEY,
    document_id INTEGER NOT NULL REFERENCES documents (id),
    "start" INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    wording_id INTEGER NOT NULL REFERENCES wordings (id),
    section_id INTEGER NOT NULL REFERENCES sections (id),
    concept_id TEXT,
    score REAL NOT NULL,
    candidates TEXT NOT NULL,
    run_id INTEGER NOT NULL REFERENCES runs (id),
    replaced_by INTEGER NOT NULL REFERENCES runs (id)
) STRICT;

CREATE INDEX history_by_place ON history (document_id, "start", "end");
