"""``import hotbed`` stays light."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.isolation import child_environment

_HEAVY = (
    "onnxruntime",
    "onnx",
    "torch",
    "transformers",
    "sentence_transformers",
    "huggingface_hub",
    "scipy",
    "pydantic",
    "tokenizers",
    "safetensors",
    "typer",
    "rich",
    "sqlalchemy",
    "alembic",
    "semver",
)


def _imported_by(code: str) -> set[str]:
    script = f"{code}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env=child_environment(),
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import hotbed",
        "import hotbed; hotbed.load",
        "import hotbed.backends",
        "from hotbed.registry import Registered, Registry",
        "import hotbed; hotbed.Embedder; hotbed.quantize_embeddings",
        "from hotbed.loading import default_house; default_house().backends.found()",
    ],
)
def test_no_heavy_module_is_imported(code: str) -> None:
    """Neither the import, nor naming ``load``, nor listing the backends imports a runtime."""
    assert _imported_by(code).isdisjoint(_HEAVY)


def test_import_hotbed_imports_nothing_it_does_not_need() -> None:
    """The bare import costs no third-party module at all: names are resolved at first use."""
    assert _imported_by("import hotbed").isdisjoint(
        {"numpy", "attrs", "attr", "pluggy", "stevedore"}
    )
