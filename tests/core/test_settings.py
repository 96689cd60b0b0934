"""Where settings come from, and what is said about mistakes in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotbed.errors import SettingsError
from hotbed.settings import Settings, load_settings, user_file


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project's root."""
    (tmp_path / "project" / "deep" / "deeper").mkdir(parents=True)
    return tmp_path / "project"


def write_user(text: str) -> None:
    """Write the user's own file."""
    user_file().parent.mkdir(parents=True, exist_ok=True)
    user_file().write_text(text, encoding="utf-8")


def test_defaults(project: Path) -> None:
    """Without files and variables everything has a default, and all backends are allowed."""
    settings = load_settings({}, project)
    assert settings == Settings()
    assert settings.backends is None
    assert settings.devices == ("cuda", "cpu")
    assert settings.home.name == "hotbed"


def test_what_is_nearer_wins(project: Path) -> None:
    """Environment over project file over user file over default, key by key."""
    write_user('home = "/user"\npriority = ["user"]\ndevices = ["user"]\nblocked = ["user"]')
    (project / "hotbed.toml").write_text(
        'home = "/project"\npriority = ["project"]\ndevices = ["p"]'
    )
    settings = load_settings({"HOTBED_HOME": "/environment", "HOTBED_PRIORITY": "e"}, project)
    assert settings == Settings(
        home="/environment", priority=["e"], devices=["p"], blocked=["user"]
    )


def test_the_project_file_is_looked_for_upwards(project: Path) -> None:
    """The nearest ``hotbed.toml`` at or above the current folder counts, and only that one."""
    (project / "hotbed.toml").write_text('home = "/far"\nblocked = ["far"]')
    (project / "deep" / "hotbed.toml").write_text('home = "/near"')
    settings = load_settings({}, project / "deep" / "deeper")
    assert settings == Settings(home="/near")


def test_lists_in_the_environment(project: Path) -> None:
    """Lists are written with commas; spaces and empty parts do not count."""
    settings = load_settings({"HOTBED_BACKENDS": " a, b ,,c"}, project)
    assert settings.backends == ("a", "b", "c")


def test_an_empty_list_is_not_the_same_as_none(project: Path) -> None:
    """``HOTBED_BACKENDS=""`` is an allow-list without names; unset is no allow-list."""
    assert load_settings({"HOTBED_BACKENDS": ""}, project).backends == ()
    assert load_settings({}, project).backends is None


def test_an_empty_home_counts_as_unset(project: Path) -> None:
    """``HOTBED_HOME=""`` does not turn the current folder into the cache."""
    assert load_settings({"HOTBED_HOME": ""}, project).home == Settings().home


def test_measurements_lie_beside_the_users_file(project: Path) -> None:
    """Where ``hotbed tune`` writes: beside ``config.toml``, or where a file or variable says."""
    assert load_settings({}, project).tuned == user_file().with_name("tuned.json")
    (project / "hotbed.toml").write_text('tuned = "~/speeds.json"')
    assert load_settings({}, project).tuned == Path("~/speeds.json").expanduser()
    settings = load_settings({"HOTBED_TUNED": "/speeds.json"}, project)
    assert settings.tuned == Path("/speeds.json")
    assert load_settings({"HOTBED_TUNED": "/a", "HOTBED_BLOCKED": "b"}, project).tuned == Path("/a")


def test_a_tilde_means_the_users_folder(project: Path) -> None:
    """``~`` in a home is expanded, whoever wrote it."""
    (project / "hotbed.toml").write_text('home = "~/models"\nblocked = []')
    assert load_settings({}, project).home == Path("~/models").expanduser()
    assert load_settings({"HOTBED_HOME": "~/x"}, project).home == Path("~/x").expanduser()


def test_all_mistakes_come_together(project: Path) -> None:
    """One error names every key that cannot be used, and where each was written."""
    (project / "hotbed.toml").write_text('blocked = "onnx_cpu"\ndevices = [1]\nhomme = "/x"')
    with pytest.raises(SettingsError) as caught:
        load_settings({"HOTBED_BACKEND": "onnx_cpu"}, project)
    message = str(caught.value)
    file = str(project / "hotbed.toml")
    assert f"'blocked' in {file}" in message
    assert f"'devices' in {file}" in message
    assert f"'homme' in {file}" in message
    assert "'backend' in the environment" in message
    assert "known keys: home, backends, blocked, priority, devices" in message


@pytest.mark.parametrize("key", ["home", "tuned"])
@pytest.mark.parametrize("value", ["3", "['/a']", "{a = 1}"])
def test_a_path_that_is_none_is_a_mistake(project: Path, key: str, value: str) -> None:
    """The keys that are read without pydantic are checked as well."""
    (project / "hotbed.toml").write_text(f"{key} = {value}")
    with pytest.raises(SettingsError, match=f"'{key}' in"):
        load_settings({}, project)


@pytest.mark.parametrize("content", [b"home = ", b"\xff\xfe", b"[a\n"])
def test_a_file_that_is_not_toml_is_named(project: Path, content: bytes) -> None:
    """A broken file is an error that names it."""
    (project / "hotbed.toml").write_bytes(content)
    with pytest.raises(SettingsError, match=r"hotbed\.toml cannot be read"):
        load_settings({}, project)


def test_other_variables_are_left_alone(project: Path) -> None:
    """``HOTBED_REQUIRE``, which the tests read, and foreign variables are not settings."""
    environ = {"HOTBED_REQUIRE": "dists", "HOT": "x", "PATH": "/bin"}
    assert load_settings(environ, project) == Settings()
