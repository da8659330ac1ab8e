#!/bin/sh
# Checks that the named parts are installed (python, chromium, firefox, postgresql, sqlite3, nginx, redis, systemd,
# containers, statistics: R and PSPP).
# As root, installs missing ones with apt; otherwise prints the command to run and exits with 2.
# The services of nginx and redis are neither started nor enabled: tests start their own.
set -eu
PYTHON="${PYTHON:-python3}"

present() {
  case "$1" in
    python) "$PYTHON" -c 'import sys, ensurepip; assert sys.version_info >= (3, 11)' 2>/dev/null ;;
    chromium) command -v chromium >/dev/null ;;
    firefox) command -v firefox-esr >/dev/null ;;
    sqlite3) command -v sqlite3 >/dev/null ;;
    nginx) PATH="$PATH:/usr/sbin" command -v nginx >/dev/null && command -v curl >/dev/null && command -v pgrep >/dev/null && ls /etc/nginx/modules-enabled/*brotli-static.conf >/dev/null 2>&1 ;;
    redis) command -v redis-server >/dev/null ;;
    systemd) command -v systemd-analyze >/dev/null ;;
    statistics) command -v Rscript >/dev/null && command -v pspp >/dev/null ;;
    containers) PATH="$PATH:/usr/sbin" && for program in podman podman-compose runc debootstrap iptables aardvark-dns; do command -v "$program" >/dev/null || ls "/usr/lib/podman/$program" >/dev/null 2>&1 || return 1; done ;;
    postgresql) command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 ;;
  esac
}

packages_of() {
  case "$1" in
    python) echo python3 python3-venv ;;
    chromium) echo chromium fonts-liberation ;;
    firefox) echo firefox-esr ;;
    nginx) PATH="$PATH:/usr/sbin" command -v nginx >/dev/null || echo nginx-light; echo libnginx-mod-http-brotli-static curl procps ;;
    redis) echo redis-server ;;
    systemd) echo systemd ;;
    statistics) echo r-base-core pspp ;;
    containers) echo podman podman-compose runc debootstrap iptables netavark aardvark-dns ;;
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
policy=/usr/sbin/policy-rc.d # Debian's packages run it before they start a service
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet=2 >/dev/null
$line --quiet=2 >/dev/null
for service in nginx redis-server; do
  case "$packages" in *" $service"*) systemctl --quiet disable "$service" 2>/dev/null || true ;; esac
done
for part in "$@"; do
  present "$part" || { echo "$part is still missing; Python must be 3.11 or newer" >&2; exit 2; }
done
