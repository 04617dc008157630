# Sourced by the scripts beside it: moves to the root of the tree and makes it ready to run.
# shellcheck shell=bash
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$root" || exit

# Debian keeps the broker and the database server off an ordinary user's PATH.
widen_path() {
  local directory
  for directory in /usr/sbin /usr/lib/postgresql/*/bin; do
    [[ ":$PATH:" == *":$directory:"* || ! -d $directory ]] || PATH+=":$directory"
  done
  export PATH
}
widen_path

fail() { printf '%s\n' "$@" >&2; exit 1; }

# A subshell, so that the machine's own rule for starting services comes back however this ends.
apt_install() (
  rule=/usr/sbin/policy-rc.d kept=/usr/sbin/policy-rc.d.before-kokubus
  export DEBIAN_FRONTEND=noninteractive
  trap 'rm -f "$rule"; [[ ! -e $kept ]] || mv -f "$kept" "$rule"' EXIT
  trap 'exit 1' INT TERM HUP
  [[ ! -e $rule || -e $kept ]] || mv "$rule" "$kept"
  printf '#!/bin/sh\nexit 101\n' >"$rule"
  chmod +x "$rule"
  get() { apt-get -q -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" </dev/null >&2; }
  # Package lists may be absent or old; only then are they fetched.
  get install --no-install-recommends "$@" 2>/dev/null ||
    { get update && get install --no-install-recommends "$@"; }
)

# A tree that was moved or copied has a .venv whose commands still point to the old place.
venv_works() { grep -qsF "$root/.venv" .venv/bin/activate && .venv/bin/python -c '' 2>/dev/null; }

# Debian's python3 comes without ensurepip until python3-venv is installed.
fitting_python() {
  local candidate
  for candidate in python3 python3.11 python3.12 python3.13; do
    "$candidate" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
    command -v "$candidate"
    return
  done
  return 1
}

python_package() {
  ! command -v python3 >/dev/null || python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "kokubus needs Python 3.11 or newer; this machine's python3 is $(python3 -V 2>&1)."
  echo python3-venv
}

# wants [COMMAND=PACKAGE...]: every command and a Python with venv is there, or root installs the
# Debian package. All that is missing is said in one line.
# shellcheck disable=SC2120 # the scripts pass arguments
wants() {
  local pair missing=()
  for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
  done
  venv_works || fitting_python >/dev/null || missing+=("$(python_package)")
  ((${#missing[@]})) || return 0
  command -v apt-get >/dev/null || fail "Not installed: ${missing[*]}. Install them, then run this again."
  ((EUID == 0)) || fail "Not installed: ${missing[*]}. Run this line, then the script again:" \
    "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
  echo "Installing ${missing[*]} with apt" >&2
  apt_install "${missing[@]}" || fail "apt could not install: ${missing[*]}. Its reason stands above."
  widen_path
}

make_venv() {
  local python
  venv_works && return
  wants  # nothing but Python
  python=$(fitting_python) || fail "kokubus needs Python 3.11 or newer with its venv module."
  echo "Making .venv with $("$python" -V)" >&2
  "$python" -m venv --clear .venv
}

# ready run|dev: .venv holds exactly what requirements/run.txt or dev.txt locks, and this project.
ready() {
  local pip stamp=.venv/locked-$1 locks=("requirements/$1.txt" requirements/build.txt requirements/mfrc522.txt)
  make_venv
  if [[ $(sha256sum "${locks[@]}" pyproject.toml) == "$(cat "$stamp" 2>/dev/null)" ]]; then return; fi
  echo "Installing the locked packages of requirements/$1.txt into .venv" >&2
  pip=(.venv/bin/python -m pip -qq --disable-pip-version-check --no-input install)
  "${pip[@]}" --require-hashes --only-binary :all: -r "${locks[0]}" -r "${locks[1]}"
  "${pip[@]}" --require-hashes --only-binary :all: --no-deps -r "${locks[2]}"
  "${pip[@]}" --no-build-isolation --no-deps --editable .
  sha256sum "${locks[@]}" pyproject.toml >"$stamp"
}

# ready_tool NAME: .cache/NAME is an environment of its own that holds what requirements/NAME.txt locks.
ready_tool() {
  local place=.cache/$1 lock=requirements/$1.txt
  if [[ $(sha256sum "$lock") == "$(cat "$place/locked" 2>/dev/null)" ]]; then return; fi
  echo "Installing the locked packages of $lock into $place" >&2
  .venv/bin/python -m venv --clear "$place"
  "$place/bin/python" -m pip -qq --disable-pip-version-check --no-input install \
    --require-hashes --only-binary :all: --no-deps -r "$lock"
  sha256sum "$lock" >"$place/locked"
}

# shellcheck disable=SC2034 # for those who source this
on_all_cores=(--numprocesses auto --dist worksteal -o tmp_path_retention_policy=failed -p no:schemathesis)

# Temporary files in memory where there is enough: thousands of tests commit to databases of their
# own, and what a disk's fsync is good for is none of their business.
quick_disk() {
  [[ -w /dev/shm && $(df --output=avail -k /dev/shm | tail -1) -gt 1000000 ]] || return 0
  TMPDIR=$(mktemp -d /dev/shm/kokubus.XXXXXX)
  export TMPDIR
  trap 'rm -rf "$TMPDIR"' EXIT
}
