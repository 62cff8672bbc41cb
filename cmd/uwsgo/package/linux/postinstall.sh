#!/bin/sh
# After an installation or an upgrade. Debian calls it with "configure [OLD]", Fedora with how many
# versions there are now.
set -e

case "$1" in
configure | [0-9]*) ;;
*) exit 0 ;;
esac

if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers uwsgo.conf
elif ! getent passwd uwsgo >/dev/null; then
	getent group uwsgo >/dev/null || groupadd --system uwsgo
	useradd --system --gid uwsgo --home-dir /var/lib/uwsgo --no-create-home --shell /usr/sbin/nologin uwsgo
fi
[ -d /var/lib/uwsgo ] || install -d -m 755 -o uwsgo -g uwsgo /var/lib/uwsgo
[ -d /var/log/uwsgo ] || install -d -m 750 -o uwsgo -g uwsgo /var/log/uwsgo

[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
# Apps that run are handed over to the new program: it takes their sockets, and the old one
# finishes its requests.
for unit in $(systemctl list-units --plain --no-legend --state=active 'uwsgo@*.service' | awk '{ print $1 }'); do
	systemctl kill --signal=USR2 --kill-whom=main "$unit" 2>/dev/null ||
		systemctl kill --signal=USR2 --kill-who=main "$unit" ||
		echo "uwsgo: $unit still runs the old program: systemctl restart $unit" >&2
done
