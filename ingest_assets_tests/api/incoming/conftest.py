"""Give each test a project of its own in the shared service."""

from __future__ import annotations

from itertools import count

import pytest

_projects = count()


@pytest.fixture
def project() -> str:
    """A project that no other test uses."""
    return f"p{next(_projects)}"
