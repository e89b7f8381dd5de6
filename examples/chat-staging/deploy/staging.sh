#!/bin/sh
# Replaces the staging service by the one that this checkout describes.
#
# Andon runs it in a checkout of the revision and tells it what to do in variables:
#   ANDON_CHECKOUT          the checkout; its service.yaml are the settings of the service
#   ANDON_REVISION          the commit, which the service reports from then on
#   ANDON_VAR_LISTEN        the fixed address of staging, for example 127.0.0.1:7171
#   ANDON_VAR_STAGING_BIN   the command that starts the service, words separated by spaces
#   ANDON_VAR_RUN_DIR       where the pid file, the address file and the log are kept
#   ANDON_SECRET_JWT_KEY, ANDON_SECRET_BYPASS_KEY   keys that the service gets
#
# It ends as soon as the new process listens. Whether the service is healthy, and whether it is the right
# revision, is not for this script to say.

set -eu

fail() {
    echo "staging.sh: $*" >&2
    exit 1
}

# A tenth of a second where sleep can do that, a second elsewhere.
nap() {
    sleep 0.1 2>/dev/null || sleep 1
}

[ -n "${ANDON_CHECKOUT:-}" ] || fail "ANDON_CHECKOUT is not set"
[ -n "${ANDON_REVISION:-}" ] || fail "ANDON_REVISION is not set"
[ -n "${ANDON_VAR_LISTEN:-}" ] || fail "ANDON_VAR_LISTEN is not set: where shall the service listen?"
[ -n "${ANDON_VAR_STAGING_BIN:-}" ] || fail "ANDON_VAR_STAGING_BIN is not set: which command starts the service?"
[ -n "${ANDON_VAR_RUN_DIR:-}" ] || fail "ANDON_VAR_RUN_DIR is not set: where may the pid file be?"
settings=$ANDON_CHECKOUT/service.yaml
[ -f "$settings" ] || fail "the checkout has no service.yaml"
command -v setsid >/dev/null 2>&1 || fail "setsid is missing, so the service could not outlive this script"

# The command may be a path with spaces in it, followed by words: take words off its end until the rest exists.
program=$ANDON_VAR_STAGING_BIN
set --
while ! command -v "$program" >/dev/null 2>&1; do
    shorter=${program% *}
    [ "$shorter" != "$program" ] || fail "no such command: $ANDON_VAR_STAGING_BIN"
    set -- "${program##* }" "$@"
    program=$shorter
done

mkdir -p "$ANDON_VAR_RUN_DIR"
pid_file=$ANDON_VAR_RUN_DIR/service.pid
address_file=$ANDON_VAR_RUN_DIR/service.address
log=$ANDON_VAR_RUN_DIR/service.log

# Stop the old process. Its number may have gone to somebody else since: where the system shows command lines,
# only a process that was started with our address file is ended.
ours() {
    kill -0 "$1" 2>/dev/null || return 1
    [ -r "/proc/$1/cmdline" ] || return 0
    tr '\0' '\n' <"/proc/$1/cmdline" | grep -Fqx -- "$address_file"
}

if [ -f "$pid_file" ]; then
    old=$(cat "$pid_file")
    case $old in
        '' | *[!0-9]*) fail "$pid_file holds no process number" ;;
    esac
    if ours "$old"; then
        echo "stopping process $old"
        kill -TERM "$old" 2>/dev/null || true
        tries=0
        while ours "$old"; do
            tries=$((tries + 1))
            [ "$tries" -le 100 ] || fail "process $old does not end"
            nap
        done
    fi
fi
rm -f "$pid_file" "$address_file"

# Start the new one, in a session of its own and with no file of ours open, so that nothing ties it to this script.
export CHAT_JWT_KEY="${ANDON_SECRET_JWT_KEY:-}" CHAT_BYPASS_KEY="${ANDON_SECRET_BYPASS_KEY:-}"
cp "$settings" "$ANDON_VAR_RUN_DIR/service.yaml"
cd /
setsid "$program" "$@" --listen "$ANDON_VAR_LISTEN" --config "$ANDON_VAR_RUN_DIR/service.yaml" \
    --revision "$ANDON_REVISION" --address-file "$address_file" </dev/null >>"$log" 2>&1 &
new=$!
echo "$new" >"$pid_file"

tries=0
while [ ! -f "$address_file" ]; do
    if ! kill -0 "$new" 2>/dev/null; then
        tail -n 20 "$log" >&2
        rm -f "$pid_file"
        fail "the service ended at once, see $log"
    fi
    tries=$((tries + 1))
    [ "$tries" -le 100 ] || fail "process $new does not listen, see $log"
    nap
done
echo "process $new serves $ANDON_REVISION on $ANDON_VAR_LISTEN"
