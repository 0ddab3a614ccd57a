"""Secret files read anew: by the rules of the start, and nothing else of the settings moves."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Thread

import pytest

from connector.config import ConfigError, Settings, load
from connector.config.reread import files, reread
from tests.config.conftest import SMALLEST, Write

SECTIONS = (
    "openmarket",
    "openmarket.tls",
    "openmarket.proxy",
    "schemas.registry",
    "schemas.registry.proxy",
    "kafka.security",
    "kafka.security.oauth",
)
GIVEN = f"""{SMALLEST}
  timeouts: {{total: 20s}}
  outcomes: [{{vendor_code: 7, fate: retry}}]
  tls: {{certificate_file: DIR/certificate, key_file: DIR/key, key_password_file: DIR/key-password}}
  proxy: {{url: "http://proxy:3128", basic_auth_file: DIR/proxy}}
schemas:
  registry:
    url: https://registry
    basic_auth_file: DIR/registry
    proxy: {{url: "http://proxy:3128", basic_auth_file: DIR/other-proxy}}
kafka:
  security:
    protocol: sasl_ssl
    mechanism: OAUTHBEARER
    ca_file: DIR/authority
    oauth: {{client_id: me, client_secret_file: DIR/oauth, token_endpoint: https://token}}
"""


@pytest.fixture
def settings(write: Write, tmp_path: Path) -> Settings:
    """Settings with a secret or a certificate in every section that can have one."""
    for name in ("certificate", "key", "key-password", "proxy", "registry", "other-proxy", "authority", "oauth"):
        (tmp_path / name).write_text("user:old")
    return load(write(GIVEN.replace("DIR", str(tmp_path))), {})


@pytest.mark.parametrize("section", SECTIONS)
def test_what_has_not_changed_is_read_as_at_start(settings: Settings, section: str) -> None:
    """What was given stays told from what is a default."""
    again = reread(settings, section)
    assert again == settings
    assert again.openmarket.model_fields_set == settings.openmarket.model_fields_set


def test_each_section_has_its_own_files(settings: Settings, tmp_path: Path) -> None:
    """By the names of their settings; those of a section in it are not its own."""
    assert [files(settings, section) for section in SECTIONS] == [
        {"openmarket.password_file": tmp_path / "password"},
        {
            "openmarket.tls.certificate_file": tmp_path / "certificate",
            "openmarket.tls.key_file": tmp_path / "key",
            "openmarket.tls.key_password_file": tmp_path / "key-password",
        },
        {"openmarket.proxy.basic_auth_file": tmp_path / "proxy"},
        {"schemas.registry.basic_auth_file": tmp_path / "registry"},
        {"schemas.registry.proxy.basic_auth_file": tmp_path / "other-proxy"},
        {"kafka.security.ca_file": tmp_path / "authority"},
        {"kafka.security.oauth.client_secret_file": tmp_path / "oauth"},
    ]


def test_a_new_secret_is_in_the_new_settings_only(settings: Settings, password: Path) -> None:
    """Settings are values."""
    password.write_text("new\n")
    assert reread(settings, "openmarket").openmarket.password.get_secret_value() == "new"
    assert settings.openmarket.password.get_secret_value() == "s3cret-plant"


def test_the_files_of_other_sections_are_left_alone(settings: Settings, tmp_path: Path) -> None:
    """One that cannot be used must not keep another from being renewed."""
    (tmp_path / "key-password").unlink()
    (tmp_path / "oauth").unlink()
    assert reread(reread(settings, "openmarket"), "kafka.security") == settings


@pytest.mark.parametrize(
    ("section", "file", "content", "problem"),
    [
        ("openmarket", "password", b"", "openmarket.password_file: the file is empty"),
        ("openmarket", "password", b"s3cret \n", "openmarket.password_file: the file begins or ends with a space"),
        ("openmarket", "password", b"\xff", "openmarket.password_file: the file is not UTF-8 text"),
        ("openmarket", "password", None, "openmarket.password_file: the file cannot be read (No such file"),
        ("openmarket.tls", "key", None, "openmarket.tls.key_file: the file cannot be read (No such file"),
        ("schemas.registry", "registry", b"s3cr3t", "schemas.registry.basic_auth_file: the file must hold user:passw"),
        ("openmarket.proxy", "proxy", b"s3cr3t", "openmarket.proxy.basic_auth_file: the file must hold user:password"),
        ("kafka.security.oauth", "oauth", b"", "kafka.security.oauth.client_secret_file: the file is empty"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_setting(
    settings: Settings, tmp_path: Path, section: str, file: str, content: bytes | None, problem: str
) -> None:
    """And never with what it holds."""
    (tmp_path / file).unlink() if content is None else (tmp_path / file).write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        reread(settings, section)
    (found,) = refused.value.problems
    assert found.startswith(problem)
    assert "s3cr3t" not in found


def test_a_pipe_keeps_what_it_gave(write: Write, password: Path) -> None:
    """It can be read once; reading it again would wait for ever."""
    password.unlink()
    os.mkfifo(password)
    writer = Thread(target=password.write_text, args=("piped",))
    writer.start()
    settings = load(write(SMALLEST), {})
    writer.join()
    assert reread(settings, "openmarket").openmarket.password.get_secret_value() == "piped"
