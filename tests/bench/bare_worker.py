"""Makes and stores reports by the bare parts: `python -m tests.bench.bare_worker`, told by lines of JSON.

Each line `{"first": 0, "count": 20, "folder": …}` or `{…, "bucket": …, "s3": {…}}` is answered by one with
the CPU and wall seconds it took, and the size of the last document.
"""

import functools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.bare import make_document
from tests.bench.bare_stores import s3_client, to_bucket, to_folder


def main() -> None:
    """Serve orders until the pipe is closed."""
    for line in sys.stdin:
        order = json.loads(line)
        store = _store(order)
        cpu, wall, document = time.process_time(), time.perf_counter(), b""
        for number in range(order["first"], order["first"] + order["count"]):
            user_id = f"U{number:08d}"
            document = make_document(user_id)
            store(f"{user_id}/1.pdf", document)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        sys.stdout.write(json.dumps({"cpu_s": cpu, "wall_s": wall, "size": len(document)}) + "\n")
        sys.stdout.flush()


def _store(order: dict[str, Any]) -> Callable[[str, bytes], None]:
    if "folder" in order:
        return functools.partial(to_folder, Path(order["folder"]))
    return functools.partial(to_bucket, _client(json.dumps(order["s3"])), order["bucket"])


@functools.cache
def _client(parameters: str) -> Any:
    return s3_client(json.loads(parameters))


if __name__ == "__main__":
    main()
