total() { echo "$1"; }
slug() { echo "$1" | tr '[:upper:] ' '[:lower:]-'; }
