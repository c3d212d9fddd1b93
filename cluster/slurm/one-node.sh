#!/bin/sh
# A single-machine Slurm for testing the profile in this folder. As root:
#
#     apt-get install slurm-wlm munge
#     cluster/slurm/one-node.sh start    # writes /etc/slurm, starts munged, slurmctld and slurmd
#     cluster/slurm/one-node.sh stop     # stops what it started, removes what it wrote
#
# The node claims the cores, memory and GPUs of four of the profile's jobs, whatever the machine has. It needs neither
# systemd nor control groups. An existing Slurm configuration is left alone.
set -eu
conf=/etc/slurm
state=/var/lib/slurm-one-node
mark="# Written by one-node.sh"

fail() { echo "one-node.sh: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || fail "must run as root, got $(id -un)"
for file in slurm.conf gres.conf; do
    if [ -e $conf/$file ] && ! grep -qF "$mark" $conf/$file; then fail "$conf/$file is not its own"; fi
done

stop() {
    if [ -f $state/slurmctld.pid ]; then
        scancel --partition=main || true
        for _ in $(seq 100); do [ -n "$(squeue --noheader 2>/dev/null)" ] || break; sleep 0.2; done
    fi
    for daemon in slurmd slurmctld munged; do
        if [ -f $state/$daemon.pid ]; then
            pid=$(cat $state/$daemon.pid)
            kill "$pid" 2>/dev/null || true
            for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
        fi
    done
    rm -rf $state $conf/slurm.conf $conf/gres.conf
}

start() {
    for program in munged slurmctld slurmd; do
        command -v $program >/dev/null || fail "$program is not installed"
    done
    stop
    node=$(hostname -s)
    mkdir -p $conf $state/controller $state/node
    cat >$conf/slurm.conf <<END
$mark
ClusterName=one-node
SlurmctldHost=$node(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=cred_expire=5
SlurmctldPidFile=$state/slurmctld.pid
SlurmctldLogFile=$state/slurmctld.log
StateSaveLocation=$state/controller
SlurmdPidFile=$state/slurmd.pid
SlurmdLogFile=$state/slurmd.log
SlurmdSpoolDir=$state/node
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
GresTypes=gpu
NodeName=$node NodeAddr=127.0.0.1 CPUs=32 RealMemory=256000 Gres=gpu:4 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
    touch $state/gpu0 $state/gpu1 $state/gpu2 $state/gpu3
    printf '%s\nName=gpu File=%s\n' "$mark" "$state/gpu[0-3]" >$conf/gres.conf
    if ! munge -n 2>/dev/null | unmunge >/dev/null 2>&1; then
        mkdir -p /run/munge && chown munge: /run/munge && chmod 755 /run/munge
        [ -f /etc/munge/munge.key ] || fail "/etc/munge/munge.key is missing"
        su munge -s /bin/sh -c "munged" || fail "munged did not start"
        cp /run/munge/munged.pid $state/munged.pid
    fi
    slurmctld || fail "slurmctld did not start: $(tail -n 3 $state/slurmctld.log)"
    slurmd || fail "slurmd did not start: $(tail -n 3 $state/slurmd.log)"
    for _ in $(seq 100); do
        if [ "$(sinfo --noheader --format=%t 2>/dev/null)" = idle ]; then return; fi
        sleep 0.2
    done
    fail "the node is not idle: $(sinfo 2>&1; tail -n 3 $state/slurmctld.log $state/slurmd.log)"
}

case "${1-}" in
    start | stop) "$1" ;;
    *) fail "start or stop, got '${1-}'" ;;
esac
