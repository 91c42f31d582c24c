# frozen_string_literal: true

# Runs a Kinesis record processor in Ruby for one shard. It speaks the MultiLangDaemon protocol on
# STDIN and STDOUT.
#
# The client reads an action, calls its method and writes its status. Only checkpoints come in
# between. If a method raises, the process ends without a status, so the daemon delivers the records
# again. The names are those of the aws-kclrb gem: to move from it, change one `require`.

require 'json'

module Aws
  module KCLrb
    # A checkpoint was not stored. {#value} is the daemon's error name. `ShutdownException`: another
    # worker holds the lease, or the daemon is gone.
    class CheckpointError < RuntimeError
      # @return [String]
      attr_reader :value

      def initialize(value)
        super
        @value = value
      end
    end

    # The daemon sent something that is not a message.
    class MalformedAction < RuntimeError; end

    # Stores how far the shard is processed. It is valid until its action is answered.
    class Checkpointer
      # Retried after 0.2 s, doubling to 5 s, about 12 s in all.
      RETRYABLE = %w[ThrottlingException KinesisClientLibDependencyException].freeze
      ATTEMPTS = 8
      FIRST_WAIT_SECONDS = 0.2
      LONGEST_WAIT_SECONDS = 5.0

      # @param lines [Lines]
      # @param sleeper [#call] waits for a number of seconds
      def initialize(lines, sleeper)
        @lines = lines
        @sleeper = sleeper
        @turn = Mutex.new
        @finished = false
      end

      # Without arguments, stores the end of all records delivered so far. In `shard_ended` that
      # finishes the shard. Several threads may call it; their checkpoints are sent one after the
      # other.
      #
      # @param at [String, Hash, nil] a sequence number, or a record
      # @param sub_sequence_number [Integer, nil] the position inside a KPL aggregate
      # @raise [CheckpointError] errors that can be retried have been retried
      def checkpoint(at = nil, sub_sequence_number = nil)
        at, sub_sequence_number = at.values_at('sequenceNumber', 'subSequenceNumber') if at.is_a?(Hash)
        @turn.synchronize do
          raise CheckpointError, 'InvalidStateException' if @finished

          store('action' => 'checkpoint', 'sequenceNumber' => at, 'subSequenceNumber' => sub_sequence_number)
        end
      end

      # Waits for another thread's checkpoint, then refuses further ones.
      # @api private
      def finish
        @turn.synchronize { @finished = true }
      end

      private

      def store(request)
        1.upto(ATTEMPTS) do |attempt|
          @lines.write(request)
          error = @lines.read_answer['error']
          return if error.nil?
          raise CheckpointError, error if !RETRYABLE.include?(error) || attempt == ATTEMPTS

          wait = [FIRST_WAIT_SECONDS * 2**(attempt - 1), LONGEST_WAIT_SECONDS].min
          @sleeper.call(wait * (0.5 + rand / 2))
        end
      end
    end

    # The processor of aws-kclrb before version 2. `shutdown` is called both when the lease is lost
    # and when the shard ends.
    # @abstract
    class RecordProcessorBase
      def init_processor(_shard_id); end

      def process_records(_records, _checkpointer)
        raise NotImplementedError, "#{self.class} needs process_records(records, checkpointer)"
      end

      # @param reason [String] `TERMINATE` at the end of the shard (call `checkpointer.checkpoint`).
      #   `ZOMBIE` if another worker holds the lease; checkpoints are no longer possible.
      def shutdown(_checkpointer, _reason)
        raise NotImplementedError, "#{self.class} needs shutdown(checkpointer, reason)"
      end

      def shutdown_requested(_checkpointer); end
    end

    module V2
      # What every method of a processor receives.
      class Input
        # Writes to the daemon's log with shard and level (`debug`, `info`, `warn`, `error`), or to
        # STDERR if the daemon has no such log.
        def log(level, message)
          @process ? @process.log(level, message) : warn("#{level}: #{message}")
        end

        # @api private
        def from(process)
          @process = process
          self
        end
      end

      # Where the processor starts: digits, or `TRIM_HORIZON`, `LATEST`, `AT_TIMESTAMP` without a
      # checkpoint.
      class InitializeInput < Input
        attr_reader :shard_id, :sequence_number, :sub_sequence_number

        def initialize(shard_id, sequence_number, sub_sequence_number = nil)
          super()
          @shard_id = shard_id
          @sequence_number = sequence_number
          @sub_sequence_number = sub_sequence_number
        end
      end

      # Records in the order of the shard. Each is a Hash with the keys `data` (base64:
      # `record['data'].unpack1('m')`), `partitionKey`, `sequenceNumber`, `subSequenceNumber` and
      # `approximateArrivalTimestamp` (ms since 1970).
      class ProcessRecordsInput < Input
        attr_reader :records, :millis_behind_latest, :checkpointer

        def initialize(records, millis_behind_latest, checkpointer = nil)
          super()
          @records = records
          @millis_behind_latest = millis_behind_latest
          @checkpointer = checkpointer
        end
      end

      class LeaseLostInput < Input; end

      class ShardEndedInput < Input
        attr_reader :checkpointer

        def initialize(checkpointer = nil)
          super()
          @checkpointer = checkpointer
        end
      end

      class ShutdownRequestedInput < ShardEndedInput; end

      # Handles the actions of the daemon for one shard.
      # @abstract
      class RecordProcessorBase
        def init_processor(_initialize_input); end

        def process_records(_process_records_input)
          raise NotImplementedError, "#{self.class} needs process_records(process_records_input)"
        end

        # Another worker holds the shard: checkpoints are no longer possible.
        def lease_lost(_lease_lost_input); end

        # Must call `checkpointer.checkpoint`, or the shard's child shards never start.
        def shard_ended(_shard_ended_input)
          raise NotImplementedError, "#{self.class} needs shard_ended(shard_ended_input)"
        end

        # The daemon stops or hands the shard over: the last chance to checkpoint.
        def shutdown_requested(_shutdown_requested_input); end
      end
    end

    # Messages as lines of JSON. Lines may be of any length.
    # @api private
    class Lines
      ACTIONS = %w[initialize processRecords leaseLost shardEnded shutdownRequested].freeze

      def initialize(input, output, error)
        @input = input
        @output = output
        @error = error
        @writing = Mutex.new
      end

      # @return [Hash, nil] the next message, `nil` at the end of the input
      def read
        while (line = @input.gets)
          line = line.dup.force_encoding(Encoding::UTF_8)
          next unless line.match?(/\S/)

          message = JSON.parse(line)
          return message if message.is_a?(Hash)

          raise MalformedAction, "the daemon sent something that is not a message: #{line[0, 200]}"
        end
      end

      # The next action that this client knows.
      def read_action
        while (message = read)
          return message if ACTIONS.include?(message['action'])

          ignore(message)
        end
      end

      def read_answer
        while (message = read)
          return message if message['action'] == 'checkpoint'
          raise CheckpointError, 'InvalidStateException' if ACTIONS.include?(message['action'])

          ignore(message)
        end
        raise CheckpointError, 'ShutdownException' # the daemon is gone
      end

      # The line break in front protects the message from anything on STDOUT that has no line end.
      def write(message)
        @writing.synchronize do
          @output.write("\n#{JSON.generate(message)}\n")
          @output.flush
        end
      end

      private

      def ignore(message)
        @error.puts("kcl: ignoring an action that this client does not know: #{message['action']}")
      end
    end

    # The main loop. By default the protocol uses STDIN and STDOUT. From then on, whatever Ruby, C
    # code or child processes print goes to STDERR, and their STDIN is empty.
    class KCLProcess
      # @param processor [V2::RecordProcessorBase, RecordProcessorBase]
      # @param sleeper [#call] waits between attempts to checkpoint; it receives seconds
      def initialize(processor, input = nil, output = nil, error = $stderr, sleeper: Kernel.method(:sleep))
        @processor = processor
        @legacy = processor.respond_to?(:shutdown) && !processor.respond_to?(:shard_ended)
        @error = error
        @sleeper = sleeper
        @lines = Lines.new(input || take($stdin, File::NULL), output || take($stdout, $stderr), error)
      end

      # Handles one action after the other until the end of the input.
      # @raise whatever the processor raises: Ruby then ends with a backtrace on STDERR and status 1
      def run
        nil while answer(@lines.read_action) # no variable keeps a batch while the next one is read
      end

      # See {V2::Input#log}.
      def log(level, message)
        if ENV.key?('KINESIS_MULTILANG_PROTOCOL_VERSION')
          @lines.write('action' => 'log', 'level' => level.to_s, 'message' => message.to_s)
        else
          @error.puts("#{level}: #{message}")
        end
      end

      private

      def answer(action)
        return false if action.nil?

        checkpointer = Checkpointer.new(@lines, @sleeper)
        @legacy ? call_legacy(action, checkpointer) : call(action, checkpointer)
        checkpointer.finish
        @lines.write('action' => 'status', 'responseFor' => action['action'])
        true
      end

      def take(stream, replacement)
        ours = stream.dup
        stream.reopen(replacement)
        ours
      end

      def call(action, checkpointer)
        method, input =
          case action['action']
          when 'initialize'
            [:init_processor, V2::InitializeInput.new(*action.values_at('shardId', 'sequenceNumber', 'subSequenceNumber'))]
          when 'processRecords'
            [:process_records, V2::ProcessRecordsInput.new(*action.values_at('records', 'millisBehindLatest'), checkpointer)]
          when 'leaseLost' then [:lease_lost, V2::LeaseLostInput.new]
          when 'shardEnded' then [:shard_ended, V2::ShardEndedInput.new(checkpointer)]
          else [:shutdown_requested, V2::ShutdownRequestedInput.new(checkpointer)]
          end
        @processor.public_send(method, input.from(self))
      end

      def call_legacy(action, checkpointer)
        case action['action']
        when 'initialize' then @processor.init_processor(action['shardId'])
        when 'processRecords' then @processor.process_records(action['records'], checkpointer)
        when 'leaseLost' then @processor.shutdown(nil, 'ZOMBIE')
        when 'shardEnded' then @processor.shutdown(checkpointer, 'TERMINATE')
        else @processor.shutdown_requested(checkpointer) if @processor.respond_to?(:shutdown_requested)
        end
      end
    end
  end
end
