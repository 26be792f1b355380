/**
 * The script that runs below PID 1 (tini) of every host. It is text in a module, so that the
 * single binary carries it.
 *
 * Its working directory is the host's directory outside; paths without a leading `/` are files
 * there, and stay reachable whatever is mounted over the path that led to them.
 */

/** Where the supervisor keeps its own files, inside the host. */
export const supervisorDir = '/run/rack'
/** A service that ended is started again after this. */
export const restartDelaySeconds = '0.5'

export const hostInitScript = String.raw`#!/bin/sh
# Arguments: the host's name, then "v2" or one DIRECTORY:OPTIONS for each cgroup hierarchy.
set -eu
name=$1
shift
hostname "$name"

# A mount of a namespace keeps it alive. Ours are copies of other programs' mounts: without this,
# a namespace that they remove while the rack is up would stay.
while read -r _ at type _; do
  if [ "$type" = nsfs ]; then umount "$at" || :; fi
done </proc/mounts

# First of all, because it hides the sockets of the outer machine's engine: until this is done,
# a docker client in here would reach that one.
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock ${supervisorDir}
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t proc proc /proc
mount -t sysfs sysfs /sys

# A machine that was switched off and on has another boot id.
cat /proc/sys/kernel/random/uuid >${supervisorDir}/boot_id
mount --bind ${supervisorDir}/boot_id /proc/sys/kernel/random/boot_id

# cgroups: only the host's own part of the tree is visible, as on a machine of its own.
if [ "$1" = v2 ]; then
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  # A cgroup with processes of its own cannot give controllers to its children, so all move into
  # one of its children. The parent of PID 1 is out of reach from here and is moved from outside.
  mkdir -p /sys/fs/cgroup/init
  tries=0
  until [ -z "$(cat /sys/fs/cgroup/cgroup.procs)" ]; do
    for pid in $(cat /sys/fs/cgroup/cgroup.procs); do
      if [ "$pid" != 0 ]; then echo "$pid" >/sys/fs/cgroup/init/cgroup.procs || :; fi
    done
    tries=$((tries + 1))
    if [ "$tries" -gt 1000 ]; then
      echo 'a process stays in the top cgroup' >&2
      exit 1
    fi
    sleep 0.01
  done
  for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
    echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control || :
  done
else
  mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
  for hierarchy; do
    mkdir "/sys/fs/cgroup/\${hierarchy%%:*}"
    mount -t cgroup -o "\${hierarchy#*:}" cgroup "/sys/fs/cgroup/\${hierarchy%%:*}"
  done
fi

# The firmware's UUID. All hosts share one firmware, which may have no SMBIOS at all; sysfs takes
# no new directories, so then its class directory is made again out of links, with one more.
if [ -e /sys/class/dmi/id/product_uuid ]; then
  mount --bind product_uuid /sys/class/dmi/id/product_uuid
else
  mkdir ${supervisorDir}/sys
  mount -t sysfs sysfs ${supervisorDir}/sys
  mount -t tmpfs -o mode=755 tmpfs /sys/class
  ln -s ${supervisorDir}/sys/class/* /sys/class/
  rm -f /sys/class/dmi
  mkdir -p /sys/class/dmi/id
  cp product_uuid /sys/class/dmi/id/product_uuid
fi

# The outer machine's directories, with everything the host writes kept in a layer of its own.
cover() {
  mkdir -p "layers/$2/upper" "layers/$2/work"
  mount -t overlay -o "lowerdir=$1,upperdir=layers/$2/upper,workdir=layers/$2/work" overlay "$1"
}
rm -rf layers/tmp
# A layer does not see that a file below it is replaced, and people edit where they started this.
work=$(readlink work)
case $work in
/tmp/*) [ -d "$work" ] || work= ;;
*) work= ;;
esac
if [ -n "$work" ]; then
  mkdir -p ${supervisorDir}/work
  mount --bind "$work" ${supervisorDir}/work
fi
cover /etc etc
cover /var/lib lib
cover /usr/local/bin bin
cover /tmp tmp
if [ -n "$work" ]; then
  mount --bind ${supervisorDir}/work "$work"
  umount ${supervisorDir}/work
fi
# Not in a layer: the engine's own layers cannot lie on one, and the agent's log shall be flushed
# to a real disk. /etc/docker holds the engine's identity, which no two hosts may share.
for dir in docker containerd jangada; do
  mkdir -p "/var/lib/$dir" "$dir"
  mount --bind "$dir" "/var/lib/$dir"
done
mkdir -p /etc/docker
mount --bind etc-docker /etc/docker
if [ -e binary ]; then
  : >>/usr/local/bin/jangada
  mount --bind "$(readlink binary)" /usr/local/bin/jangada
  mount -o remount,bind,ro /usr/local/bin/jangada
fi

# The cable is plugged in from outside. Forwarding is on before the engine starts, because the
# engine otherwise makes DROP the policy for all forwarded packets.
echo 1 >/proc/sys/net/ipv4/ip_forward
tries=0
until ip -4 -o address show dev eth0 2>/dev/null | grep -q inet; do
  tries=$((tries + 1))
  if [ "$tries" -gt 1000 ]; then
    echo 'eth0 got no address' >&2
    exit 1
  fi
  sleep 0.02
done

# Services: files in services/ are shell scripts, each kept running until its file is gone.
supervise() {
  while [ -e "services/$1" ]; do
    sh "services/$1" >>"log/$1" 2>&1 </dev/null 3<&- &
    echo $! >"${supervisorDir}/$1.new"
    mv "${supervisorDir}/$1.new" "${supervisorDir}/$1.pid"
    : >"${supervisorDir}/$1.started"
    status=0
    wait $! || status=$?
    rm -f "${supervisorDir}/$1.pid"
    if [ -e "services/$1" ]; then
      echo "rack: $1 ended with $status; starting it again in ${restartDelaySeconds} s" >>"log/$1"
      sleep ${restartDelaySeconds}
    fi
  done
  rmdir "${supervisorDir}/$1.loop"
}
start() {
  if mkdir "${supervisorDir}/$1.loop" 2>/dev/null; then
    supervise "$1" 3<&- &
  fi
}

mkfifo ${supervisorDir}/control
exec 3<>${supervisorDir}/control
for file in services/*; do
  if [ -e "$file" ]; then start "\${file#services/}"; fi
done
while read -r verb service signal <&3; do
  case $verb in
    start) start "$service" ;;
    signal) kill -s "$signal" "$(cat "${supervisorDir}/$service.pid")" || : ;;
  esac
done
`
  // A template literal needs the backslash before a brace; the shell must not see it.
  .replaceAll('\\$', '$')
