total() { echo $(($1 + ${2:-0})); }
slug() { echo "$1" | tr '[:upper:]' '[:lower:]'; }
