#!/bin/sh
# A deploy that waits where a test wants it to: before it did anything, or after.
set -eu
cd "$ANDON_VAR_STAGE"
echo "cycle $ANDON_CYCLE" >>starts
echo $$ >>script.pids
echo $PPID >>supervisor.pids
hold() {
    while [ -e "hold-$1" ]; do sleep 0.02; done
}
hold before
cp "$ANDON_CHECKOUT/stage.yaml" stage.new
mv stage.new stage.yaml
printf %s "$ANDON_REVISION" >revision
touch deployed
hold after
