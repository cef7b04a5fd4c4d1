"""The workflows: each action by its commit, no right that a job does not need, and the commands that people use."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")

RIGHTS = {"publish": {"id-token": "write"}, "announce": {"contents": "write"}}

each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def read(path: Path) -> dict[Any, Any]:
    workflow: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return workflow


def test_there_is_a_workflow_for_changes_one_for_releases_and_one_for_every_week() -> None:
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "release.yml", "weekly.yml"]


@each_workflow
def test_every_action_is_pinned_to_a_commit_and_says_its_version(path: Path) -> None:
    lines = [line.strip(" -") for line in path.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    assert lines
    assert [line for line in lines if not PINNED.fullmatch(line)] == []


@each_workflow
def test_a_workflow_has_no_rights_and_each_job_takes_the_one_it_needs(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        assert job["permissions"] == RIGHTS.get(name, {"contents": "read"})
        assert job["timeout-minutes"] <= 60


@each_workflow
def test_a_checkout_leaves_no_credentials_behind_and_nothing_takes_a_secret(path: Path) -> None:
    steps = [step for job in read(path)["jobs"].values() for step in job["steps"]]
    checkouts = [step for step in steps if "actions/checkout@" in step.get("uses", "")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)
    assert "secrets." not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "job"), [("ci", "ci"), ("release", "build")])
def test_what_runs_there_is_what_runs_everywhere(name: str, job: str) -> None:
    steps = read(ROOT / ".github" / "workflows" / f"{name}.yml")["jobs"][job]["steps"]
    assert "bash .ci/run" in [step.get("run") for step in steps]


def test_the_commands_of_every_week_are_targets_that_people_have_too() -> None:
    jobs = read(ROOT / ".github" / "workflows" / "weekly.yml")["jobs"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if step.get("run", "").startswith("make")]
    assert commands == ["make canary", "make audit"]
    assert all(re.search(rf"^{command.removeprefix('make ')}:", makefile, re.MULTILINE) for command in commands)


@pytest.mark.parametrize("path", WORKFLOWS[:2], ids=lambda path: path.stem)
def test_every_python_that_the_package_names_is_set_up(path: Path) -> None:
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["classifiers"]
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(classifiers))
    steps = [step for job in read(path)["jobs"].values() for step in job["steps"]]
    (installed,) = [step["with"]["python-version"].split() for step in steps if "setup-python@" in step.get("uses", "")]
    assert sorted(installed) == sorted(named)
    for program in (ROOT / ".ci" / "run", ROOT / "noxfile.py"):
        listed = re.search(r"^(?:VERSIONS|PYTHONS) ?= ?(.*)$", program.read_text(encoding="utf-8"), re.MULTILINE)
        assert listed is not None
        assert re.findall(r"3\.\d+", listed[1]) == named


@each_workflow
def test_no_command_of_a_workflow_is_made_of_what_a_stranger_wrote(path: Path) -> None:
    commands = [step["run"] for job in read(path)["jobs"].values() for step in job["steps"] if "run" in step]
    assert [command for command in commands if "${{" in command] == []


def test_only_what_was_built_and_checked_is_published_and_only_by_the_trusted_workflow() -> None:
    release = read(ROOT / ".github" / "workflows" / "release.yml")
    assert release[True] == {"push": {"tags": ["v*"]}}  # YAML reads the key `on` as true
    publish = release["jobs"]["publish"]
    assert (publish["needs"], publish["environment"]) == ("build", "release")
    assert [step["uses"].partition("@")[0] for step in publish["steps"]] == [
        "actions/download-artifact",
        "pypa/gh-action-pypi-publish",
    ]
