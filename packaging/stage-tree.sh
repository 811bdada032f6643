#!/usr/bin/env bash
# stage-tree.sh FOLDER: everything that the packages install, below FOLDER: the product and its Python packages in an
# environment of their own, unit, user, folders, manual, completion, the service of firewalld. Nothing goes to /etc,
# so no upgrade can touch what people wrote. Run it in the environment that `make setup` makes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tree=$1
python=.venv/bin/python
# Debian 12 has it, EL 9 installs it; what is compiled in the Python packages is for this version alone.
runtime=/usr/bin/python3.11
home=$tree/usr/lib/provisioner
site=$home/lib/python3.11/site-packages
doc=$tree/usr/share/doc/provisioner

"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' ||
    { echo "packages: .venv has to be made with Python 3.11: make clean setup PYTHON=python3.11" >&2; exit 1; }

# A virtual environment is these three things (PEP 405), whatever machine it is made on.
mkdir -p "$home/bin" "$site"
printf 'home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11\n' >"$home/pyvenv.cfg"
ln -s "$runtime" "$home/bin/python3"
lock=$(mktemp)
trap 'rm -f "$lock"' EXIT
"$python" packaging/runtime-lock.py >"$lock"
pip=("$python" -m pip install --quiet --disable-pip-version-check --no-deps --no-compile --target "$site")
"${pip[@]}" --only-binary :all: --require-hashes --requirement "$lock" 2>/dev/null ||
    "${pip[@]}" --require-hashes --requirement "$lock"
"${pip[@]}" --no-build-isolation .
rm -rf "${site:?}/bin"
find "$site" -name direct_url.json -delete
# Byte code by its source's digest: the same on every machine, and nobody else may write it later (PEP 552).
"$python" -m compileall -q --invalidation-mode unchecked-hash -s "$tree" -p / "$site"
cat >"$home/bin/prov" <<'EOF'
#!/usr/lib/provisioner/bin/python3 -I
from provisioner.cli.main import main

if __name__ == "__main__":
    main()
EOF
chmod 755 "$home/bin/prov"
mkdir -p "$tree/usr/bin"
ln -s ../lib/provisioner/bin/prov "$tree/usr/bin/prov"
ln -s ../lib/provisioner/bin/prov "$tree/usr/bin/provisioner"

install -D -m 644 packaging/systemd/provisioner.service "$tree/usr/lib/systemd/system/provisioner.service"
install -D -m 644 packaging/systemd/sysusers.conf "$tree/usr/lib/sysusers.d/provisioner.conf"
install -D -m 644 packaging/systemd/tmpfiles.conf "$tree/usr/lib/tmpfiles.d/provisioner.conf"
mkdir -p "$tree"/usr/lib/firewalld/services "$tree"/usr/share/{bash-completion/completions,man/man8}
mkdir -p "$tree"/usr/share/{zsh/site-functions,fish/vendor_completions.d} "$doc"
"$python" - >"$tree/usr/lib/firewalld/services/provisioner.xml" <<'EOF'
from provisioner.model.written import Ports
from provisioner.operations.setup.firewall import service_xml

print(service_xml(Ports()).decode(), end="")
EOF
.venv/bin/prov completion bash >"$tree/usr/share/bash-completion/completions/prov"
.venv/bin/prov completion zsh >"$tree/usr/share/zsh/site-functions/_prov"
.venv/bin/prov completion fish >"$tree/usr/share/fish/vendor_completions.d/prov.fish"
"$python" packaging/man-pages.py "$tree/usr/share/man/man8"
gzip -9 -n "$tree"/usr/share/man/man8/*.8
cp -r README.md docs packaging/prometheus "$doc/"
gzip -9 -n <CHANGELOG.md >"$doc/changelog.gz"
install -m 644 LICENSE "$doc/copyright"
find "$tree" -type d -exec chmod 755 {} +
find "$tree" -type f -exec chmod go=u-w {} +
