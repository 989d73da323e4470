"""What answers say to browsers besides what the application says."""

import pytest

from perijove.hubauth.headers import KEPT_APART, kept_apart

FRAMES, OPENERS = KEPT_APART


@pytest.mark.parametrize(
    ("given", "added"),
    [
        ([], [FRAMES, OPENERS]),
        ([("Content-Type", "text/html")], [FRAMES, OPENERS]),
        # Browsers obey all policies of an answer, so ours does not weaken another.
        ([("Content-Security-Policy", "default-src 'self'")], [FRAMES, OPENERS]),
        ([("Content-Security-Policy", "Frame-Ancestors https://own.test")], [OPENERS]),
        ([("X-Frame-Options", "SAMEORIGIN")], [OPENERS]),
        ([("Cross-Origin-Opener-Policy", "unsafe-none")], [FRAMES]),
    ],
)
def test_an_application_that_decides_itself_is_obeyed(
    given: list[tuple[str, str]], added: list[tuple[str, str]]
) -> None:
    assert kept_apart(given) == added
