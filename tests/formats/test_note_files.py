from __future__ import annotations

import csv
import io
import json
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medlink.errors import NoteReadError, SettingError
from medlink.formats.note_files import READERS, Located, NoteOptions
from medlink.records import Document

TEXTS = st.text(st.characters(codec="utf-8") | st.sampled_from('\r\n",;\t\ufeff😀\u0301'), min_size=1).filter(str.strip)


def _read(suffix: str, data: bytes, **options: object) -> list[Document | str]:
    """The documents, and the message of every error in its place."""
    items = READERS[suffix](io.BytesIO(data), "f", "name", NoteOptions(**options))  # type: ignore[arg-type]
    return [item.document if isinstance(item, Located) else str(item) for item in items]


def _one_error(suffix: str, data: bytes, **options: object) -> str:
    [error] = _read(suffix, data, **options)
    assert isinstance(error, str)
    return error


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"a\r\nb\rc\n", "a\r\nb\rc\n"),
        ("e\u0301 😀".encode(), "e\u0301 😀"),
        (b"\xef\xbb\xbffits", "fits"),
        (b"a\xef\xbb\xbf", "a\ufeff"),
        (b"a\x00b\x0c", "a\x00b\x0c"),
    ],
    ids=["line ends", "code points", "mark", "later mark", "control characters"],
)
def test_read_text_leaves_the_text_untouched(data: bytes, text: str) -> None:
    assert _read(".txt", data) == [Document("name", text)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "f: the note is empty"),
        (b" \r\n\t", "f: the note is empty"),
        (b"\xef\xbb\xbf", "f: the note is empty"),
        (b"caf\xe9", "f, byte 3: not UTF-8. Convert it first"),
        ("fits".encode("utf-16"), "f, byte 0: not UTF-8"),
        (b"x" * 11, "f: too large for one note; expected at most 10 bytes"),
    ],
    ids=["empty", "blank", "mark only", "latin-1", "utf-16", "large"],
)
def test_read_text_says_what_is_wrong(data: bytes, message: str) -> None:
    assert _one_error(".txt", data, max_bytes=10).startswith(message)


def test_read_text_takes_a_note_of_just_the_limit() -> None:
    assert _read(".txt", b"x" * 10, max_bytes=10) == [Document("name", "x" * 10)]


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(TEXTS, max_size=4))
def test_readers_of_rows_give_back_what_other_writers_wrote(texts: list[str]) -> None:
    expected = [Document(str(number), text) for number, text in enumerate(texts)]
    lines = "".join(json.dumps({"id": number, "text": text}) + "\n" for number, text in enumerate(texts))
    assert _read(".jsonl", lines.encode()) == expected
    table = io.StringIO(newline="")
    csv.writer(table, quoting=csv.QUOTE_ALL).writerows([("text", "id"), *((text, n) for n, text in enumerate(texts))])
    assert _read(".csv", table.getvalue().encode()) == expected
    sink = io.BytesIO()
    pq.write_table(
        pa.table({"id": pa.array(range(len(texts)), pa.int32()), "text": pa.array(texts, pa.string())}), sink
    )
    assert _read(".parquet", sink.getvalue()) == expected


def test_read_jsonl_uses_the_named_fields_and_skips_blank_lines() -> None:
    data = b'\n{"note": "a", "key": "k", "other": {"x": [1]}}\r\n  \n'
    assert _read(".jsonl", data, text_field="note", id_field="key") == [Document("k", "a")]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"id": "1", "text": "tru', "f:2, column 21: broken JSON: Unterminated string"),
        (b'["id", "text"]', "f:2: no JSON object; expected one object per line"),
        (b'{"text": "x"}', "f:2: no field 'id'; got fields 'text'"),
        (b'{"id": "1", "note": "x"}', "f:2: no field 'text'; got fields 'id', 'note'"),
        (b'{"id": "1", "text": null}', "f:2: no text; expected a string; got NoneType"),
        (b'{"id": "1", "text": 5}', "f:2: no text; expected a string; got int"),
        (b'{"id": "1", "text": ""}', "f:2: the note is empty"),
        (b'{"id": "", "text": "x"}', "f:2: no id"),
        (b'{"id": true, "text": "x"}', "f:2: no id; expected text or a whole number; got bool"),
        (b'{"id": 1.5, "text": "x"}', "f:2: no id; expected text or a whole number; got float"),
        (b'{"id": "1", "text": "\xe9"}', "f:2, byte 21: not UTF-8"),
        (b'{"id": "1", "text": "\\ud800"}', "f:2: not UTF-8"),
        (b"[" * 100_000, "f:2: JSON with a number too long or nesting too deep"),
        (b"9" * 5000, "f:2: JSON with a number too long or nesting too deep"),
        (b"x" * 200_000, "f:2: too large for one note; expected at most 150,000 bytes"),
    ],
    ids=lambda value: repr(value)[:25],
)
def test_read_jsonl_reports_a_bad_line_and_goes_on(line: bytes, message: str) -> None:
    good = b'{"id": "0", "text": "a"}', b'{"id": "9", "text": "b"}'
    first, error, last = _read(".jsonl", b"\n".join((good[0], line, good[1])), max_bytes=150_000)
    assert (first, last) == (Document("0", "a"), Document("9", "b"))
    assert isinstance(error, str)
    assert error.startswith(message)


def test_read_jsonl_of_nothing_is_nothing() -> None:
    assert _read(".jsonl", b"") == []


@pytest.mark.parametrize(
    ("rows", "errors"),
    [
        (b"1\n", ["f:3: a row of another length; expected 2; got 1"]),
        (b"1,x,y\n", ["f:3: a row of another length; expected 2; got 3"]),
        (b"1,\n", ["f:3: the note is empty"]),
        (b",x\n", ["f:3: no id"]),
        (b"1,caf\xe9\n", ["f:3: not UTF-8"]),
        (b'1,"a"b\n', ["f:3: broken CSV: ',' expected after '\"'"]),
        (b"1," + b"x" * 200 + b"\n", ["f:3: too large for one note; expected at most 100 bytes"]),
        (b'1,"' + b"x\n" * 200 + b'"\n', ["f:3: too large for one note"]),
        (b'1,"' + b'x""\n,' * 200 + b'",""\n', ["f:3: too large for one note"]),
        (b"\n\r\n", []),
    ],
    ids=[
        "short",
        "long",
        "empty",
        "no id",
        "latin-1",
        "quote",
        "large line",
        "large field",
        "large with quotes",
        "blank",
    ],
)
def test_read_csv_reports_a_bad_row_and_goes_on(rows: bytes, errors: list[str]) -> None:
    first, *between, last = _read(
        ".csv", b'id,text\n0,"a\r\nb"\n'.replace(b"\r\n", b" ") + rows + b'9,"c\nd"\n', max_bytes=100
    )
    assert (first, last) == (Document("0", "a b"), Document("9", "c\nd"))
    assert len(between) == len(errors)
    assert all(str(got).startswith(error) for got, error in zip(between, errors, strict=True))


def test_read_csv_counts_lines_within_quotes() -> None:
    assert _read(".csv", b'id,text\n1,"a\n\nb"\n2\n')[1:] == ["f:5: a row of another length; expected 2; got 1"]


def test_read_csv_reports_a_quote_that_is_never_closed() -> None:
    first, error = _read(".csv", b'id,text\n1,a\n2,"b\n3,c\n')
    assert first == Document("1", "a")
    assert error == "f:3: broken CSV: unexpected end of data"


def test_read_csv_takes_notes_longer_than_the_default_of_python() -> None:
    assert _read(".csv", b"id,text\n1," + b"x" * 200_000) == [Document("1", "x" * 200_000)]


def test_read_csv_drops_a_byte_order_mark() -> None:
    assert _read(".csv", b"\xef\xbb\xbfid,text\n1,a\n") == [Document("1", "a")]


def test_read_csv_without_its_columns_does_not_show_the_note() -> None:
    error = _one_error(".csv", b"1,patient has fits\n2,other\n")
    assert error == "f: no column 'id' and no column 'text'; got 2 other columns in line 1"


@pytest.mark.parametrize("data", [b"", b"\n\n"])
def test_read_csv_without_a_header_is_an_error(data: bytes) -> None:
    assert _one_error(".csv", data).startswith("f: no column 'id' and no column 'text'; got 0 other columns")


def _parquet(**columns: pa.Array) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def test_read_parquet_reports_bad_rows_and_goes_on() -> None:
    raw = pa.Array.from_buffers(pa.string(), 1, [None, *pa.array([b"\xe9"]).buffers()[1:]])
    texts = pa.chunked_array([pa.array(["a", None, "", "x" * 30]), raw, pa.array(["b"])])
    sink = io.BytesIO()
    pq.write_table(pa.table({"id": ["0", "1", "2", "3", "4", "5"], "text": texts, "other": [0] * 6}), sink)
    first, *errors, last = _read(".parquet", sink.getvalue(), max_bytes=20)
    assert (first, last) == (Document("0", "a"), Document("5", "b"))
    assert [str(error).split(";")[0] for error in errors] == [
        "f, row 2: no text",
        "f, row 3: the note is empty",
        "f, row 4: too large for one note",
        "f, row 5: not UTF-8",
    ]


def test_read_parquet_reads_large_and_coded_strings() -> None:
    data = _parquet(id=pa.array(["1", "2"], pa.large_string()), text=pa.array(["a", "a"]).dictionary_encode())
    assert _read(".parquet", data) == [Document("1", "a"), Document("2", "a")]


def test_read_parquet_names_missing_columns() -> None:
    assert _one_error(".parquet", _parquet(id=pa.array([1]))) == "f: no column 'text'; got columns 'id'"


@pytest.mark.parametrize("data", [b"", b"PAR1", b"x" * 100, _parquet(id=pa.array([1]), text=pa.array(["a"]))[:-20]])
def test_read_parquet_reports_a_broken_file(data: bytes) -> None:
    assert _one_error(".parquet", data).startswith("f: broken Parquet")


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_readers_of_rows_never_hold_a_gigantic_row(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"large{suffix}"
    with path.open("wb") as stream:
        stream.write(b"id,text\n" if suffix == ".csv" else b"")
        stream.write(b'1,"' if suffix == ".csv" else b'{"id": 1, "text": "')
        for _ in range(40):
            stream.write(b"fits " * 100_000 + (b"\n" if suffix == ".csv" else b""))
        stream.write(b'"\n2,ok\n' if suffix == ".csv" else b'"}\n{"id": 2, "text": "ok"}\n')
    tracemalloc.start()
    with path.open("rb") as stream:
        items = list(READERS[suffix](stream, "f", "", NoteOptions(max_bytes=1_000_000)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(items[0], NoteReadError)
    assert items[1:] == [Located(f"f:{43 if suffix == '.csv' else 2}", Document("2", "ok"))]
    assert peak < 8_000_000 < path.stat().st_size


@pytest.mark.parametrize("options", [{"max_bytes": 0}, {"stdin_format": "parquet"}])
def test_note_options_refuse_what_cannot_be(options: dict[str, object]) -> None:
    with pytest.raises(SettingError, match=next(iter(options))):
        NoteOptions(**options)  # type: ignore[arg-type]
