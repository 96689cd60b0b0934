"""Graphs of architectures that the torch-free builder does not know."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hotbed
from hotbed.backends import ConvertTarget
from hotbed.backends.decision import Request
from hotbed.conversion import convert_into, read_records
from hotbed.errors import ConversionError, UnsupportedModelError
from hotbed.loading import House
from hotbed.testing import TEXTS, build_tiny
from hotbed.testing.tiny import bert_config

pytestmark = pytest.mark.filterwarnings(
    "ignore:.* texts are longer than:hotbed.errors.HotbedWarning"
)

UNKNOWN: dict[str, dict[str, Any]] = {
    "albert": {"embedding_size": 16},
    "electra": {"embedding_size": 16},
    "deberta-v2": {
        "relative_attention": True,
        "pos_att_type": ["p2c", "c2p"],
        "position_buckets": 8,
        "share_att_key": True,
    },
    "t5": {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4},
}
"""Families of sentence-transformers' hub that hotbed's builder has no file for → configuration."""


def save(folder: Path, family: str, torch: Any, **options: Any) -> Path:
    """Let transformers write a random model of a family into a tiny folder."""
    transformers = importlib.import_module("transformers")
    settings = {k: v for k, v in bert_config().items() if k not in ("architectures", "model_type")}
    changes = UNKNOWN.get(family, {})
    config = transformers.AutoConfig.for_model(family, **{**settings, **changes})
    torch.manual_seed(0)
    model = transformers.AutoModel.from_config(config)
    for name, values in model.named_parameters():
        middle = 1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0
        torch.nn.init.normal_(values, mean=middle, std=0.3)
    build_tiny(folder, **options)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder)
    return folder


def convert(house: House, folder: Path, out: Path, backend: str = "pytorch") -> Any:
    """Convert as the command does."""
    model = house.read(house.locate(str(folder)))
    return convert_into(house.engine(backend), model, ConvertTarget(), out, house.gate())


def chosen(house: House, folder: Path, **request: Any) -> str:
    """Who converts a folder."""
    model = house.read(house.locate(str(folder)))
    decision = house.decide(Request(action="convert", **request), model)
    return decision.chosen.backend if decision.chosen else ""


@pytest.mark.parametrize("family", UNKNOWN)
def test_an_unknown_family(
    tmp_path: Path, house: House, torch: Any, pair: Callable[[Path], Any], family: str
) -> None:
    """The converted folder, run by ONNX Runtime, gives sentence-transformers' vectors."""
    folder = save(tmp_path / "m", family, torch)
    made = convert(house, folder, tmp_path / "out")
    expected = pair(folder).oracle.encode(list(TEXTS))
    with hotbed.load(made.path, backend="onnx_cpu", house=house) as model:
        np.testing.assert_allclose(model.encode(list(TEXTS)), expected, rtol=0, atol=1e-4)
    assert "converter's own engine" in read_records(made.path)[0].reports[0].reference


def test_names_and_axes_are_the_builders(tmp_path: Path, house: House, torch: Any) -> None:
    """Inputs, outputs, axes and opset are those of a graph of hotbed's own builder."""
    onnx = importlib.import_module("onnx")
    folder = build_tiny(tmp_path / "m")
    graphs = []
    for backend in ("pytorch", "onnx_cpu"):
        path = convert(house, folder, tmp_path / backend, backend).path / "onnx" / "model.onnx"
        graphs.append(onnx.load(path))
    exported, built = graphs
    for side in ("input", "output"):
        pairs = zip(getattr(exported.graph, side), getattr(built.graph, side), strict=True)
        for mine, theirs in pairs:
            assert mine.name == theirs.name
            assert mine.type == theirs.type
    assert [o.domain for o in exported.opset_import] == [""]
    assert exported.opset_import[0].version <= 18


def test_who_converts(tmp_path: Path, house: House, torch: Any) -> None:
    """The torch-free builder converts what it knows, PyTorch the rest; a name decides."""
    known = build_tiny(tmp_path / "known")
    unknown = save(tmp_path / "unknown", "albert", torch)
    assert chosen(house, known) == "onnx_cpu"
    assert chosen(house, known, backend="pytorch") == "pytorch"
    assert chosen(house, unknown) == "pytorch"
    assert chosen(house, unknown, backend="onnx_cpu") == ""


def test_loading_an_unknown_family(
    tmp_path: Path, house: House, torch: Any, pair: Callable[[Path], Any]
) -> None:
    """hotbed.load exports such a model once, and ONNX Runtime runs it from then on."""
    folder = save(tmp_path / "m", "albert", torch)
    with hotbed.load(folder, device="cpu", house=house) as model:
        assert model.decision.chosen is not None
        assert model.decision.chosen.backend == "onnx_cpu"
        found = model.encode(list(TEXTS))
    np.testing.assert_allclose(found, pair(folder).oracle.encode(list(TEXTS)), rtol=0, atol=1e-4)


@pytest.fixture
def odd(torch: Any) -> Iterator[Callable[..., None]]:
    """Teach transformers an architecture with one line of its own, as a fork of it would."""
    transformers = importlib.import_module("transformers")

    class OddConfig(transformers.BertConfig):  # type: ignore
        model_type = "odd"

    class OddModel(transformers.BertModel):  # type: ignore
        config_class = OddConfig

        def forward(self, input_ids: Any, attention_mask: Any = None) -> Any:
            tokens = super().forward(input_ids, attention_mask)[0]
            return (tokens + self.odd(tokens),)

    def teach(line: Callable[[Any], Any]) -> None:
        OddModel.odd = staticmethod(line)

    transformers.AutoConfig.register("odd", OddConfig)
    transformers.AutoModel.register(OddConfig, OddModel)
    yield teach
    transformers.CONFIG_MAPPING._extra_content.pop("odd")
    transformers.MODEL_MAPPING._extra_content.pop(OddConfig)


def odd_folder(folder: Path) -> Path:
    """A tiny BERT that says it is odd."""
    build_tiny(folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    del config["architectures"]
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "odd"}), "utf-8")
    return folder


def test_an_operator_without_a_form_in_onnx(
    tmp_path: Path, house: House, torch: Any, odd: Callable[..., None]
) -> None:
    """The error names the node and the operator, and nothing is left."""
    odd(lambda x: torch.linalg.eigvalsh(x @ x.transpose(1, 2)).sum(-1)[:, None, None])
    folder = odd_folder(tmp_path / "m")
    with pytest.raises(UnsupportedModelError, match=r"node '_linalg_eigh'.*'aten\._linalg_eigh'"):
        convert(house, folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_operator_of_one_runtime(
    tmp_path: Path, house: House, torch: Any, odd: Callable[..., None]
) -> None:
    """An operator outside plain ONNX is refused by node and name: the profile is portable."""

    def line(x: Any) -> Any:
        return torch.onnx.ops.symbolic(
            "com.microsoft::FastGelu", (x,), dtype=x.dtype, shape=x.shape, version=1
        )

    odd(line)
    with pytest.raises(UnsupportedModelError, match=r"node '.+' is the operator 'FastGelu'"):
        convert(house, odd_folder(tmp_path / "m"), tmp_path / "out")


def test_a_branch_on_values(
    tmp_path: Path, house: House, torch: Any, odd: Callable[..., None]
) -> None:
    """What PyTorch cannot trace is a conversion that did not finish, with PyTorch's reason."""
    odd(lambda x: x if x.sum() > 0 else -x)
    with pytest.raises(ConversionError, match=r"could not trace it: \w+: .+data-dependent"):
        convert(house, odd_folder(tmp_path / "m"), tmp_path / "out")
