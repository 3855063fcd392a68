"""Who made the art of a benchmark, and under which licenses; licenses ask for this to travel with the pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from irodori.benchmark.cases import Case
from irodori.data.index import Index
from irodori.data.licenses import FOLDER, credit, is_text_of, license_page

CREDITS = "ATTRIBUTION.md"
"""File of a benchmark that names the artists."""

_INTRODUCTION = """# Attribution

The pictures of this benchmark are made from the drawings of the artists below. They were recolored, moved, bent,
put together and reduced to their lines. A picture is under the licenses of the drawings it shows; `index.jsonl` names
the drawings and licenses of every case.
"""


def credits_of(cases: Sequence[Case], index: Index, texts: Path) -> list[dict[str, Any]]:
    """For each source, license and author of the drawings that `cases` show: whom to name, and where the license is.

    texts: the benchmark's folder of license texts.
    """
    used = {id for case in cases for id in case.items}
    counts = Counter((item.source, item.license, item.attribution) for item in index.items if item.id in used)
    names = sorted(path.name for path in texts.iterdir())
    return [
        {
            "source": source,
            "license": license,
            "attribution": credit(source, author),
            "page": license_page(license),
            "texts": [f"{FOLDER}/{name}" for name in _texts(names, source, license)],
            "drawings": count,
        }
        for (source, license, author), count in sorted(counts.items())
    ]


def _texts(names: Sequence[str], source: str, license: str) -> list[str]:
    """The texts of a license; if some name the source, those alone."""
    found = [name for name in names if is_text_of(Path(name).stem, license)]
    own = [name for name in names if source in name.lower()]
    return own or found


def attribution(credits: Sequence[dict[str, Any]]) -> str:
    """The same for people, as Markdown."""
    rows = [
        f"| {one['source']} | {_linked(one)} | {one['attribution'] or 'not named by the source'} | {one['drawings']} |"
        for one in credits
    ]
    table = ["| source | license | attribution | drawings |", "| --- | --- | --- | ---: |", *rows]
    return "\n".join([_INTRODUCTION, *table, ""])


def _linked(credit: dict[str, Any]) -> str:
    page = f"[{credit['license']}]({credit['page']})" if credit["page"] else credit["license"] or "unknown"
    texts = ", ".join(f"[text]({name})" for name in credit["texts"])
    return f"{page} ({texts})" if texts else page
