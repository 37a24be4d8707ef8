# Runs inside a build: pinned third-party packages into /opt/assay, byte code included, nothing else left behind.
set -eu
umask 022
uv=/tools/uv
$uv venv --quiet --no-project --allow-existing --python "$(command -v python3)" /opt/assay
$uv pip install --quiet --python /opt/assay/bin/python --require-hashes --no-deps --only-binary :all: \
    --link-mode copy --compile-bytecode --requirements /opt/assay/requirements.txt
