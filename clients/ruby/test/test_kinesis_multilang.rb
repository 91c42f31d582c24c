# frozen_string_literal: true

# Run with: ruby -Ilib -Itest test/test_kinesis_multilang.rb

require 'minitest/autorun'
require 'open3'
require 'rbconfig'
require 'stringio'
require 'kinesis_multilang'

class KinesisMultilangTest < Minitest::Test
  CheckpointError = Aws::KCLrb::CheckpointError

  INITIALIZE = { 'action' => 'initialize', 'shardId' => 'shardId-0', 'sequenceNumber' => 'TRIM_HORIZON', 'subSequenceNumber' => 0 }.freeze
  RECORD = { 'data' => 'Y2F0', 'partitionKey' => "schl\u00fcssel\u2028", 'sequenceNumber' => '49590338271490256608559692538361571095921575989136588898',
             'approximateArrivalTimestamp' => 1_700_000_000_123, 'subSequenceNumber' => 3, 'action' => 'record' }.freeze
  PROCESS = { 'action' => 'processRecords', 'records' => [RECORD], 'millisBehindLatest' => 5 }.freeze

  Played = Struct.new(:written, :errors, :waits, :failure)

  # A processor whose process_records is a block. The other methods record what they received.
  class Blocks < Aws::KCLrb::V2::RecordProcessorBase
    attr_reader :seen

    def initialize(&block)
      super()
      @block = block || proc {}
      @seen = []
    end

    def process_records(input)
      @block.call(input)
    end

    %i[init_processor lease_lost shard_ended shutdown_requested].each do |name|
      define_method(name) { |input| @seen << [name, input] }
    end
  end

  # A processor of aws-kclrb 1.
  class Legacy < Aws::KCLrb::RecordProcessorBase
    attr_reader :seen

    def initialize
      super
      @seen = []
    end

    def init_processor(*args)
      @seen << args
    end
    alias process_records init_processor
    alias shutdown init_processor
    alias shutdown_requested init_processor
  end

  def ack(error = nil)
    { 'action' => 'checkpoint', 'sequenceNumber' => nil, 'subSequenceNumber' => nil, 'error' => error }
  end

  def status(action)
    { 'action' => 'status', 'responseFor' => action }
  end

  def play(processor, *messages)
    input = messages.map { |message| "#{message.is_a?(String) ? message : JSON.generate(message)}\n" }.join
    output = StringIO.new
    error = StringIO.new
    played = Played.new([], nil, [], nil)
    begin
      sleeper = ->(seconds) { played.waits << seconds }
      Aws::KCLrb::KCLProcess.new(processor, StringIO.new(input), output, error, sleeper: sleeper).run
    rescue StandardError, NotImplementedError => e
      played.failure = e
    end
    played.written = output.string.split("\n").reject(&:empty?).map { |line| JSON.parse(line) }
    played.errors = error.string
    played
  end

  def checkpointing(*args)
    Blocks.new { |input| input.checkpointer.checkpoint(*args) }
  end

  def test_answers_every_action
    actions = %w[shutdownRequested leaseLost shardEnded]
    processor = Blocks.new
    played = play(processor, INITIALIZE, PROCESS, *actions.map { |action| { 'action' => action } })
    assert_nil played.failure
    assert_equal %w[initialize processRecords].concat(actions).map { |action| status(action) }, played.written
    assert_equal %i[init_processor shutdown_requested lease_lost shard_ended], processor.seen.map(&:first)
  end

  def test_gives_the_fields_of_the_messages
    batch = nil
    processor = Blocks.new { |input| batch = input }
    play(processor, INITIALIZE, PROCESS)
    first = processor.seen[0][1]
    assert_equal ['shardId-0', 'TRIM_HORIZON', 0], [first.shard_id, first.sequence_number, first.sub_sequence_number]
    assert_equal [RECORD], batch.records
    assert_equal 5, batch.millis_behind_latest
  end

  def test_checkpoint_arguments
    {
      [] => [nil, nil], [nil] => [nil, nil], ['7'] => ['7', nil], ['7', 2] => ['7', 2],
      [RECORD] => [RECORD['sequenceNumber'], 3]
    }.each do |args, (sequence_number, sub_sequence_number)|
      played = play(checkpointing(*args), PROCESS, ack)
      request = { 'action' => 'checkpoint', 'sequenceNumber' => sequence_number, 'subSequenceNumber' => sub_sequence_number }
      assert_equal [request, status('processRecords')], played.written
    end
  end

  def test_retries_throttled_checkpoints
    errors = %w[ThrottlingException KinesisClientLibDependencyException ThrottlingException]
    played = play(checkpointing, PROCESS, *errors.map { |error| ack(error) }, ack)
    assert_nil played.failure
    assert_equal 5, played.written.length
    assert_equal 3, played.waits.length
    played.waits.each_with_index { |wait, index| assert_includes((0.1 * 2**index)..(0.2 * 2**index), wait) }
  end

  def test_gives_up_after_eight_attempts
    played = play(checkpointing, PROCESS, *Array.new(8) { ack('ThrottlingException') })
    assert_equal 'ThrottlingException', played.failure.value
    assert_equal 8, played.written.length
    assert_operator played.waits.max, :<=, 5.0
  end

  def test_does_not_retry_errors_that_cannot_succeed
    %w[ShutdownException InvalidStateException IllegalArgumentException NullPointerException].each do |error|
      played = play(checkpointing, PROCESS, ack(error))
      assert_instance_of CheckpointError, played.failure
      assert_equal [error, 1], [played.failure.value, played.written.length]
    end
  end

  def test_any_other_message_than_the_response_is_an_error
    assert_equal 'InvalidStateException', play(checkpointing, PROCESS, PROCESS).failure.value
    assert_equal 'ShutdownException', play(checkpointing, PROCESS).failure.value
    assert_nil play(checkpointing, PROCESS, { 'action' => 'dance' }, ack).failure
  end

  def test_a_thread_finishes_its_checkpoint_before_the_status
    kept = nil
    processor = Blocks.new do |input|
      kept = input.checkpointer
      sent = Queue.new
      Thread.new do
        kept.instance_variable_get(:@turn).synchronize do
          sent << true
          Thread.pass
          kept.send(:store, ack)
        end
      end
      sent.pop
    end
    played = play(processor, PROCESS, ack)
    assert_equal status('processRecords'), played.written.last
    assert_equal 2, played.written.length
    assert_equal 'InvalidStateException', assert_raises(CheckpointError) { kept.checkpoint }.value
  end

  def test_an_exception_ends_without_a_status
    played = play(Blocks.new { raise 'no' }, PROCESS, PROCESS)
    assert_equal 'no', played.failure.message
    assert_empty played.written
  end

  def test_required_methods_of_a_processor
    bare = Class.new(Aws::KCLrb::V2::RecordProcessorBase).new
    [PROCESS, { 'action' => 'shardEnded' }].each do |message|
      assert_instance_of NotImplementedError, play(bare, message).failure
    end
    assert_equal 3, play(bare, INITIALIZE, { 'action' => 'leaseLost' }, { 'action' => 'shutdownRequested' }).written.length
  end

  def test_an_old_processor
    processor = Legacy.new
    played = play(processor, INITIALIZE, PROCESS, { 'action' => 'shutdownRequested' }, { 'action' => 'leaseLost' }, { 'action' => 'shardEnded' })
    assert_nil played.failure
    assert_equal 5, played.written.length
    initialize, process, requested, lost, ended = processor.seen
    assert_equal ['shardId-0'], initialize
    assert_equal [RECORD], process[0]
    assert_respond_to process[1], :checkpoint
    assert_respond_to requested[0], :checkpoint
    assert_equal [nil, 'ZOMBIE'], lost
    assert_equal 'TERMINATE', ended[1]
    assert_respond_to ended[0], :checkpoint
  end

  def test_ignores_blank_lines_and_unknown_actions
    played = play(Blocks.new, '', '  ', { 'action' => 'dance' }, {}, ack, INITIALIZE)
    assert_equal [status('initialize')], played.written
    assert_includes played.errors, 'dance'
  end

  def test_a_line_that_is_not_a_message_is_an_error
    ['null', '7', '{', '{"action":"initialize"'].each { |line| refute_nil play(Blocks.new, line).failure, line }
  end

  def test_a_long_line
    length = nil
    record = RECORD.merge('data' => 'A' * (16 * 1024 * 1024))
    play(Blocks.new { |input| length = input.records[0]['data'].length }, PROCESS.merge('records' => [record]))
    assert_equal 16 * 1024 * 1024, length
  end

  def test_log_goes_to_a_daemon_that_supports_it
    talking = Blocks.new { |input| input.log('warn', 'slow') }
    without = play(talking, PROCESS)
    assert_equal [status('processRecords')], without.written
    assert_equal "warn: slow\n", without.errors
    ENV['KINESIS_MULTILANG_PROTOCOL_VERSION'] = '1'
    assert_equal({ 'action' => 'log', 'level' => 'warn', 'message' => 'slow' }, play(talking, PROCESS).written.first)
  ensure
    ENV.delete('KINESIS_MULTILANG_PROTOCOL_VERSION')
  end

  def run_program(body)
    program = <<~RUBY
      require 'kinesis_multilang'
      class Processor < Aws::KCLrb::V2::RecordProcessorBase
        def process_records(input)
          #{body}
        end
      end
      Aws::KCLrb::KCLProcess.new(Processor.new).run
    RUBY
    long = { 'action' => 'leaseLost', 'longerThanAnyBuffer' => 'A' * 300_000 }
    library = File.expand_path('../lib', __dir__)
    Open3.capture3({ 'LC_ALL' => 'C' }, RbConfig.ruby, '-I', library, '-e', program, stdin_data: [PROCESS, long].map { |message| "#{JSON.generate(message)}\n" }.join)
  end

  def test_prints_stay_off_stdout
    out, error, status = run_program("puts 'hello'; STDOUT.puts 'there'; system('echo child; cat'); print STDIN.read")
    assert_equal %w[processRecords leaseLost].map { |action| JSON.generate(status(action)) }, out.split
    assert_equal "hello\nthere\nchild\n", error
    assert_predicate status, :success?
  end

  def test_failures_end_the_process
    out, error, status = run_program("raise 'no such file'")
    assert_equal ['', 1], [out, status.exitstatus]
    assert_includes error, 'no such file'
  end
end
