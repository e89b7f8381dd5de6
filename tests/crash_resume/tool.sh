#!/bin/sh
# A test tool that leaves a line for each start and waits where a test wants it to: `tool.sh PART`.
set -eu
stage=$ANDON_VAR_STAGE
echo "$1${ANDON_SHARD:-} of cycle $ANDON_CYCLE" >>"$stage/starts"
echo $$ >>"$stage/script.pids"
echo $PPID >>"$stage/supervisor.pids"
report() {
    echo "<testsuite>"
    while read -r name; do
        case "$1 $name" in
        "tests c::t3") echo "<testcase classname='c' name='t3'><failure message='lost'/></testcase>" ;;
        *) echo "<testcase classname='c' name='${name#c::}'/>" ;;
        esac
    done
    echo "</testsuite>"
}
case $1 in
list) printf 'c::t%s\n' 1 2 3 4 5 6 ;;
tests) report tests <"$ANDON_SHARD_FILE" >"$ANDON_RESULTS/r.xml" ;;
again) report again <"$ANDON_RERUN_FILE" >"$ANDON_RESULTS/r.xml" ;;
many)
    seq "$2" | awk -v last="$2" 'BEGIN { print "<testsuite>" }
        $1 == last { print "<testcase classname=\"c\" name=\"t" $1 "\"><failure message=\"lost\"/></testcase>"; next }
        { print "<testcase classname=\"c\" name=\"t" $1 "\"/>" }
        END { print "</testsuite>" }' >"$ANDON_RESULTS/r.xml" ;;
esac
while [ -e "$stage/hold-$1" ]; do sleep 0.02; done
