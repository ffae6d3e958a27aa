"""The environment that `make` sets up."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from tests.packaging.intercepting_proxy import InterceptingProxy

ROOT = Path(__file__).parents[2]


def test_the_sandbox_has_its_certificates_after_make_setup() -> None:
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", "setup"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert " --no-dev --extra tls" in done.stdout
    assert any(each.startswith("trustme") for each in project["optional-dependencies"]["tls"])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"SSL_CERT_FILE": "a", "REQUESTS_CA_BUNDLE": "b"}, "a a"),
        ({"SSL_CERT_FILE": "a", "PIP_CERT": "b"}, "a b"),
        ({"PIP_CERT": "b"}, "b b"),
        ({"CURL_CA_BUNDLE": "c"}, "c c"),
        ({"PIP_PROXY": "http://proxy:1", "PIP_CERT": "b"}, "b b http://proxy:1"),
    ],
)
def test_pip_and_uv_trust_the_same_certificates(given: dict[str, str], expected: str) -> None:
    rule = "show: ; @$(CERTIFICATES); echo $$SSL_CERT_FILE $$PIP_CERT $$HTTPS_PROXY"
    environment = without_network_settings() | {"PIP_CONFIG_FILE": os.devnull} | given
    done = subprocess.run(
        ["make", "--silent", "--eval", rule, "show"], cwd=ROOT, env=environment, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.strip() == expected


def test_make_verify_runs_every_file_with_tests_that_must_run_alone() -> None:
    done = subprocess.run(
        ["make", "--silent", "--eval", "show: ; @echo $(ALONE)", "show"], cwd=ROOT, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    marked = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("test_*.py")
        if path != Path(__file__) and "pytest.mark.alone" in path.read_text("utf-8")
    }
    assert set(done.stdout.split()) == marked


def without_network_settings() -> dict[str, str]:
    """Return the environment without proxies, certificates, and settings of uv and webwx."""
    settings = ("CERT", "_CA_", "CA_BUNDLE", "_PROXY", "_proxy", "WEBWX_", "UV_")
    return {name: value for name, value in os.environ.items() if not any(each in name for each in settings)}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A fresh checkout, without what tests need, and without compiled files, which other tests make meanwhile."""
    folder = tmp_path / "checkout"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "tests", "benchmarks", "docs")
    shutil.copytree(ROOT, folder, ignore=ignored)
    return folder


@pytest.mark.verify
def test_without_a_way_to_the_index_make_says_what_to_set(checkout: Path) -> None:
    nowhere = {
        "PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_FIND_LINKS": "", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull,
    }  # fmt: skip
    environment = without_network_settings() | nowhere | {"PATH": path_without_uv()}
    done = subprocess.run(["make", "demo"], cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Behind a proxy, set HTTPS_PROXY, and SSL_CERT_FILE to its certificate" in done.stderr


@pytest.mark.verify
@pytest.mark.timeout(600)
def test_the_demo_runs_behind_a_proxy_with_its_own_certificate(checkout: Path, tmp_path: Path) -> None:
    with InterceptingProxy(tmp_path) as proxy:
        environment = without_network_settings() | {
            "HTTPS_PROXY": proxy.url, "PIP_CERT": str(proxy.certificate), "PATH": path_without_uv(),
            "UV_CACHE_DIR": str(tmp_path / "uv"), "PIP_NO_CACHE_DIR": "1", "PIP_CONFIG_FILE": os.devnull,
        }  # fmt: skip
        done = subprocess.run(
            ["make", "demo"], cwd=checkout, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("✓") == 5
        assert {"pypi.org", "files.pythonhosted.org"} <= proxy.hosts
    packages = {each.name.partition("-")[0] for each in checkout.glob(".venv/lib/python*/site-packages/*.dist-info")}
    assert "litestar" not in packages
    assert "cryptography" not in packages


def path_without_uv() -> str:
    """Return the folders of programs, without those that have uv."""
    return os.pathsep.join(
        folder for folder in os.environ["PATH"].split(os.pathsep) if not (Path(folder) / "uv").exists()
    )
