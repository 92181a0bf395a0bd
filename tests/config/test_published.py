"""Files of printed numbers: each mistake one error with file and line, nothing dropped."""

from __future__ import annotations

from pathlib import Path

import pytest

from sebench.config.published import read_published
from sebench.errors import DataError

HEAD = "source,table,row,column,value,ci,note\n"
GOOD = (
    HEAD + 's,"Table 1, left",Noisy,PESQ,2.5,,\ns,t,"Small, causal",PESQ,-1e-2,0.05,"a ""note"""\n\ns,t,Noisy,STOI,,,\n'
)


def test_what_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    for data in (GOOD.encode(), b"\xef\xbb\xbf" + GOOD.encode(), GOOD.replace("\n", "\r\n").encode()):
        path.write_bytes(data)
        rows = read_published(path)
        assert [(row["row"], row["column"], row["value"]) for row in rows] == [
            ("Noisy", "PESQ", "2.5"),
            ("Small, causal", "PESQ", "-1e-2"),
            ("Noisy", "STOI", ""),
        ]
        assert rows[1]["note"] == 'a "note"'


def lines(*rows: str) -> str:
    return HEAD + "".join(f"{row}\n" for row in rows)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["is empty", "row, column, value"]),
        ("row,column,value\n", ["has a first line and no number"]),
        ("row,column\n", ["x.csv:1", "needs the columns value"]),
        ("row;column;value\nNoisy;PESQ;2\n", ["x.csv:1", "separated by commas"]),
        ("row,column,value,value\n", ["x.csv:1", "'value' stands twice"]),
        ("row,column,value,nots\n", ["x.csv:1", "no column 'nots'", "did you mean 'note'"]),
        ("row,column,value,\nNoisy,PESQ,2,\n", ["x.csv:1", "no column ''"]),
        (lines("s,t,Noisy,PESQ,2.5,,", "s,t,Noisy,PESQ,2.6,,"), ["x.csv:3", "'Noisy'", "'PESQ'", "line 2 already"]),
        (lines("s,t,Noisy,PESQ,2.5,", "x"), ["x.csv:2", "has 6 fields", "accepted: 7"]),
        (lines("s,t,Noisy,PESQ,2.5,,a, b"), ["x.csv:2", "has 8 fields", "needs quotes"]),
        (lines("s,t,Noisy,PESQ,2.5,,", 's,"t,Noisy,STOI,0.9,,'), ["x.csv:3", "a quote is not closed"]),
        (lines('s,"t,Noisy,STOI,0.9,,', 's,t,Noisy,PESQ,"2.5",,'), ["x.csv:2", "not a line of a CSV file"]),
        (lines('s,"t" x,Noisy,STOI,0.9,,'), ["x.csv:2", "not a line of a CSV file"]),
        (lines("s,t,,PESQ,2.5,,"), ["x.csv:2", "`row` is empty"]),
        (lines("s,t,Noisy,,2.5,,"), ["x.csv:2", "`column` is empty"]),
        *(
            (lines(f"s,t,Noisy,PESQ,{value},,"), ["x.csv:2", "`value` is", "accepted: a number as 2.5"])
            for value in ("nan", '"2,5"', "inf", "1e999", "2.5 dB", "0x10", "1_0", "٣", "-", "2.5*")
        ),
        (lines("s,t,Noisy,PESQ,2.5,few,"), ["x.csv:2", "`ci` is 'few'"]),
        (lines("s,t,Noisy,PESQ,2.5,-0.1,"), ["x.csv:2", "not below 0"]),
        (lines("s,t,No\0isy,PESQ,2.5,,"), ["x.csv:2", "zero byte"]),
    ],
)
def test_mistakes(tmp_path: Path, text: str, parts: list[str]) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text, encoding="utf-8", newline="")
    with pytest.raises(DataError) as raised:
        read_published(path)
    assert str(raised.value).startswith(str(path))
    for part in parts:
        assert part in str(raised.value)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le"])
def test_other_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(lines("s,t,Noisy,PESQ,2.5,,", "s,t,Gänze,PESQ,2.5,,").encode(encoding))
    with pytest.raises(DataError, match=r"x\.csv:\d+: (byte 0x[0-9a-f]{2} is not UTF-8|a zero byte)"):
        read_published(path)


def test_places_that_are_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent.csv"):
        with pytest.raises(DataError, match="no such file of published numbers"):
            read_published(path)
