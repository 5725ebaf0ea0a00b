"""Files that are no data, or data under another name, known by their first bytes."""

LFS = b"version https://git-lfs.github.com/spec/"
UTF_16 = "text in UTF-16: save it as UTF-8"
BEGINNINGS = {
    LFS: "a pointer of Git LFS in place of the file: fetch the file with `git lfs pull`",
    b"PAR1": "Parquet: name it .parquet",
    b"PK\x03\x04": "a ZIP archive (or Excel's .xlsx): unpack it, or save it as CSV",
    b"SQLite format 3\0": "a database of SQLite: write its rows into one of the known formats",
    b"%PDF-": "a PDF",
    b"\x28\xb5\x2f\xfd": "a file of zstandard: unpack it, or compress it with gzip",
    b"BZh": "a file of bzip2: unpack it, or compress it with gzip",
    b"\xfd7zXZ\0": "a file of xz: unpack it, or compress it with gzip",
    b"\xff\xfe\0\0": "text in UTF-32: save it as UTF-8",
    b"\0\0\xfe\xff": "text in UTF-32: save it as UTF-8",
    b"\xff\xfe": UTF_16,
    b"\xfe\xff": UTF_16,
}
PAGE = "a web page, of a login or an error maybe: download the file itself"
MARKUP = {
    b"<!doctype html": PAGE,
    b"<html": PAGE,
    b"<?xml": "XML, a server's error maybe: download the file itself",
}


def other(data: bytes, suffix: str) -> str | None:
    """What a file holds that is no data of its suffix, and what to do; None where nothing of that
    kind is seen.
    """
    if not data.strip():
        return "an empty file"
    own = b"PAR1" if suffix == ".parquet" else None
    for beginning, name in BEGINNINGS.items():
        if data.startswith(beginning) and beginning != own:
            return name
    begun = data[:512].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for beginning, name in MARKUP.items():
        if begun.startswith(beginning):
            return name
    if suffix != ".parquet" and b"\0" in data[:2]:  # no byte order mark
        return UTF_16
    return None
