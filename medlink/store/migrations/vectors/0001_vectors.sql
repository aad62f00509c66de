-- Vectors that an encoder has made before. Rows come at the end and go from the front, so ids are the order of age.

-- `key` says all that a vector depends on beside its text, to the last bit.
CREATE TABLE encoders (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE
) STRICT;

-- `vector` is float32, little-endian.
CREATE TABLE vectors (
    id INTEGER PRIMARY KEY,
    encoder_id INTEGER NOT NULL REFERENCES encoders (id),
    text TEXT NOT NULL,
    vector BLOB NOT NULL,
    UNIQUE (encoder_id, text)
) STRICT;
