"""What a machine may lack without anything being wrong with edgebert: a network, Debian's packages, a compiler.

A test that needs it says so and is skipped. Where EDGEBERT_TESTS_MUST_RUN is 1, as in CI, the machine is known to have
it all, and the same test fails: a skip there would be a hole that nobody sees.
"""

import os
from typing import NoReturn

import pytest

MUST_RUN = "EDGEBERT_TESTS_MUST_RUN"


def all_must_run() -> bool:
    return os.environ.get(MUST_RUN) == "1"


def skip_for_lack(what: str) -> NoReturn:
    """End the test that needs `what` this machine lacks, in words."""
    if all_must_run():
        pytest.fail(f"{what} ({MUST_RUN}=1: nothing may be lacking)", pytrace=False)
    pytest.skip(what)
