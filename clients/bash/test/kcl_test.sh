#!/usr/bin/env bash
# The tests of kcl.sh. Each runs a conversation in its own subshell. Ends with 1 if any of them
# failed.

here=$(dirname "${BASH_SOURCE[0]}")
source "$here/../kcl.sh"

sequence=49590338271490256608559692538361571095921575989136588898
initialize='{"action":"initialize","shardId":"shardId-0","sequenceNumber":"TRIM_HORIZON","subSequenceNumber":0}'
process='{"action":"processRecords","records":[{"data":"Y2F0","partitionKey":"a\tb\\\u2028","sequenceNumber":"'$sequence'","approximateArrivalTimestamp":1700000000123,"subSequenceNumber":3,"action":"record"},{"data":"","partitionKey":"k","sequenceNumber":"8","approximateArrivalTimestamp":null,"subSequenceNumber":0,"action":"record"}],"millisBehindLatest":5}'
ack='{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":null}'
processed='{"action":"status","responseFor":"processRecords"}'
request='{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null}'
failed() { printf '%s' "${ack/\"error\":null/\"error\":\"$1\"}"; }

passed=0
failures=0

# play FUNCTION MESSAGE...: runs the processor that FUNCTION defines. Sets written, errors and
# status.
play() {
  local define=$1 out err
  shift
  out=$(mktemp)
  err=$(mktemp)
  (
    process_records() { :; }
    shard_ended() { checkpoint; }
    kcl_sleep() { printf 'wait %s\n' "$1" >&2; }
    "$define"
    kcl_run
  ) < <(printf '%s\n' "$@") >"$out" 2>"$err"
  status=$?
  written=$(sed '/^$/d' "$out")
  errors=$(<"$err")
  rm -f "$out" "$err"
}

# expect NAME GOT WANTED
expect() {
  if [[ $2 == "$3" ]]; then
    passed=$((passed + 1))
  else
    failures=$((failures + 1))
    printf 'FAILED %s\n  got    %s\n  wanted %s\n%s\n' "$1" "$2" "$3" "${errors-}" >&2
  fi
}

lines() { printf '%s\n' "$@"; }

plain() { :; }
play plain "$initialize" "$process" '{"action":"shutdownRequested"}' '{"action":"leaseLost"}' '{"action":"shardEnded"}' "$ack"
expect 'answers every action' "$(grep -o '"responseFor":"[A-Za-z]*' <<<"$written" | cut -d '"' -f 4 | xargs)" \
  'initialize processRecords shutdownRequested leaseLost shardEnded'
expect 'exits with 0' "$status" 0

shows() {
  initialize() { printf '[%s]\n' "$@" >&2; }
  process_records() {
    printf '<%s>\n' "$1" >&2
    while IFS=$'\t' read -r number sub arrival key data; do printf '%s,%s,%s,%s,%s.\n' "$number" "$sub" "$arrival" "$key" "$data" >&2; done
  }
}
play shows "$initialize" "$process"
expect 'gives the fields' "$errors" "$(lines '[shardId-0]' '[TRIM_HORIZON]' '[0]' '<5>' "$sequence,3,1700000000123,a\\tb\\\\"$'\xe2\x80\xa8'",Y2F0." '8,0,null,k,.')"
play shows '{"action":"processRecords","records":[],"millisBehindLatest":null}'
expect 'an empty batch has no records' "$errors" '<null>'

checkpoints() { process_records() { checkpoint; }; }
play checkpoints "$process" "$ack"
expect 'checkpoint' "$written" "$(lines "$request" "$processed")"
at() { process_records() { checkpoint 7; }; }
play at "$process" "$ack"
expect 'checkpoint 7' "$written" "$(lines '{"action":"checkpoint","sequenceNumber":"7","subSequenceNumber":null}' "$processed")"
both() { process_records() { checkpoint "$sequence" 3; }; }
play both "$process" "$ack"
expect 'checkpoint 4959… 3' "$written" "$(lines '{"action":"checkpoint","sequenceNumber":"'$sequence'","subSequenceNumber":3}' "$processed")"

wrong() { process_records() { checkpoint 7 x || printf '%s' "$KCL_ERROR" >&2; }; }
play wrong "$process"
expect 'a sub-sequence number that is not a number is not sent' "$written ${errors##*$'\n'}" "$processed IllegalArgumentException"

each() { process_records() { while IFS=$'\t' read -r number _; do checkpoint "$number"; done; }; }
play each "$process" "$ack" "$ack" "$initialize"
expect 'a checkpoint for each record keeps the others' "$(grep -c checkpoint <<<"$written") $(tail -n 1 <<<"$written")" \
  '2 {"action":"status","responseFor":"initialize"}'

play checkpoints "$process" "$(failed ThrottlingException)" "$(failed KinesisClientLibDependencyException)" "$ack"
expect 'retries' "$written" "$(lines "$request" "$request" "$request" "$processed")"
in_bounds=yes
bound=100
while read -r _ wait; do
  ((wait >= bound && wait <= 2 * bound)) || in_bounds="wait $wait"
  bound=$((bound * 2))
done <<<"$errors"
expect 'waits longer each time' "$in_bounds" yes

eight=()
for _ in 1 2 3 4 5 6 7 8; do eight+=("$(failed ThrottlingException)"); done
play checkpoints "$process" "${eight[@]}"
expect 'gives up after eight attempts' "$(grep -c checkpoint <<<"$written") $status" '8 1'

for error in ShutdownException InvalidStateException IllegalArgumentException NullPointerException; do
  tells() { process_records() { checkpoint || printf '%s' "$KCL_ERROR" >&2; }; }
  play tells "$process" "$(failed "$error")"
  expect "tells $error, once" "$errors $written" "$error $(lines "$request" "$processed")"
  play checkpoints "$process" "$(failed "$error")"
  expect "$error unhandled ends the process" "$written $status" "$request 1"
done

play tells "$process" "$process"
expect 'any other message than the response is an invalid state' "${errors%%$'\n'*}" InvalidStateException
play tells "$process"
expect 'no response means that the daemon is gone' "$errors" ShutdownException
play checkpoints "$process" "$process"
expect 'any other message than the response is an error' "$written $status" "$request 1"
play checkpoints "$process"
expect 'no response is an error' "$written $status" "$request 1"
play checkpoints "$process" '{"action":"dance"}' "$ack"
expect 'an unknown action before the answer is ignored' "$written" "$(lines "$request" "$processed")"

fails() {
  process_records() {
    cat /no/such/file
    echo 'not reached'
  }
}
play fails "$process" "$process"
expect 'a command that fails ends the process' "$written $status" ' 1'
expect 'and is named' "$(grep -c 'failed with status 1 at: cat /no/such/file' <<<"$errors")" 1

in_function() { process_records() { nested; }; nested() { false | true; }; }
play in_function "$process"
expect 'in a pipe of a nested function too' "$written $status" ' 1'

play plain '' '  ' '{"action":"dance"}' '{}' "$ack" "$initialize"
expect 'ignores blank lines and unknown actions' "$written $status" '{"action":"status","responseFor":"initialize"} 0'
expect 'with a warning' "$(grep -c dance <<<"$errors")" 1

for line in null 7 '{' '{"action":"initialize"'; do
  play plain "$line"
  expect "$line is no message" "$written $status" ' 1'
done

prints() { process_records() { echo hello; bash -c 'echo child'; cat; }; initialize() { cat; }; }
# Longer than one read: the rest is still in the pipe, where a child process could consume it.
play prints "$initialize" "${process/Y2F0/$(head -c 100000 /dev/zero | tr '\0' A)}"
expect 'prints stay off STDOUT' "$(wc -l <<<"$written") $(head -n 2 <<<"$errors" | xargs)" '2 hello child'
expect 'and nothing eats the next message' "$status $(tail -n 1 <<<"$written")" "0 $processed"

missing() { unset -f shard_ended; }
play missing "$initialize"
expect 'needs shard_ended' "$written $status" ' 1'

talks() { process_records() { kcl_log warn 'slow "'; }; }
play talks "$process"
expect 'log on STDERR' "$errors $written" "warn: slow \" $processed"
export KINESIS_MULTILANG_PROTOCOL_VERSION=1
play talks "$process"
expect 'log to the daemon' "$written" "$(lines '{"action":"log","level":"warn","message":"slow \""}' "$processed")"
unset KINESIS_MULTILANG_PROTOCOL_VERSION

measures() { process_records() { cut -f 5 | head -n 1 | tr -d '\n' | wc -c; }; }
data=$(head -c 4194304 /dev/zero | tr "\0" A)
play measures "${process/Y2F0/$data}" "$initialize" '{"action":"leaseLost"}'
expect 'a long line' "$errors" 4194304
expect 'and the lines that came with its end' "$(wc -l <<<"$written")" 3

unended=$(
  process_records() { :; }
  shard_ended() { :; }
  kcl_run < <(printf %s "$initialize")
)
expect 'a last line without an end' "${unended//$'\n'/}" '{"action":"status","responseFor":"initialize"}'

printf '%s passed, %s failed\n' "$passed" "$failures"
((failures == 0))
