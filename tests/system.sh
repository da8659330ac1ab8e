#!/bin/sh
# Looks for the parts of the system that are named (python, chromium, postgresql, sqlite3). What is missing is
# installed through apt where we are root; otherwise the line to run is printed and we exit with 2.
set -eu
PYTHON="${PYTHON:-python3}"

present() {
  case "$1" in
    python) "$PYTHON" -c 'import sys, ensurepip; assert sys.version_info >= (3, 11)' 2>/dev/null ;;
    chromium) command -v chromium >/dev/null ;;
    sqlite3) command -v sqlite3 >/dev/null ;;
    postgresql) command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 ;;
  esac
}

packages_of() {
  case "$1" in
    python) echo python3 python3-venv ;;
    chromium) echo chromium fonts-liberation ;;
    postgresql) echo postgresql ;;
    sqlite3) echo sqlite3 ;;
  esac
}

packages=""
for part in "$@"; do
  present "$part" || packages="$packages $(packages_of "$part")"
done
[ -n "$packages" ] || exit 0

line="apt-get install --yes --no-install-recommends$packages"
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "Something is missing on this machine. As root, run:" >&2
  echo "  apt-get update && $line" >&2
  exit 2
fi
echo "Installing$packages" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet=2 >/dev/null
$line --quiet=2 >/dev/null
for part in "$@"; do
  present "$part" || { echo "$part is still missing; Python must be 3.11 or newer" >&2; exit 2; }
done
