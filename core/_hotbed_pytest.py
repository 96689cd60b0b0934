"""hotbed's options for pytest. It imports nothing of hotbed until a suite of the kit is collected.

It lies outside the package, because pytest imports it in every run on a machine where hotbed is
installed, and ``hotbed/__init__`` should not be part of that.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("hotbed.testing")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the kit's options."""
    group = parser.getgroup("hotbed", "the compliance kit for hotbed's backends")
    group.addoption("--hotbed-backend", metavar="NAME", help="the backend that the suites test")
    group.addoption(
        "--hotbed-require",
        action="store_true",
        help="a device that is absent, or a model that cannot be made, is a failure and no skip",
    )
    group.addoption("--hotbed-report", metavar="FILE", help="write capability × result as JSON")
    group.addoption(
        "--hotbed-heavy", action="store_true", help="run the slow tests as well: leaks of memory"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Name the kit's marker."""
    config.addinivalue_line("markers", "hotbed_heavy: slow; runs with --hotbed-heavy")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Hand over to the kit where one of its suites was collected."""
    if any(hasattr(getattr(item, "cls", None), "_hotbed_suite") for item in items):
        from hotbed.testing import reporting

        config.pluginmanager.register(reporting.Kit(config), "hotbed-kit")
        reporting.leave_out(config, items)
