#!/bin/sh
# After a removal. Debian calls it with "remove", and with "purge" when nothing is to stay; Fedora,
# where configuration that was changed always stays, with how many versions stay.
set -e

case "$1" in
remove | purge | 0) ;;
*) exit 0 ;;
esac
[ ! -d /run/systemd/system ] || systemctl daemon-reload
[ "$1" = purge ] || exit 0
rm -rf /var/log/uwsgo /var/lib/uwsgo /run/uwsgo
rmdir /etc/uwsgo/apps-enabled /etc/uwsgo 2>/dev/null || true # what the administrator has put there stays
if getent passwd uwsgo >/dev/null; then
	userdel uwsgo || true
fi
if getent group uwsgo >/dev/null; then
	groupdel uwsgo || true
fi
