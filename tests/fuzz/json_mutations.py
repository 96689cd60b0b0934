"""Changes of JSON that know what JSON is."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

from tests.fuzz.hostile import Pairs, Raw, dump, hostile
from tests.fuzz.mutation import MEANING, NEUTRAL, UNREADABLE, Mutation, NotApplicableError, Place

__all__ = ["JSON", "changed_value"]

_STOP = 0.3


def changed_value(rng: Random, value: Any) -> tuple[Any, str]:
    """Change one thing somewhere in a JSON value."""
    holder: list[Any] = [value]
    parent, key, trail = _walk(rng, holder)
    told = rng.choices(_CHANGES, (8, 3, 2, 1, 1, 1))[0](rng, parent, key)
    return holder[0], f"{'.'.join(map(str, trail)) or 'all of it'}: {told}"


def _walk(rng: Random, holder: list[Any]) -> tuple[Any, Any, list[Any]]:
    """A place somewhere inside: what holds it, the key there, and the way to it."""
    parent: Any = holder
    key: Any = 0
    trail: list[Any] = []
    while isinstance(parent[key], dict | list) and parent[key]:
        if trail and rng.random() < _STOP:
            break
        parent = parent[key]
        key = rng.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
        trail.append(key)
    return parent, key, trail


def _shown(value: Any) -> str:
    text = value.text if isinstance(value, Raw) else repr(value)
    return text if len(text) < 60 else f"{text[:40]}… ({len(text)} characters)"


def _replace(rng: Random, parent: Any, key: Any) -> str:
    parent[key] = hostile(rng, parent[key])
    return f"becomes {_shown(parent[key])}"


def _remove(rng: Random, parent: Any, key: Any) -> str:
    del rng
    del parent[key]
    if not parent:
        parent.append(None) if isinstance(parent, list) else None
    return "is removed"


def _again(rng: Random, parent: Any, key: Any) -> str:
    if not isinstance(parent[key], dict) or not parent[key]:
        return _replace(rng, parent, key)
    name = rng.choice(list(parent[key]))
    value = hostile(rng, parent[key][name])
    value = None if isinstance(value, Raw) else value
    parent[key] = Pairs([*parent[key].items(), (name, value)])
    return f"has {name!r} a second time, as {_shown(value)}"


def _rename(rng: Random, parent: Any, key: Any) -> str:
    if not isinstance(parent, dict):
        return _replace(rng, parent, key)
    name = rng.choice(
        (str(key).upper(), f"{key} ", "", "__class__", "\x1b[31m", "type", "a" * 5000)
    )
    parent[name] = parent.pop(key)
    return f"is called {_shown(name)}"


def _further(rng: Random, parent: Any, key: Any) -> str:
    name, value = rng.choice(_KEYS), hostile(rng)
    if isinstance(parent[key], dict):
        parent[key][name] = value
    elif isinstance(parent, dict):
        parent[name] = value
    else:
        parent.append(value)
    return f"gets {name!r}, {_shown(value)}"


def _swap(rng: Random, parent: Any, key: Any) -> str:
    other = rng.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
    parent[key], parent[other] = parent[other], parent[key]
    return f"changes places with {_shown(other)}"


_CHANGES = (_replace, _remove, _again, _rename, _further, _swap)
_KEYS = (  # that something reads, in one file or another
    *("truncate_dim", "max_seq_length", "prompts", "default_prompt_name", "similarity_fn_name"),
    *("pad_token_id", "hidden_act", "layer_norm_eps", "num_hidden_layers", "truncation_side"),
    *("padding_side", "model_max_length", "rope_scaling", "sliding_window", "quantization_config"),
    *("is_decoder", "position_embedding_type", "auto_map", "trust_remote_code", "do_lower_case"),
    *("use_residual", "include_prompt", "dtype", "torch_dtype", "transformers_version", "version"),
)


def _object(change: Callable[[Random, Any], tuple[str, str]]) -> Callable[[Random, Place], str]:
    def act(rng: Random, place: Place) -> str:
        try:
            value = json.loads(place.file.read_text(encoding="utf-8"))
        except (ValueError, OSError, RecursionError) as error:
            raise NotApplicableError("no longer JSON") from error
        text, told = change(rng, value)
        place.file.write_text(text, encoding="utf-8", errors="surrogatepass")
        return told

    return act


def _somewhere(rng: Random, value: Any) -> tuple[str, str]:
    value, told = changed_value(rng, value)
    return dump(rng, value), told


def _on_top(rng: Random, value: Any) -> tuple[str, str]:
    """A key of the first level, where most of what is read stands."""
    if not isinstance(value, dict) or not value:
        return _somewhere(rng, value)
    key = rng.choice(list(value))
    told = _replace(rng, value, key)
    return dump(rng, value), f"{key}: {told}"


def _layout(rng: Random, value: Any) -> tuple[str, str]:
    return dump(rng, value) + rng.choice(("", "\n", "\n\n  ")), "another layout"


def _unknown_key(rng: Random, value: Any) -> tuple[str, str]:
    if not isinstance(value, dict):
        raise NotApplicableError("no object")
    content = hostile(rng)
    content = None if isinstance(content, Raw) else content
    return dump(rng, {**value, "zz_of_a_later_version": content}), f"a new key: {_shown(content)}"


def _order(rng: Random, value: Any) -> tuple[str, str]:
    if not isinstance(value, dict):
        raise NotApplicableError("no object")
    items = list(value.items())
    rng.shuffle(items)
    return dump(rng, dict(items)), "keys in another order"


def _broken(rng: Random, value: Any) -> tuple[str, str]:
    text = json.dumps(value)
    ways = (
        text[:-1],
        text + "}",
        text.replace(":", "=", 1),
        f"// a comment\n{text}",
        text.replace('"', "'"),
        f"{text}\n{text}",
        "\x00" + text,
    )
    number = rng.randrange(len(ways))
    if ways[number] == text:
        raise NotApplicableError("nothing to break")
    return ways[number], f"no JSON any more, way {number}"


def _other_encoding(rng: Random, place: Place) -> str:
    text = place.file.read_bytes().decode("utf-8", "replace")
    name = rng.choice(("utf-16", "utf-32", "utf-16-le"))
    place.file.write_bytes(text.encode(name))
    return f"written in {name}"


JSON = [
    Mutation(name="value", act=_object(_somewhere), effect=MEANING, weight=6),
    Mutation(name="top value", act=_object(_on_top), effect=MEANING, weight=6),
    Mutation(name="layout", act=_object(_layout), effect=NEUTRAL, weight=0.5),
    Mutation(name="unknown key", act=_object(_unknown_key), effect=NEUTRAL),
    Mutation(name="order", act=_object(_order), effect=NEUTRAL, weight=0.5),
    Mutation(name="broken", act=_object(_broken), effect=UNREADABLE),
    Mutation(name="encoding", act=_other_encoding, effect=UNREADABLE, weight=0.5),
]
