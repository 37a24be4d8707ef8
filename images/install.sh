# Runs inside a build: pinned third-party packages into /opt/assay, byte code included, nothing else left behind.
set -eu
umask 022
lent=/run/secrets # mounted for this step only, and only where the host has something to lend
[ ! -f $lent/certificates ] || export SSL_CERT_FILE=$lent/certificates
[ ! -f $lent/uv ] || export UV_CONFIG_FILE=$lent/uv
uv=/tools/uv
$uv venv --quiet --no-project --allow-existing --python "$(command -v python3)" /opt/assay
$uv pip install --quiet --python /opt/assay/bin/python --require-hashes --no-deps --only-binary :all: \
    --link-mode copy --compile-bytecode --requirements /opt/assay/requirements.txt
# LightGBM looks for OpenMP in the system, which a slim image has not: it gets scikit-learn's, so that there is one
for openmp in /opt/assay/lib/python3*/site-packages/scikit_learn.libs/libgomp-*; do
    [ ! -e "$openmp" ] || ln -sf "$openmp" /opt/assay/lib/libgomp.so.1
done
rm -f /opt/assay/.lock /opt/assay/.gitignore
