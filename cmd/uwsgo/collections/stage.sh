# Run in new mount, net and pid namespaces: makes an overlay over / and runs stage.py in it.
# Arguments: PLACE PROGRAM TESTENV PROJECT FILE [NAME=VALUE…], with PLACE/uwsgo and
# PLACE/stage.py there, and PROJECT what is to be the project's root.
set -e
place=$1 program=$2 testenv=$3 project=$4 file=$5
shift 5
mount --make-rprivate /
mkdir "$place/over"
mount -t tmpfs tmpfs "$place/over"
cd "$place/over"
mkdir upper work root
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
mount -t proc proc root/proc
mount --rbind /dev root/dev
mount -t tmpfs tmpfs root/tmp
chmod 1777 root/tmp
cp "$place/uwsgo" root/uwsgo
cp "$place/stage.py" root/stage.py
mkdir -p root/srv/project root/upper
cp -r "$project/." root/srv/project/
chmod -R u+w root/srv/project
mount --bind upper root/upper
exec timeout -s KILL 40 chroot root python3 /stage.py "$program" "$testenv" /srv/project "$file" "$@"
