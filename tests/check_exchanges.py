#!/usr/bin/env python3
"""Hold exchanges that ``recorded_hub.py`` wrote down against the OpenAPI document.

    python tests/check_exchanges.py FOLDER

Exit status 1 when an answer, or a request that was accepted, is not as documented.
"""

import base64
import json
import sys
from collections import Counter
from pathlib import Path

from api_contract import Contract, Exchange
from perijove.web import site  # noqa: F401 - declares every operation
from perijove.web.api.document import document

SHOWN = 40
"""Kinds of faults that are printed."""


def read_exchanges(folder: Path) -> list[Exchange]:
    """Everything that was written down."""
    found = []
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text().splitlines():
            try:
                facts = json.loads(line)
            except ValueError:
                continue  # the hub was killed while it wrote its last line
            for key in ("sent", "body"):
                facts[key] = base64.b64decode(facts[key])
            found.append(Exchange(**facts))
    return found


def main(folder: str) -> int:
    """Check and report; the exit status."""
    contract = Contract(document("/hub/api"))
    exchanges = read_exchanges(Path(folder))
    faults = Counter(fault for exchange in exchanges for fault in contract.faults(exchange))
    for fault, count in faults.most_common(SHOWN):
        print(f"{count:5d}  {fault}")
    print(
        f"OpenAPI: {len(exchanges)} answers of {len(contract.seen)} of "
        f"{len(contract.operations)} operations, {sum(faults.values())} not as documented"
    )
    return 1 if faults or not exchanges else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
