# shellcheck shell=bash
# Runs a Kinesis record processor in Bash (4.1 or later) with jq, for one shard. It speaks the
# MultiLangDaemon protocol. Source it:
#
#     source kcl.sh
#     # $1 is millisBehindLatest. STDIN has one line per record, with fields separated by tabs:
#     # sequence number, sub-sequence number, arrival (ms since 1970), partition key, data in
#     # base64 (empty for an empty record).
#     process_records() { ... checkpoint; }
#     shard_ended() { checkpoint; }         # must checkpoint, or the child shards never start
#     # Optional. $1 is the shard id. $2 is the sequence number, or TRIM_HORIZON, LATEST or
#     # AT_TIMESTAMP. $3 is the sub-sequence number.
#     initialize() { ... }
#     lease_lost() { ... }                  # optional: another worker holds the shard
#     shutdown_requested() { checkpoint; }  # optional: the last chance to checkpoint
#     kcl_run
#
# The client reads an action, calls its function and writes its status. Only checkpoints come in
# between. kcl_run sets `set -e`: if a command fails, in a function too, the process ends with an
# error and without a status, so the daemon delivers the records again. (Call kcl_run alone, not
# after `if` or before `||`, because there Bash disables `set -e`.) For everything that the
# functions start, STDOUT is STDERR, and STDIN is empty or contains the records. Tabs, line breaks
# and backslashes in partition keys are written \t, \n, \r and \\.

# A message as lines of fields separated by tabs: first the action and its fields, then the records,
# if any.
KCL_DECODE='
  if type != "object" then error("not a message") else . end
  | (.action | tostring) as $action
  | { initialize: [.shardId, .sequenceNumber, .subSequenceNumber],
      processRecords: [.millisBehindLatest],
      checkpoint: [.error]
    }[$action] as $fields
  | ([$action] + ($fields // []) | map(tostring) | @tsv),
    (if $action == "processRecords" then .records[] else empty end
      | [.sequenceNumber, .subSequenceNumber, .approximateArrivalTimestamp, .partitionKey | tostring] + [.data // ""]
      | @tsv)'

KCL_ATTEMPTS=8
KCL_FIRST_WAIT_MS=200
KCL_LONGEST_WAIT_MS=5000
KCL_LINES=()   # read but not handled yet
KCL_UNENDED='' # the start of a line whose end has not arrived yet

# checkpoint [SEQUENCE_NUMBER [SUB_SEQUENCE_NUMBER]]: without arguments, stores the end of all
# records delivered so far. Throttling and failures of the lease table are retried for about 12 s.
# If it fails, KCL_ERROR is the daemon's error name. ShutdownException: another worker holds the
# lease, or the daemon is gone.
checkpoint() {
  local request attempt longest=$KCL_FIRST_WAIT_MS
  # shellcheck disable=SC2016
  request=$(jq -nc --arg at "${1-}" --arg sub "${2-}" '{
    action: "checkpoint",
    sequenceNumber: (if $at == "" then null else $at end),
    subSequenceNumber: (if $sub == "" then null else ($sub | tonumber) end)
  }') || {
    KCL_ERROR=IllegalArgumentException
    return 1
  }
  for ((attempt = 1; ; attempt++)); do
    kcl_write "$request"
    kcl_read_answer
    case $KCL_ERROR in
      '') return 0 ;;
      ThrottlingException | KinesisClientLibDependencyException) ((attempt < KCL_ATTEMPTS)) || return 1 ;;
      *) return 1 ;;
    esac
    kcl_sleep $((longest / 2 + RANDOM % (longest / 2 + 1)))
    longest=$((longest * 2 < KCL_LONGEST_WAIT_MS ? longest * 2 : KCL_LONGEST_WAIT_MS))
  done
}

# kcl_log LEVEL MESSAGE: writes to the daemon's log with shard and level (debug, info, warn, error),
# or to STDERR if the daemon has no such log.
kcl_log() {
  if [[ -n ${KINESIS_MULTILANG_PROTOCOL_VERSION+set} ]]; then
    # shellcheck disable=SC2016
    kcl_write "$(jq -nc --arg level "$1" --arg message "$2" '{action: "log", level: $level, message: $message}')"
  else
    printf '%s: %s\n' "$1" "$2" >&2
  fi
}

# Handles one action after the other until the end of the input.
kcl_run() {
  local action function
  for function in process_records shard_ended; do
    declare -F "$function" >/dev/null || kcl_fail "a record processor needs a function $function"
  done
  set -eE -o pipefail
  trap 'printf "kcl: the record processor failed with status %s at: %s\n" "$?" "$BASH_COMMAND" >&2' ERR
  exec {KCL_IN}<&0 {KCL_OUT}>&1 </dev/null 1>&2
  while kcl_read; do
    action=${KCL_MESSAGE[0]}
    case $action in
      initialize) kcl_call initialize "${KCL_MESSAGE[@]:1}" ;;
      processRecords) process_records "${KCL_MESSAGE[1]}" <&"$KCL_RECORDS" ;;
      leaseLost) kcl_call lease_lost ;;
      shardEnded) shard_ended ;;
      shutdownRequested) kcl_call shutdown_requested ;;
      *)
        kcl_ignore "$action"
        continue
        ;;
    esac
    kcl_write "{\"action\":\"status\",\"responseFor\":\"$action\"}"
  done
}

# ---- The rest is internal.

kcl_call() {
  if ! declare -F "$1" >/dev/null; then return 0; fi
  "$@"
}

# Sets KCL_MESSAGE to the fields of the next message. Its records can be read from KCL_RECORDS.
# Returns 1 at the end of the input.
kcl_read() {
  local decoded
  while kcl_read_line; do
    [[ -n $KCL_LINE ]] || continue
    decoded=$(jq -r "$KCL_DECODE" <<<"$KCL_LINE") ||
      kcl_fail "the daemon sent something that is not a message: ${KCL_LINE:0:200}"
    [[ -n $decoded ]] || continue
    [[ -z ${KCL_RECORDS-} ]] || exec {KCL_RECORDS}<&-
    exec {KCL_RECORDS}<<<"$decoded"
    IFS=$'\t' read -r -a KCL_MESSAGE <&"$KCL_RECORDS"
    # A batch without records would produce an empty line, like a record.
    [[ $decoded == *$'\n'* ]] || exec {KCL_RECORDS}</dev/null
    return 0
  done
  return 1
}

# Sets KCL_LINE to the next line. Returns 1 at the end of the input. (`read` would take one byte at
# a time from a pipe, and seconds for a batch of 10 MiB. Patterns that cut a string at a line break
# take time quadratic in its length.)
kcl_read_line() {
  local LC_ALL=C piece last
  while ((${#KCL_LINES[@]} == 0)); do
    piece=$(dd bs=65536 count=1 <&"$KCL_IN" 2>/dev/null && printf .)
    piece=${piece%.}
    if [[ -z $piece ]]; then
      KCL_LINE=$KCL_UNENDED
      KCL_UNENDED=
      [[ -n $KCL_LINE ]]
      return
    elif [[ ${piece:0:${#piece}-1} != *$'\n'* ]]; then # usually the only line break ends a message
      if [[ ${piece: -1} != $'\n' ]]; then
        KCL_UNENDED+=$piece
        continue
      fi
      KCL_LINES=("$KCL_UNENDED${piece:0:${#piece}-1}")
      KCL_UNENDED=
    else
      mapfile -t KCL_LINES <<<"$piece"
      KCL_LINES[0]=$KCL_UNENDED${KCL_LINES[0]}
      last=$((${#KCL_LINES[@]} - 1))
      KCL_UNENDED=${KCL_LINES[last]}
      unset "KCL_LINES[last]"
    fi
  done
  KCL_LINE=${KCL_LINES[0]}
  KCL_LINES=("${KCL_LINES[@]:1}")
}

# Sets KCL_ERROR to the error in the daemon's response, or to an empty string.
kcl_read_answer() {
  KCL_ERROR=ShutdownException # the daemon is gone
  while kcl_read; do
    case ${KCL_MESSAGE[0]} in
      checkpoint)
        KCL_ERROR=${KCL_MESSAGE[1]#null}
        break
        ;;
      initialize | processRecords | leaseLost | shardEnded | shutdownRequested)
        KCL_ERROR=InvalidStateException
        break
        ;;
      *) kcl_ignore "${KCL_MESSAGE[0]}" ;;
    esac
  done
}

# The line break in front protects the message from anything on STDOUT that has no line end.
kcl_write() {
  printf '\n%s\n' "$1" >&"$KCL_OUT"
}

kcl_sleep() {
  sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"
}

kcl_ignore() {
  printf 'kcl: ignoring an action that this client does not know: %s\n' "$1" >&2
}

kcl_fail() {
  printf 'kcl: %s\n' "$1" >&2
  exit 1
}
