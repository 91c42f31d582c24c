#!/usr/bin/env bash
# Puts records from STDIN, one per line: a partition key, a tab and a text. It writes one line for
# each record to STDOUT, in the same order, as soon as its outcome is known: "stored SHARD_ID
# SEQUENCE_NUMBER SUB_SEQUENCE_NUMBER" or "failed ERROR". Its arguments are options of
# kinesis-multilang produce, such as --stream words.

source "$(dirname "${BASH_SOURCE[0]}")/../producer.sh"

declare -A outcomes=()
next=1
exit_code=0

producer_stored() { report "$1" "stored $2 $3 $4"; }

producer_failed() {
  exit_code=1
  report "$1" "failed $2"
}

# Writes the outcomes up to the first record without one.
report() {
  outcomes[$1]=$2
  while [[ -n ${outcomes[$next]-} ]]; do
    printf '%s\n' "${outcomes[$next]}"
    unset "outcomes[$next]"
    ((next += 1))
  done
}

producer_start "$@" || exit 1
while true; do
  # Outcomes are reported while no line comes.
  IFS= read -r -t 0.1 -N 1 first
  status=$?
  if ((status > 128)); then
    producer_poll
    continue
  fi
  ((status == 0)) || break
  line=''
  if [[ $first != $'\n' ]]; then
    IFS= read -r line
    line=$first$line
  fi
  producer_put "${line%%$'\t'*}" "${line#*$'\t'}"
done
producer_close || exit_code=1
exit "$exit_code"
