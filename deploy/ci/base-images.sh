#!/usr/bin/env bash
# Makes base images from Debian's packages, where no image registry can be reached: stand-ins for python:3.11-slim and
# redis:7, tagged by these names, so that the Dockerfile and the compose file are built and run unchanged. For CI only.
# Needs root, a Docker engine and an apt mirror; an image that is there already, or can be pulled, is left alone.
set -euo pipefail

RELEASE=bookworm # the Debian release whose python3 is 3.11 and whose redis-server is 7

missing() { ! docker image inspect "$1" >/dev/null 2>&1 && ! timeout 120 docker pull -q "$1" >/dev/null 2>&1; }

if missing python:3.11-slim || missing redis:7; then
  command -v debootstrap >/dev/null || apt-get install -y -qq --no-install-recommends debootstrap >/dev/null
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  root=$work/root
  debootstrap --variant=minbase --include=ca-certificates,python3,python3-pip,python3-venv,redis-server "$RELEASE" "$root" >/dev/null
  ln -sf python3 "$root/usr/bin/python"
  rm -rf "$root"/usr/lib/python3*/EXTERNALLY-MANAGED "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
  # What leads this machine to its package index leads the build there too.
  install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
  if [[ -f /etc/pip.conf ]]; then install -m 644 /etc/pip.conf "$root/etc/pip.conf"; fi
  mkdir -p "$root/data" && chroot "$root" chown redis:redis /data

  if missing python:3.11-slim; then
    tar -C "$root" -c . | docker import -c 'CMD ["python3"]' - python:3.11-slim >/dev/null
  fi
  if missing redis:7; then
    tar -C "$root" -c . | docker import -c 'USER redis' -c 'WORKDIR /data' -c 'VOLUME /data' -c 'EXPOSE 6379' \
      -c 'CMD ["redis-server", "--protected-mode", "no"]' - redis:7 >/dev/null
  fi
fi
