"""What all tests share: examples, a PostgreSQL and an S3 of their own, and which of them take long.

Those that do are marked by where they are: kills, trainings, simulations, real clusters.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent / "support"))

from debian import postgres_user
from servers import free_port, running

# Examples are new at a desk and the same in CI, where a failure is then the change's; `make test-long` tries
# many. No deadlines: machines are busy.
settings.register_profile("desk", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.register_profile("long", deadline=None, max_examples=5000)
settings.load_profile(os.environ.get("ASSAY_PROFILE") or ("ci" if os.environ.get("CI") else "desk"))

HERE = Path(__file__).parent
SLOW = {
    "assay_artifact/test_single_file.py",
    "assay_artifact/test_plan.py",
    "assay_artifact/test_s3.py",
    "assay_collector/test_hardships.py",
    "assay_collector/test_kill.py",
    "assay_collector/test_recount.py",
    "assay_operator/telemetry/test_restarts.py",
    "assay_operator/test_kills.py",
    "assay_serving/test_process.py",
    "assay_serving/test_v2.py",
    "assay_shipper/test_kill.py",
    "assay_training/test_clouds.py",
    "assay_training/test_estimators.py",
    "assay_training/test_formats.py",
    "assay_training/test_image.py",
    "assay_training/test_job.py",
    "assay_training/test_judgement.py",
    "assay_training/test_process.py",
    "assay_training/test_real_data.py",
    "assay_training/test_sources.py",
    "assay_training/test_study.py",
    "chart/test_objects.py",
    "chart/test_values.py",
    "demo/test_power.py",
}
SLOW_TESTS = {  # of files that are quick otherwise: each takes more than three seconds of a processor
    "assay_client/test_client.py": {
        "test_a_real_collector_is_reported_to_while_it_starts_and_while_its_token_changes"
    },
    "assay_collector/test_api.py": {
        "test_a_body_that_never_ends_is_given_up",
        "test_a_wrong_setting_is_named_at_start",
        "test_bodies_are_bounded_as_sent_and_as_unpacked",
        "test_sigterm_ends_long_polls_and_then_the_process",
    },
    "assay_collector/test_fuzz.py": {"test_no_body_is_a_server_error"},
    "assay_collector/test_profiles.py": {"test_an_acknowledged_batch_survives_a_kill"},
    "assay_operator/gateway/test_resources.py": {"test_envoys_walk_through_the_weights_is_the_table"},
    "assay_operator/test_bake.py": {"test_few_champions_within_the_margin_are_undone"},
    "assay_operator/test_lease.py": {"test_whatever_happens_there_are_never_two_and_in_the_end_there_is_one"},
    "assay_operator/test_retries.py": {"test_a_death_after_any_effect_trains_as_often_and_counts_as_well"},
    "assay_operator/xds/test_resource_bundle.py": {"test_every_process_packs_a_route_into_the_same_bytes"},
    "assay_serving/test_capture.py": {
        "test_what_was_served_reaches_the_collector_even_when_the_process_ends"
    },
    "assay_stats/test_simulation.py": {"test_quick_validation_holds_every_bar"},
    "assay_training/test_card.py": {"test_a_card_tells_the_version_and_what_changed"},
    "assay_training/test_transient.py": {"test_only_a_failure_that_may_pass_says_so"},
    "gateway/test_outcomes.py": {"test_a_request_that_does_not_arrive_in_time_counts_for_nobody"},
}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import what `-m` leaves out: every worker of a run would do so."""
    if not collection_path.is_relative_to(HERE):
        return None
    name = str(collection_path.relative_to(HERE))
    mark = name if name in {"cluster", "e2e"} else "slow" if name in SLOW else None
    return True if mark and f"not {mark}" in config.option.markexpr else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them: `make check` leaves them out, `make test` does not."""
    for item in items:
        if not item.path.is_relative_to(HERE):
            continue
        file, name = str(item.path.relative_to(HERE)), item.name.partition("[")[0]
        if file in SLOW or name in SLOW_TESTS.get(file, ()):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def postgres_folder() -> Iterator[str]:
    """A folder that the server's user may write to."""
    if shutil.which("initdb") is None or shutil.which("pg_ctl") is None:
        pytest.skip("needs a PostgreSQL server: initdb and pg_ctl on the PATH")
    with tempfile.TemporaryDirectory(prefix="assay-pg-", dir="/tmp") as folder:
        if os.getuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        yield folder


@pytest.fixture(scope="session")
def postgres_control(postgres_folder: str) -> Callable[..., None]:
    """Run pg_ctl."""
    options = f"-c listen_addresses= -c unix_socket_directories={postgres_folder}"
    control = [
        *postgres_user(),
        "pg_ctl",
        "-D",
        f"{postgres_folder}/data",
        "-w",
        "-l",
        f"{postgres_folder}/log",
    ]

    def run(*arguments: str) -> None:
        subprocess.run(
            [*control, "-o", options, *arguments], check=True, cwd=postgres_folder, stdout=subprocess.DEVNULL
        )

    return run


@pytest.fixture(scope="session")
def postgres(postgres_folder: str, postgres_control: Callable[..., None]) -> Iterator[str]:
    """The URL of a PostgreSQL server on a socket of its own, as strict with fsync as a real one."""
    initdb = [*postgres_user(), "initdb", "-D", f"{postgres_folder}/data", "-U", "assay", "--auth=trust"]
    subprocess.run([*initdb, "--no-sync"], check=True, cwd=postgres_folder, capture_output=True)
    postgres_control("start")
    yield f"postgresql://assay@/postgres?host={postgres_folder}"
    postgres_control("-m", "immediate", "stop")


@contextmanager
def s3(**environment: str) -> Iterator[dict[str, str]]:
    """Run a server that speaks S3, and yield the environment of somebody who may use it."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with running(command, port, **environment):
        yield {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": "a-secret-access-key",
            "AWS_DEFAULT_REGION": "us-east-1",
        }


def aws(service: str, environment: dict[str, str]) -> Any:
    """Return a client of such a server."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import boto3  # noqa: PLC0415  (it warns of its own age)

        return boto3.client(
            service,
            endpoint_url=environment["AWS_ENDPOINT_URL"],
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            region_name=environment["AWS_DEFAULT_REGION"],
        )


@pytest.fixture(scope="session")
def s3_server() -> Iterator[dict[str, str]]:
    """The environment of who may use a server that speaks S3."""
    with s3() as environment:
        yield environment


@pytest.fixture(scope="session")
def s3_client(s3_server: dict[str, str]) -> Any:
    """A client of that server."""
    return aws("s3", s3_server)


@pytest.fixture(scope="session")
def strict_s3() -> Iterator[dict[str, str]]:
    """The environment of the only one who may use a server that checks who asks; it has `lake/churn.csv`."""
    opening = ("create_user", "create_access_key", "put_user_policy", "create_bucket", "put_object")
    with s3(INITIAL_NO_AUTH_ACTION_COUNT=str(len(opening))) as environment:
        iam, policy = aws("iam", environment), {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
        iam.create_user(UserName="assay")
        key = iam.create_access_key(UserName="assay")["AccessKey"]
        document = json.dumps({"Version": "2012-10-17", "Statement": [policy]})
        iam.put_user_policy(UserName="assay", PolicyName="all", PolicyDocument=document)
        store = aws("s3", environment)
        store.create_bucket(Bucket="lake")
        store.put_object(Bucket="lake", Key="churn.csv", Body=b"customer_id,churn\n1,True\n2,False\n")
        keys = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
        yield {**environment, **keys}
