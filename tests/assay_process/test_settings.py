"""Settings: whatever the environment holds, a process starts, or says which variables are wrong and exits."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, SecretStr, ValidationError

from assay_process import settings
from assay_process.settings import LogLevel, Url, settings_or_exit


class Settings(settings.Settings):
    """Of a process that does not exist."""

    collector_url: Url
    password: SecretStr = SecretStr("")
    listen_port: int = Field(9903, gt=0)
    log_level: LogLevel = "INFO"


URL = {"ASSAY_COLLECTOR_URL": "http://collector:8080"}


def test_fields_are_read_by_their_variables_and_others_are_left_alone() -> None:
    found = Settings.from_environment({**URL, "ASSAY_LISTEN_PORT": "1", "LISTEN_PORT": "2", "ASSAY_X": "3"})
    assert (found.listen_port, found.collector_url) == (1, "http://collector:8080")


def test_an_empty_variable_counts_as_absent() -> None:
    assert Settings.from_environment({**URL, "ASSAY_LISTEN_PORT": ""}).listen_port == 9903


@pytest.mark.parametrize("name", ["debug", "DEBUG", "Warning"])
def test_levels_are_read_in_any_case(name: str) -> None:
    assert Settings.from_environment({**URL, "ASSAY_LOG_LEVEL": name}).log_level == name.upper()


def test_every_wrong_variable_is_named_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = {"ASSAY_LISTEN_PORT": "0", "ASSAY_LOG_LEVEL": "loud", "ASSAY_PASSWORD": "hunter2"}
    with pytest.raises(SystemExit) as ended:
        settings_or_exit(Settings, wrong)
    lines = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert [line.partition(":")[0] for line in lines] == [
        "ASSAY_COLLECTOR_URL", "ASSAY_LISTEN_PORT", "ASSAY_LOG_LEVEL",
    ]  # fmt: skip
    assert "hunter2" not in "".join(lines)
    assert "'loud' is none of CRITICAL" in lines[2]


def test_settings_cannot_be_changed() -> None:
    found: Any = Settings.from_environment(URL)
    with pytest.raises(ValueError, match="frozen"):
        found.listen_port = 5


def variables_refused(environment: dict[str, str]) -> list[str]:
    try:
        Settings.from_environment(environment)
    except ValidationError as error:
        return [line.partition(":")[0] for line in settings.problems(error)]
    return []


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_any_text_is_a_port_or_is_refused_with_the_name_of_its_variable(text: str) -> None:
    environment = {**URL, "ASSAY_LISTEN_PORT": text}
    if variables_refused(environment) != ["ASSAY_LISTEN_PORT"]:
        assert Settings.from_environment(environment).listen_port > 0
