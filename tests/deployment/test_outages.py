"""An outage of the registry takes no model away that is here, and ends when it ends."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import hotbed
from hotbed.deployment import Change, Deployment, ModelPool
from hotbed.errors import HotbedError, RegistryError, RegistryUnavailableError
from hotbed.registry import Registry
from tests.deployment.conftest import Release
from tests.isolation import child_environment


def gone(registry: Registry) -> Callable[[], None]:
    """Take the registry away, as a volume that is not mounted; gives what brings it back."""
    place = Path(registry.store.place)
    away = place.with_name("away")
    registry.close()
    place.rename(away)
    return lambda: (registry.close(), away.rename(place))[0]  # type: ignore[func-returns-value]


def text_in(registry: Registry) -> Callable[[], None]:
    """Replace the database by something else; gives what brings it back."""
    file = registry.store.database.file
    assert file is not None
    registry.close()
    kept = file.rename(file.with_name("kept"))
    file.write_text("not a database\n" * 100)
    return lambda: (registry.close(), kept.replace(file))[0]  # type: ignore[func-returns-value]


OUTAGES = {"gone": gone, "damaged": text_in}


@pytest.mark.parametrize("name", OUTAGES)
def test_what_serves_goes_on_and_follows_again(
    registry: Registry, release: Release, pool: ModelPool, name: str
) -> None:
    """The error is not held against a version: the first look afterwards follows."""
    first, second = release(1), release(2)
    registry.promote(first, "production")
    told: list[Change] = []
    with Deployment(
        "support@production",
        registry=registry,
        pool=pool,
        poll=None,
        retry=3600.0,
        on_change=told.append,
    ) as model:
        before = model.encode("bread")
        registry.promote(second, "production")
        back = OUTAGES[name](registry)
        for _ in range(3):
            status = model.refresh()
            assert (status.model, status.stale, status.refused) == (first, True, ())
            assert np.array_equal(model.encode("bread"), before)
        back()
        status = model.refresh()
        assert (status.model, status.stale, status.refused) == (second, False, ())
    assert [change.kind for change in told] == ["serving", "lost", "found", "serving"]


@pytest.mark.parametrize("name", OUTAGES)
def test_what_was_unloaded_needs_no_database(
    registry: Registry, release: Release, name: str
) -> None:
    """Its files are here, and are compared with their digests as ever."""
    first = release(1)
    pool = ModelPool(memory=1)  # nothing stays loaded
    with Deployment(first, registry=registry, pool=pool, poll=None) as model:
        before = model.encode("bread")
        back = OUTAGES[name](registry)
        assert np.array_equal(model.encode("bread"), before)
        assert model.status().refused == ()
        back()
        assert model.refresh().stale is False


@pytest.mark.parametrize("name", OUTAGES)
def test_a_start_without_the_database(
    registry: Registry,
    release: Release,
    pool: ModelPool,
    name: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What the reference meant last serves, said aloud; afterwards what it means now."""
    first, second = release(1), release(2)
    registry.promote(first, "production")
    with Deployment("support@production", registry=registry, pool=pool, poll=None) as model:
        before = model.encode("bread")
    registry.promote(second, "production")
    place = registry.store.place
    back = OUTAGES[name](registry)
    with Deployment("support@production", registry=place, pool=pool, poll=None) as model:
        assert np.array_equal(model.encode("bread"), before)
        status = model.status()
        assert (status.model, status.stale, status.fallback) == (first, True, False)
        assert [change.kind for change in status.changes] == ["stale"]
        assert "it is what support@production meant since" in caplog.text
        back()
        assert (model.refresh().model, model.status().stale) == (second, False)
    with pytest.raises(RegistryError):
        Deployment("support@canary", registry=Path(place).parent / "nowhere")


def test_fallbacks_are_taken(
    registry: Registry, release: Release, pool: ModelPool, tmp_path: Path
) -> None:
    """Where nothing is here; the model asked for serves at the first look afterwards."""
    first = release(1)
    base = str(tmp_path / "model1")
    later = Registry(registry.store.place, who="bob")
    back = gone(registry)
    later.close()
    with Deployment(
        first, registry=later, pool=pool, poll=None, fallback=["previous", base], retry=3600.0
    ) as model:
        model.encode("bread")
        status = model.status()
        assert (status.model, status.fallback, status.stale) == (base, True, True)
        back()
        assert (model.refresh().model, model.status().refused) == (first, ())
    later.close()


def test_without_anything_here_it_is_an_outage(
    registry: Registry, release: Release, pool: ModelPool
) -> None:
    """And it ends with the next call."""
    first = release(1)
    back = gone(registry)
    with Deployment(first, registry=registry, pool=pool, poll=None, retry=3600.0) as model:
        for _ in range(2):
            with pytest.raises(RegistryUnavailableError, match="unable to open"):
                model.encode("bread")
        back()
        assert model.encode("bread").shape == (32,)


def test_loading_an_exact_version(
    registry: Registry, release: Release, caplog: pytest.LogCaptureFixture
) -> None:
    """It is the same bytes for ever; an alias may have moved, so that is an error which helps."""
    first = release(1)
    registry.promote(first, "production")
    place = registry.store.place
    for name in (first, "support@production"):
        with hotbed.load(f"registry:{name}", registry=place) as model:
            before = model.encode("bread")
    gone(registry)
    with (
        caplog.at_level(logging.WARNING),
        hotbed.load(f"registry:{first}", registry=place) as model,
    ):
        assert np.array_equal(model.encode("bread"), before)
    assert "is taken from this machine" in caplog.text
    with pytest.raises(RegistryUnavailableError, match=f"was {first} when .* registry:{first}"):
        hotbed.load("registry:support@production", registry=place)
    with pytest.raises(HotbedError, match="no registry"):
        hotbed.load("registry:support@1.0.0", registry=place)


_NAMELESS = """
import os, sys
assert os.getuid() == 12345
from hotbed import Deployment, Registry
registry = Registry(sys.argv[1])
made = registry.register("support", sys.argv[2])
with Deployment("support", registry=registry, poll=None) as model:
    model.encode("bread")
print(made.created_by, registry.audit().events)
registry.close()
"""
_UNSHARE = ("unshare", "--user", "--map-user=12345", "--map-group=12345")


def test_a_user_without_a_name(release: Release, tmp_path: Path) -> None:
    """As in containers: the uid stands for it."""
    if not shutil.which("unshare") or subprocess.run([*_UNSHARE, "true"], check=False).returncode:
        pytest.skip("no user namespaces here")
    release(1)
    environment = child_environment()
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        environment.pop(name, None)
    done = subprocess.run(
        [*_UNSHARE, sys.executable, "-c", _NAMELESS, tmp_path / "new", tmp_path / "model1"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["uid:12345", "1"]
