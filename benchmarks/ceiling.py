"""How near hotbed comes to what this machine can do, and where the time goes.

python benchmarks/ceiling.py --threads 2 --json ceiling.json
"""

# ruff: noqa: TID251 - the bare runtime is what is measured here

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from machine import describe
from mix import MODEL, load_mix
from rounds import spread

_SIZE = 2048
_PACKAGES = ("hotbed", "onnxruntime", "numpy")


def main() -> None:
    """Measure the ceiling, the model and its operators; print; write the JSON."""
    parser = argparse.ArgumentParser(description="Compare hotbed with the machine's ceiling.")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="where the figures are written")
    args = parser.parse_args()
    result = {"machine": describe(_PACKAGES, args.threads), **_measure(args.threads, args.rounds)}
    _print(result)
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _measure(threads: int, rounds: int) -> dict[str, Any]:
    import hotbed

    texts = load_mix()
    with hotbed.load(MODEL, backend="onnx_cpu", threads=threads) as model:
        counts = np.minimum(model.count_tokens(texts), model.max_seq_length or np.inf)
        work = {
            "linear layers": float(counts.sum()) * _linear_flop(model.folder.config),
            "attention": float((counts**2).sum()) * _attention_flop(model.folder.config),
        }
        product = 2.0 * _SIZE**3
        runs: dict[str, tuple[float, Callable[[], object]]] = {
            f"onnxruntime MatMul {_SIZE}³": (product, _runtime_product(threads)),
            f"numpy matmul {_SIZE}³": (product, _numpy_product(threads)),
            "hotbed, linear layers only, on the mix": (
                work["linear layers"],
                lambda: model.encode(texts, show_progress_bar=False),
            ),
        }
        seconds = _in_turn({name: run for name, (_, run) in runs.items()}, rounds)
        operators = _profile(model, texts, threads)
    return {
        "rounds": rounds,
        "gflop": {name: flop / 1e9 for name, flop in work.items()},
        "gflop_per_s": {
            name: spread([flop / took / 1e9 for took in seconds[name]])
            for name, (flop, _) in runs.items()
        },
        "operators_s": operators,
    }


def _linear_flop(config: dict[str, Any]) -> float:
    """Floating-point operations of the linear layers for one token: two a weight."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    return 2.0 * config["num_hidden_layers"] * (4 * hidden * hidden + 2 * hidden * inner)


def _attention_flop(config: dict[str, Any]) -> float:
    """The same of the two products of attention, for one pair of tokens."""
    return 2.0 * config["num_hidden_layers"] * 2 * config["hidden_size"]


def _in_turn(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if number:  # the first time is for warming up
                seconds[name].append(time.perf_counter() - start)
    return seconds


def _runtime_product(threads: int) -> Callable[[], object]:
    """A float32 product with a constant right side, packed by the runtime as a model's weights."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    draw = np.random.default_rng(0)
    left, right = (draw.random((_SIZE, _SIZE), dtype=np.float32) for _ in range(2))
    square = [_SIZE, _SIZE]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, square)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, square)],
        [numpy_helper.from_array(right, "w")],
    )
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), _options(threads), providers=["CPUExecutionProvider"]
    )
    return lambda: session.run(None, {"x": left})


def _numpy_product(threads: int) -> Callable[[], object]:
    draw = np.random.default_rng(0)
    left, right = (draw.random((_SIZE, _SIZE), dtype=np.float32) for _ in range(2))
    try:
        import threadpoolctl  # type: ignore[import-not-found,unused-ignore]
    except ModuleNotFoundError:
        return lambda: left @ right  # then numpy uses as many threads as it likes

    def product() -> object:
        with threadpoolctl.threadpool_limits(threads):
            return left @ right

    return product


def _options(threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return options


def _profile(model: Any, texts: list[str], threads: int, passes: int = 3) -> dict[str, float]:
    """Seconds of each kind of operator in one pass, by the runtime's own profiler."""
    import onnxruntime

    from hotbed.inference.batching import pack
    from hotbed.inference.tokenisation import Tokenizer

    tokenizer = Tokenizer.open(model.folder)
    tokens = tokenizer.encode(texts)
    rows = list(pack(tokens.counts, model.loaded.token_budget))
    batches = [tokenizer.batch(tokens, places) for places in rows]
    with tempfile.TemporaryDirectory() as work:
        options = _options(threads)
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(work) / "profile")
        session = onnxruntime.InferenceSession(
            str(_graph(model)), options, providers=["CPUExecutionProvider"]
        )
        names = [item.name for item in session.get_inputs()]
        for _ in range(passes):
            for batch in batches:
                feeds = {name: getattr(batch, name) for name in names}
                session.run(["sentence_embedding"], feeds)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    spent: Counter[str] = Counter()
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            spent[event["args"]["op_name"]] += event["dur"]
    return {name: duration / passes / 1e6 for name, duration in spent.most_common()}


def _graph(model: Any) -> Path:
    """The file that the embedder's session was opened from."""
    from hotbed.loading import default_house

    house = default_house()
    located = house.locate(MODEL)
    return house.artifact(model.decision.chosen.route, located, model.folder).path


def _print(result: dict[str, Any]) -> None:
    from machine import show, spread_in_words
    from rich.table import Table

    rates = result["gflop_per_s"]
    ceiling = max(rate["median"] for rate in rates.values())
    table = Table(caption=f"median \\[min..max] of {result['rounds']} rounds, taken in turn")
    table.add_column("float32")
    table.add_column("GFLOP/s", justify="right")
    table.add_column("of the best", justify="right")
    for name, rate in rates.items():
        share = f"{rate['median'] / ceiling:.0%}"
        table.add_row(name, spread_in_words(rate, 0), share)

    spent = result["operators_s"]
    total = sum(spent.values())
    work = ", ".join(f"{name} {gflop:.0f} GFLOP" for name, gflop in result["gflop"].items())
    profile = Table(caption=f"one pass over the mix: {work}")
    profile.add_column("operator")
    for column in ("ms", "share"):
        profile.add_column(column, justify="right")
    for name, seconds in spent.items():
        profile.add_row(name, f"{1000 * seconds:.1f}", f"{seconds / total:.1%}")
    show(result, table, profile)


if __name__ == "__main__":
    main()
