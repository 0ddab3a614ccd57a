"""What somebody at a shell sees of the command."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from connector import __version__
from connector.cli.main import SUMMARIES, app
from connector.config.reference import reference
from connector.core.codes import DEFAULT_TABLE
from connector.engine import engine


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A file of the required settings."""
    (tmp_path / "password").write_text("s3cret-plant\n")
    file = tmp_path / "config.yaml"
    file.write_text(
        "openmarket: {base_url: 'https://servicemanager.openmarket.com', account_id: a, service_ids: [0A],"
        f" password_file: {tmp_path}/password}}\nretry: {{delay: 1m}}\n"
    )
    return file


def connector(*arguments: str | Path, environ: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env=environ)


def test_the_version_is_the_packages() -> None:
    """Printed for scripts: one line. Whether it is compiled, as in the image, is told behind the number."""
    compiled = not str(engine.__file__).endswith(".py")
    assert connector("--version").stdout == f"connector {__version__}{' (compiled)' if compiled else ''}\n"


def test_the_module_is_the_command() -> None:
    """`python -m connector` works where no script was installed, and exits as the script does."""
    ran = subprocess.run([sys.executable, "-m", "connector", "nonsense"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")


def test_the_help_tells_the_exit_codes() -> None:
    """A script must know what 1 and 2 mean."""
    help_text = connector("--help").stdout
    assert "0 done" in help_text
    assert "2 usage or configuration" in help_text


def test_the_help_lists_the_commands() -> None:
    """Those whose module is there."""
    help_text = connector("--help").stdout
    assert all(name in help_text for name in ("config", "codes"))


@pytest.mark.parametrize("name", SUMMARIES)
def test_every_command_has_help_that_begins_with_its_summary(name: str) -> None:
    """Each is found under the name that the table gives it, and the list says what its own help says."""
    result = connector(name, "--help")
    assert result.exit_code == 0
    assert SUMMARIES[name] in " ".join(result.stdout.split())


def test_the_help_imports_nothing_that_takes_time() -> None:
    """It is what somebody types first: a tenth of a second, and not the second that all commands take."""
    code = "import sys; from connector.cli.main import app; app(['--help'], standalone_mode=False); print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *shown, modules = ran.stdout.splitlines()
    assert SUMMARIES["codes"][:20] in "".join(shown)
    imported = {name.split(".")[0] for name in modules.split()}
    assert imported.isdisjoint({"pydantic", "aiohttp", "confluent_kafka", "fastavro", "structlog", "yaml"})


def test_run_imports_only_what_it_needs() -> None:
    """And what was imported is not looked at by the garbage collector again: it would stop the event loop for 30 ms."""
    code = (
        "import gc, sys; from connector.cli.main import app; app(['run', '--help'], standalone_mode=False);"
        "print(gc.isenabled(), gc.get_freeze_count() > len(gc.get_objects())); print(*sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *_, collected, modules = ran.stdout.splitlines()
    assert collected == "True True"
    imported = {name.split(".")[0] for name in modules.split()}
    assert imported.isdisjoint({"cryptography", "jsonschema", "phonenumbers", "opentelemetry"})


def test_an_unknown_command_is_a_usage_error() -> None:
    """Exit code 2."""
    assert connector("rnu").exit_code == 2


@pytest.mark.parametrize(
    ("typed", "meant"), [(("dql",), "dlq"), (("dlq", "summray"), "summary"), (("retry", "dorp"), "drop")]
)
def test_a_mistyped_command_is_answered_with_the_one_that_was_meant(typed: tuple[str, ...], meant: str) -> None:
    result = connector(*typed)
    assert result.exit_code == 2
    assert f"Did you mean '{meant}'?" in result.stderr


def test_a_verb_imports_nothing_of_the_others() -> None:
    call = "app(['dlq', 'show', '--help'], standalone_mode=False)"
    code = f"import sys; from connector.cli.main import app; {call}; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = set(ran.stdout.splitlines()[-1].split())
    assert "connector.cli.dlq.show" in imported
    assert imported.isdisjoint({"connector.cli.dlq.redrive", "connector.cli.dlq.edit", "connector.cli.dlq.purge"})
    assert "aiohttp" not in imported, "which only a registry needs"


def test_a_broken_configuration_ends_with_exit_code_2(tmp_path: Path) -> None:
    """Every problem on a line of standard error, nothing on standard output."""
    file = tmp_path / "config.yaml"
    file.write_text("kafka: {gruop_id: x}\nadmin: {prot: 1}\n")
    result = connector("config", "--config", file)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        "configuration: kafka.gruop_id: unknown setting; did you mean group_id?",
        "configuration: openmarket: is missing, and has no default",
        "configuration: admin.prot: unknown setting; did you mean port?",
    ]


def test_config_tells_where_each_value_came_from(config: Path) -> None:
    """Default, file, environment and secret file."""
    result = connector("config", "--config", config, environ={"CONNECTOR_KAFKA__GROUP_ID": "mine"})
    rows = {tuple(line.split(maxsplit=1)) for line in result.stdout.splitlines()}
    assert {tuple(" ".join(rest.split()) for rest in row) for row in rows} >= {
        ("retry.delay", "file 1m"),
        ("retry.window", "default 24h"),
        ("kafka.group_id", "environment mine"),
        ("openmarket.password", "secret file ********"),
    }


def test_config_masks_secrets(config: Path) -> None:
    """The command's output ends in tickets."""
    output = connector("config", "--config", config).output
    assert re.search(r"openmarket\.password +secret file +\*{8}", output)
    assert "s3cret-plant" not in output


def test_the_schema_is_json() -> None:
    """Editors read it; defaults are written as in the file."""
    schema = json.loads(connector("config", "--schema").stdout)
    assert schema["$defs"]["Retry"]["properties"]["delay"]["default"] == "15m"
    assert schema["required"] == ["openmarket"]


def test_the_reference_is_what_the_page_is_made_of() -> None:
    """`connector config --reference > docs/settings.md`."""
    assert connector("config", "--reference").stdout == reference()


def test_schema_and_reference_exclude_each_other() -> None:
    """Nobody wants both in one file."""
    assert connector("config", "--schema", "--reference").exit_code == 2


def test_codes_shows_every_row_with_its_remedy() -> None:
    """Without a file, the table that we ship."""
    shown = connector("codes").stdout
    assert all(row.code in shown and row.remedy in shown for row in DEFAULT_TABLE.rows())


def test_codes_shows_the_rows_of_the_settings_first(config: Path) -> None:
    """The table in force is the one that decides."""
    environ = {"CONNECTOR_OPENMARKET__OUTCOMES": '[{"status": 500, "fate": "hold", "why": "our own"}]'}
    result = connector("codes", "--config", config, environ=environ)
    assert result.stdout.startswith("configured_hold: hold\n  when    HTTP 500\n  why     our own\n")
