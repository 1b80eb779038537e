"""The benchmark's data: TPC-H lineitem, made once and kept below ``bench/data``."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "data"
GENERATOR = Path(sys.executable).with_name("tpchgen-cli")


def lineitem(scale: float, form: str) -> Path:
    """The file of one scale factor, generated when missing.

    :param scale: TPC-H scale factor; 1 is about 6 million rows, 766 MB as CSV.
    :param form: ``csv`` (comma, header, every comment quoted), ``tsv`` (the same with tabs) or ``plain`` (no quotes).
    """
    path = FOLDER / f"lineitem-{scale:g}.{form}"
    if path.exists():
        return path
    FOLDER.mkdir(parents=True, exist_ok=True)
    if form == "plain":
        with lineitem(scale, "tsv").open("rb") as quoted, path.open("wb") as plain:
            while chunk := quoted.read(1 << 20):
                plain.write(chunk.replace(b'"', b""))
        return path
    work = FOLDER / "making"
    shutil.rmtree(work, ignore_errors=True)
    delimiter = {"csv": ",", "tsv": "\\t"}[form]
    options = ["-s", f"{scale:g}", "--tables=lineitem", f"--delimiter={delimiter}", f"--output-dir={work}"]
    subprocess.run([GENERATOR, "csv", *options], check=True)
    (work / "lineitem.csv").rename(path)
    shutil.rmtree(work)
    return path
