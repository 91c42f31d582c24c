# frozen_string_literal: true

# Puts records into Kinesis streams through the program `kinesis-multilang produce`, which
# aggregates them as the Kinesis Producer Library does, and retries. This file starts the program
# and speaks its protocol. A thread reads the results, so a put waits only for credit.

require 'json'
require 'socket'

module KinesisMultilang
  # One attempt to store a record. Times are in milliseconds: since the end of the attempt before (or
  # since the put), and from the request to its response. If `maybe_stored` is true, the outcome is
  # unknown: the record may be stored twice if a later attempt succeeds.
  Attempt = Struct.new(:delay_millis, :duration_millis, :success, :error_code, :error_message, :maybe_stored)

  # Where a record is stored. A consumer receives it with these numbers.
  Stored = Struct.new(:shard_id, :sequence_number, :sub_sequence_number, :attempts)

  # What became of all records. Those in `not_stored` had no outcome when the producer's
  # `closeTimeoutMillis` was over.
  Totals = Struct.new(:stored, :failed, :not_stored)

  # A record is not stored. The producer has already retried what a retry can resolve.
  class RecordFailed < StandardError
    # @return [String] a name of the protocol, such as `RecordTooLarge`, or of a Kinesis error
    attr_reader :code
    # @return [Array<Attempt>]
    attr_reader :attempts

    def initialize(code, message, attempts = [])
      super("#{code}: #{message}")
      @code = code
      @attempts = attempts
    end
  end

  # The program has ended unexpectedly. Records without an outcome may or may not be stored.
  class ProducerDied < RecordFailed
    def initialize(message)
      super('ProducerDied', message)
    end
  end

  # What a put returns: its outcome, once it is known.
  class Answer
    def initialize
      @lock = Mutex.new
      @known = ConditionVariable.new
      @is_known = false
    end

    # Waits until the record is stored.
    #
    # @return [Stored]
    # @raise [RecordFailed]
    def value
      raise error if error

      @value
    end

    # Waits for the outcome.
    #
    # @return [RecordFailed, nil] nil if the record is stored
    def error
      @lock.synchronize { @known.wait(@lock) until @is_known }
      @error
    end

    # @return [Boolean] whether the outcome is known
    def known?
      @is_known
    end

    # @api private
    def settle(value, error = nil)
      @lock.synchronize do
        @value = value
        @error = error
        @is_known = true
        @known.broadcast
      end
      self
    end
  end

  # Puts records from any thread.
  class Producer
    PROTOCOL_VERSION = 1
    MAX_LINE_BYTES = 16 * 1024 * 1024
    CLIENT = 'kinesis_multilang/producer.rb 0.1.0'

    # As `new`. With a block, closes the producer at its end and returns the block's value.
    def self.open(*options, **where)
      producer = new(*options, **where)
      return producer unless block_given?

      begin
        yield producer
      ensure
        producer.close
      end
    end

    # Starts the program, or connects to one that listens.
    #
    # @param options [Array<String>] options of `kinesis-multilang produce --protocol`, such as `'-p',
    #   'producer.properties'`. The environment variable `KINESIS_MULTILANG_PRODUCER` replaces the
    #   whole command.
    # @param socket [String, nil] where `kinesis-multilang produce --listen unix:PATH` listens
    # @raise [ProducerDied] the program ended at once; its log on STDERR has the reason
    def initialize(*options, socket: nil)
      # Guards everything below, and announces credit and the end.
      @lock = Mutex.new
      @changed = ConditionVariable.new
      # Keeps the order of lines. The reader never takes it, so it reads while a write waits.
      @writing = Mutex.new
      @waiting = {}
      @last_id = 0
      @credit = 0
      @io = socket ? UNIXSocket.new(socket) : start(options)
      @io.sync = true
      @reader = Thread.new { read }
      greet
    end

    # Hands over one record. Waits while `maxInFlightBytes` of records have no outcome yet.
    #
    # @param partition_key [String] 1 to 256 UTF-16 units
    # @param data [String] bytes, whatever the encoding
    # @param explicit_hash_key [Integer, String, nil] from 0 to 2**128 - 1
    # @param stream [String, nil] optional if the producer's configuration names one
    # @return [Answer]
    def put(partition_key, data, explicit_hash_key: nil, stream: nil)
      message = { 'action' => 'put', 'partitionKey' => partition_key, 'stream' => stream }
      message['explicitHashKey'] = explicit_hash_key.to_s if explicit_hash_key
      if data.encoding == Encoding::UTF_8 && data.valid_encoding?
        message['text'] = data
      else
        message['data'] = [data].pack('m0')
      end
      ask(message)
    end

    # Sends everything that was put before, and waits for the outcomes.
    #
    # @param timeout [Numeric, nil] the longest wait, in seconds
    # @return [Integer] the number of records that still have no outcome
    def flush(timeout: nil)
      ask('action' => 'flush', 'timeoutMs' => timeout && (timeout * 1000).round).value
    end

    # @return [Array<Hash>] figures under the KPL's names: `name`, `dimensions`, `sum`,
    #   `sampleCount`, `min` and `max`
    def metrics(name: nil, window_seconds: nil)
      ask('action' => 'metrics', 'name' => name, 'windowSeconds' => window_seconds).value
    end

    # @return [Integer] the number of messages without an answer
    def outstanding
      @lock.synchronize { @waiting.size }
    end

    # Sends everything that was put, waits for the outcomes, and ends the producer.
    #
    # @return [Totals]
    # @raise [ProducerDied] the program ended before it had reported all outcomes
    def close
      @writing.synchronize do
        @lock.synchronize { @end ||= RecordFailed.new('Closed', 'the producer is closed') }
        end_input
      end
      @reader.join
      @io.close
      @totals || raise(@end)
    end

    private

    def start(options)
      given = ENV.fetch('KINESIS_MULTILANG_PRODUCER', '').split
      command = given.empty? ? ['kinesis-multilang', 'produce', '--protocol', *options] : given
      # In a process group of its own: Ctrl-C reaches this program, which then closes the producer.
      IO.popen(command, 'r+b', pgroup: true).tap { |io| @pid = io.pid }
    end

    def greet
      @lock.synchronize { @changed.wait(@lock) until @ready || @end }
      close if @end
      version = @ready['protocolVersion']
      if version != PROTOCOL_VERSION
        end_input
        raise ProducerDied, "the producer uses protocol version #{version}; update this client"
      end
      line = encode('action' => 'start', 'protocolVersion' => version, 'client' => CLIENT, 'credit' => true)
      @lock.synchronize { @credit -= line.bytesize }
      write(line)
    end

    def ask(message)
      answer = Answer.new
      id = @lock.synchronize { @last_id += 1 }
      line = encode(message.merge('id' => id))
      @writing.synchronize do
        problem = @lock.synchronize { take(id, answer, line.bytesize, message['action'] == 'put') }
        return answer.settle(nil, problem) if problem

        write(line)
      end
      answer
    end

    # Waits for credit and registers a line. Returns why the line cannot be written.
    def take(id, answer, cost, is_put)
      if cost > MAX_LINE_BYTES
        text = "the record takes #{cost} bytes in the protocol; allowed: #{MAX_LINE_BYTES}"
        return RecordFailed.new('RecordTooLarge', text)
      end
      @changed.wait(@lock) while is_put && !@end && @credit < [cost, @ready['maxInFlightBytes']].min
      return @end if @end

      @credit -= cost
      @waiting[id] = answer
      nil
    end

    def encode(message)
      "#{JSON.generate(message.compact)}\n"
    end

    def write(line)
      @io.write(line)
    rescue SystemCallError, IOError
      # The producer has ended. The reader notices, and fails all answers.
    end

    def end_input
      @io.close_write
    rescue SystemCallError, IOError
      # The producer has ended, or the input has.
    end

    def read
      @io.each_line("\n") { |line| receive(JSON.parse(line.force_encoding(Encoding::UTF_8))) }
      why = 'the connection has ended'
      why = "the producer has ended with #{Process.wait2(@pid).last.to_s.sub(/^pid \d+ /, '')}" if @pid
    rescue StandardError => e # also a line that is not a message
      why = "the producer's output cannot be read: #{e.message}"
    ensure
      finish(why)
    end

    def receive(message)
      case message['action']
      when 'result', 'flushed', 'metrics'
        answer = @lock.synchronize { @waiting.delete(message['id']) }
        answer&.settle(*outcome(message))
      when 'credit', 'ready'
        @lock.synchronize do
          @ready ||= message
          @credit += message['bytes'] || message['maxInFlightBytes']
          @changed.broadcast
        end
      when 'closed'
        @totals = Totals.new(*message.values_at('stored', 'failed', 'notStored'))
      when 'error'
        warn "kinesis_multilang: the producer refused line #{message['line']}: #{message['message']}"
      end
    end

    # The value of an answer, and its error.
    def outcome(message)
      return [message['notStored'] || message['metrics'], nil] unless message['action'] == 'result'

      attempts = message['attempts'].map do |attempt|
        Attempt.new(*attempt.values_at('delay', 'duration', 'success', 'errorCode', 'errorMessage', 'maybeStored'))
      end
      return [nil, RecordFailed.new(message['error'], message['message'], attempts)] if message['error']

      [Stored.new(*message.values_at('shardId', 'sequenceNumber', 'subSequenceNumber'), attempts), nil]
    end

    def finish(why)
      error = ProducerDied.new("#{why}; see its log on STDERR")
      error = RecordFailed.new('NotStored', 'the producer ended before the record had an outcome') if @totals
      waiting = @lock.synchronize do
        @end = @totals ? RecordFailed.new('Closed', 'the producer has ended') : error
        @changed.broadcast
        @waiting.values.tap { @waiting = {} }
      end
      waiting.each { |answer| answer.settle(nil, error) }
    end
  end
end
