#!/bin/sh
# Puts this checkout's stage.yaml and its revision where the staging's server reads them.
set -eu
echo "cycle $ANDON_CYCLE" >>"$ANDON_VAR_STAGE/starts"
cp "$ANDON_CHECKOUT/stage.yaml" "$ANDON_VAR_STAGE/stage.new"
mv "$ANDON_VAR_STAGE/stage.new" "$ANDON_VAR_STAGE/stage.yaml"
printf %s "$ANDON_REVISION" >"$ANDON_VAR_STAGE/revision"
echo "serves $ANDON_REVISION"
