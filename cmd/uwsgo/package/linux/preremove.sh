#!/bin/sh
# Before a removal. Debian calls it with "remove", or "upgrade NEW"; Fedora with how many versions stay.
set -e

case "$1" in
remove | 0) ;;
*) exit 0 ;;
esac
[ -d /run/systemd/system ] || exit 0
for unit in $(systemctl list-units --all --plain --no-legend 'uwsgo@*.service' | awk '{ print $1 }'); do
	systemctl disable --now "$unit" || true
done
