"""Where settings come from, and what is said about mistakes in them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hotbed.child_processes import run_python
from hotbed.errors import HotbedWarning, SettingsError
from hotbed.settings import Settings, load_settings, trust_file, user_file
from hotbed.trust import trust


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project's root."""
    (tmp_path / "project" / "deep" / "deeper").mkdir(parents=True)
    return tmp_path / "project"


def write_user(text: str) -> None:
    """Write the user's own file."""
    file = user_file()
    assert file
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def write_trusted(file: Path, text: str) -> None:
    """Write a project file that the user trusts."""
    record = trust_file()
    assert record
    file.write_text(text, encoding="utf-8")
    trust(record, file, file.read_bytes())


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
    write_trusted(
        project / "hotbed.toml", 'home = "/project"\npriority = ["project"]\ndevices = ["p"]'
    )
    settings = load_settings({"HOTBED_HOME": "/environment", "HOTBED_PRIORITY": "e"}, project)
    assert settings == Settings(
        home="/environment", priority=["e"], devices=["p"], blocked=["user"]
    )


def test_the_project_file_is_looked_for_upwards(project: Path) -> None:
    """The nearest ``hotbed.toml`` at or above the current folder counts, and only that one."""
    write_trusted(project / "hotbed.toml", 'home = "/far"\nblocked = ["far"]')
    write_trusted(project / "deep" / "hotbed.toml", 'home = "/near"')
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
    file = user_file()
    assert file
    assert load_settings({}, project).tuned == file.with_name("tuned.json")
    write_trusted(project / "hotbed.toml", 'tuned = "~/speeds.json"')
    assert load_settings({}, project).tuned == Path("~/speeds.json").expanduser()
    settings = load_settings({"HOTBED_TUNED": "/speeds.json"}, project)
    assert settings.tuned == Path("/speeds.json")
    assert load_settings({"HOTBED_TUNED": "/a", "HOTBED_BLOCKED": "b"}, project).tuned == Path("/a")


def test_a_tilde_means_the_users_folder(project: Path) -> None:
    """``~`` in a home is expanded, whoever wrote it."""
    write_trusted(project / "hotbed.toml", 'home = "~/models"\nblocked = []')
    assert load_settings({}, project).home == Path("~/models").expanduser()
    assert load_settings({"HOTBED_HOME": "~/x"}, project).home == Path("~/x").expanduser()


def test_all_mistakes_come_together(project: Path) -> None:
    """One error names every key that cannot be used, and where each was written."""
    write_trusted(project / "hotbed.toml", 'blocked = "onnx_cpu"\ndevices = [1]\nhomme = "/x"')
    with pytest.raises(SettingsError) as caught:
        load_settings({"HOTBED_MEMORY": "much"}, project)
    message = str(caught.value)
    file = str(project / "hotbed.toml")
    assert f"'blocked' in {file}" in message
    assert f"'devices' in {file}" in message
    assert f"'homme' in {file}" in message
    assert "'memory' in the environment" in message
    assert "known keys: home, backends, blocked, priority, devices" in message


@pytest.mark.parametrize("key", ["home", "tuned"])
@pytest.mark.parametrize("value", ["3", "['/a']", "{a = 1}"])
def test_a_path_that_is_none_is_a_mistake(project: Path, key: str, value: str) -> None:
    """The keys that are read without pydantic are checked as well."""
    write_trusted(project / "hotbed.toml", f"{key} = {value}")
    with pytest.raises(SettingsError, match=f"'{key}' in"):
        load_settings({}, project)


@pytest.mark.parametrize(
    "content",
    [
        b"home = ",
        b"\xff\xfe",
        b"[a\n",
        b"a = " + b"[" * 100_000,
        b"a = " + b"{b = " * 100_000,
        b"a = " + b"9" * 5_000,
        b"#" * 2_000_000,
    ],
    ids=range(7),
)
def test_a_file_that_is_not_toml_is_named(project: Path, content: bytes) -> None:
    """A broken file is an error that names it."""
    (project / "hotbed.toml").write_bytes(content)
    with pytest.raises(SettingsError, match=r"hotbed\.toml cannot be read"):
        load_settings({}, project)


def test_other_variables_are_left_alone(project: Path) -> None:
    """``HOTBED_REQUIRE``, which the tests read, and foreign variables are not settings."""
    environ = {"HOTBED_REQUIRE": "dists", "HOT": "x", "PATH": "/bin"}
    assert load_settings(environ, project) == Settings()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("home", '"h"'),
        ("cache", '"h"'),
        ("tuned", '"t.json"'),
        ("registry", '"postgresql://127.0.0.1:1/x"'),
        ("registry_blobs", '"s3://theirs"'),
        ("backends", '["acme"]'),
        ("blocked", '["onnx_cpu"]'),
        ("paranoid", "false"),
        ("memory", '"1GB"'),
    ],
)
def test_a_project_file_that_nobody_trusted_sets_no_place(
    project: Path, key: str, value: str
) -> None:
    """Such keys are refused until the user trusts the file; a change ends that."""
    file = project / "hotbed.toml"
    file.write_text(f'devices = ["cpu"]\n{key} = {value}')
    with pytest.raises(
        SettingsError, match=rf"hotbed\.toml sets {key}, .*`hotbed trust "
    ) as caught:
        load_settings({}, project / "deep")
    assert str(file) in str(caught.value)
    write_trusted(file, file.read_text())
    assert load_settings({}, project / "deep").devices == ("cpu",)
    file.write_text(file.read_text() + "\n# changed")
    with pytest.raises(SettingsError, match="not trusted it as it is now"):
        load_settings({}, project)


def test_a_project_file_that_nobody_trusted_sets_behavior(project: Path) -> None:
    """Devices, trace and the order of backends, whose owner the catalog knows."""
    file = project / "hotbed.toml"
    file.write_text('devices = ["cpu"]\ntrace = true\npriority = ["onnx_cpu"]')
    settings = load_settings({}, project)
    assert (settings.devices, settings.trace, settings.priority) == (("cpu",), True, ("onnx_cpu",))
    assert settings.untrusted == file
    assert load_settings({"HOTBED_PRIORITY": "acme"}, project).untrusted is None
    write_trusted(file, file.read_text())
    assert load_settings({}, project).untrusted is None


def test_trust_is_for_one_path(project: Path) -> None:
    """The same content elsewhere, in a stranger's folder, is not trusted."""
    write_trusted(project / "hotbed.toml", 'home = "h"')
    (project / "deep" / "hotbed.toml").write_text('home = "h"')
    with pytest.raises(SettingsError, match="hotbed trust"):
        load_settings({}, project / "deep")


def test_paths_in_a_file_are_relative_to_it(project: Path) -> None:
    """Not to the current directory, which may be a stranger's."""
    write_user('tuned = "speeds.json"')
    text = 'home = "h"\nregistry = "r"\nregistry_blobs = "s3://bucket/x"'
    write_trusted(project / "hotbed.toml", text)
    settings, own = load_settings({}, project / "deep"), user_file()
    assert own
    assert settings.home == settings.cache == project / "h"
    assert (settings.registry, settings.registry_blobs) == (str(project / "r"), "s3://bucket/x")
    assert settings.tuned == own.parent / "speeds.json"


def test_a_list_of_trust_that_others_can_write_counts_for_nothing(project: Path) -> None:
    """Else whoever may write it chooses what is trusted."""
    write_trusted(project / "hotbed.toml", 'home = "h"')
    record = trust_file()
    assert record
    assert record.stat().st_mode & 0o777 == 0o600
    record.chmod(0o666)
    with pytest.raises(SettingsError, match="hotbed trust"):
        load_settings({}, project)


@pytest.mark.parametrize("name", ["HOTBED_BACKEND", "HOTBED_ACME_KEY", "HOTBED_"])
def test_a_variable_that_is_no_setting_warns(project: Path, name: str) -> None:
    """It may be a plugin's; the nearest setting is named where one is near."""
    with pytest.warns(HotbedWarning, match=f"{name} is no setting") as caught:
        assert load_settings({name: "x"}, project) == Settings()
    assert ("HOTBED_BACKENDS is" in str(caught[0].message)) == (name == "HOTBED_BACKEND")


@pytest.mark.parametrize("below", ["", "/deeper"])
def test_a_home_that_is_a_file(project: Path, below: str) -> None:
    """A misspelt home is a mistake in the settings."""
    (project / "file").write_text("x")
    with pytest.raises(SettingsError, match="HOTBED_HOME.*file is not a folder"):
        load_settings({"HOTBED_HOME": f"{project}/file{below}"}, project)


@pytest.mark.parametrize("value", ["~nobody-here/x", "~nobody-here"])
def test_a_tilde_of_nobody(project: Path, value: str) -> None:
    """A name that is not known is an error of ours."""
    with pytest.raises(SettingsError, match="nobody knows where ~nobody-here"):
        load_settings({"HOTBED_HOME": value}, project)


@pytest.mark.skipif(not hasattr(os, "fork") or os.geteuid() != 0, reason="needs another user")
def test_a_user_without_an_entry_and_a_home(tmp_path: Path) -> None:
    """A container's user: with HOTBED_HOME everything works, without it the error names it."""
    script = (
        "import os, sys, platformdirs, platformdirs.unix, pwd\n"
        "from hotbed.errors import SettingsError\n"
        "from hotbed.settings import load_settings\n"
        "load_settings(); os.setuid(54321)\n"
        "for name in ('HOME', 'XDG_CONFIG_HOME', 'XDG_CACHE_HOME'): os.environ.pop(name, None)\n"
        "print(load_settings({'HOTBED_HOME': '/h'}).tuned)\n"
        "try: print(load_settings({}))\n"
        "except SettingsError as error: print(error)\n"
    )
    done = run_python(["-c", "import os; os.chdir('/')\n" + script])
    assert done.stdout.splitlines()[0] == "/h/tuned.json", done.stderr
    assert "HOTBED_HOME" in done.stdout.splitlines()[1]


def test_the_list_of_trust_is_read_for_good(project: Path) -> None:
    """A frozen sample with keys of a later version; a newer version is named."""
    record = trust_file()
    assert record
    file = project / "hotbed.toml"
    file.write_text('home = "h"', encoding="utf-8")
    sample = (Path(__file__).parents[1] / "data" / "trusted-1.json").read_text(encoding="utf-8")
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(sample.replace("PATH", str(file)), encoding="utf-8")
    assert load_settings({}, project).home == project / "h"
    record.write_text(sample.replace('"version": 1', '"version": 2'), encoding="utf-8")
    with pytest.raises(SettingsError, match="a newer hotbed wrote it"):
        load_settings({}, project)
