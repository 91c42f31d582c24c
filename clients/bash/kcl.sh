# shellcheck shell=bash
# Kinesis record processors in Bash (4.1 or newer) with jq: speaks the MultiLangDaemon protocol for one shard. To be sourced:
#
#     source kcl.sh
#     process_records() { ... checkpoint; }   # $1 is millisBehindLatest; STDIN has a line for each record, its fields
#                                             # apart by tabs: sequence number, sub-sequence number, arrival (ms since
#                                             # 1970), partition key, data in base64 (empty for an empty record)
#     shard_ended() { checkpoint; }           # must checkpoint, or the children of the shard never start
#     initialize() { ... }                    # optional: $1 shard id, $2 sequence number or TRIM_HORIZON, LATEST,
#                                             # AT_TIMESTAMP, $3 sub-sequence number
#     lease_lost() { ... }                    # optional: another worker has the shard; no more checkpoints
#     shutdown_requested() { checkpoint; }    # optional: the last chance to checkpoint
#     kcl_run
#
# An action is read, its function is run, its status is written; the only thing in between are checkpoints. From
# kcl_run on `set -e` holds: a command that fails, in a function too, ends the process with an error and without a
# status, so that the records come again. (Call kcl_run by itself, not behind `if` or before `||`: there Bash switches
# `set -e` off.) STDOUT is STDERR for everything that the functions start, and STDIN is empty or the records. Tabs,
# line breaks and backslashes in partition keys are written \t, \n, \r and \\.

# A message as lines of fields apart by tabs: first the action and what belongs to it, then the records, if any.
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
KCL_LINES=()   # read and not answered yet
KCL_UNENDED='' # the beginning of a line whose end is still to come

# checkpoint [SEQUENCE_NUMBER [SUB_SEQUENCE_NUMBER]]: without arguments at the end of all records delivered so far.
# Throttling and failures of the lease table are tried again for about 12 s. Where it fails, KCL_ERROR is the daemon's
# word for why: with ShutdownException another worker has the lease, or the daemon has gone.
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

# kcl_log LEVEL MESSAGE: to the daemon's log with shard and level (debug, info, warn, error), or to STDERR under a
# daemon that cannot take it.
kcl_log() {
  if [[ -n ${KINESIS_MULTILANG_PROTOCOL_VERSION+set} ]]; then
    # shellcheck disable=SC2016
    kcl_write "$(jq -nc --arg level "$1" --arg message "$2" '{action: "log", level: $level, message: $message}')"
  else
    printf '%s: %s\n' "$1" "$2" >&2
  fi
}

# Answers one action after the other until the end of the input.
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

# ---- what follows is not for processors

kcl_call() {
  if ! declare -F "$1" >/dev/null; then return 0; fi
  "$@"
}

# Sets KCL_MESSAGE to the fields of the next message, with its records to be read from KCL_RECORDS; 1 at the end.
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
    # A batch without records would leave an empty line behind, as if there were one.
    [[ $decoded == *$'\n'* ]] || exec {KCL_RECORDS}</dev/null
    return 0
  done
  return 1
}

# Sets KCL_LINE to the next line; 1 at the end. (`read` would take a byte at a time from a pipe, and seconds for a
# batch of 10 MiB. Patterns that cut a string at a line break take the square of its length.)
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
    elif [[ ${piece:0:${#piece}-1} != *$'\n'* ]]; then # as a rule the only line break is at the end of a message
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

# Sets KCL_ERROR to the error of the answer, empty when there is none.
kcl_read_answer() {
  KCL_ERROR=ShutdownException # the daemon has gone
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

# A line break in front keeps the message whole behind anything that got onto STDOUT without one.
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
