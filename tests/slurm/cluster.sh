#!/bin/bash
# Runs a command where a Slurm cluster of one node is up: cluster.sh COMMAND...
#
# munged, slurmctld and slurmd are real ones, on loopback, with a key, a socket, ports and
# a state of their own in a temporary directory, and end with the command. Skips where
# they cannot be had. CLUSTER is the directory, SLURM_CONF the configuration.
set -euo pipefail
PATH=$PATH:/usr/sbin
missing()
{
    echo "1..0 # SKIP $*"
    exit
}
for program in munged slurmctld slurmd sbatch; do
    [ -n "$(type -P "$program")" ] ||
        missing "needs $program: contrib/install-packages slurm"
done
[ "$(id -u)" -eq 0 ] || missing 'needs root, as slurmd does'

CLUSTER=$(mktemp -d "${TMPDIR:-/tmp}/slurm.XXXXXX")
export CLUSTER SLURM_CONF=$CLUSTER/slurm.conf
stop()
{
    local pid
    for file in slurmd slurmctld munged; do
        pid=$(cat "$CLUSTER/$file.pid" 2>/dev/null) || continue
        kill "$pid" 2>/dev/null || continue
        timeout 10 tail --pid="$pid" -f /dev/null || kill -9 "$pid"
    done
    rm -rf "$CLUSTER"
}
trap stop EXIT

free_ports()
{
    python3 -c 'import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(s.getsockname()[1] for s in held))'
}
read -r controller node < <(free_ports)

mkdir -m 700 "$CLUSTER/state" "$CLUSTER/spool"
head -c 1024 /dev/urandom >"$CLUSTER/munge.key"
chmod 400 "$CLUSTER/munge.key"
cat >"$SLURM_CONF" <<END
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=$controller
SlurmdPort=$node
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$CLUSTER/munge.socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SwitchType=switch/none
MpiDefault=none
SchedulerType=sched/builtin
ReturnToService=2
KillWait=2
StateSaveLocation=$CLUSTER/state
SlurmdSpoolDir=$CLUSTER/spool
SlurmctldPidFile=$CLUSTER/slurmctld.pid
SlurmdPidFile=$CLUSTER/slurmd.pid
SlurmctldLogFile=$CLUSTER/slurmctld.log
SlurmdLogFile=$CLUSTER/slurmd.log
NodeName=node1 NodeHostname=localhost NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=main Nodes=node1 Default=YES MaxTime=INFINITE OverSubscribe=FORCE:4
PartitionName=closed Nodes=node1 State=DOWN
END
munged --force --key-file="$CLUSTER/munge.key" --socket="$CLUSTER/munge.socket" \
    --pid-file="$CLUSTER/munged.pid" --log-file="$CLUSTER/munged.log" \
    --seed-file="$CLUSTER/munged.seed" 3>&-
slurmctld -f "$SLURM_CONF" 3>&-
slurmd -N node1 -f "$SLURM_CONF" 3>&-
deadline=$((SECONDS + 30))
until [ "$(sinfo --noheader --partition=main --format=%t)" = idle ]; do
    if [ "$SECONDS" -ge "$deadline" ]; then
        cat "$CLUSTER"/*.log >&2
        exit 1
    fi
    sleep 0.1
done
"$@"
